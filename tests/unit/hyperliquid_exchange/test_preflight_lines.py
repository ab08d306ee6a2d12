"""What the checklist lets begin: green, fresh, and of the very same thing."""

from typing import Any

import msgspec
import pytest

from hyperliquid_exchange.application.preflight.lines import Result, Running, refusal
from suite.checklist import Line, failed, passed, skipped, warned

NOW_MS = 1_790_000_000_000
ACCOUNTS = {"alice": "0x" + "a" * 40}
RUNNING = Running(network="mainnet", config_hash="c", build_hash="b", accounts=ACCOUNTS)


def result(*lines: Line, **more: Any) -> Result:
    known: dict[str, Any] = {
        "mode": "live",
        "network": "mainnet",
        "as_of_ms": NOW_MS,
        "config_hash": "c",
        "build_hash": "b",
        "accounts": ACCOUNTS,
        "lines": lines or (passed(1, "all", "well"), warned(2, "some", "odd", "look")),
    }
    return Result(**(known | more))


def test_green_and_fresh_result_of_the_same_thing_lets_trading_begin() -> None:
    """A warning does not stand in the way; fourteen minutes do not."""
    assert refusal(result(), RUNNING, NOW_MS + 15 * 60_000 - 1) is None


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        (None, "there is no preflight"),
        (result(mode="offline"), "offline"),
        (result(failed(7, "x", "bad", "do"), failed(9, "y", "bad", "do")), "failed at 7, 9"),
        (result(skipped(4, "x", "no", "do", required=True)), "failed at 4"),
        (result(as_of_ms=NOW_MS - 15 * 60_000), "15 minutes old"),
        (result(as_of_ms=NOW_MS + 16 * 60_000), "of the future"),
        (result(network="testnet"), "another network"),
        (result(config_hash="d"), "another configuration"),
        (result(build_hash="d"), "another build"),
        (result(accounts={"alice": "0x" + "b" * 40}), "another list of accounts"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(kept: Result | None, text: str) -> None:
    told = refusal(kept, RUNNING, NOW_MS)
    assert told is not None
    assert text in told
    assert "hyperliquid-exchange preflight" in told


def test_skip_of_what_is_required_is_not_green() -> None:
    assert result(skipped(4, "x", "no", "do", required=False)).green
    assert not result(skipped(4, "x", "no", "do", required=True)).green


def test_result_is_the_same_after_a_way_over_the_disk() -> None:
    kept = result()
    assert kept == msgspec.json.decode(msgspec.json.encode(kept), type=Result)

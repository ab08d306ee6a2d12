"""Whether live trading may begin: by the last preflight of the very same thing."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.hyperliquid_exchange.test_preflight_lines import NOW_MS, RUNNING, result

from hyperliquid_exchange.adapters.preflight_file import keep_result
from hyperliquid_exchange.application.preflight.lines import Result
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from hyperliquid_exchange.running import PreflightGate, config_hash
from hyperliquid_exchange.settings import Settings
from suite.checklist import failed
from suite.clock import ManualClock


class Ladder:
    """A ladder that remembers."""

    def __init__(self) -> None:
        self.causes: dict[tuple[str, str], Cause] = {}

    def engage(self, cause: Cause) -> None:
        self.causes[cause.scope, cause.by] = cause

    def release(self, scope: str, by: str) -> None:
        self.causes.pop((scope, by), None)


def gate(ladder: Ladder, folder: Path, *, is_needed: bool = True) -> PreflightGate:
    return PreflightGate(RUNNING, folder, ladder, ManualClock(NOW_MS), is_needed=is_needed)


@pytest.mark.parametrize(
    "kept", [None, result(failed(9, "x", "bad", "do")), result(as_of_ms=NOW_MS - 900_000)]
)
def test_real_money_waits_for_a_green_and_fresh_result(kept: Result | None, tmp_path: Path) -> None:
    """New risk is PAUSED for everybody, with what to do; a result that comes later ends it."""
    if kept is not None:
        keep_result(kept, tmp_path)
    ladder = Ladder()
    held = gate(ladder, tmp_path)
    assert not held.look()
    cause = ladder.causes[EVERYBODY, "preflight"]
    assert Level.PAUSED is cause.level
    assert "hyperliquid-exchange preflight" in cause.reason
    keep_result(result(), tmp_path)
    assert held.look()
    assert {} == ladder.causes
    assert held.is_open


def test_anywhere_else_it_is_only_said(tmp_path: Path) -> None:
    ladder = Ladder()
    held = gate(ladder, tmp_path, is_needed=False)
    assert held.look()
    assert {} == ladder.causes


def test_pause_of_a_former_life_is_taken_back_by_a_green_result(tmp_path: Path) -> None:
    ladder = Ladder()
    gate(ladder, tmp_path).look()
    keep_result(result(), tmp_path)
    assert gate(ladder, tmp_path).look()
    assert {} == ladder.causes


def hash_of(path: Path, **settings: Any) -> str:
    return config_hash(Settings.load(accounts=path, **settings), path)


def test_configuration_is_all_that_was_decided(tmp_path: Path) -> None:
    """Settings and the accounts file; not how logs look, or which port is free."""
    path = tmp_path / "accounts.yaml"
    path.write_text("network: mainnet\n")
    first = hash_of(path)
    assert first == hash_of(path, log_level="error", port=0)
    others = [hash_of(path, network="mainnet"), hash_of(path, host="::1")]
    path.write_text("network: testnet\n")
    others.append(hash_of(path))
    assert 4 == len({first, *others})

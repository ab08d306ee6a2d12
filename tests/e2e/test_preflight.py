"""The checklist as commands, against a venue as strict as mainnet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.live_stack import LiveStack, LiveTrader, running_stack
from tests.support.sdk import IOC

pytestmark = [pytest.mark.process]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    traders = (LiveTrader("alice"), LiveTrader("bob", has_sub_account=True))
    with running_stack(folder, *traders, starts=False) as found:
        yield found


def lines_of(stack: LiveStack, *command: str) -> tuple[int, dict[int, dict[str, Any]]]:
    """Exit code and lines by number."""
    done = stack.run(*command, "--json")
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    return done.returncode, {line["number"]: line for line in told["lines"]}


def failed(lines: dict[int, dict[str, Any]]) -> set[int]:
    return {number for number, line in lines.items() if line["status"] == "FAIL"}


def test_everything_is_looked_at_and_the_rest_is_named(stack: LiveStack) -> None:
    """A stack that is well but for the watchdog, which does not run here."""
    code, lines = lines_of(stack, "preflight")
    assert (1, {38}) == (code, failed(lines)), lines
    assert {2, 3, 4, 5, 7, 9, 10, 11, 12, 14, 16, 17, 18, 19, 20, 21, 24, 25} <= lines.keys()
    assert {26, 27, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41} <= lines.keys()
    assert set(range(1, 50)) - {6, 8, 28} <= lines.keys()  # those are told with others
    assert "100000000.0 USD" in lines[48]["reason"].partition(":")[0]
    assert all(line["reason"] for line in lines.values())
    kept = json.loads((stack.folder / "var" / "preflight.json").read_text())
    assert "live" == kept["mode"]
    assert {"alice", "bob"} == kept["accounts"].keys()
    assert not kept["green"]


def test_doctor_needs_no_venue(stack: LiveStack) -> None:
    """The same machine, the venue unreached."""
    stack.settings["HYPERLIQUID_EXCHANGE_UPSTREAM_URL"] = "http://127.0.0.1:9"
    try:
        _, lines = lines_of(stack, "doctor")
        assert {38} == failed(lines), lines
        assert 10 not in lines
        code, lines = lines_of(stack, "preflight")
        assert 1 == code
        assert {10, 12, 19, 21, 26, 27, 30, 31, 32, 40} <= failed(lines)
        assert "cannot be reached" in lines[30]["reason"]
    finally:
        stack.settings["HYPERLIQUID_EXCHANGE_UPSTREAM_URL"] = stack.venue.url


def test_a_running_service_is_no_other_instance(stack: LiveStack) -> None:
    """It may well be looked at while it serves: that is when a kill is to be ended."""
    stack.settings["HYPERLIQUID_EXCHANGE_PORT"] = stack.start().rpartition(":")[2]
    try:
        _, lines = lines_of(stack, "doctor")
        for number in (1, 7, 13, 15):  # it runs what is installed, and is closed to strangers
            assert "PASS" == lines[number]["status"], lines[number]
        assert stack.process is not None
        assert f"the service is process {stack.process.pid} on" in lines[7]["reason"]
    finally:
        assert 0 == stack.stop()


def test_table_is_for_people(stack: LiveStack) -> None:
    """A line a check, what to do below it, and a verdict."""
    done = stack.run("preflight")
    assert "FAIL 38 watchdog: no beat" in done.stdout
    assert "        start `hyperliquid-exchange watchdog`" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("live mainnet: NOT green (")


def test_foreign_order_and_naked_position_are_found(stack: LiveStack) -> None:
    """Somebody traded past the proxy with the agent's key."""
    from hyperliquid.exchange import Exchange

    alice = stack.traders["alice"]
    exchange: Any = Exchange(alice.agent, "https://api.hyperliquid.xyz", meta=_meta(stack),
                             spot_meta={"universe": [], "tokens": []},
                             account_address=alice.address)  # fmt: skip
    exchange._post_action = lambda action, signature, stamp: stack.venue.post(
        "/exchange", {"action": action, "nonce": stamp, "signature": signature}
    )
    exchange.order("ETH", True, 0.02, stack.venue.price("ETH", 1.02), IOC)
    exchange.order("ETH", True, 0.02, stack.venue.price("ETH", 0.8), {"limit": {"tif": "Gtc"}})
    _, lines = lines_of(stack, "preflight")
    assert {26, 27, 38} == failed(lines), lines
    assert "alice: orders that were not sent from here" in lines[26]["reason"]
    assert "alice: 0.02 ETH without a stop" == lines[27]["reason"]


def test_agent_that_is_not_approved_is_found(stack: LiveStack) -> None:
    """A new key that nobody has approved yet."""
    path = stack.folder / "keys" / "bob.key"
    kept = path.read_text()
    path.chmod(0o600)
    path.write_text("3b" * 32)
    try:
        _, lines = lines_of(stack, "preflight")
        assert 10 in failed(lines)
        assert "bob" in lines[10]["reason"]
        assert "no approved agent" in lines[10]["reason"]
        assert "WARN" == lines[9]["status"]
    finally:
        path.write_text(kept)
        path.chmod(0o400)


def test_damaged_journal_and_a_kill_are_found(stack: LiveStack) -> None:
    """Each by its own line."""
    state = stack.folder / "var"
    (state / "intents").mkdir(parents=True, exist_ok=True)
    (state / "intents" / "00000001.intents").write_text("nothing of ours\n")
    (state / "safety").mkdir(exist_ok=True)
    (state / "safety" / "KILL").touch()
    try:
        _, lines = lines_of(stack, "doctor")
        assert {24, 37, 38} <= failed(lines), lines
        assert "KILLED" in lines[37]["reason"]
        assert "damaged" in lines[24]["reason"]
        assert "/tmp" not in lines[24]["reason"].replace(str(stack.folder), "")
    finally:
        (state / "safety" / "KILL").unlink()
        (state / "intents" / "00000001.intents").unlink()


def _meta(stack: LiveStack) -> Any:
    return stack.venue.info("meta")


def test_real_mainnet_is_paused_until_the_preflight_is_green(tmp_path: Path) -> None:
    """The address is Hyperliquid's own; nothing of it is reached from here, and nothing leaves."""
    from tests.support.live_stack import fetch
    from tests.support.venue_process import VenueUnderTest

    trader = LiveTrader("alice", symbols=("BTC",))
    trader.address = trader.master.address
    (tmp_path / "proxy").mkdir()
    stack = LiveStack(
        venue=VenueUnderTest("hyperliquid", "https://api.hyperliquid.xyz"),
        upstream_url="https://api.hyperliquid.xyz",
        folder=tmp_path / "proxy",
        traders={"alice": trader},
        settings={
            "HYPERLIQUID_EXCHANGE_NETWORK": "mainnet",
            "HYPERLIQUID_EXCHANGE_ACCOUNTS": "accounts.yaml",
            "HYPERLIQUID_EXCHANGE_UPSTREAM_URL": "https://api.hyperliquid.xyz",
        },
    )
    stack.write_accounts()
    stack.start()
    try:
        causes = json.loads((stack.folder / "var" / "safety" / "safety.json").read_text())
        found = {cause["by"]: cause for cause in causes}
        assert 1 == found["preflight"]["level"]  # that no watchdog beats may be there already
        assert "there is no preflight" in found["preflight"]["reason"]
        cancel = {"coin": "BTC", "oid": 1}
        status, text = fetch(f"{stack.url}/exchange/cancel", cancel, stack.headers("alice"))
        assert "preflight" not in text, (status, text)
    finally:
        stack.kill()

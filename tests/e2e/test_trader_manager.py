"""The manager of a fleet as a process, with a database of its own, at a real venue."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.manager_process import Manager, end_traders, lives, managing
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

TRADERS = """
traders:
  - {trader_id: anna, strategy: {kind: hodl}, symbols: [BTC], interval: 1m}
  - {trader_id: bert, strategy: {kind: random}, symbols: [BTC], interval: 1m, account: anna}
  - {trader_id: carl, strategy: {kind: random}, symbols: [BTC], interval: 1m}
"""


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path / "venue", coins=("BTC",), speed=60) as found:
        yield found


def test_a_fleet_outlives_its_manager_and_each_trader_its_own_death(
    venue: VenueUnderTest, home: Path
) -> None:
    """Accounts are opened, a killed trader comes back, a killed manager finds all of them again."""
    (home / "traders.yaml").write_text(TRADERS)
    with managing(home, venue, "--traders", "traders.yaml") as manager:
        eventually(lambda: manager.state("anna") == "running", limit_s=60)
        eventually(lambda: manager.state("carl") == "running", limit_s=60)
        assert {"anna", "carl"} == set(manager.traders())
        assert "the account anna is that of traders[anna]" in (home / "manager.log").read_text()
        before = manager.traders()
        os.kill(before["carl"]["pid"], signal.SIGKILL)
        eventually(lambda: manager.state("carl") == "running", limit_s=60)
        assert before["anna"]["pid"] == manager.traders()["anna"]["pid"], "others do not notice"
        dora = {"strategy": "sma_cross", "symbol": "BTC", "interval": "1m", "trader_id": "dora"}
        assert 201 == manager.ask("POST", "/traders", entry=dora).status_code
        eventually(lambda: manager.state("dora") == "running", limit_s=60)
        pids = {name: row["pid"] for name, row in manager.traders().items()}
        manager.process.kill()
    with managing(home, venue) as manager:
        eventually(lambda: manager.state("dora") == "running", limit_s=60)
        eventually(
            lambda: {name: row["pid"] for name, row in manager.traders().items()} == pids,
            limit_s=20,
        )
        assert 200 == manager.ask("POST", "/traders/dora/stop").status_code
        eventually(lambda: manager.traders()["dora"]["actual"] == "absent", limit_s=60)
        assert not lives(pids["dora"])
        assert 200 == manager.ask("DELETE", "/traders/dora?force=true").status_code
        told = manager.ask("POST", "/run-once", reason="now").json()
        assert ({"anna", "carl"}, {}) == (set(told["done"]), told["refused"])
        assert manager.ask("GET", "/traders/carl/decisions").json()["decisions"]
        told = manager.ask("POST", "/traders/carl/allocate", usd="2500.5", reason="less").json()
        assert "taken" == told["state"]
        eventually(lambda: manager.traders()["carl"]["status"]["allocation"] == "2500.5")
        done = manager.ask("POST", "/stop-all").json()["done"]
        assert {"anna", "carl"} == set(done)
        eventually(lambda: not any(map(lives, pids.values())), limit_s=60)
        refused = manager.ask("DELETE", "/traders/anna")
        how = "anna holds BTC: flatten it first; it is stopped: POST /traders/anna/start before"
        assert (409, how) == (refused.status_code, refused.text)


def test_what_cannot_be_is_refused_with_its_reason(venue: VenueUnderTest, home: Path) -> None:
    """Each in one line, and nothing of it is half done."""
    entry: dict[str, Any] = {"strategy": "hodl", "symbol": "BTC", "trader_id": "anna"}
    bad = {"trader_id": "odd", "strategy": "hold", "initial_balance": -1, "symbol": "BTC"}
    tokens = '{"lost": "act_of_an_account_that_nobody_has_ever_opened"}'
    with managing(home, venue, TRADER_TOKENS=tokens) as manager:

        def refused(method: str, path: str, **body: Any) -> tuple[int, str]:
            reply = manager.ask(method, path, **body)
            return reply.status_code, reply.text

        assert 401 == httpx.get(manager.url + "/traders").status_code
        status, text = refused("POST", "/traders", entry=bad)
        assert (400, True, True) == (status, "initial_balance" in text, "'hold'" in text)
        assert 201 == manager.ask("POST", "/traders", entry=entry, start=False).status_code
        assert (409, "there is a trader anna already") == refused("POST", "/traders", entry=entry)
        other = {**entry, "trader_id": "bert", "account": "anna"}
        assert 409 == refused("POST", "/traders", entry=other)[0]
        assert (404, "there is no trader 'ann', did you mean anna?") == refused(
            "POST", "/traders/ann/stop"
        )
        status, text = refused("POST", "/traders/anna/stop")
        assert (409, True) == (status, text.startswith("anna is to be stopped already"))
        keyless = {**entry, "trader_id": "keyless", "name": "${NOT_SET_ANYWHERE}"}
        status, text = refused("POST", "/traders", entry=keyless)
        assert (400, True) == (status, "NOT_SET_ANYWHERE is not set" in text)
        plugin = {"trader_id": "plug", "strategy": "plugin:nowhere:Mine", "symbol": "BTC"}
        assert 201 == manager.ask("POST", "/traders", entry=plugin).status_code
        status, text = refused("POST", "/traders/plug/start")
        assert (409, True) == (status, text.startswith("plug is to run already")), "it starts yet"
        found = eventually(lambda: manager.traders()["plug"]["reason"], limit_s=60)
        assert "nowhere" in found
        lost = {**entry, "trader_id": "lost"}
        assert 201 == manager.ask("POST", "/traders", entry=lost).status_code
        eventually(lambda: manager.traders()["lost"]["actual"] == "failed", limit_s=60)
        row = manager.traders()["lost"]
        assert ("none", True) == (row["step"], "token" in row["reason"]), row
        assert {"anna", "lost", "plug"} == set(manager.traders())


def test_the_second_manager_of_a_database_starts_nobody(
    venue: VenueUnderTest, home: Path, tmp_path: Path
) -> None:
    """It says so, serves what is stored, and takes over when the first is gone."""
    database = f"embedded://{home}/var/pg"
    other = tmp_path / "other"
    other.mkdir()
    with (
        managing(other, venue, DATABASE_URL=database) as second,
        managing(home, venue, DATABASE_URL=database) as first,
    ):
        try:
            entry = {"strategy": "hodl", "symbol": "BTC", "trader_id": "anna"}
            assert 200 == httpx.get(second.url + "/ready").status_code
            assert "another manager" in eventually(lambda: _trouble(first), limit_s=20)
            assert 201 == first.ask("POST", "/traders", entry=entry).status_code
            eventually(lambda: second.state("anna") == "running", limit_s=60)
            assert 0 == first.traders()["anna"]["pid"]
            second.process.kill()
            eventually(lambda: not _trouble(first), limit_s=30)
            eventually(lambda: "already" in first.traders()["anna"]["problem"], limit_s=20)
            assert 0 == first.traders()["anna"]["pid"], "its account is that of the other folder"
        finally:
            end_traders(other)


def _trouble(manager: Manager) -> str:
    return str(manager.ask("GET", "/traders").json()["trouble"])

"""A trader's process at a real venue: looked at, told what to do, ended."""

from pathlib import Path

import httpx
import pytest
from tests.support.account import address_of
from tests.support.agent_process import running_agent
from tests.support.resting_plugin import PLUGIN, TRADERS
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


def orders(venue: VenueUnderTest, trader: str) -> list[str]:
    """What rests at the venue, as a person sees it."""
    headers = venue.post("/info", {"type": "openOrders"}, trader)
    return [
        f"{row['side']} {row['origSz']} reduce={row.get('reduceOnly', False)}" for row in headers
    ]


@pytest.mark.parametrize("local", [False, True], ids=["venue wakes", "own clock"])
def test_a_process_is_looked_at_paused_and_ended_in_order(tmp_path: Path, local: bool) -> None:
    """Entries are canceled at its end and the stop stays; a second SIGTERM changes nothing."""
    (tmp_path / "mine.py").write_text(PLUGIN)
    with (
        running_venue(tmp_path, "--accounts", "alice", coins=("BTC",), speed=60.0) as venue,
        running_agent(tmp_path, venue, TRADERS, "alice", local_steps=local) as agent,
    ):
        eventually(lambda: agent.status("alice")["positions"], limit_s=60)
        shown = agent.status("alice")
        assert ("running", "LIVE", "connected") == (
            shown["state"], shown["status"], shown["connection"]
        )  # fmt: skip
        assert {"BTC": "0.01"} == agent.get("/positions")["alice"]["positions"]
        eventually(lambda: agent.get("/decisions?limit=3")["decisions"], limit_s=60)
        assert 401 == agent_without_token(agent.url)
        assert 2 == len(orders(venue, "alice"))
        code, seconds, errors = agent.stop(signals=3)
        assert (0, "") == (code, errors)
        assert seconds < 20
        assert ["A 0.01 reduce=True"] == orders(venue, "alice")


def agent_without_token(url: str) -> int:
    return httpx.post(f"{url}/pause", json={}, timeout=20).status_code


def test_the_token_of_another_account_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    """It would trade, or close, what is not its own; `account` says where that is meant."""
    with running_venue(tmp_path / "v", "--accounts", "anna,bert", coins=("BTC",)) as venue:
        token = {"bert": venue.token("anna")}
        traders = "traders:\n  - {trader_id: bert, strategy: {kind: hodl}, symbols: [BTC]}\n"
        with running_agent(tmp_path, venue, traders, "bert", control=False, tokens=token) as agent:
            _, errors = agent.process.communicate(timeout=30)
        assert 2 == agent.process.returncode
        assert "is the token of account anna, and bert trades bert" in errors
        user = {"user": address_of("anna")}
        assert [] == venue.info("clearinghouseState", **user)["assetPositions"]

"""The very same agent at the simulated venue and at the live one: two addresses differ, no more."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.agent_process import running_agent
from tests.support.live_stack import LiveStack
from tests.support.present_market import (
    PresentMarket,
    present_market,
    present_stack,
    present_venue,
)
from tests.support.resting_plugin import PLUGIN, TRADERS
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

ORDER = ("coin", "side", "origSz", "reduceOnly", "orderType", "triggerPx")


def info(url: str, token: str, kind: str) -> Any:
    headers = {"authorization": f"Bearer {token}"}
    reply = httpx.post(f"{url}/info", json={"type": kind}, headers=headers, trust_env=False)
    assert 200 == reply.status_code, reply.text
    return reply.json()


def at_the_venue(url: str, token: str) -> tuple[Any, Any]:
    """Orders and positions, as the venue shows them.

    Of a stop at the market the price that it may cost at worst is the venue's affair.
    """
    rows = info(url, token, "frontendOpenOrders")
    orders = [
        [*(row[key] for key in ORDER), "" if row["isTrigger"] else row["limitPx"]] for row in rows
    ]
    held = info(url, token, "clearinghouseState")["assetPositions"]
    sizes = [(row["position"]["coin"], row["position"]["szi"]) for row in held]
    return sorted(map(str, orders)), sizes


@pytest.fixture
def market(tmp_path: Path) -> PresentMarket:
    return present_market(tmp_path / "present")


@pytest.fixture
def stack(tmp_path: Path, market: PresentMarket) -> Iterator[LiveStack]:
    with present_stack(tmp_path / "stack", market, "alice") as found:
        yield found


def run(folder: Path, url: str, token: str, data_url: str) -> tuple[Any, Any, Any]:
    """Have the agent trade until it has done all; what the venue has then, and after its end."""
    folder.mkdir()
    (folder / "mine.py").write_text(PLUGIN)
    place = replace(VenueUnderTest("venue", url), folder=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA_SERVICE_URL", data_url)
        with running_agent(folder, place, TRADERS, "alice", tokens={"alice": token}) as agent:
            eventually(lambda: agent.status("alice")["positions"], limit_s=90)
            eventually(lambda: len(at_the_venue(url, token)[0]) == 2, limit_s=30)
            during = at_the_venue(url, token)
            shown = agent.status("alice")
            assert ("running", "LIVE", "connected") == (
                shown["state"], shown["status"], shown["connection"]
            )  # fmt: skip
            code, _, errors = agent.stop()
            assert (0, "") == (code, errors)
    return during[0], during[1], at_the_venue(url, token)


def test_same_agent_gives_the_same_orders_at_both_venues(
    tmp_path: Path, market: PresentMarket, stack: LiveStack
) -> None:
    """Entry, stop and bid, canceled alike at its end; only TRADING_URL and the token differ."""
    live = run(tmp_path / "live", stack.url, stack.token("alice"), stack.venue.url)
    with present_venue(tmp_path / "simulated", market, "alice") as venue:
        simulated = run(tmp_path / "agent", venue.url, venue.token("alice"), venue.url)
    assert live == simulated
    assert [("BTC", "0.01")] == live[1]
    assert 1 == len(live[2][0]), "the stop stays"

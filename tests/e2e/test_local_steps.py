"""A trader that sleeps by its own clock decides and does what one does that its venue wakes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.account import address_of
from tests.support.local_trader import LateSteps, drive, local_trader
from tests.support.venue_calls import venue_calls
from tests.support.venue_process import VenueUnderTest, running_venue

from strategy_agent.adapters.venue_http import VenueHttp
from strategy_core.port import Strategy, instruments_of
from strategy_core.registry import build
from suite.contracts.trader import StrategySpec, TraderSpec

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

SPEED = 200.0
"""A minute in 0.3 s."""
DECISIONS = 40
SPEC = TraderSpec(
    trader_id="alice",
    strategy=StrategySpec(
        kind="sma_cross", params={"fast": 2, "slow": 5, "stop_loss": 0.001, "take_profit": 0.001}
    ),
    symbols=("BTC", "ETH"),
    interval="1m",
)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path_factory.mktemp("local"), "--clock", "lockstep", speed=None) as one:
        yield one


def world(venue: VenueUnderTest, **more: Any) -> tuple[VenueUnderTest, str]:
    """Open a world; return it and the token of its account."""
    body = {"symbols": ["BTC", "ETH"], "from": "2025-05-08", "accounts": [{"id": "alice"}], **more}
    made = venue.post("/worlds", body, "operator")
    url = venue.url + "/w/" + made["world_id"]
    return VenueUnderTest("world", url, venue.folder), made["tokens"]["alice"]


def strategy(meta: object) -> Strategy:
    return build(SPEC, instruments=instruments_of(meta), seed=7, plugins={})


async def test_a_rule_trader_gives_the_orders_that_it_gives_in_lockstep(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    """Every decision of the paced world arrives within its step."""
    paced, token = world(venue, clock="paced", speed=SPEED)
    user = address_of("alice")
    meta = await asyncio.to_thread(paced.info, "meta")
    async with local_trader(tmp_path, paced, user, token=token) as trader:
        ours = await drive(
            trader.steps, SPEC, strategy(meta), meta, enough=lambda one: one.decision >= DECISIONS
        )
        rest = dict(trader.kept.keeper.rest_calls)
        told = [fill.tid for fill in trader.kept.state.fills if fill.time <= ours[-1].now_ms]
    lockstep, token = world(venue)
    calls = venue_calls(lockstep.url, token=token)
    try:
        theirs = await drive(
            LateSteps(VenueHttp(calls), ours[0].now_ms),
            SPEC,
            strategy(meta),
            meta,
            enough=lambda one: one.decision >= DECISIONS,
        )
    finally:
        await calls.close()
    assert [one.now_ms for one in theirs] == [one.now_ms for one in ours]
    assert [one.actions for one in theirs] == [one.actions for one in ours]
    assert [one.verdicts for one in theirs] == [one.verdicts for one in ours]
    assert [one.equity for one in theirs] == [one.equity for one in ours]
    assert sum(bool(one.actions) for one in ours) > DECISIONS // 4
    assert len(told) > 5
    assert {"connect": 3} == rest, "the account was polled"
    assert set(trader.data._calls.requests) <= {"clock", "snapshot", "order", "cancel"}

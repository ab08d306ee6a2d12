"""A trader that sleeps by its own clock decides and does what one does that its venue wakes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.account import address_of
from tests.support.local_trader import LateSteps, LocalTrader, drive, local_trader
from tests.support.venue_calls import venue_calls
from tests.support.venue_process import VenueUnderTest, running_venue

from strategy_agent.adapters.venue_http import VenueHttp
from strategy_core.journal import DecisionRecord
from strategy_core.port import Strategy, instruments_of
from strategy_core.registry import build
from suite.contracts.trader import StrategySpec, TraderSpec

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

SPEEDS = (200.0, 100.0, 40.0)
"""A minute in 0.3 s; slower where the machine is too busy for every decision to be in time."""
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


async def paced_run(
    venue: VenueUnderTest, folder: Path, speed: float
) -> tuple[list[DecisionRecord], LocalTrader]:
    """Let the trader sleep by its own clock."""
    paced, token = world(venue, clock="paced", speed=speed)
    meta = await asyncio.to_thread(paced.info, "meta")
    async with local_trader(folder, paced, address_of("alice"), token=token) as trader:
        records = await drive(
            trader.steps, SPEC, strategy(meta), meta, enough=lambda one: one.decision >= DECISIONS
        )
    return records, trader


async def lockstep_run(venue: VenueUnderTest, start_ms: int) -> list[DecisionRecord]:
    """Let the venue wake it."""
    lockstep, token = world(venue)
    meta = await asyncio.to_thread(lockstep.info, "meta")
    calls = venue_calls(lockstep.url, token=token)
    try:
        return await drive(
            LateSteps(VenueHttp(calls), start_ms),
            SPEC,
            strategy(meta),
            meta,
            enough=lambda one: one.decision >= DECISIONS,
        )
    finally:
        await calls.close()


async def test_a_rule_trader_gives_the_orders_that_it_gives_in_lockstep(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    """Where every decision of the paced world arrives within its step."""
    for number, speed in enumerate(SPEEDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        ours, trader = await paced_run(venue, folder, speed)
        theirs = await lockstep_run(venue, ours[0].now_ms)
        if [one.equity for one in theirs] == [one.equity for one in ours]:
            break
    assert [one.now_ms for one in theirs] == [one.now_ms for one in ours]
    assert [one.actions for one in theirs] == [one.actions for one in ours]
    assert [one.verdicts for one in theirs] == [one.verdicts for one in ours]
    assert [one.equity for one in theirs] == [one.equity for one in ours]
    told = [fill.tid for fill in trader.kept.state.fills if fill.time <= ours[-1].now_ms]
    assert sum(bool(one.actions) for one in ours) > DECISIONS // 4
    assert len(told) > 5
    assert {"connect": 3} == dict(trader.kept.keeper.rest_calls), "the account was polled"
    assert set(trader.data._calls.requests) <= {"clock", "snapshot", "order", "cancel"}

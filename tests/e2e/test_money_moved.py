"""Money that goes in or out while a trader runs is neither its profit nor its loss."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.account import address_of
from tests.support.local_trader import drive, local_trader
from tests.support.venue_calls import venue_calls
from tests.support.venue_process import VenueUnderTest, running_venue

from strategy_agent.adapters.venue_http import VenueHttp
from strategy_agent.application.ports import Steps
from strategy_core.journal import DecisionRecord
from strategy_core.port import instruments_of
from strategy_core.registry import build
from suite.account.state import StateLimits
from suite.contracts.clock import JoinRequest, WaitReply, WaitRequest
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.enums import TraderStatus

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

SPEC = TraderSpec(
    trader_id="alice",
    strategy=StrategySpec(kind="sma_cross", params={"fast": 2, "slow": 5}),
    symbols=("BTC", "ETH"),
    interval="1m",
)
DECISIONS = 16
OUT, BACK = 5, 11
"""Turns after which a quarter of the account goes, and after which twice as much comes."""
KEYS = count(1)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path_factory.mktemp("money"), "--clock", "lockstep", speed=None) as one:
        yield one


def world(venue: VenueUnderTest, **more: Any) -> tuple[VenueUnderTest, str]:
    """Open a world; return it and the token of its trader."""
    accounts = [{"id": "alice"}, {"id": "bank"}]
    body = {"symbols": ["BTC", "ETH"], "from": "2025-05-08", "accounts": accounts, **more}
    made = venue.post("/worlds", body, "operator")
    url = venue.url + "/w/" + made["world_id"]
    return VenueUnderTest("world", url, venue.folder), made["tokens"]["alice"]


def move(world: VenueUnderTest, source: str, target: str, usd: int) -> None:
    body = {
        "idempotency_key": f"money-{next(KEYS)}",
        "from": source,
        "to": target,
        "usd_micro": usd * 10**6,
    }
    world.post("/transfers", body, "operator")


class MoneySteps:
    """Steps of a trader from whose account money is taken, and to which some is given."""

    def __init__(self, steps: Steps, world: VenueUnderTest) -> None:
        self.steps = steps
        self.world = world
        self.equity: list[Decimal] = []

    @property
    def trouble(self) -> tuple[str, ...]:
        return self.steps.trouble

    @property
    def account_age_ms(self) -> int:
        return self.steps.account_age_ms

    @property
    def market_age_ms(self) -> int:
        return self.steps.market_age_ms

    async def join(self, request: JoinRequest) -> WaitReply:
        return await self.steps.join(request)

    async def wait(self, request: WaitRequest) -> WaitReply:
        if request.step_seq == OUT:
            await asyncio.to_thread(move, self.world, "alice", "bank", 2500)
        if request.step_seq == BACK:
            await asyncio.to_thread(move, self.world, "bank", "alice", 5000)
        return await self.steps.wait(request)

    async def heartbeat(self) -> None:
        await self.steps.heartbeat()

    def wake(self) -> None:
        self.steps.wake()


def check(records: list[DecisionRecord]) -> set[str]:
    """Nothing was lost, and the equity says that something was moved; return why it paused."""
    equity = [record.equity for record in records]
    assert TraderStatus.STOPPED not in {record.status for record in records}
    assert min(equity) < Decimal(7600) < Decimal(9900) < equity[0]
    assert Decimal(12000) < max(equity[BACK:])
    return {cause for record in records for change in record.changes for cause in change.causes}


def enough(record: DecisionRecord) -> bool:
    return record.decision >= DECISIONS


async def test_money_moved_in_lockstep_stops_no_trader(venue: VenueUnderTest) -> None:
    one, token = world(venue)
    await asyncio.to_thread(one.post, "/clock/give-up", {"account": "bank"}, "operator")
    meta = await asyncio.to_thread(one.info, "meta")
    strategy = build(SPEC, instruments=instruments_of(meta), seed=7, plugins={})
    calls = venue_calls(one.url, token=token)
    try:
        steps = MoneySteps(VenueHttp(calls), one)
        records = await drive(steps, SPEC, strategy, meta, enough=enough)
    finally:
        await calls.close()
    assert set() == check(records)
    assert any(record.sent for record in records[BACK:])


async def test_money_moved_in_a_paced_world_stops_no_trader(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    """The account is then known by its streams."""
    one, token = world(venue, clock="paced", speed=100.0)
    meta = await asyncio.to_thread(one.info, "meta")
    strategy = build(SPEC, instruments=instruments_of(meta), seed=7, plugins={})
    async with local_trader(
        tmp_path, one, address_of("alice"), token=token, limits=StateLimits()
    ) as trader:
        steps = MoneySteps(trader.steps, one)
        records = await drive(steps, SPEC, strategy, meta, enough=enough)
    assert check(records) <= {"stale_market", "stale_account"}, "a slow machine, at most"

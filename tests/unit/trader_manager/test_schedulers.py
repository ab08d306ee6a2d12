"""Rounds of decisions: never two at a time, and nobody waits for another."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.support.waiting import until
from tests.unit.trader_manager.test_supervisor import stored

from suite.clock import ManualClock
from suite.contracts.clock import ClockState
from suite.contracts.leaderboard import Leaderboard, LeaderboardRow
from suite.errors import BadRequest, Conflict, UpstreamUnavailable
from suite.ids import WorldId
from trader_manager.application.board import Compared
from trader_manager.application.schedulers import (
    DecisionScheduler,
    HighFreqScheduler,
    Place,
    Round,
)
from trader_manager.domain.records import Moment
from trader_manager.domain.traders import DesiredState, StoredTrader

ROW = LeaderboardRow(trader_id="a", group=None, seed=None, baseline=None, standing="ranked", rank=1)
PLACE = Place(
    trader_id="a", standing="ranked", rank=1, total_return=None, equity_usd=None, stale_ms=None
)


class ScriptedFleet:
    """Traders that answer at once, late, or not."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked: list[str] = []
        self.slow: dict[str, asyncio.Event] = {}
        self.dead: set[str] = set()
        self.odd: set[str] = set()
        self.mode: Any = "paced"
        self.is_away = False
        self.is_first = True
        self.under_way = self.most = 0

    async def list_traders(self) -> tuple[StoredTrader, ...]:
        stopped = replace(stored("zz"), desired=DesiredState.STOPPED)
        return (*(stored(name) for name in self.names), stopped)

    async def claim_supervision(self) -> bool:
        return self.is_first

    async def run_once(self, trader_id: str | None = None, *, reason: str = "") -> None:
        assert trader_id is not None
        self.asked.append(trader_id)
        if trader_id in self.dead:
            raise UpstreamUnavailable(f"{trader_id} does not answer")
        if trader_id in self.odd:
            raise KeyError("traders")
        if trader_id in self.slow:
            await self.slow[trader_id].wait()

    async def compare_performance(self) -> Compared:
        if self.is_away:
            raise UpstreamUnavailable("the database is away")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        board = Leaderboard(
            from_ms=None, to_ms=None, step_ms=1, rows=(ROW,), groups=(), missing_baselines=()
        )
        return Compared(moment=Moment(world=WorldId("w"), now_ms=5), board=board)

    async def clock(self) -> ClockState:
        return ClockState(mode=self.mode, now_ms=77, speed=1.0, world="w")

    async def mids(self) -> Mapping[str, str]:
        if self.is_away:
            raise UpstreamUnavailable("the venue does not answer")
        return {"BTC": "100"}


@asynccontextmanager
async def scheduling(fleet: ScriptedFleet) -> AsyncIterator[tuple[HighFreqScheduler, list[Round]]]:
    scheduler = HighFreqScheduler(fleet=fleet, traders=fleet, market=fleet, wall=ManualClock(9))
    told: list[Round] = []
    scheduler.on_round = told.append
    try:
        yield scheduler, told
    finally:
        await scheduler.close()


async def test_a_round_asks_all_that_shall_run_and_compares_them() -> None:
    fleet = ScriptedFleet("a", "b", "c")
    fleet.dead = {"b"}
    async with scheduling(fleet) as (scheduler, told):
        done = await scheduler.run_round()
        assert {"a": "", "b": "b does not answer", "c": ""} == done.asked
        assert ("drives", 77, {"BTC": "100"}, (PLACE,)) == (
            *(done.mode, done.now_ms, done.mids, done.rows),
        )
        assert [done] == told
        (kept,) = scheduler.rounds()
        assert kept == done
        for told_of_all in (kept.mids, kept.asked):
            with pytest.raises(TypeError, match="does not support item assignment"):
                told_of_all["BTC"] = "0"  # type: ignore[index]


async def test_what_is_kept_of_rounds_is_bounded_by_the_traders_in_them() -> None:
    """Of a thousand traders fewer rounds are kept than of one."""
    fleet = ScriptedFleet(*(f"t{number}" for number in range(1000)))
    async with scheduling(fleet) as (scheduler, told):
        for _ in range(22):
            await scheduler.run_round()
        assert [22, *range(21, 3, -1)] == [one.number for one in scheduler.rounds()]
        assert 22 == len(told)
    async with scheduling(ScriptedFleet("a")) as (scheduler, _):
        for _ in range(201):
            await scheduler.run_round()
        assert 200 == len(scheduler.rounds())


async def test_whatever_one_does_the_rounds_go_on() -> None:
    """A bug at one trader is told of that trader, and ends nothing."""
    fleet = ScriptedFleet("a", "b")
    fleet.odd = {"b"}
    async with scheduling(fleet) as (scheduler, told):
        scheduler.start(0.1)
        await until(lambda: len(told) >= 2)
        assert {"a": "", "b": "KeyError: 'traders'"} == told[0].asked
        assert scheduler.running


async def test_one_that_is_slow_is_not_waited_for_and_not_asked_twice() -> None:
    fleet = ScriptedFleet("a", "b")
    fleet.slow["a"] = asyncio.Event()
    async with scheduling(fleet) as (scheduler, told):
        scheduler.start(0.1)
        with pytest.raises(Conflict, match="runs already"):
            scheduler.start(0.1)
        await until(lambda: len(told) >= 3)
        assert ["no answer within this round", "still at an earlier round"] == [
            one.asked["a"] for one in told[:2]
        ]
        assert 1 == fleet.asked.count("a")
        assert fleet.asked.count("b") >= 3
        fleet.slow.pop("a").set()
        await until(lambda: not told[-1].asked["a"])
        await scheduler.stop()
        rounds = len(told)
        await asyncio.sleep(0.25)
        assert (rounds, False, 0.0) == (len(told), scheduler.running, scheduler.cadence_s)


async def test_rounds_never_overlap() -> None:
    """Be they asked for or at their time."""
    fleet = ScriptedFleet("a")
    async with scheduling(fleet) as (scheduler, _):
        scheduler.start(0.1)
        rounds = await asyncio.gather(*(scheduler.run_round() for _ in range(5)))
        assert 1 == fleet.most
        assert 5 == len({one.number for one in rounds})


async def test_where_the_barrier_drives_it_only_observes() -> None:
    fleet = ScriptedFleet("a")
    fleet.mode = "lockstep"
    async with scheduling(fleet) as (scheduler, _):
        done = await scheduler.run_round()
        assert ("observes", {}, [], (PLACE,)) == (done.mode, done.asked, fleet.asked, done.rows)


async def test_what_is_missing_of_a_round_is_said_and_the_rest_is_there() -> None:
    fleet = ScriptedFleet("a")
    fleet.is_away = True
    async with scheduling(fleet) as (scheduler, _):
        done = await scheduler.run_round()
        assert ({"a": ""}, {}, ()) == (done.asked, done.mids, done.rows)
        assert ("the venue does not answer", "the database is away") == done.trouble
        fleet.is_away, fleet.is_first = False, False
        other = await scheduler.run_round()
        assert {} == other.asked
        assert "another manager" in other.trouble[0]


@pytest.mark.parametrize("cadence_s", [0.0, -1.0, 1e99, 604_801.0, float("inf"), float("nan")])
async def test_what_is_no_cadence_is_refused(cadence_s: float) -> None:
    async with scheduling(ScriptedFleet()) as (scheduler, _):
        with pytest.raises(BadRequest):
            scheduler.start(cadence_s)


class OneTrader:
    def __init__(self) -> None:
        self.done: list[Any] = []
        self.fails = False

    async def get_decision(self) -> Mapping[str, Any]:
        if self.fails:
            raise Conflict("STOPPED")
        return {"decision": {"reasoning": f"number {len(self.done)}"}}

    async def execute_decision(
        self, decision: Mapping[str, Any], *, reason: str
    ) -> Mapping[str, Any]:
        self.done.append(decision["reasoning"])
        return {"verdicts": []}


async def test_one_trader_decides_step_by_step_under_ones_eyes() -> None:
    trader, seen = OneTrader(), []

    def look(shown: Mapping[str, Any]) -> bool:
        seen.append(shown["decision"]["reasoning"])
        return len(seen) > 1

    one = DecisionScheduler(trader, look=look)
    assert await one.run_once() is None
    assert {"verdicts": []} == await one.run_once()
    assert (["number 0", "number 0"], ["number 0"]) == (seen, trader.done)
    one.start(0.01)
    with pytest.raises(Conflict, match="runs already"):
        one.start(0.01)
    await until(lambda: len(trader.done) > 3)
    await one.stop()
    assert len(trader.done) == len(one.records)
    trader.fails = True
    one.start(0.01)
    await asyncio.sleep(0.05)
    with pytest.raises(Conflict, match="STOPPED"):
        await one.stop()

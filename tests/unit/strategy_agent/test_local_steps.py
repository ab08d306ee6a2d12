"""Steps at a venue that wakes nobody."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from tests.support.account_wire import change, fill, fills, order, position, push, push_of, state
from tests.support.intents import buy, filled, intent

from strategy_agent.application.live_prices import LivePrices
from strategy_agent.application.local_steps import LocalSteps, StepLimits
from strategy_agent.application.ports import DurableIntent, Kept
from strategy_agent.application.venue_time import VenueTime
from strategy_core.memory import TraderMemory
from strategy_core.orders.memory import fill_key
from suite.account.events import BestPush, Level
from suite.account.state import AccountStateCache, StateLimits
from suite.bars import MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.clock import (
    ClockState,
    JoinRequest,
    PriceCross,
    WaitReply,
    WaitRequest,
    WakeOn,
    Want,
)
from suite.contracts.hyperliquid_info import FillLiquidation
from suite.contracts.venue import Action, ActionReply
from suite.errors import NotFound, SuiteError, UpstreamTimeout

USER = "0x" + "a" * 40
START_MS = 1_700_000_040_000
"""A full minute."""
LATER = 10_000
WANT = Want(mids=True, snapshots=("ETH",), intervals=("1",))


@dataclass
class Direct:
    """A way to the exchange that answers at once."""

    turns: list[tuple[int, int, int]] = field(default_factory=list)
    unknown: Mapping[str, DurableIntent] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()

    async def carry_out(
        self, actions: Sequence[Action], *, turn: int, decided_ms: int
    ) -> tuple[ActionReply, ...]:
        self.turns.append((turn, decided_ms, len(actions)))
        return tuple(filled(oid) for oid in range(len(actions)))


@dataclass
class Data:
    """Market data that may lag by some minutes, or not be there."""

    lag: int = 0
    gone: bool = False
    silent: bool = False
    asked: int = 0

    async def snapshot(self, coin: str, at_ms: int | None) -> dict[str, Any]:
        self.asked += 1
        if self.silent:
            await asyncio.sleep(30)
            raise UpstreamTimeout("no answer")
        newest_ms = START_MS + LATER * MINUTE_MS if at_ms is None else at_ms
        if self.gone or (at_ms is not None and self.lag):
            raise NotFound("not yet")
        blocks = {"1": {"close": 1.0}, "15": {"close": 2.0}}
        as_of_ms = newest_ms if at_ms else START_MS - self.lag * MINUTE_MS
        return {"symbol": coin, "as_of_ms": as_of_ms, "intervals_data": blocks}


class World:
    """An account, prices and data at a venue whose wall clock a test turns."""

    def __init__(self, *, mode: str = "wall", speed: float = 1.0, **more: Any) -> None:
        self.now_s = 0.0
        clock = ClockState(mode=mode, now_ms=START_MS, speed=speed, wakes=False)  # type: ignore[arg-type]
        self.time = VenueTime(clock, now_s=lambda: self.now_s)
        limits = StateLimits(cash_tolerance=Decimal(0))
        self.cache = AccountStateCache(
            clock=ManualClock(5), limits=limits, now_s=lambda: self.now_s
        )
        self.prices = LivePrices(now_s=lambda: self.now_s)
        self.delivery, self.data = Direct(), Data()
        self.steps = LocalSteps(
            time=self.time,
            cache=self.cache,
            prices=self.prices,
            delivery=self.delivery,
            market=self.data,
            user=USER,
            **{"limits": StepLimits(ready_s=0.5, grace_s=0.2), **more},
        )
        self.number = 0

    def begin(self, *held: Any, told: tuple[Any, ...] = ()) -> None:
        """Connect, know the account, and reconcile."""
        self.cache.connected()
        self.cache.heard()
        self.cache.received(fills(*told, snapshot=True))
        self.cache.received(push(*held, at=START_MS))
        assert self.cache.reconciled(push_of(state(*held, time=START_MS)), ())
        self.prices.received({"ETH": "100.0", "BTC": "90.0"})

    def later(self, seconds: float) -> None:
        self.now_s += seconds
        self.cache.heard()
        self.prices.received(self.prices.mids)

    def request(self, **more: Any) -> WaitRequest:
        self.number += 1
        return WaitRequest(step_seq=self.number, **{"want": WANT, **more})

    async def asked(self) -> WaitReply:
        """What is known at this moment, whether time goes on or not."""
        task = asyncio.create_task(self.steps.wait(self.request(until_ms=START_MS * 2)))
        await asyncio.sleep(0)
        self.steps.wake()
        return await reply_of(task)

    @asynccontextmanager
    async def waiting(self, **more: Any) -> AsyncIterator["asyncio.Task[WaitReply]"]:
        task = asyncio.create_task(self.steps.wait(self.request(**more)))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
        yield task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def world() -> World:
    made = World()
    made.begin()
    await made.steps.join(JoinRequest(want=WANT))
    return made


async def reply_of(task: "asyncio.Task[WaitReply]") -> WaitReply:
    async with asyncio.timeout(2):
        return await task


async def test_a_join_tells_account_prices_and_the_blocks_that_are_wanted() -> None:
    world = World()
    world.begin(position("ETH", "1.0"))
    reply = await world.steps.join(JoinRequest(want=WANT))
    assert (START_MS, 0) == (reply.now_ms, reply.step_seq)
    assert reply.account is not None
    assert "ETH" == reply.account.positions[0].coin
    assert {"ETH": "100.0", "BTC": "90.0"} == reply.mids
    assert reply.snapshots is not None
    assert {"1": {"close": 1.0}} == reply.snapshots["ETH"]["intervals_data"]


def book_of(reply: WaitReply, coin: str = "ETH") -> Any:
    assert reply.snapshots is not None
    return reply.snapshots[coin].get("common_info", {}).get("order_book")


async def test_book_is_that_of_the_stream_with_its_own_age(world: World) -> None:
    """A snapshot's is of a minute ago, and may be of another venue."""
    assert book_of(await world.asked()) is None
    sides = Level("99.5", "2.0"), Level("100.5", "3.0")
    world.prices.received_best(BestPush(coin="ETH", bid=sides[0], ask=sides[1]))
    for seconds, mid, age_ms in ((1.5, "98.0", 1_500), (58.0, "98.0", 59_500), (1, "100.0", 0)):
        world.prices.received({"ETH": mid, "BTC": "90.0"})
        world.later(seconds)
        reply = await world.asked()
        assert {
            "modelled": False,
            "as_of_ms": reply.now_ms - age_ms,
            "top_bid_price": 99.5,
            "top_bid_volume": 2.0,
            "top_ask_price": 100.5,
            "top_ask_volume": 3.0,
            "total_bid_volume": None,
            "total_ask_volume": None,
            "bid_ask_volume_ratio": None,
            "spread": 1.0,
        } == book_of(reply)
        assert reply.snapshots is not None
        assert {"1": {"close": 1.0}} == reply.snapshots["ETH"]["intervals_data"]
    world.now_s += 60
    assert book_of(await world.asked()) is None


async def test_book_of_a_paced_world_is_of_the_step_in_which_it_was_told() -> None:
    world = World(mode="paced", speed=60.0)
    world.begin()
    world.prices.received_best(BestPush(coin="ETH", bid=Level("99", "1"), ask=Level("101", "1")))
    world.now_s += 0.9
    reply = await world.steps.join(JoinRequest(want=WANT))
    assert reply.now_ms == book_of(reply)["as_of_ms"]
    world.now_s += 0.7
    reply = await world.asked()
    assert reply.now_ms - MINUTE_MS == book_of(reply)["as_of_ms"]


async def test_a_join_waits_for_the_account_and_says_what_is_wrong_with_it() -> None:
    world = World()
    with pytest.raises(UpstreamTimeout, match=r"not known after 0\.5 s: reconciling"):
        await world.steps.join(JoinRequest(want=WANT))
    world.cache.connected()
    world.cache.heard()
    world.cache.received(fills(fill(1, at=START_MS - 5), snapshot=True))
    world.cache.received(push(position("ETH", "3.0"), at=START_MS))
    world.cache.give_in()
    world.prices.received({"ETH": "1.0"})
    with pytest.raises(UpstreamTimeout, match="account_differs, position ETH: 2"):
        await world.steps.join(JoinRequest(want=WANT))


async def test_time_wakes_at_the_latest_and_orders_go_out_first(world: World) -> None:
    until_ms = START_MS + 30_000
    async with world.waiting(orders=(buy(), buy()), until_ms=until_ms) as task:
        assert [(1, START_MS, 2)] == world.delivery.turns
        world.later(29.9)
        await asyncio.sleep(0.01)
        assert not task.done()
        world.later(0.2)
        reply = await reply_of(task)
    assert (("time",), 2, 1) == (reply.woke_by, len(reply.results), reply.step_seq)
    assert reply.now_ms >= until_ms
    assert reply is await world.steps.wait(
        WaitRequest(step_seq=1, orders=(buy(), buy()), until_ms=until_ms)
    )
    assert 1 == len(world.delivery.turns)


async def test_the_close_of_a_bar_wakes(world: World) -> None:
    async with world.waiting(wake_on=WakeOn(bar="1m")) as task:
        world.later(60)
        assert ("bar",) == (await reply_of(task)).woke_by


LIQUIDATED = FillLiquidation(liquidatedUser=USER.upper(), markPx="1.0", method="market")


@pytest.mark.parametrize(
    ("wake", "event", "word"),
    [
        (WakeOn(fill=True), fills(fill(1, at=START_MS + 1)), "fill"),
        (
            WakeOn(liquidation=True),
            fills(msgspec.structs.replace(fill(1, at=START_MS + 1), liquidation=LIQUIDATED)),
            "liquidation",
        ),
        (WakeOn(order=True), change(order(7), "canceled", at=START_MS + 1), "order"),
    ],
)
async def test_what_happens_to_the_account_wakes_who_waits_for_it(
    world: World, wake: WakeOn, event: Any, word: str
) -> None:
    async with world.waiting(wake_on=wake) as task:
        world.later(1)
        world.cache.received(event)
        reply = await reply_of(task)
    assert (word,) == reply.woke_by
    async with world.waiting(wake_on=wake) as task:  # what was told does not wake again
        world.later(1)
        await asyncio.sleep(0.01)
        assert not task.done()


async def test_a_price_wakes_from_either_side(world: World) -> None:
    above = PriceCross(coin="ETH", above=Decimal(105))
    below = PriceCross(coin="BTC", below=Decimal(80))
    for mids in ({"ETH": "105.0", "BTC": "90.0"}, {"ETH": "100.0", "BTC": "79.9"}):
        world.prices.received({"ETH": "100.0", "BTC": "90.0"})
        async with world.waiting(wake_on=WakeOn(price=(above, below))) as task:
            world.later(1)
            world.prices.received(mids)
            assert ("price",) == (await reply_of(task)).woke_by


async def test_a_price_that_stays_beyond_its_limit_wakes_at_most_once_a_second(
    world: World,
) -> None:
    """Its turn may do nothing about it: the mark is not the mid."""
    below = WakeOn(price=(PriceCross(coin="BTC", below=Decimal(95)),))
    now_s = asyncio.get_running_loop().time
    told_s = []
    for _ in range(3):
        world.later(0.01)
        assert ("price",) == (await world.steps.wait(world.request(wake_on=below))).woke_by
        told_s.append(now_s())
    assert all(two - one > 0.9 for one, two in pairwise(told_s))


async def test_trouble_wakes_when_it_begins_and_when_it_ends(world: World) -> None:
    """A trader that sleeps for an hour has quotes to withdraw at once."""
    for trouble in (("kill_latch",), ()):
        async with world.waiting(until_ms=START_MS + 3_600_000) as task:
            world.delivery.trouble = trouble
            assert ("trouble",) == (await reply_of(task)).woke_by
    async with world.waiting(until_ms=START_MS + 3_600_000) as task:
        await asyncio.sleep(0.6)
        assert not task.done()


async def test_fills_are_told_once_also_those_that_came_while_a_decision_was_made(
    world: World,
) -> None:
    one, two = fill(1, at=START_MS + 1), fill(2, at=START_MS + 2)
    world.later(1)
    world.cache.received(fills(one))
    reply = await world.steps.wait(world.request(wake_on=WakeOn(fill=True)))
    assert (one,) == reply.fills
    async with world.waiting(until_ms=START_MS + 5000) as task:
        world.cache.received(fills(one, two))
        world.later(5)
        assert (two,) == (await reply_of(task)).fills


async def test_a_trader_that_was_away_hears_of_the_fills_that_it_had_not_been_told() -> None:
    """Also of one that happened before its last reply: it may have been under way then."""
    ancient = fill(1, at=START_MS - 10 * MINUTE_MS)
    told, late, new = (fill(n, at=START_MS + at) for n, at in ((2, -9), (3, -8), (4, -3)))
    memory = TraderMemory()
    memory.orders.fills[fill_key(told)] = told.time
    kept = Kept(trader_id="a", account="a", spec="", venue="v", now_ms=START_MS - 5, memory=memory)
    world = World(kept=kept)
    world.begin(position("ETH", "1.0"), told=(ancient, told, late, new))
    assert (late, new) == (await world.steps.join(JoinRequest(want=WANT))).fills
    assert () == (await world.steps.join(JoinRequest(want=WANT))).fills


async def test_somebody_who_asks_ends_a_wait_and_only_a_wait(world: World) -> None:
    world.steps.wake()
    async with world.waiting(until_ms=START_MS + 60_000) as task:
        world.steps.wake()
        assert ("asked",) == (await reply_of(task)).woke_by
    async with world.waiting(until_ms=START_MS + 60_000) as task:
        assert not task.done()


async def test_trouble_is_told_as_it_is(world: World) -> None:
    def trouble() -> tuple[str, ...]:
        return world.steps.trouble

    assert () == trouble()
    world.delivery.unknown, world.delivery.trouble = {"BTC": intent(1)}, ("kill_latch",)
    assert ("kill_latch", "unknown_order:BTC") == trouble()
    world.delivery.unknown, world.delivery.trouble = {}, ()
    world.now_s += 20.5
    assert ("stale_account",) == trouble()
    world.now_s += 40
    assert ("stale_account", "stale_market") == trouble()
    world.cache.received(push(at=START_MS + 1))
    world.later(0)
    assert () == trouble()
    world.cache.lost()
    assert ("reconciling",) == trouble()


async def test_a_difference_is_not_judged_while_an_order_is_unknown(world: World) -> None:
    world.delivery.unknown = {"ETH": intent(1)}
    for at_ms in (START_MS + 1, START_MS + 2):
        world.later(2)
        world.cache.received(push(position("ETH", "1.0"), at=at_ms))
    assert ("unknown_order:ETH",) == world.steps.trouble


async def test_a_frozen_coin_makes_the_market_stale_and_the_wait_goes_on(world: World) -> None:
    def trouble() -> tuple[str, ...]:
        return world.steps.trouble

    world.data.lag = 2
    world.later(60)
    reply = await world.steps.wait(world.request(until_ms=1))
    assert ("stale_market",) == trouble()
    assert reply.snapshots is not None
    world.later(60)
    world.data.gone = True
    assert reply.snapshots == (await world.steps.wait(world.request(until_ms=1))).snapshots
    world.later(60)
    world.data.gone, world.data.lag = False, 0
    world.cache.received(push(at=START_MS + 1))
    await world.steps.wait(world.request(until_ms=1))
    assert () == trouble()


async def test_an_account_that_differs_is_adopted_when_an_operator_says_so(world: World) -> None:
    """Its trader is woken, and goes on from what the venue says."""
    for at_ms in (START_MS + 1, START_MS + 2):
        world.later(2)
        world.cache.received(push(position("ETH", "1.0"), at=at_ms))
    assert ("account_differs",) == world.steps.trouble
    await world.steps.wait(world.request(until_ms=1))
    async with world.waiting(until_ms=START_MS + 3_600_000) as task:
        world.steps.adopt()
        reply = await reply_of(task)
    assert ("trouble",) == reply.woke_by
    assert [] == list(world.steps.trouble)
    assert reply.account is not None
    assert Decimal("1.0") == reply.account.positions[0].size


async def test_a_silent_data_service_delays_a_turn_once_and_then_no_more() -> None:
    """What ends a position must not wait for market data."""
    world = World(limits=StepLimits(ready_s=0.5, grace_s=1.5))
    world.begin()
    await world.steps.join(JoinRequest(want=WANT))
    world.data.silent = True
    now_s = asyncio.get_running_loop().time
    for longest_s in (2.5, 1.0):
        world.later(60)
        before_s = now_s()
        await world.steps.wait(world.request(until_ms=1))
        assert now_s() - before_s < longest_s
    assert ("stale_market",) == tuple(w for w in world.steps.trouble if w == "stale_market")
    world.data.silent, world.data.lag = False, 1
    world.later(60)
    before_s = now_s()
    await world.steps.wait(world.request(until_ms=1))
    assert now_s() - before_s > 1.4  # it answers again, and so is waited for


async def test_in_a_paced_world_nothing_wakes_before_the_next_boundary() -> None:
    """Its market is constant within a step, so a fill wakes at the end of its bar."""
    world = World(mode="paced", speed=60.0)
    world.begin()
    await world.steps.join(JoinRequest(want=WANT))
    async with world.waiting(wake_on=WakeOn(fill=True)) as task:
        world.later(0.4)
        world.cache.received(fills(fill(1, at=START_MS)))
        await asyncio.sleep(0.01)
        assert not task.done()
        world.cache.received(push(position("ETH", "1.0"), at=START_MS + MINUTE_MS, cash="900.0"))
        reply = await reply_of(task)
    assert (START_MS + MINUTE_MS, ("fill",)) == (reply.now_ms, reply.woke_by)


async def test_a_wait_fails_when_nobody_follows_the_account_any_more(world: World) -> None:
    """A bug in what follows it must not look like an account in which nothing happens."""

    async def breaks() -> None:
        raise KeyError("szi")

    async with world.waiting(until_ms=START_MS + MINUTE_MS) as task:
        following = asyncio.create_task(breaks())
        following.add_done_callback(world.steps.following_ended)
        with pytest.raises(SuiteError, match="not followed any more: KeyError: 'szi'"):
            await reply_of(task)

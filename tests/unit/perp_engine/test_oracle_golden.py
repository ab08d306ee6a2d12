"""Cases counted by hand from docs/engine.md; the oracle and the engine both stand them."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pytest
from tests.support.oracle import Oracle

from perp_engine.commands import (
    AdjustMargin,
    Advance,
    Command,
    Deposit,
    NewOrder,
    PlaceOrders,
    ScheduleCancel,
    SetLeverage,
    Trigger,
)
from perp_engine.engine import Engine
from perp_engine.events import (
    ActionRejected,
    CancelScheduled,
    Event,
    FeesSet,
    Fill,
    FundingPaid,
    InsuranceMoved,
    Liquidated,
    OrderClosed,
    OrderRejected,
)
from perp_engine.rules import PLAIN, FeeTier, FillAt, Rules
from perp_engine.tape import NO_BAR, Tape
from suite.enums import FillCause, MarginMode, OrderStatus, Side, Tpsl
from suite.errors import RejectReason
from suite.fixed import Price, Rate, Size, Usd
from suite.instrument import Instrument, MarginTier

USD = 10**6
MINUTE_MS, DAY_MS = 60_000, 86_400_000
PRICE = 1_000_000
"""100 USD: a unit of price is 0.0001 USD, one of size 0.01, so 100 units of size are 100 USD."""

FREE = replace(PLAIN, taker_fee=Rate(0), maker_fee=Rate(0), min_notional_usd=Usd(0))
TEN = (MarginTier(lower_bound_usd=Usd(0), max_leverage=10),)

Row = tuple[int, int, int, int, int]
FLAT: Row = (PRICE, PRICE, PRICE, PRICE, 1000)


class World(Protocol):
    """What the cases need of either implementation."""

    def apply(self, command: Command) -> tuple[Event, ...]: ...

    def cash(self, account: int) -> int: ...

    def position(self, account: int, symbol: int) -> tuple[int, int, int]: ...


@dataclass
class EngineWorld:
    """The engine, read like the oracle."""

    engine: Engine

    def apply(self, command: Command) -> tuple[Event, ...]:
        return self.engine.apply(command)

    def cash(self, account: int) -> int:
        return self.engine.account(account).cash_usd

    def position(self, account: int, symbol: int) -> tuple[int, int, int]:
        position = self.engine.position(account, symbol)
        return position.size, position.cost_usd, position.bucket_usd


@dataclass(frozen=True)
class Builder:
    """Makes worlds of one implementation.

    Attributes:
        of_oracle: which of the two.
    """

    of_oracle: bool

    def __call__(
        self,
        *rows: Row,
        rules: Rules = FREE,
        tiers: tuple[MarginTier, ...] = TEN,
        deposit: int = 20 * USD,
        funding: tuple[tuple[int, int], ...] = (),
        interval_ms: int = MINUTE_MS,
        more: tuple[tuple[Row, ...], ...] = (),
    ) -> World:
        coins = [
            Instrument(coin=name, sz_decimals=2, tiers=tiers)
            for name in ("AAA", "BBB")[: 1 + len(more)]
        ]
        bars = np.array([rows, *more], np.int64).transpose(0, 2, 1)
        # A coin without stamps would pay hourly; one stamp far away keeps it still.
        stamps = np.array([*funding, (1 << 50, 0)], np.int64)
        still = np.array([(1 << 50, 0)], np.int64)
        tape = Tape(
            0, interval_ms, np.ascontiguousarray(bars), (stamps, *(still for _ in coins[1:]))
        )
        world: World = (
            Oracle(coins, tape, 1, rules)
            if self.of_oracle
            else EngineWorld(Engine(coins, tape, 1, rules))
        )
        world.apply(Deposit(account=0, usd=Usd(deposit)))
        return world


@pytest.fixture(params=["oracle", "engine"])
def build(request: pytest.FixtureRequest) -> Builder:
    return Builder(request.param == "oracle")


def order(
    world: World,
    side: Side,
    size: int,
    limit: int = 0,
) -> tuple[Event, ...]:
    new = NewOrder(
        symbol=0,
        side=side,
        size=Size(size),
        limit_price=Price(limit),
    )
    return world.apply(PlaceOrders(account=0, orders=(new,)))


def fills(events: tuple[Event, ...]) -> list[Fill]:
    return [event for event in events if isinstance(event, Fill)]


def insured(events: tuple[Event, ...]) -> list[int]:
    return [event.usd for event in events if isinstance(event, InsuranceMoved)]


def bar(opened: int, high: int, low: int, close: int, volume: int = 1000) -> Row:
    return opened, high, low, close, volume


def test_a_fee_is_rounded_up_and_a_rebate_shrinks(build: Builder) -> None:
    """1 USD at 0.0450001 % is 450.001 micro-USD, at -0.0030001 % it is -30.001."""
    rules = replace(FREE, taker_fee=Rate(450_001), maker_fee=Rate(-30_001))
    world = build(FLAT, bar(PRICE, 1_010_000, PRICE, PRICE), FLAT, rules=rules)
    [bought] = fills(order(world, Side.BUY, 1))
    assert (451, True) == (bought.fee_usd, bought.is_taker)
    order(world, Side.SELL, 1, PRICE + 100)
    [sold] = fills(world.apply(Advance(until_bar=2)))
    assert (PRICE + 100, -30, False) == (sold.price, sold.fee_usd, sold.is_taker)
    assert 20 * USD - 451 + 30 + 100 == world.cash(0)


@pytest.mark.parametrize(("second", "released"), [(PRICE + 1, PRICE), (PRICE + 3, PRICE + 2)])
def test_a_released_basis_is_rounded_half_to_even(
    build: Builder, second: int, released: int
) -> None:
    """Half of 2000001 is 1000000, half of 2000003 is 1000002; the rest stays."""
    world = build(FLAT, bar(second, second, second, second), FLAT)
    order(world, Side.BUY, 1)
    world.apply(Advance(until_bar=1))
    order(world, Side.BUY, 1)
    [sold] = fills(order(world, Side.SELL, 1))
    assert second - released == sold.realized_pnl_usd
    assert (1, PRICE + second - released, 0) == world.position(0, 0)


@pytest.mark.parametrize(("side", "usd"), [(Side.BUY, -500_000), (Side.SELL, 500_000)])
def test_funding_is_rounded_half_to_even(build: Builder, side: Side, usd: int) -> None:
    """5 % of 10000010 micro-USD is 500000.5; longs pay a positive rate."""
    mark = PRICE + 1
    row = bar(mark, mark, mark, mark)
    world = build(row, row, row, funding=((MINUTE_MS, 50_000_000),))
    order(world, side, 10)
    [paid] = [e for e in world.apply(Advance(until_bar=1)) if isinstance(e, FundingPaid)]
    assert (usd, 20 * USD + usd) == (paid.usd, world.cash(0))


def test_a_long_is_liquidated_at_the_first_price_below(build: Builder) -> None:
    """20 USD behind 1 coin at 100: 20 + p - 100 < 0.05 p below 84.210526."""
    world = build(FLAT, bar(PRICE, PRICE, 800_000, PRICE), FLAT)
    order(world, Side.BUY, 100)
    events = world.apply(Advance(until_bar=2))
    [liquidated] = [event for event in events if isinstance(event, Liquidated)]
    assert 842_105 == liquidated.mark
    assert (4_210_500, 4_210_525) == (liquidated.equity_usd, liquidated.maintenance_usd)
    [sold] = fills(events)
    assert (FillCause.LIQUIDATION, 842_105, 100) == (sold.cause, sold.price, sold.size)
    assert 4_210_500 == world.cash(0)


def test_a_short_is_liquidated_at_the_first_price_above(build: Builder) -> None:
    """20 + 100 - p < 0.05 p above 114.285714."""
    world = build(FLAT, bar(PRICE, 1_200_000, PRICE, PRICE), FLAT)
    order(world, Side.SELL, 100)
    events = world.apply(Advance(until_bar=2))
    [liquidated] = [event for event in events if isinstance(event, Liquidated)]
    assert 1_142_858 == liquidated.mark
    assert 20 * USD - 142_858 * 100 == world.cash(0)


def test_a_liquidation_of_a_large_position_sells_a_fifth_first(build: Builder) -> None:
    """After 20 of 100 units are sold, the rest needs 3368420 of 4210500 and is left alone."""
    rules = replace(FREE, partial_liquidation_usd=Usd(50 * USD))
    world = build(FLAT, bar(PRICE, PRICE, 842_000, 842_000), FLAT, rules=rules)
    order(world, Side.BUY, 100)
    [sold] = fills(world.apply(Advance(until_bar=2))[:3])
    assert (20, 842_105) == (sold.size, sold.price)


def test_the_margin_of_a_tier_is_continuous_where_it_begins(build: Builder) -> None:
    """5 % up to 1000 USD, 10 % less 50 USD beyond: 20 coins at 81 need 112 of their 1620 USD."""
    tiers = (
        MarginTier(lower_bound_usd=Usd(0), max_leverage=10),
        MarginTier(lower_bound_usd=Usd(1000 * USD), max_leverage=5),
    )
    world = build(FLAT, bar(PRICE, PRICE, 750_000, PRICE), FLAT, tiers=tiers, deposit=492 * USD)
    world.apply(SetLeverage(account=0, symbol=0, leverage=5))
    assert 1 == len(fills(order(world, Side.BUY, 2000)))
    events = world.apply(Advance(until_bar=2))
    [liquidated] = [event for event in events if isinstance(event, Liquidated)]
    # 492 + 20 p - 2000 < 2 p - 50 below 81
    assert 809_999 == liquidated.mark
    assert 809_999 * 200 - 50 * USD == liquidated.maintenance_usd


def test_a_gap_below_two_thirds_of_the_margin_is_taken_over(build: Builder) -> None:
    """At 82 the pool is worth 2 USD and needs 4.1: the venue takes the position and the 2 USD."""
    world = build(FLAT, bar(820_000, 820_000, 820_000, 820_000), FLAT)
    order(world, Side.BUY, 100)
    events = world.apply(Advance(until_bar=1))
    [taken] = fills(events)
    assert (FillCause.BACKSTOP, 820_000, 0) == (taken.cause, taken.price, taken.fee_usd)
    assert [-2 * USD] == insured(events)
    assert (0, (0, 0, 0)) == (world.cash(0), world.position(0, 0))


def test_what_a_bankrupt_lacks_comes_from_insurance(build: Builder) -> None:
    """At 70 the pool is worth -10 USD; the trader ends with nothing, not with less."""
    world = build(FLAT, bar(700_000, 700_000, 700_000, 700_000), FLAT)
    order(world, Side.BUY, 100)
    assert [10 * USD] == insured(world.apply(Advance(until_bar=1)))
    assert 0 == world.cash(0)


def test_a_gap_liquidates_before_its_stop_fires(build: Builder) -> None:
    """Both are beyond at the opening print: the liquidation comes first and ends the order."""
    world = build(FLAT, bar(830_000, 830_000, 830_000, 830_000), FLAT)
    order(world, Side.BUY, 100)
    stop = NewOrder(
        symbol=0,
        side=Side.SELL,
        size=Size(100),
        trigger=Trigger(price=Price(900_000), tpsl=Tpsl.STOP_LOSS, is_market=True),
        reduce_only=True,
    )
    world.apply(PlaceOrders(account=0, orders=(stop,)))
    events = world.apply(Advance(until_bar=1))
    [closed] = [event for event in events if isinstance(event, OrderClosed)]
    assert OrderStatus.LIQUIDATED_CANCELED is closed.status
    assert [FillCause.LIQUIDATION] == [fill.cause for fill in fills(events)]


def test_a_position_opened_after_a_liquidation_is_liquidated_as_well(build: Builder) -> None:
    """The first one leaves nothing behind that would shield the next."""
    falls = bar(PRICE, PRICE, 800_000, PRICE)
    world = build(FLAT, falls, FLAT, FLAT, falls, FLAT)
    order(world, Side.BUY, 100)
    world.apply(Advance(until_bar=3))
    world.apply(Deposit(account=0, usd=Usd(20 * USD - 4_210_500)))
    order(world, Side.BUY, 100)
    events = world.apply(Advance(until_bar=5))
    assert [842_105] == [event.mark for event in events if isinstance(event, Liquidated)]


def test_a_pool_that_funding_made_due_is_liquidated_where_the_next_bar_opens(
    build: Builder,
) -> None:
    """Funding leaves 12 of 20 USD: at 92 the pool is worth 4 and needs 4.6, though up from 90."""
    rules = replace(FREE, fill_at=FillAt.CLOSE)
    falls, recovers = bar(PRICE, PRICE, 900_000, 900_000), bar(920_000, 960_000, 920_000, 960_000)
    stamp = (2 * MINUTE_MS, 88_888_889)
    world = build(FLAT, falls, recovers, FLAT, rules=rules, funding=(stamp,))
    order(world, Side.BUY, 100)
    events = world.apply(Advance(until_bar=3))
    assert [920_000] == [event.mark for event in events if isinstance(event, Liquidated)]
    assert 4 * USD == world.cash(0)


def test_an_isolated_bucket_is_filled_released_and_liquidated_alone(build: Builder) -> None:
    """Leverage 7: 300 USD need 42.857143; a third of that goes back, rounded down."""
    low = bar(PRICE, PRICE, 800_000, 800_000)
    world = build(FLAT, FLAT, low, FLAT, deposit=100 * USD)
    world.apply(SetLeverage(account=0, symbol=0, leverage=7, mode=MarginMode.ISOLATED))
    order(world, Side.BUY, 300)
    assert (300, 300 * USD, 42_857_143) == world.position(0, 0)
    assert 57_142_857 == world.cash(0)
    order(world, Side.SELL, 100)
    assert (200, 200 * USD, 28_571_429) == world.position(0, 0)
    assert 71_428_571 == world.cash(0)
    events = world.apply(Advance(until_bar=3))
    [liquidated] = [event for event in events if isinstance(event, Liquidated)]
    # 28571429 + 200 p - 200000000 < 10 p below 902255.6
    assert (MarginMode.ISOLATED, 902_255) == (liquidated.mode, liquidated.mark)
    assert 71_428_571 + 28_571_429 - 200 * (PRICE - 902_255) == world.cash(0)


def test_isolated_funding_comes_from_the_bucket(build: Builder) -> None:
    """1 % of 100 USD leaves the bucket, not the cash."""
    world = build(FLAT, FLAT, FLAT, funding=((MINUTE_MS, 10_000_000),))
    world.apply(SetLeverage(account=0, symbol=0, leverage=10, mode=MarginMode.ISOLATED))
    order(world, Side.BUY, 100)
    world.apply(Advance(until_bar=1))
    assert (10 * USD, (100, 100 * USD, 9 * USD)) == (world.cash(0), world.position(0, 0))


def test_isolated_margin_keeps_the_larger_of_its_needs(build: Builder) -> None:
    """Of 15 USD behind 100 USD at 10 times, 5 may go and not a unit more."""
    world = build(FLAT, FLAT)
    world.apply(SetLeverage(account=0, symbol=0, leverage=10, mode=MarginMode.ISOLATED))
    order(world, Side.BUY, 100)
    world.apply(AdjustMargin(account=0, symbol=0, usd=Usd(5 * USD)))
    assert 15 * USD == world.position(0, 0)[2]
    [refused] = world.apply(AdjustMargin(account=0, symbol=0, usd=Usd(-5 * USD - 1)))
    assert isinstance(refused, ActionRejected)
    assert RejectReason.MARGIN_IN_USE is refused.reason
    world.apply(AdjustMargin(account=0, symbol=0, usd=Usd(-5 * USD)))
    assert (10 * USD, 10 * USD) == (world.cash(0), world.position(0, 0)[2])


def test_a_taker_pays_spread_slippage_and_impact(build: Builder) -> None:
    """Half a tick of 100 units, then 0.01 % + 0.1 % * 30 / 70 rounded up, of 1000050."""
    rules = replace(FREE, half_spread=Rate(1), slippage=Rate(100_000), impact=Rate(1_000_000))
    world = build(bar(PRICE, PRICE, PRICE, PRICE, 70), FLAT, FLAT, rules=rules)
    world.apply(Advance(until_bar=1))
    [bought] = fills(order(world, Side.BUY, 30))
    # touch 1000050, rate 100000 + 428572, slip 528.598... up
    assert (PRICE + 50 + 529, PRICE) == (bought.price, bought.reference_price)


def test_resting_orders_take_their_share_of_a_bars_volume(build: Builder) -> None:
    """A tenth of 55 units is 5; the rest waits for the next bar."""
    rules = replace(FREE, participation=Rate(100_000_000))
    low = bar(PRICE, PRICE, 980_000, PRICE, 55)
    world = build(FLAT, low, FLAT, rules=rules)
    order(world, Side.BUY, 20, 990_000)
    world.apply(Advance(until_bar=1))
    [bought] = fills(world.apply(Advance(until_bar=2)))
    assert (5, 15, 990_000) == (bought.size, bought.order_size_left, bought.price)


def test_a_delisted_position_is_settled_at_its_last_mark(build: Builder) -> None:
    """The data ends at 110, so does the position: no fee, and its coin is not known any more."""
    rules = replace(FREE, taker_fee=Rate(450_000))
    gone = (0, 0, 0, 0, NO_BAR)
    rows = (FLAT, bar(PRICE, 1_100_000, PRICE, 1_100_000), gone, gone)
    world = build(*rows, rules=rules, more=((FLAT,) * 4,))
    order(world, Side.BUY, 100)
    [settled] = fills(world.apply(Advance(until_bar=2)))
    assert (FillCause.SETTLEMENT, 1_100_000, 0) == (settled.cause, settled.price, settled.fee_usd)
    assert 30 * USD - 45_000 == world.cash(0)
    [refused] = order(world, Side.BUY, 1)
    assert isinstance(refused, OrderRejected)
    assert RejectReason.UNKNOWN_COIN is refused.reason


def test_a_days_trades_set_the_fees_of_the_next(build: Builder) -> None:
    """100 USD on day 0 are a tier on day 1, until 14 full days have gone by without a trade."""
    tiers = (
        FeeTier(volume_usd=Usd(0), taker=Rate(500_000), maker=Rate(100_000)),
        FeeTier(volume_usd=Usd(100 * USD), taker=Rate(400_000), maker=Rate(0)),
    )
    rules = replace(FREE, fee_tiers=tiers)
    world = build(*[FLAT] * 40, rules=rules, interval_ms=DAY_MS // 2)
    [bought] = fills(order(world, Side.BUY, 100))
    assert 50_000 == bought.fee_usd
    assert not [e for e in world.apply(Advance(until_bar=1)) if isinstance(e, FeesSet)]
    told = [e for e in world.apply(Advance(until_bar=39)) if isinstance(e, FeesSet)]
    assert [(1 * DAY_MS, 400_000), (15 * DAY_MS, 500_000)] == [(e.time_ms, e.taker) for e in told]


def test_a_timer_goes_off_ten_times_a_day(build: Builder) -> None:
    """The eleventh is refused, clearing one never is, and the next day counts anew."""
    world = build(*[FLAT] * 30, interval_ms=DAY_MS // 20)
    for at in range(1, 11):
        time_ms = at * DAY_MS // 20
        [told] = world.apply(ScheduleCancel(account=0, time_ms=time_ms))
        assert isinstance(told, CancelScheduled)
        world.apply(Advance(until_bar=at))
    [refused] = world.apply(ScheduleCancel(account=0, time_ms=DAY_MS))
    assert isinstance(refused, ActionRejected)
    assert RejectReason.SCHEDULE_LIMIT is refused.reason
    [cleared] = world.apply(ScheduleCancel(account=0, time_ms=None))
    assert isinstance(cleared, CancelScheduled)
    world.apply(Advance(until_bar=20))
    [told] = world.apply(ScheduleCancel(account=0, time_ms=DAY_MS + DAY_MS // 20))
    assert isinstance(told, CancelScheduled)


def test_the_thousand_and_first_order_is_refused(build: Builder) -> None:
    """A thousand rest; one more does not."""
    world = build(FLAT, FLAT, deposit=10_000 * USD)
    new = NewOrder(symbol=0, side=Side.BUY, size=Size(1), limit_price=Price(500_000))
    for _ in range(10):
        world.apply(PlaceOrders(account=0, orders=(new,) * 100))
    [refused] = world.apply(PlaceOrders(account=0, orders=(new,)))
    assert isinstance(refused, OrderRejected)
    assert RejectReason.TOO_MANY_OPEN_ORDERS is refused.reason

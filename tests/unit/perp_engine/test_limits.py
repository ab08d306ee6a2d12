"""What 64 bits carry, what they refuse, and worlds that are refused as a whole."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perp_engine.commands import (
    AdjustMargin,
    Advance,
    CancelOrder,
    Command,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    ScheduleCancel,
    SetLeverage,
    Trigger,
)
from perp_engine.engine import Engine
from perp_engine.events import ActionRejected, Event, Fill, OrderOpened, OrderRejected
from perp_engine.rules import PLAIN, FeeTier, Rules
from perp_engine.tape import Detail, Tape
from suite.bars import I64
from suite.checks import InvariantViolated
from suite.enums import Grouping, MarginMode, Side, Tif, Tpsl
from suite.errors import RejectReason
from suite.fixed import PRODUCT_LIMIT, Price, Rate, Size, Usd
from suite.ids import Cloid, Oid
from suite.instrument import Instrument, MarginTier, default_instrument

MINUTE = 60_000
BTC = default_instrument("BTC", 1)
TOY = Instrument(
    coin="TOY", sz_decimals=0, tiers=(MarginTier(lower_bound_usd=Usd(0), max_leverage=3),)
)
SIZE_MOST = 3_000_000_000 - 1
PRICE_MOST = (PRODUCT_LIMIT - 1) // (5 * (SIZE_MOST + 1))
VALUE_MOST = 10**15
CASH = 7 * 10**16
NEVER = np.array([[1 << 50, 0]], np.int64)
ROOT = Path(__file__).parents[3]


def flat(*prices: int) -> I64:
    """One coin's bars, each flat at a price."""
    rows = [list(prices)] * 4 + [[10**6] * len(prices)]
    return np.ascontiguousarray(np.array([rows], np.int64))


def world(*prices: int, cash: int = CASH, rules: Rules = PLAIN, coin: Instrument = TOY) -> Engine:
    engine = Engine([coin], Tape(0, MINUTE, flat(*prices), (NEVER,)), 1, rules)
    engine.apply(Deposit(account=0, usd=Usd(cash)))
    return engine


def order(side: Side, size: int, price: int = 0) -> PlaceOrders:
    tif = Tif.GTC if price else Tif.IOC
    new = NewOrder(symbol=0, side=side, size=Size(size), limit_price=Price(price), tif=tif)
    return PlaceOrders(account=0, orders=(new,))


def reasons(events: tuple[Event, ...]) -> list[RejectReason]:
    assert all(isinstance(event, ActionRejected | OrderRejected) for event in events)
    return [event.reason for event in events if isinstance(event, ActionRejected | OrderRejected)]


# the largest numbers


def play_the_largest(size: int, price: int, later: int, side: Side) -> list[str]:
    """Open the largest position, let its price go elsewhere and back, turn it, and close it."""
    engine = world(price, later, price, price)
    engine.apply(SetLeverage(account=0, symbol=0, leverage=1))
    seen = [str(engine.apply(order(side, size)))]
    for _ in range(2):
        seen.append(str(engine.apply(Advance(until_bar=engine.bar + 1))))
        seen.append(str((engine.account(0), engine.position(0, 0))))
    seen.append(str(engine.apply(order(Side(-side), size))))
    seen.append(str(engine.apply(order(Side(-side), size))))
    engine.prove()
    return [*seen, engine.digest()]


LARGEST = [
    # the largest value at the largest size; the largest price; a value of 10^15 to the unit
    (SIZE_MOST, VALUE_MOST // SIZE_MOST, 2 * (VALUE_MOST // SIZE_MOST)),
    (VALUE_MOST // PRICE_MOST, PRICE_MOST, 1),
    (10**9, 10**6, PRICE_MOST),
    (10**9, 10**6, 1),
]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize(("size", "price", "later"), LARGEST)
def test_the_largest_position_fits_in_both_directions(
    size: int, price: int, later: int, side: Side
) -> None:
    """It trades whole, earns and loses what it should, and can be turned and closed."""
    engine = world(price, later, price)
    engine.apply(SetLeverage(account=0, symbol=0, leverage=1))
    _, fill, _ = engine.apply(order(side, size))
    assert isinstance(fill, Fill)
    assert (size, price) == (fill.size, fill.price)
    assert fill.fee_usd == -(-size * price * 450_000 // 10**9)
    engine.apply(Advance(until_bar=1))
    assert engine.equities()[0] == engine.account(0).equity_usd
    worth = CASH - fill.fee_usd + side * size * (later - price)
    assert engine.account(0).equity_usd == max(0, worth)
    engine.prove()


SCRIPT = """
from tests.unit.perp_engine.test_limits import LARGEST, play_the_largest
from suite.enums import Side
for size, price, later in LARGEST:
    for side in Side:
        print(*play_the_largest(size, price, later, side), sep="\\n")
"""


@pytest.mark.process
def test_the_largest_numbers_are_the_same_without_a_word_size() -> None:
    """Interpreted, integers have no end: every number agrees, so none has overflowed compiled."""

    def played(disabled: str) -> str:
        env = {**os.environ, "NUMBA_DISABLE_JIT": disabled, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    assert played("0") == played("1")


@pytest.mark.parametrize(
    ("price", "command", "reason"),
    [
        (333_333, order(Side.BUY, SIZE_MOST + 1), RejectReason.INVALID_SIZE),
        (333_333, order(Side.SELL, 10**30), RejectReason.INVALID_SIZE),
        (333_333, order(Side.SELL, -(10**30)), RejectReason.INVALID_SIZE),
        (10**6, order(Side.BUY, 10**9 + 1), RejectReason.VALUE_TOO_LARGE),
        (10**6, order(Side.SELL, 10**9 + 1), RejectReason.VALUE_TOO_LARGE),
        (333_330, order(Side.BUY, SIZE_MOST, 333_340), RejectReason.VALUE_TOO_LARGE),
        (PRICE_MOST, order(Side.BUY, 1, 5 * PRICE_MOST // 10**5 * 10**5), None),
        (PRICE_MOST, order(Side.BUY, 1, 1_537_300_000), RejectReason.PRICE_TOO_FAR),
        (10**6, order(Side.BUY, 1, 10**16), RejectReason.PRICE_TOO_FAR),
        (10**6, order(Side.BUY, 1, -(10**30)), RejectReason.INVALID_PRICE),
        (10**6, Deposit(account=0, usd=Usd(3 * 10**16 + 1)), RejectReason.MARGIN_IN_USE),
        (10**6, Deposit(account=0, usd=Usd(10**30)), RejectReason.MARGIN_IN_USE),
        (10**6, Deposit(account=0, usd=Usd(-(10**30))), RejectReason.MARGIN_IN_USE),
        (
            10**6,
            SetLeverage(account=0, symbol=0, leverage=10**30),
            RejectReason.INVALID_LEVERAGE,
        ),
        (
            10**6,
            AdjustMargin(account=0, symbol=0, usd=Usd(10**30)),
            RejectReason.NOT_ISOLATED,
        ),
        (
            10**6,
            ScheduleCancel(account=0, time_ms=-(10**30)),
            RejectReason.SCHEDULE_TOO_SOON,
        ),
    ],
)
def test_one_above_is_refused_by_name_and_changes_nothing(
    price: int, command: Command, reason: RejectReason | None
) -> None:
    """Each bound, and numbers beyond 64 bits."""
    engine = world(price, price, rules=replace(PLAIN, min_notional_usd=Usd(0)))
    before = engine.digest()
    events = engine.apply(command)
    if reason is None:
        assert isinstance(events[0], OrderOpened)
    else:
        assert [reason] == reasons(events)
        assert before == engine.digest()


def test_a_position_never_reaches_three_billion_units() -> None:
    """Two orders that each would do: the second is beyond the position's own bound."""
    engine = world(1000, 1000)
    engine.apply(order(Side.BUY, SIZE_MOST))
    before = engine.digest()
    assert reasons(engine.apply(order(Side.BUY, 10**6))) == [RejectReason.POSITION_LIMIT]
    assert before == engine.digest()
    # so it is when it turns: from the long, this would be 3 * 10^9 short
    engine.apply(order(Side.SELL, SIZE_MOST))
    engine.apply(order(Side.BUY, 10**6))
    _, fill, _ = engine.apply(order(Side.SELL, SIZE_MOST))
    assert isinstance(fill, Fill)
    assert engine.position(0, 0).size == 10**6 - SIZE_MOST
    before = engine.digest()
    events = engine.apply(order(Side.SELL, 10**6 + 1))
    assert reasons(events) == [RejectReason.POSITION_LIMIT]
    assert before == engine.digest()


# a thousand orders


def resting(count: int, *, cloid: int = 0) -> tuple[NewOrder, ...]:
    name = Cloid(f"0x{cloid:032x}") if cloid else None
    new = NewOrder(symbol=0, side=Side.BUY, size=Size(1000), limit_price=Price(300_000), cloid=name)
    return (new,) * count


def leg(**changes: object) -> NewOrder:
    trigger = Trigger(price=Price(250_000), tpsl=Tpsl.STOP_LOSS, is_market=True)
    plain = NewOrder(symbol=0, side=Side.SELL, size=Size(1000), trigger=trigger, reduce_only=True)
    return replace(plain, **changes)  # type: ignore[arg-type]


def place(engine: Engine, *orders: NewOrder, grouping: Grouping = Grouping.NONE) -> list[object]:
    command = PlaceOrders(account=0, orders=orders, grouping=grouping)
    return [getattr(event, "reason", "opened") for event in engine.apply(command)]


def test_a_thousand_open_orders_are_the_most() -> None:
    """The next is refused after its cloid and before its form; a group counts as a whole."""
    engine = world(600_000, 600_000, coin=BTC)
    too_many, twice = RejectReason.TOO_MANY_OPEN_ORDERS, RejectReason.DUPLICATE_CLOID
    place(engine, *resting(997))
    assert place(engine, *resting(1, cloid=7)) == ["opened"]
    group = Grouping.NORMAL_TPSL
    before = engine.digest()
    assert place(engine, *resting(1), leg(), leg(), grouping=group) == [too_many] * 3
    assert place(engine, *resting(1, cloid=7), leg(), leg(), grouping=group) == [twice] * 3
    assert before == engine.digest()
    assert place(engine, *resting(1), leg(), grouping=group) == ["opened"] * 2
    assert len(engine.open_orders(0)) == 1000
    before = engine.digest()
    bad_stop = leg(trigger=Trigger(price=Price(700_000), tpsl=Tpsl.STOP_LOSS, is_market=True))
    assert place(engine, *resting(1, cloid=7)) == [twice]
    assert place(engine, bad_stop) == [too_many]
    assert place(engine, leg(size=Size(0))) == [RejectReason.ZERO_SIZE]
    assert before == engine.digest()
    # a modified order takes the place of its own
    oldest = engine.open_orders(0)[0]
    events = engine.apply(ModifyOrder(account=0, oid=oldest.oid, order=resting(1)[0]))
    assert len(events) == 2
    [newest] = [event for event in events if isinstance(event, OrderOpened)]
    engine.apply(CancelOrder(account=0, symbol=0, oid=newest.oid))
    assert place(engine, *resting(1)) == ["opened"]


def test_no_orders_are_no_action() -> None:
    """An empty batch says nothing and does nothing."""
    engine = world(600_000, 600_000, coin=BTC)
    before = engine.digest()
    assert engine.apply(PlaceOrders(account=0, orders=())) == ()
    assert before == engine.digest()


def test_refusals_of_every_kind_leave_no_trace() -> None:
    """The state after a refusal is the state before it, to the last bit."""
    engine = world(600_000, 600_000, coin=BTC, cash=10**9)
    engine.apply(SetLeverage(account=0, symbol=0, leverage=40, mode=MarginMode.ISOLATED))
    engine.apply(order(Side.BUY, 10_000))
    place(engine, *resting(1, cloid=7))
    before = engine.digest()
    for command in (
        order(Side.BUY, 10**7),
        order(Side.BUY, 10),
        PlaceOrders(account=0, orders=(*resting(1, cloid=7), resting(1, cloid=7)[0])),
        PlaceOrders(account=0, orders=(leg(side=Side.BUY),)),
        CancelOrder(account=0, symbol=0, oid=Oid(5)),
        ModifyOrder(account=0, oid=Oid(5), order=resting(1)[0]),
        ModifyOrder(
            account=0, oid=engine.open_orders(0)[0].oid, order=order(Side.BUY, 10).orders[0]
        ),
        SetLeverage(account=0, symbol=0, leverage=39, mode=MarginMode.ISOLATED),
        SetLeverage(account=0, symbol=0, leverage=40),
        AdjustMargin(account=0, symbol=0, usd=Usd(10**12)),
        AdjustMargin(account=0, symbol=0, usd=Usd(-1)),
        Deposit(account=0, usd=Usd(-(10**9))),
        ScheduleCancel(account=0, time_ms=4_999),
    ):
        assert reasons(engine.apply(command))
        assert before == engine.digest()


# worlds that cannot be


def tape(bars: I64, stamps: list[tuple[int, int]] | None = None) -> Tape:
    return Tape(0, MINUTE, bars, (np.array(stamps or [], np.int64).reshape(-1, 2),))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (0, 111, "bar 1 of symbol 0 has its high below its open or close"),
        (1, 99, "bar 1 of symbol 0 has its high below its open or close"),
        (3, 111, "bar 1 of symbol 0 has its high below its open or close"),
        (0, 89, "bar 1 of symbol 0 has its low above its open or close"),
        (2, 101, "bar 1 of symbol 0 has its low above its open or close"),
        (3, 89, "bar 1 of symbol 0 has its low above its open or close"),
        (2, 0, "bar 1 of symbol 0 has a price that is not positive"),
        (2, -1, "bar 1 of symbol 0 has a price that is not positive"),
        (4, -2, "bar 1 of symbol 0 has a negative volume"),
    ],
)
def test_a_bar_that_cannot_be_is_refused_with_its_place(
    field: int, value: int, message: str
) -> None:
    """What no market can have printed is no data."""
    bars = np.array([[[100] * 3, [110] * 3, [90] * 3, [100] * 3, [5] * 3]], np.int64)
    tape(bars)
    bars[0, field, 1] = value
    with pytest.raises(ValueError, match=message):
        tape(bars)
    # a bar that the data lacks may hold anything
    bars[0, 4, 1] = -1
    tape(bars)


def test_funding_stamps_rise() -> None:
    """Two at one time, or one before the other, are refused."""
    tape(flat(100, 100), [(0, 5), (1, 5)])
    for stamps in ([(7, 5), (7, 5)], [(7, 5), (6, 5)]):
        with pytest.raises(ValueError, match="funding stamps of symbol 0 do not rise"):
            tape(flat(100, 100), stamps)


@pytest.mark.parametrize("row", [[100, 111, 100, 100], [100, 100, 89, 100]])
def test_detail_outside_its_bar_is_refused(row: list[int]) -> None:
    """A finer bar that goes beyond the bar it belongs to."""
    bars = np.array([[[100] * 3, [110] * 3, [90] * 3, [100] * 3, [5] * 3]], np.int64)
    first = np.array([[0, 0, 1, 1]], np.int64)
    inside = Detail(np.array([[100, 110, 90, 100]], np.int64), first)
    Tape(0, MINUTE, bars, (NEVER,), inside)
    outside = Detail(np.array([row], np.int64), first)
    with pytest.raises(ValueError, match="detail of bar 1 of symbol 0 is outside it"):
        Tape(0, MINUTE, bars, (NEVER,), outside)
    with pytest.raises(InvariantViolated, match="one start a bar"):
        Tape(0, MINUTE, bars, (NEVER,), Detail(inside.rows, first[:, 1:]))


def test_a_tape_of_another_shape_is_refused() -> None:
    """Shape and type of the arrays, and a funding table a symbol."""
    bars = flat(100, 100)
    wrongs: list[Any] = [bars[0], bars[:, :4], bars.astype(np.float64), bars.transpose(0, 2, 1)]
    for wrong in wrongs:
        with pytest.raises(InvariantViolated, match="bars must"):
            Tape(0, MINUTE, wrong, (NEVER,))
    with pytest.raises(InvariantViolated, match="one funding table a symbol"):
        Tape(0, MINUTE, bars, ())


FEES = FeeTier(volume_usd=Usd(0), taker=Rate(0), maker=Rate(0))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (replace(PLAIN, half_spread=Rate(-1)), "are from 0 to 1"),
        (replace(PLAIN, slippage=Rate(10**9 + 1)), "are from 0 to 1"),
        (replace(PLAIN, impact=Rate(-1)), "are from 0 to 1"),
        (replace(PLAIN, participation=Rate(10**9 + 1)), "are from 0 to 1"),
        (replace(PLAIN, taker_fee=Rate(10**9)), "a fee is below 1"),
        (replace(PLAIN, maker_fee=Rate(-(10**9))), "a fee is below 1"),
        (replace(PLAIN, fee_tiers=(replace(FEES, taker=Rate(10**9)),)), "a fee is below 1"),
        (replace(PLAIN, decision_latency_ms=-1), "latency is not negative"),
        (replace(PLAIN, fee_tiers=(FEES, FEES)), "fee tiers start at 0 and rise"),
        (replace(PLAIN, fee_tiers=(replace(FEES, volume_usd=Usd(1)),)), "fee tiers start at 0"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: Rules, message: str) -> None:
    """Each by its reason."""
    with pytest.raises(ValueError, match=message):
        world(100, 100, rules=rules)


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ((), "TOY: margin tiers start at 0 and rise"),
        (((1, 3, None),), "TOY: margin tiers start at 0 and rise"),
        (((0, 3, None), (0, 2, None)), "TOY: margin tiers start at 0 and rise"),
        (((0, 3, None), (9, 3, None), (8, 2, None)), "TOY: margin tiers start at 0 and rise"),
        (((0, 3, 10**9),), "TOY: a maintenance rate is from 0 to below 1"),
        (((0, 3, -1),), "TOY: a maintenance rate is from 0 to below 1"),
    ],
)
def test_margin_tiers_that_make_no_sense_are_refused(
    tiers: tuple[tuple[int, int, int | None], ...], message: str
) -> None:
    """Each by its coin."""
    rows = tuple(
        MarginTier(
            lower_bound_usd=Usd(bound),
            max_leverage=most,
            maintenance_rate=None if rate is None else Rate(rate),
        )
        for bound, most, rate in tiers
    )
    with pytest.raises(ValueError, match=message):
        world(100, 100, coin=replace(TOY, tiers=rows))


def test_prices_and_counts_beyond_64_bits_are_refused() -> None:
    """One price unit too much; no account, or too many; no bars; an instrument a symbol."""
    world(PRICE_MOST, PRICE_MOST)
    with pytest.raises(InvariantViolated, match="prices beyond 64-bit notionals"):
        world(PRICE_MOST + 1, PRICE_MOST)
    good = Tape(0, MINUTE, flat(100, 100), (NEVER,))
    for accounts in (0, -1, (1 << 12) + 1):
        with pytest.raises(InvariantViolated, match="accounts"):
            Engine([TOY], good, accounts, PLAIN)
    with pytest.raises(InvariantViolated, match="one instrument a symbol"):
        Engine([TOY, TOY], good, 1, PLAIN)
    with pytest.raises(InvariantViolated, match="a tape has bars"):
        Engine([TOY], Tape(0, MINUTE, flat(), (NEVER,)), 1, PLAIN)

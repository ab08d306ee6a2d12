"""The auditor passes a run written by hand, and finds every fault that is planted into it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.auditor import AuditReport, audit

from perp_engine.commands import (
    Advance,
    Command,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    SetLeverage,
    Trigger,
)
from perp_engine.events import (
    ActionRejected,
    Advanced,
    Deposited,
    Event,
    FeesSet,
    Fill,
    FundingPaid,
    InsuranceMoved,
    LeverageSet,
    Liquidated,
    OrderChanged,
    OrderClosed,
    OrderOpened,
    OrderRejected,
)
from perp_engine.rules import FeeTier, FillAt, LimitFill, Rules
from perp_engine.tape import CLOSE, LOW, NO_BAR, OPEN, VOLUME, Tape
from suite.enums import FillCause, MarginMode, OrderStatus, Side, Tif, Tpsl
from suite.errors import RejectReason
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import Oid
from suite.instrument import Instrument, MarginTier

MINUTE = 60_000
BTC = Instrument(
    coin="BTC",
    sz_decimals=5,
    tiers=(
        MarginTier(lower_bound_usd=Usd(0), max_leverage=40),
        MarginTier(lower_bound_usd=Usd(10**9), max_leverage=20, maintenance_rate=Rate(30_000_000)),
    ),
)
ROWS = (
    (1_000_000, 1_002_000, 998_990, 999_500, 10_000),
    (999_600, 1_000_000, 989_000, 990_500, 10_000),
    (990_600, 991_000, 990_000, 990_700, 10_000),
)
Log = list[tuple[Command, list[Event]]]


def make_tape(rows: Sequence[tuple[int, ...]] = ROWS) -> Tape:
    """Bars of one coin; a stamp of 0.01 % after the first one."""
    bars = np.ascontiguousarray(np.array(rows, np.int64).T[None])
    return Tape(0, MINUTE, bars, (np.array([(MINUTE, 100_000)], np.int64),))


def opened(oid: int, time_ms: int, status: OrderStatus = OrderStatus.OPEN, **fields: Any) -> Event:
    account = fields.pop("account", 0)
    return OrderOpened(
        time_ms=time_ms, account=account, symbol=0, oid=Oid(oid), status=status, held_usd=Usd(0)
    )


def closed(
    oid: int, time_ms: int, status: OrderStatus = OrderStatus.FILLED, remaining: int = 0
) -> Event:
    return OrderClosed(
        time_ms=time_ms,
        account=0,
        symbol=0,
        oid=Oid(oid),
        status=status,
        remaining=Size(remaining),
        refunded_usd=Usd(0),
    )


def fill(oid: int, tid: int, time_ms: int, side: Side, **fields: Any) -> Fill:
    """A fill; `trade` is size, price, reference and start, `booked` is profit and fee."""
    size, price, reference, start = fields.pop("trade")
    profit, fee = fields.pop("booked")
    named: dict[str, Any] = {"account": 0, "is_taker": True, "order_size_left": Size(0), **fields}
    return Fill(
        time_ms=time_ms,
        symbol=0,
        oid=Oid(oid),
        tid=tid,
        side=side,
        size=Size(size),
        price=Price(price),
        reference_price=Price(reference),
        start_position=Size(start),
        realized_pnl_usd=Usd(profit),
        fee_usd=Usd(fee),
        **named,
    )


def advanced(bar: int) -> Event:
    return Advanced(time_ms=bar * MINUTE, bar=bar, watches_met=())


def deposit(usd: int) -> tuple[Command, list[Event]]:
    return Deposit(account=0, usd=Usd(usd)), [Deposited(time_ms=0, account=0, usd=Usd(usd))]


MARKET = NewOrder(symbol=0, side=Side.BUY, size=Size(1000), tif=Tif.IOC)
LIMIT = NewOrder(symbol=0, side=Side.BUY, size=Size(500), limit_price=Price(999_000))
STOP = NewOrder(
    symbol=0,
    side=Side.SELL,
    size=Size(1500),
    reduce_only=True,
    trigger=Trigger(price=Price(990_000), tpsl=Tpsl.STOP_LOSS, is_market=True),
)
BAR_1, BAR_2 = 2**26, 2 * 2**26
PATH_0, PATH_1 = MINUTE - 1, 2 * MINUTE - 1

# 1,000,000: half spread 50, then slippage 1,000,050 * 0.0001 rounded up; fees 0.045 % rounded up.
TAKEN = fill(
    1, 1, 0, Side.BUY, trade=(1000, 1_000_151, 1_000_000, 0), booked=(0, 450_068)
)  # fmt: skip
# The low of bar 0 is a tick, one dollar, below the limit: 0.015 % as a maker.
MADE = fill(
    2, 2, PATH_0, Side.BUY,
    trade=(500, 999_000, 999_000, 1000), booked=(0, 74_925), is_taker=False,
)  # fmt: skip
# 990,000 less 50 (49.5 rounded up), less 99 (98.995 rounded up).
STOPPED = fill(
    BAR_1 + 1, BAR_1 + 1, PATH_1, Side.SELL,
    trade=(1500, 989_851, 990_000, 1500),
    booked=(1500 * 989_851 - 1_000_151_000 - 499_500_000, 668_150),
)  # fmt: skip
# 1,500 * 999,600 * 0.0001, the mark being the open of bar 1.
FUNDING = FundingPaid(
    time_ms=MINUTE,
    account=0,
    symbol=0,
    size=Size(1500),
    rate=Rate(100_000),
    usd=Usd(-149_940),
)
CASH = 10**10 - 450_068 - 74_925 - 149_940 + STOPPED.realized_pnl_usd - 668_150


def clean_log() -> Log:
    """A market order, a limit that fills in a path, funding, a stop that closes all of it."""
    return [
        deposit(10**10),
        (
            PlaceOrders(account=0, orders=(MARKET, LIMIT)),
            [opened(1, 0), TAKEN, closed(1, 0), opened(2, 0)],
        ),
        (Advance(until_bar=1), [MADE, closed(2, PATH_0), FUNDING, advanced(1)]),
        (
            PlaceOrders(account=0, orders=(STOP,)),
            [opened(BAR_1 + 1, MINUTE, OrderStatus.WAITING_FOR_TRIGGER)],
        ),
        (
            Advance(until_bar=3),
            [
                OrderChanged(
                    time_ms=PATH_1,
                    account=0,
                    symbol=0,
                    oid=Oid(BAR_1 + 1),
                    status=OrderStatus.OPEN,
                    size=Size(1500),
                ),
                STOPPED,
                closed(BAR_1 + 1, PATH_1),
                advanced(3),
            ],
        ),
    ]


def check(
    log: Log, tape: Tape | None = None, rules: Rules | None = None, cash: int | None = None
) -> AuditReport:
    money = None if cash is None else [cash]
    return audit([BTC], tape or make_tape(), rules or Rules(), log, money=money)


def planted(log: Log, old: Event, *new: Event) -> Log:
    """A log with one event replaced, dropped or repeated."""
    found = [
        (command, [other for event in events for other in (new if event == old else (event,))])
        for command, events in log
    ]
    assert found != log
    return found


def test_run_without_a_fault_passes() -> None:
    """Every fill and payment is counted, and the money adds up."""
    assert AuditReport(faults=[], fills=3, funding=1) == check(clean_log(), cash=CASH)


FAULTS: dict[str, tuple[Event, dict[str, Any], str]] = {
    "taker pays a unit less": (TAKEN, {"price": 1_000_150}, "a taker's price is 1000150"),
    "taker pays a unit more": (TAKEN, {"price": 1_000_152}, "a taker's price is 1000152"),
    "another print": (TAKEN, {"reference_price": 1_000_010}, "reference is 1000010"),
    "fee a unit less": (TAKEN, {"fee_usd": 450_067}, "fee is 450067, must be 450068"),
    "fee of a maker": (TAKEN, {"fee_usd": 150_023}, "fee is 150023"),
    "maker pays as a taker": (MADE, {"fee_usd": 224_775}, "fee is 224775, must be 74925"),
    "profit a unit more": (STOPPED, {"realized_pnl_usd": -14_874_499}, "realized profit is"),
    "another start": (MADE, {"start_position": 999}, "start position is 999"),
    "tid again": (MADE, {"tid": 1}, "tid is 1, must be 2"),
    "another side": (TAKEN, {"side": Side.SELL}, "the other side of its order"),
    "size left": (TAKEN, {"order_size_left": 1}, "size left is 1, must be 0"),
    "part of a market order": (TAKEN, {"size": 900}, "what a taker trades of its order is 900"),
    "more than the order": (MADE, {"size": 600}, "more than its order had left"),
    "maker worse than its limit": (MADE, {"price": 999_001}, "worse than its limit 999000"),
    "maker better than its limit": (
        MADE, {"price": 998_999, "reference_price": 998_999}, "must be one of [999000]"),
    "maker with a cost": (MADE, {"reference_price": 998_999}, "reference is 998999"),
    "maker as a taker": (MADE, {"is_taker": True}, "neither arrived nor fired then"),
    "taker as a maker": (TAKEN, {"is_taker": False}, "an order that cannot rest"),
    "reduce-only flips": (STOPPED, {"size": 1501}, "a reduce-only order did not reduce"),
    "stop below the bar": (STOPPED, {"price": 988_999}, "a taker's price is 988999"),
    "stop that was not met": (STOPPED, {"reference_price": 990_001}, "990000 was not met"),
    "stop met elsewhere": (STOPPED, {"reference_price": 989_999}, "nor where the path jumped"),
    "reference outside the bar": (STOPPED, {"reference_price": 988_000}, "outside 989000 to"),
    "odd time": (TAKEN, {"time_ms": 7}, "no trade can happen there and then"),
    "no size": (TAKEN, {"size": 0}, "no trade can happen there and then"),
    "another's fill": (TAKEN, {"account": 1}, "an order that was never opened"),
    "unknown order": (TAKEN, {"oid": 9}, "an order that was never opened"),
    "liquidation untold": (STOPPED, {"cause": FillCause.LIQUIDATION}, "no liquidation was told"),
    "backstop untold": (STOPPED, {"cause": FillCause.BACKSTOP}, "no liquidation was told of"),
    "settlement of a living coin": (STOPPED, {"cause": FillCause.SETTLEMENT}, "no trade can"),
    "payment a unit less": (FUNDING, {"usd": -149_939}, "payment is -149939, must be -149940"),
    "funding of another size": (FUNDING, {"size": 1000}, "size is 1000, must be 1500"),
    "funding of another rate": (FUNDING, {"rate": -100_000}, "rate is -100000, must be 100000"),
    "funding at another time": (FUNDING, {"time_ms": PATH_1}, "no funding is due"),
    "opened twice": (opened(2, 0), {"oid": 1}, "an oid that was given before"),
    "remains": (closed(2, PATH_0), {"remaining": 1}, "what remains is 1, must be 0"),
    "filled, yet canceled": (
        closed(2, PATH_0), {"status": OrderStatus.CANCELED}, "0 of the order is open"),
    "no end": (
        closed(2, PATH_0), {"status": OrderStatus.OPEN}, "a status that is no end"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_changed_event_is_found(case: str) -> None:
    """One field of one event is wrong: what is told of it names what it must be."""
    event, fields, expected = FAULTS[case]
    changed: Any = replace(event, **fields)
    faults = check(planted(clean_log(), event, changed), cash=CASH).faults
    assert any(expected in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("event", "times", "expected"),
    [
        (FUNDING, 0, "1 payments of funding due by"),
        (FUNDING, 2, "no funding is due"),
        (closed(2, PATH_0), 0, "order 2 has no end"),
        (closed(2, PATH_0), 2, "an order that had ended"),
        (opened(2, 0), 0, "nothing became of an order"),
        (opened(2, 0), 2, "an order that nobody sent"),
        (TAKEN, 0, "start position is 1000, must be 0"),
        (TAKEN, 2, "tid is 1, must be 2"),
    ],
)
def test_missing_or_repeated_event_is_found(event: Event, times: int, expected: str) -> None:
    """Payments that were due, ends of orders, outcomes of requests."""
    faults = check(planted(clean_log(), event, *[event] * times), cash=CASH).faults
    assert any(expected in fault for fault in faults), faults


def test_money_of_another_amount_is_found() -> None:
    """One unit that no event explains."""
    faults = check(clean_log(), cash=CASH + 1).faults
    assert [f"account 0: money is {CASH + 1}, its events make it {CASH}"] == faults


def test_time_that_runs_backward_is_found() -> None:
    """The events of a run never go back."""
    early = planted(clean_log(), closed(1, 0), replace(closed(1, 0), time_ms=-MINUTE))
    assert any("before 0" in fault for fault in check(early).faults)


def with_bar(bar: int, field: int, value: int) -> Tape:
    rows = [list(row) for row in ROWS]
    rows[bar][field] = value
    return make_tape([tuple(row) for row in rows])


@pytest.mark.parametrize(
    ("tape", "rules", "expected"),
    [
        (with_bar(0, LOW, 998_991), Rules(), "its level 998990 was not reached"),
        (with_bar(0, VOLUME, 4_999), Rules(), "500 of resting orders exceed the cap 499"),
        (with_bar(0, VOLUME, NO_BAR), Rules(), "no trade can happen there and then"),
        (with_bar(1, LOW, 989_900), Rules(), "a taker's price is 989851, must be 989900"),
        (with_bar(1, LOW, 990_400), Rules(), "reference outside 990400 to"),
        (with_bar(0, OPEN, 999_900), Rules(), "reference is 1000000, must be 999900"),
        (make_tape(), Rules(half_spread=Rate(0)), "a taker's price is 1000151, must be 1000100"),
        (make_tape(), Rules(half_spread=Rate(1)), "a taker's price is 1000151, must be 1000106"),
        (make_tape(), Rules(slippage=Rate(0)), "a taker's price is 1000151, must be 1000050"),
        (make_tape(), Rules(impact=Rate(10**6)), "a taker's price is 989851, must be 989702"),
        (make_tape(), Rules(maker_fee=Rate(-150_000)), "fee is 74925, must be -74925"),
        (with_bar(1, OPEN, 999_610), Rules(), "payment is -149940, must be -149942"),
        (make_tape(), Rules(fill_at=FillAt.CLOSE), "payment is -149940, must be -149925"),
    ],
)  # fmt: skip
def test_run_over_another_tape_or_other_rules_is_found(
    tape: Tape, rules: Rules, expected: str
) -> None:
    """The same events, and a market in which they cannot be."""
    faults = check(clean_log(), tape, rules).faults
    assert any(expected in fault for fault in faults), faults


def test_touch_needs_no_tick_beyond_the_limit() -> None:
    """The low of bar 0 is at the limit."""
    touched = with_bar(0, LOW, 999_000)
    assert check(clean_log(), touched, Rules(limit_fill=LimitFill.TOUCH)).faults == []
    assert check(clean_log(), touched).faults


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (replace(MARKET, limit_price=Price(1_000_049)), "does not reach the touch 1000050"),
        (replace(MARKET, limit_price=Price(1_000_150)), "worse than its limit 1000150"),
        (replace(MARKET, tif=Tif.ALO, limit_price=Price(1_001_000)), "an Alo order took"),
        (replace(MARKET, reduce_only=True), "a reduce-only order did not reduce"),
        (replace(MARKET, size=Size(1100)), "of its order is 1000, must be 1100"),
        (replace(MARKET, trigger=STOP.trigger), "a stop fired as it came in"),
    ],
)
def test_fill_that_its_request_forbids_is_found(order: NewOrder, expected: str) -> None:
    """The auditor knows what was asked for."""
    log = clean_log()
    log[1] = (PlaceOrders(account=0, orders=(order, LIMIT)), log[1][1])
    faults = check(log).faults
    assert any(expected in fault for fault in faults), faults


def test_ioc_order_that_rests_is_found() -> None:
    """It ends in the moment it came in, and never makes."""
    log = clean_log()
    log[1] = (PlaceOrders(account=0, orders=(MARKET, replace(LIMIT, tif=Tif.IOC))), log[1][1])
    faults = check(log).faults
    assert any("did not rest" in fault for fault in faults)
    assert any("outlived its moment" in fault for fault in faults)


def test_limit_fills_at_the_opening_print_when_that_is_beyond_it() -> None:
    """At the boundary, as a maker, within the volume of the bar before."""
    limit = replace(LIMIT, limit_price=Price(990_700))
    gap = fill(
        2, BAR_2 + 1, 2 * MINUTE, Side.BUY,
        trade=(500, 990_600, 990_600, 0), booked=(0, 74_295), is_taker=False,
    )  # fmt: skip
    log: Log = [
        (PlaceOrders(account=0, orders=(limit,)), [opened(2, 0)]),
        (Advance(until_bar=3), [gap, closed(2, 2 * MINUTE), advanced(3)]),
    ]
    tape = with_bar(1, LOW, 990_500)
    assert check(log, tape).faults == []
    at_limit = planted(log, gap, replace(gap, price=Price(990_700)))
    assert any("must be one of [990600]" in fault for fault in check(at_limit, tape).faults)
    small = [list(row) for row in ROWS]
    small[1][VOLUME] = 4_990
    faults = check(log, make_tape([tuple(row) for row in small])).faults
    assert any("exceed the cap 499" in fault for fault in faults)


def test_outcomes_belong_to_the_orders_in_their_turn() -> None:
    """Refused orders are skipped by their place; a refused change leaves nothing."""
    refused = OrderRejected(
        time_ms=0, account=0, symbol=0, index=0, reason=RejectReason.MIN_NOTIONAL
    )
    kept = ActionRejected(time_ms=0, account=0, reason=RejectReason.CANNOT_MODIFY)
    log: Log = [
        deposit(10**10),
        (PlaceOrders(account=0, orders=(LIMIT, MARKET)), [refused, opened(1, 0), TAKEN]),
        (ModifyOrder(account=0, oid=Oid(7), order=LIMIT), [kept]),
    ]
    log[1][1].append(closed(1, 0))
    assert check(log).faults == []
    other = planted(log, refused, replace(refused, index=1))
    assert any("was not the next one" in fault for fault in check(other).faults)


# 30 USD behind 1,000 USD: 29.549932 are left after the fee.
RUINED = Liquidated(
    time_ms=PATH_1,
    account=0,
    symbol=0,
    mode=MarginMode.CROSS,
    mark=Price(982_887),
    equity_usd=Usd(12_285_932),
    maintenance_usd=Usd(12_286_088),
)
# 982,887 less 50 (49.14 rounded up), less 99 (98.28 rounded up).
SOLD = fill(
    BAR_1 + 1, BAR_1 + 1, PATH_1, Side.SELL,
    trade=(1000, 982_738, 982_887, 1000), booked=(-17_413_000, 442_233),
    cause=FillCause.LIQUIDATION,
)  # fmt: skip
SEIZED = fill(
    BAR_2 + 1, BAR_2 + 1, 2 * MINUTE, Side.SELL,
    trade=(1000, 970_000, 970_000, 1000), booked=(-30_151_000, 0),
    cause=FillCause.BACKSTOP,
)  # fmt: skip
INSURED = InsuranceMoved(time_ms=2 * MINUTE, account=0, symbol=0, usd=Usd(601_068))


def ruined_log(*events: Event) -> Log:
    """A long of 33 times its money, opened at the first boundary; nobody pays funding."""
    leverage = SetLeverage(account=0, symbol=0, leverage=40)
    told = LeverageSet(time_ms=0, account=0, symbol=0, leverage=40)
    buy = PlaceOrders(account=0, orders=(MARKET,))
    return [
        deposit(30_000_000),
        (leverage, [told]),
        (buy, [opened(1, 0), TAKEN, closed(1, 0)]),
        (Advance(until_bar=3), [*events, advanced(3)]),
    ]


def ruin_tape() -> Tape:
    """Bar 1 falls to 982,000, bar 2 opens at 970,000; no funding."""
    rows = [list(row) for row in ROWS]
    rows[1][LOW] = 982_000
    rows[2] = [970_000, 971_000, 969_000, 970_000, 10_000]
    tape = make_tape([tuple(row) for row in rows])
    return replace(tape, funding=(np.array([(1 << 50, 0)], np.int64),))


def calm_tape() -> Tape:
    """The same gap after a bar that did no harm."""
    bars = ruin_tape().bars.copy()
    bars[0, [LOW, CLOSE], 1] = 990_000
    return replace(ruin_tape(), bars=bars)


def test_liquidations_without_a_fault_pass() -> None:
    """Sold to the market inside a bar; taken over by the backstop at a gap."""
    sold = check(ruined_log(RUINED, SOLD), ruin_tape(), cash=11_694_699)
    assert AuditReport(faults=[], fills=2, liquidations=1) == sold
    gap = replace(
        RUINED,
        time_ms=2 * MINUTE,
        mark=Price(970_000),
        equity_usd=Usd(-601_068),
        maintenance_usd=Usd(12_125_000),
    )
    seized = check(ruined_log(gap, SEIZED, INSURED), calm_tape(), cash=0)
    assert AuditReport(faults=[], fills=2, liquidations=1) == seized
    cases: tuple[tuple[Any, dict[str, Any], str], ...] = (
        (SEIZED, {"price": 970_001}, "backstop price is 970001"),
        (SEIZED, {"fee_usd": 1}, "fee is 1, must be 0"),
        (SEIZED, {"size": 999}, "size taken over is 999"),
        (INSURED, {"usd": 601_067}, "insured cash is 601067, must be 601068"),
    )
    for event, fields, expected in cases:
        log = planted(ruined_log(gap, SEIZED, INSURED), event, replace(event, **fields))
        faults = check(log, calm_tape()).faults
        assert any(expected in fault for fault in faults), faults
    faults = check(ruined_log(gap, SEIZED), calm_tape()).faults
    assert any("is flat and owes 601068" in fault for fault in faults)


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        (RUINED, {"mark": 982_888}, "liquidated without need"),
        (RUINED, {"mark": 981_000}, "mark outside 982000 to"),
        (RUINED, {"equity_usd": 12_285_933}, "equity is 12285933, must be 12285932"),
        (RUINED, {"maintenance_usd": 12_286_087}, "maintenance is 12286087, must be 12286088"),
        (RUINED, {"mode": MarginMode.ISOLATED}, "mode is isolated, must be cross"),
        (SOLD, {"price": 982_739}, "a taker's price is 982739, must be 982738"),
        (SOLD, {"reference_price": 982_900}, "reference is 982900, must be 982887"),
        (SOLD, {"size": 200}, "size sold is 200, must be 1000"),
        (SOLD, {"is_taker": False}, "the venue trades as a taker only"),
        (SOLD, {"side": Side.BUY}, "the venue opened a position"),
        (SOLD, {"oid": 1}, "the venue used an order's oid"),
        (SOLD, {"cause": FillCause.BACKSTOP}, "taken over with 12285932 of 12286088"),
        (SOLD, {"order_size_left": 1}, "size left is 1, must be 0"),
    ],
)
def test_changed_liquidation_is_found(event: Event, fields: dict[str, Any], expected: str) -> None:
    """When it was due, at what price, how much."""
    changed: Any = replace(event, **fields)
    log = planted(ruined_log(RUINED, SOLD), event, changed)
    faults = check(log, ruin_tape()).faults
    assert any(expected in fault for fault in faults), faults


def test_large_position_is_sold_by_a_fifth_first() -> None:
    """Above the notional of the rules; the rounded fifth is the larger one."""
    rules = Rules(partial_liquidation_usd=Usd(100_000_000))
    faults = check(ruined_log(RUINED, SOLD), ruin_tape(), rules).faults
    assert any("size sold is 1000, must be 200" in fault for fault in faults), faults


def test_maintenance_of_a_higher_tier_is_continuous() -> None:
    """At 1,000 USD of notional the second tier begins: its rate, less the deduction of 17.5 USD."""
    higher = replace(RUINED, mark=Price(1_002_000), time_ms=PATH_0)
    faults = check(ruined_log(higher, SOLD), ruin_tape()).faults
    assert any("must be 12560000" in fault for fault in faults), faults


def test_coin_is_settled_at_its_last_mark_once_its_data_has_ended() -> None:
    """Without a fee, at the first boundary after its last bar."""
    bars = make_tape().bars.copy()
    bars[0, VOLUME, 1:] = NO_BAR
    tape = replace(ruin_tape(), bars=bars)
    settled = fill(
        BAR_1 + 1, BAR_1 + 1, MINUTE, Side.SELL,
        trade=(1000, 999_500, 999_500, 1000), booked=(-651_000, 0), cause=FillCause.SETTLEMENT,
    )  # fmt: skip
    assert check(ruined_log(settled), tape, cash=30_000_000 - 450_068 - 651_000).faults == []
    for fields, expected in (
        ({"price": Price(999_501)}, "settlement price is 999501"),
        ({"size": Size(10)}, "settled size is 10"),
        ({"fee_usd": Usd(1)}, "fee is 1, must be 0"),
        ({"cause": FillCause.ORDER}, "no trade can happen there and then"),
    ):
        changed = replace(settled, **fields)
        faults = check(ruined_log(changed), tape).faults
        assert any(expected in fault for fault in faults), faults


def test_fees_follow_the_notional_of_the_days_before() -> None:
    """A day's volume counts from the next midnight on; the event that tells so is checked."""
    tiers = (
        FeeTier(volume_usd=Usd(0), taker=Rate(450_000), maker=Rate(150_000)),
        FeeTier(volume_usd=Usd(10**9), taker=Rate(400_000), maker=Rate(100_000)),
    )
    day = 1440 * MINUTE
    tape = replace(ruin_tape(), start_ms=day - 2 * MINUTE)
    start, midnight = tape.start_ms, day
    told = FeesSet(time_ms=midnight, account=0, taker=Rate(400_000), maker=Rate(100_000))
    cheaper = fill(
        BAR_2 + 1, BAR_2 + 1, midnight, Side.SELL,
        trade=(1000, 969_854, 970_000, 1000), booked=(-30_297_000, 387_942),
    )  # fmt: skip
    sell = replace(MARKET, side=Side.SELL)
    log: Log = [
        (
            PlaceOrders(account=0, orders=(MARKET,)),
            [opened(1, start), replace(TAKEN, time_ms=start), closed(1, start)],
        ),
        (Advance(until_bar=2), [told, replace(advanced(2), time_ms=midnight)]),
        (
            PlaceOrders(account=0, orders=(sell,)),
            [opened(BAR_2 + 1, midnight), cheaper, closed(BAR_2 + 1, midnight)],
        ),
    ]
    rules = Rules(fee_tiers=tiers)
    assert check(log, tape, rules).faults == []
    dearer = planted(log, cheaper, replace(cheaper, fee_usd=Usd(436_435)))
    assert any("fee is 436435, must be 387942" in f for f in check(dearer, tape, rules).faults)
    untold = planted(log, told, replace(told, taker=Rate(450_000)))
    assert any("fees is (450000" in fault for fault in check(untold, tape, rules).faults)

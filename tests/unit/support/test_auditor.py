"""The auditor passes a run written by hand, and finds every fault that is planted into it."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.audited_orders import AuditReport
from tests.support.audited_runs import (
    BAR_2,
    CASH,
    FUNDING,
    LIMIT,
    MADE,
    MARKET,
    MINUTE,
    PATH_0,
    PATH_1,
    ROWS,
    STOP,
    STOPPED,
    TAKEN,
    Log,
    advanced,
    check,
    clean_log,
    closed,
    deposit,
    fill,
    make_tape,
    opened,
    planted,
)

from perp_engine.commands import (
    Advance,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
)
from perp_engine.events import (
    ActionRejected,
    Event,
    OrderRejected,
)
from perp_engine.rules import FillAt, LimitFill, Rules
from perp_engine.tape import LOW, NO_BAR, OPEN, VOLUME, Tape
from suite.enums import FillCause, OrderStatus, Side, Tif
from suite.errors import RejectReason
from suite.fixed import Price, Rate, Size
from suite.ids import Oid


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

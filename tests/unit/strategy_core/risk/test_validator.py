"""Form and lattice: what is moved, what is refused, and that nothing moves twice."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.strategy_core.fake_venue import INSTRUMENTS
from tests.unit.strategy_core.risk.test_gate import order, see

from strategy_core.intents import Intent, ParentOrder, Passive, Sliced
from strategy_core.port import Observation
from strategy_core.risk.gate import RiskGate
from strategy_core.risk.limits import RiskLimits
from strategy_core.risk.memory import RiskMemory
from suite.contracts.venue import (
    Leg,
    LimitType,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    TriggerType,
)
from suite.enums import Tif, Tpsl

LIMITS = RiskLimits(
    max_leverage=100.0, max_coin_exposure=100.0, max_order_notional=20.0, price_collar=0.2
)
ETH_MID = {"ETH": "2950", "BTC": "104321"}


def pass_one(
    intent: Intent, *, held: dict[str, str] | None = None, seen: Observation | None = None
) -> tuple[str, Intent | None]:
    """Verdict and what was let through; equity 100,000 USD."""
    gate = RiskGate(LIMITS, symbols=("BTC", "ETH"), instruments=INSTRUMENTS, memory=RiskMemory())
    done = gate.judge([intent], seen or see(held, equity="100000", mids=ETH_MID))
    return str(done.verdicts[0]), done.actions[0] if done.actions else None


def limit(price: str, *, tif: Tif = Tif.GTC, side: int = 1, coin: str = "ETH") -> PlaceOrder:
    return PlaceOrder(
        coin=coin,
        is_buy=side > 0,
        sz=Decimal(1),
        limit_px=Decimal(price),
        order_type=OrderType(limit=LimitType(tif=tif)),
    )


def trigger(price: str, kind: Tpsl, *, side: int, reduce: bool = False) -> PlaceOrder:
    sleeping = TriggerType(isMarket=True, triggerPx=Decimal(price), tpsl=kind)
    return PlaceOrder(
        coin="ETH",
        is_buy=side > 0,
        sz=Decimal(1),
        order_type=OrderType(trigger=sleeping),
        reduce_only=reduce,
    )


def entry(side: int, *, stop: str | None, target: str | None, price: str = "0") -> PlaceOrder:
    return msgspec.structs.replace(
        limit(price, side=side),
        stop_loss=Leg(price=Decimal(stop)) if stop else None,
        take_profit=Leg(price=Decimal(target)) if target else None,
    )


# ---- the lattice --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "price"),
    [
        # five significant figures: a maker's buy goes down, a sell up
        (limit("2950.55"), "2950.5"),
        (limit("2950.55", side=-1), "2950.6"),
        (limit("2950.55", tif=Tif.ALO), "2950.5"),
        # the limit of an order that takes goes the other way
        (limit("2950.55", tif=Tif.IOC), "2950.6"),
        (limit("2950.55", tif=Tif.IOC, side=-1), "2950.5"),
        # whole dollars are always valid
        (limit("104321.37", coin="BTC"), "104321"),
        (limit("104321.37", coin="BTC", side=-1), "104322"),
        # a sell that is rounded up into more figures stays on the lattice
        (limit("99999.95", coin="BTC", side=-1), "100000"),
    ],
)
def test_a_price_goes_to_the_tick(asked: PlaceOrder, price: str) -> None:
    """And the verdict says from where to where."""
    verdict, sent = pass_one(asked)
    assert isinstance(sent, PlaceOrder)
    assert Decimal(price) == sent.limit_px
    assert verdict.startswith(f"clamped({asked.limit_px} -> ")
    assert verdict.endswith(": tick")


@pytest.mark.parametrize(
    ("asked", "stop", "target"),
    [
        # a stop is rounded towards the entry, and so is a target: neither raises what may be lost
        (entry(1, stop="2900.15", target="3000.15"), "2900.2", "3000.1"),
        (entry(-1, stop="3000.15", target="2900.15"), "3000.1", "2900.2"),
    ],
)
def test_legs_are_rounded_towards_the_entry(asked: PlaceOrder, stop: str, target: str) -> None:
    """Long and short are mirrored."""
    verdict, sent = pass_one(asked)
    assert isinstance(sent, PlaceOrder)
    assert sent.stop_loss is not None
    assert sent.take_profit is not None
    assert (Decimal(stop), Decimal(target)) == (sent.stop_loss.price, sent.take_profit.price)
    assert verdict.endswith(": tick")


@pytest.mark.parametrize(
    ("size", "verdict"),
    [
        ("1.00019999", "clamped(1.00019999 -> 1.0001): lot"),
        ("1.00", "accepted"),
        ("0.00009", "rejected(lot)"),
        ("0.0033", "rejected(min_notional)"),  # 9.74 USD, never made 10
        ("0.0034", "accepted"),
    ],
)
def test_a_size_goes_down_to_the_lot(size: str, verdict: str) -> None:
    """And an order that is too small is never made larger."""
    asked = msgspec.structs.replace(limit("2950"), sz=Decimal(size))
    assert verdict == pass_one(asked)[0]


def test_what_a_limit_leaves_of_an_order_is_worth_the_minimum_at_its_own_price() -> None:
    """A bid of 90 for 0.111 is less than 10 USD, though the mid is 100."""
    gate = RiskGate(
        RiskLimits(max_coin_exposure=0.0111), symbols=("BTC",), instruments=INSTRUMENTS,
        memory=RiskMemory(),
    )  # fmt: skip
    done = gate.judge([order("1", px="90"), order("1", px="91")], see())
    assert ["rejected(max_coin_exposure)", "clamped(1 -> 0.11100): max_coin_exposure"] == [
        str(verdict) for verdict in done.verdicts
    ]


def test_a_close_needs_no_minimum() -> None:
    """Neither reduce-only nor as a plain order; a flip is judged by what it opens."""
    held = {"ETH": "0.001"}
    for asked in (order("-0.001", "ETH", reduce=True), order("-0.001", "ETH")):
        assert pass_one(asked, held=held)[0] == "accepted"
    assert pass_one(order("-0.002", "ETH"), held=held)[0] == "clamped(0.002 -> 0.001): min_notional"


def test_a_price_below_the_smallest_never_becomes_a_market_order() -> None:
    """0 would mean the market."""
    assert pass_one(limit("0.000001"))[0] == "rejected(tick)"


numbers = st.decimals(
    min_value=Decimal("0.01"), max_value=Decimal(200_000), allow_nan=False, places=8
)


@given(price=numbers, size=numbers, side=st.sampled_from([1, -1]), tif=st.sampled_from(list(Tif)))
def test_what_is_normalized_once_stays_as_it_is(
    price: Decimal, size: Decimal, side: int, tif: Tif
) -> None:
    """And lies within one tick and one lot, on the safe side."""
    asked = msgspec.structs.replace(limit(str(price), side=side, tif=tif), sz=size)
    huge = see(equity="1e15", mids={"ETH": str(price)})
    _, sent = pass_one(asked, seen=huge)
    if not isinstance(sent, PlaceOrder):
        return
    again_verdict, again = pass_one(sent, seen=huge)
    assert (sent, "accepted") == (again, again_verdict)
    instrument = INSTRUMENTS["ETH"]
    units = instrument.parse_price(sent.limit_px)
    assert instrument.price_is_valid(units)
    tick = Decimal(instrument.tick(units)).scaleb(-instrument.price_decimals)
    moved = (sent.limit_px - price) * side * (1 if tif is Tif.IOC else -1)
    assert 0 <= moved < tick
    assert Decimal(0) <= size - sent.sz < Decimal("0.0001")


# ---- sides --------------------------------------------------------------------------------------

STOP, TAKE = Tpsl.STOP_LOSS, Tpsl.TAKE_PROFIT


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        # a stop is ahead of the market; a target that is reached already only closes
        (trigger("3000", STOP, side=1), "accepted"),
        (trigger("2950", STOP, side=1), "rejected(trigger_side)"),
        (trigger("2900", STOP, side=1), "rejected(trigger_side)"),
        (trigger("2900", STOP, side=-1), "accepted"),
        (trigger("3000", STOP, side=-1), "rejected(trigger_side)"),
        (trigger("2900", TAKE, side=1), "accepted"),
        (trigger("3000", TAKE, side=1), "rejected(trigger_side)"),
        (trigger("2900", STOP, side=-1, reduce=True), "accepted"),
        (trigger("3000", STOP, side=-1, reduce=True), "rejected(trigger_side)"),
        (trigger("3000", TAKE, side=-1, reduce=True), "accepted"),
        (trigger("2900", TAKE, side=-1, reduce=True), "accepted"),
        # legs stand around the price at which the entry trades
        (entry(1, stop="2900", target="3000"), "accepted"),
        (entry(1, stop="2950", target="3000"), "rejected(trigger_side)"),
        (entry(1, stop="2900", target="2950"), "rejected(trigger_side)"),
        (entry(-1, stop="3000", target="2900"), "accepted"),
        (entry(-1, stop="2900", target="3000"), "rejected(trigger_side)"),
        (entry(1, stop="2910", target=None, price="2900"), "rejected(trigger_side)"),
        (entry(1, stop="2890", target="2940", price="2900"), "accepted"),
        (entry(1, stop="2940", target="2990", price="3500"), "accepted"),  # trades at the mid
    ],
)
def test_stops_and_targets_stand_on_their_side(asked: PlaceOrder, verdict: str) -> None:
    """With the mid at 2950 and 2 ETH held."""
    assert verdict == pass_one(asked, held={"ETH": "2"})[0]


def test_a_post_only_order_is_held_against_mid_and_spread() -> None:
    """With a book of 1 USD around 2950: from the other side's touch on it would take."""
    books = {"ETH": {"common_info": {"order_book": {"spread": 1.0}}}}
    seen = replace(see(equity="100000", mids=ETH_MID), snapshots=books)
    table = {
        (1, "2950.4"): "accepted",
        (1, "2950.5"): "rejected(would_cross)",
        (-1, "2949.6"): "accepted",
        (-1, "2949.5"): "rejected(would_cross)",
    }
    for (side, price), verdict in table.items():
        assert verdict == pass_one(limit(price, tif=Tif.ALO, side=side), seen=seen)[0]
        assert pass_one(limit(price, side=side), seen=seen)[0] == "accepted"
    for odd in ({}, {"common_info": None}, {"common_info": {"order_book": {"spread": "wide"}}}):
        unknown = replace(seen, snapshots={"ETH": odd})
        assert pass_one(limit("2951", tif=Tif.ALO), seen=unknown)[0] == "accepted"


# ---- collars ------------------------------------------------------------------------------------


def test_the_collar_looks_at_the_side_that_costs() -> None:
    """A bid far below the market may rest; one far above it is refused; an exit is brought in."""
    assert pass_one(limit("100"))[0] == "accepted"
    assert pass_one(limit("3541"))[0] == "rejected(collar)"
    assert pass_one(limit("2359", side=-1))[0] == "rejected(collar)"
    held = {"ETH": "1"}
    exit_ = msgspec.structs.replace(limit("1000", side=-1, tif=Tif.IOC), reduce_only=True)
    verdict, sent = pass_one(exit_, held=held)
    assert isinstance(sent, PlaceOrder)
    assert verdict == "clamped(1000 -> 2802.50): collar"
    assert pass_one(sent, held=held)[0] == "accepted"


def test_a_stop_that_protects_has_no_collar() -> None:
    """It shall fill, wherever the market has gone; one that opens is held to its trigger."""
    sleeping = TriggerType(isMarket=True, triggerPx=Decimal(2900), tpsl=STOP)
    stop = msgspec.structs.replace(
        limit("1000", side=-1), order_type=OrderType(trigger=sleeping), reduce_only=True
    )
    assert pass_one(stop, held={"ETH": "1"})[0] == "accepted"
    opens = msgspec.structs.replace(stop, reduce_only=False)
    assert pass_one(opens)[0] == "rejected(collar)"


# ---- reduce-only --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "asked", "verdict"),
    [
        ("2", order("-3", "ETH", reduce=True), "clamped(3 -> 2): reduce_only"),
        ("2", order("-2", "ETH", reduce=True), "accepted"),
        ("2", order("1", "ETH", reduce=True), "rejected(reduce_only)"),
        ("-2", order("3", "ETH", reduce=True), "clamped(3 -> 2): reduce_only"),
        ("0", order("-1", "ETH", reduce=True), "rejected(reduce_only)"),
    ],
)
def test_a_reduce_only_order_is_no_larger_than_the_position(
    held: str, asked: PlaceOrder, verdict: str
) -> None:
    """And on its other side."""
    assert verdict == pass_one(asked, held={"ETH": held})[0]


def test_protection_may_be_placed_with_the_entry_that_it_protects() -> None:
    """A stop for what is only ordered yet counts that as held."""
    gate = RiskGate(LIMITS, symbols=("ETH",), instruments=INSTRUMENTS, memory=RiskMemory())
    stop = trigger("2900", STOP, side=-1, reduce=True)
    done = gate.judge([order("1", "ETH"), stop], see(equity="100000", mids=ETH_MID))
    assert ["accepted", "accepted"] == [str(verdict) for verdict in done.verdicts]


# ---- orders worked over time --------------------------------------------------------------------


@pytest.mark.parametrize("execution", [Passive(), Sliced()])
def test_a_parent_order_is_judged_as_one_order_of_its_whole_size(
    execution: Passive | Sliced,
) -> None:
    """Lattice, limits and legs; what is under way counts until it is done."""
    parent = ParentOrder(
        coin="ETH", is_buy=True, sz=Decimal("1.00009"), execution=execution,
        stop_loss=Leg(price=Decimal("2900.15")),
    )  # fmt: skip
    verdict, sent = pass_one(parent)
    assert isinstance(sent, ParentOrder)
    assert verdict == "clamped(1.00009 -> 1.0000): lot"
    assert (Leg(price=Decimal("2900.2")), execution) == (sent.stop_loss, sent.execution)
    narrow = RiskLimits(max_coin_exposure=0.05)  # 5000 USD, 1.6949 ETH
    gate = RiskGate(narrow, symbols=("ETH",), instruments=INSTRUMENTS, memory=RiskMemory())
    done = gate.judge([order("1", "ETH")], see(equity="100000", mids=ETH_MID), pending=[sent])
    assert ["clamped(1 -> 0.6949): max_coin_exposure"] == [str(v) for v in done.verdicts]


def test_a_modification_counts_as_the_larger_of_both() -> None:
    """The venue may refuse it and leave the order as it was."""
    from tests.unit.strategy_core.risk.test_gate import resting

    limits = RiskLimits(max_coin_exposure=1.5)
    gate = RiskGate(limits, symbols=("BTC",), instruments=INSTRUMENTS, memory=RiskMemory())
    smaller = ModifyOrder(coin="BTC", is_buy=True, sz=Decimal(1), limit_px=Decimal(90), oid=7)
    seen = see(orders=(resting("15", oid=7),))
    done = gate.judge([smaller, order("1")], seen)
    assert ["accepted", "rejected(max_coin_exposure)"] == [str(v) for v in done.verdicts]
    refused = msgspec.structs.replace(smaller, limit_px=Decimal(150))
    done = gate.judge([refused, order("1.5")], seen)
    assert ["rejected(collar)", "rejected(max_coin_exposure)"] == [str(v) for v in done.verdicts]

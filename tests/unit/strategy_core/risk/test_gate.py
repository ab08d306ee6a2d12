"""The gate, as a table: what is held, what is asked, what is let through."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, account_view

from strategy_core.intents import Intent
from strategy_core.port import Observation, Verdict, observe
from strategy_core.risk.gate import Guarded, RiskGate
from strategy_core.risk.judge import REDUCTIONS, UNLISTED_CANCELS
from strategy_core.risk.limits import RiskLimits
from strategy_core.risk.memory import RiskMemory
from suite.contracts.clock import WaitReply
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import (
    Action,
    AdjustMargin,
    CancelOrder,
    Leg,
    LimitType,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    SetLeverage,
    TriggerType,
)
from suite.enums import Tif, Tpsl

LIMITS = RiskLimits(max_leverage=2.0, max_coin_exposure=1.5, max_actions=5, max_order_notional=20.0)


def see(
    positions: dict[str, str] | None = None,
    *,
    equity: str = "1000",
    orders: tuple[OpenOrder, ...] = (),
    mids: dict[str, str] | None = None,
) -> Observation:
    """Equity 1000 USD, BTC at 100 and ETH at 10 unless said otherwise."""
    held = {coin: Decimal(size) for coin, size in (positions or {}).items()}
    reply = WaitReply(now_ms=0, step_seq=0, mids=mids or {"BTC": "100.0", "ETH": "10.0"})
    return observe(reply, account=account_view(Decimal(equity), held, orders), verdicts=())


@pytest.mark.parametrize("odd", ["1_0", "\u0661\u0662", "NaN", ""])
def test_number_of_the_venue_is_read_in_one_notation(odd: str) -> None:
    """What Python alone would understand is not understood: such a price is missing."""
    assert {"ETH": Decimal(10)} == see(mids={"BTC": odd, "ETH": "10.0"}).mids


def pass_gate(observation: Observation, *actions: Action) -> Guarded:
    gate = RiskGate(LIMITS, symbols=("BTC", "ETH"), instruments=INSTRUMENTS, memory=RiskMemory())
    return gate.judge(actions, observation)


def judge(observation: Observation, *actions: Action) -> tuple[tuple[Intent, ...], list[str]]:
    done = pass_gate(observation, *actions)
    assert len(done.verdicts) == len(actions)
    return done.actions, [str(verdict) for verdict in done.verdicts]


def order(size: str, coin: str = "BTC", px: str = "0", *, reduce: bool = False) -> PlaceOrder:
    """A signed size; market unless a price is given."""
    number = Decimal(size)
    return PlaceOrder(
        coin=coin,
        is_buy=not number.is_signed(),
        sz=number.copy_abs(),
        limit_px=Decimal(px),
        reduce_only=reduce,
    )


def resting(size: str, coin: str = "BTC", *, reduce: bool = False, oid: int = 1) -> OpenOrder:
    return OpenOrder(
        coin=coin,
        side="A" if size.startswith("-") else "B",
        limitPx="90.0",
        sz=size.lstrip("-"),
        oid=oid,
        timestamp=0,
        origSz=size.lstrip("-"),
        reduceOnly=reduce,
    )


COIN, LEVER = "max_coin_exposure", "max_leverage"

TABLE = [
    # held, resting, asked, verdict
    ({}, (), order("10"), "accepted"),
    ({}, (), order("-15"), "accepted"),
    ({}, (), order("20"), f"clamped(20 -> 15.00000): {COIN}"),
    ({}, (), order("20", px="99"), f"clamped(20 -> 15.00000): {COIN}"),
    ({"BTC": "15"}, (), order("1"), f"rejected({COIN})"),
    ({"ETH": "150"}, (), order("6"), f"clamped(6 -> 5.00000): {LEVER}"),
    ({"ETH": "-150", "BTC": "5"}, (), order("0.2"), f"rejected({LEVER})"),
    # reducing is always allowed, from any size, and a flip as far as the limit
    ({"BTC": "80"}, (), order("-80"), "accepted"),
    ({"BTC": "80"}, (), order("-10", reduce=True), "accepted"),
    ({"BTC": "80"}, (), order("-160"), "accepted"),
    ({"BTC": "80"}, (), order("-161"), "clamped(161 -> 160.00000): max_coin_exposure"),
    ({"BTC": "-80"}, (), order("80"), "accepted"),
    ({"DOGE": "5"}, (), order("-5", "DOGE", reduce=True), "accepted"),
    # resting orders count as if filled, unless they only reduce
    ({}, (resting("10"),), order("10"), f"clamped(10 -> 5.00000): {COIN}"),
    ({}, (resting("10"),), order("-15"), "accepted"),
    ({}, (resting("-10", reduce=True),), order("-15"), "accepted"),
    # what cannot be judged is kept back
    ({}, (), order("5", "DOGE"), "rejected(unknown_coin)"),
    ({}, (), order("5", "DOGE", reduce=True), "rejected(unknown_coin)"),
    ({}, (), order("0"), "rejected(bad_number)"),
    ({}, (), order("NaN"), "rejected(bad_number)"),
    ({}, (), order("Infinity"), "rejected(bad_number)"),
    ({}, (), order("1", px="-1"), "rejected(bad_number)"),
    ({}, (), order("1", px="NaN"), "rejected(bad_number)"),
    # leverage and cancels
    ({}, (), SetLeverage(coin="BTC", leverage=2), "accepted"),
    ({}, (), SetLeverage(coin="BTC", leverage=40), "clamped(40 -> 2): max_leverage"),
    ({}, (), SetLeverage(coin="BTC", leverage=0), "rejected(bad_number)"),
    ({}, (), SetLeverage(coin="DOGE", leverage=1), "rejected(unknown_coin)"),
    ({}, (), AdjustMargin(coin="DOGE", margin=Decimal(5)), "rejected(unknown_coin)"),
    ({}, (), AdjustMargin(coin="BTC", margin=Decimal(5)), "accepted"),
    ({}, (), AdjustMargin(coin="BTC", margin=Decimal(-5)), "rejected(margin_removal)"),
    ({}, (), CancelOrder(coin="DOGE", oid=1), "accepted"),
]


@pytest.mark.parametrize(("held", "orders", "asked", "verdict"), TABLE)
def test_one_action_gets_its_verdict(
    held: dict[str, str], orders: tuple[OpenOrder, ...], asked: Action, verdict: str
) -> None:
    """The rules one by one; equity 1000 USD, at most 1500 in a coin and 2000 in all."""
    assert [verdict] == judge(see(held, orders=orders), asked)[1]


def test_orders_of_one_decision_share_the_limit() -> None:
    """The second order sees the first as filled; both together stay within the limit."""
    actions, verdicts = judge(see(), order("10"), order("11"), order("100", "ETH"))
    assert ["accepted", f"clamped(11 -> 5.00000): {COIN}"] == verdicts[:2]
    assert f"clamped(100 -> 50.0000): {LEVER}" == verdicts[2]
    assert [Decimal(10), Decimal(5), Decimal(50)] == [
        action.sz for action in actions if isinstance(action, PlaceOrder)
    ]


def test_closing_first_makes_room_for_the_next() -> None:
    """Out of one coin and into another in one decision."""
    held = {"BTC": "15"}
    assert ["accepted"] * 2 == judge(see(held), order("-15", reduce=True), order("150", "ETH"))[1]
    assert [f"clamped(150 -> 50.0000): {LEVER}"] == judge(see(held), order("150", "ETH"))[1]


def test_a_modification_to_a_close_is_not_as_good_as_done() -> None:
    """Its order may be gone, and then nothing was closed: no room comes of it."""
    change = ModifyOrder(
        coin="BTC", is_buy=False, sz=Decimal(15), limit_px=Decimal(0), oid=99, reduce_only=True
    )
    verdicts = judge(see({"BTC": "15"}), change, order("150", "ETH"))[1]
    assert ["accepted", f"clamped(150 -> 50.0000): {LEVER}"] == verdicts


def test_while_the_position_is_in_doubt_the_venue_judges_what_reduces() -> None:
    """With an old account the position seen may be gone or not there yet: nothing is cut."""
    gate = RiskGate(LIMITS, symbols=("BTC",), instruments=INSTRUMENTS, memory=RiskMemory())
    gate.begin(see(), trouble=("stale_account",))
    done = gate.judge([order("-2", reduce=True)], see())
    assert ["accepted"] == [str(verdict) for verdict in done.verdicts]


def test_orders_that_become_the_same_are_the_same_order() -> None:
    """Asked for 12 and then for 5, and 12 was cut down to 5: the second is a repetition."""
    gate = RiskGate(LIMITS, symbols=("BTC",), instruments=INSTRUMENTS, memory=RiskMemory())
    seen = see({"BTC": "10"})
    assert [f"clamped(12 -> 5.00000): {COIN}"] == [
        str(verdict) for verdict in gate.judge([order("12")], seen).verdicts
    ]
    again = gate.judge([order("5.00000")], seen)
    assert ["rejected(duplicate)"] == [str(verdict) for verdict in again.verdicts]


def test_a_sale_is_not_valued_at_its_own_low_limit() -> None:
    """It may trade at any price above; a bid costs its limit at most."""
    blind = see(mids={"ETH": "10.0"})
    assert ["rejected(no_price)"] == judge(blind, order("-1", px="20"))[1]


def test_what_is_left_to_close_of_an_entry_has_no_legs() -> None:
    """They would protect a position that never comes."""
    entry = msgspec.structs.replace(
        order("-9"), stop_loss=Leg(price=Decimal(110)), take_profit=Leg(price=Decimal(90))
    )
    gate = RiskGate(LIMITS, symbols=("BTC",), instruments=INSTRUMENTS, memory=RiskMemory())
    gate.begin(see({"BTC": "4"}), trouble=("stale_market",))
    (sent,) = gate.judge([entry], see({"BTC": "4"})).actions
    assert isinstance(sent, PlaceOrder)
    assert (None, None) == (sent.stop_loss, sent.take_profit)


@pytest.mark.parametrize(
    ("allotted", "verdict"),
    [
        ("500", f"clamped(15 -> 7.50000): {COIN}"),
        ("1000", "accepted"),
        ("9999", "accepted"),
        ("0", f"rejected({COIN})"),
    ],
)
def test_limits_are_shares_of_what_is_allotted(allotted: str, verdict: str) -> None:
    """Half of the account is half the room; more than there is, is all there is."""
    _, verdicts = judge(replace(see(), allocation=Decimal(allotted)), order("15"))
    assert [verdict] == verdicts


def test_less_than_is_in_use_closes_nothing_and_opens_nothing() -> None:
    held = replace(see({"BTC": "10"}), allocation=Decimal(100))
    _, verdicts = judge(held, order("1"), order("-4"), order("-4", reduce=True))
    assert ["accepted", "accepted"] == verdicts[1:]
    assert verdicts[0].startswith("rejected")


def test_a_canceled_order_makes_room() -> None:
    """What is taken down in the same decision no longer counts; a modified one counts once."""
    seen = see(orders=(resting("15", oid=7),))
    new = ModifyOrder(coin="BTC", is_buy=True, sz=Decimal(15), limit_px=Decimal(90), oid=7)
    assert ["accepted", "accepted"] == judge(seen, CancelOrder(coin="BTC", oid=7), order("15"))[1]
    assert ["accepted"] == judge(seen, new)[1]
    assert [f"rejected({COIN})"] == judge(seen, order("15"))[1]


def test_an_order_that_is_canceled_twice_makes_room_once() -> None:
    """The second time there is nothing left to take down, whichever name it goes by."""
    named = msgspec.structs.replace(resting("10", oid=7), cloid="0x" + "ab" * 16)
    seen = see(orders=(named, resting("5", oid=8)))
    once = CancelOrder(coin="BTC", oid=7)
    again = CancelOrder(coin="BTC", cloid="0x" + "AB" * 16)
    actions, verdicts = judge(seen, once, once, again, order("11"))
    assert [
        "accepted", "rejected(duplicate)", "rejected(duplicate)", f"clamped(11 -> 10.00000): {COIN}"
    ] == verdicts  # fmt: skip
    assert once == actions[0]


def test_a_flood_of_cancellations_is_cut_off() -> None:
    """All that rest may go, each once; of orders that are not listed a hundred."""
    rest = tuple(resting("0.01", oid=n) for n in range(40))
    seen = see(orders=rest)
    unknown = [CancelOrder(coin="BTC", oid=n) for n in range(1_000, 1_600)]
    listed = [CancelOrder(coin="BTC", oid=order.oid) for order in rest]
    verdicts = judge(seen, *unknown, *unknown, *listed, *listed)[1]
    assert UNLISTED_CANCELS + len(listed) == verdicts.count("accepted")
    assert {"accepted"} == set(verdicts[1_200:1_240])
    assert {"rejected(too_many_actions)", "rejected(duplicate)"} == set(verdicts) - {"accepted"}


def test_orders_of_one_decision_share_the_free_margin() -> None:
    """At leverage 40 a unit of 100 USD takes 2.55; closing first sets its margin free."""
    seen = replace(see({"ETH": "10"}), available=Decimal("5.1"))
    verdicts = judge(seen, order("1.5"), order("1"))[1]
    assert ["accepted", "clamped(1 -> 0.50000): margin"] == verdicts
    closed = order("-10", "ETH", reduce=True)  # 100 USD at leverage 20
    verdicts = judge(seen, closed, order("3"), order("2"))[1]
    assert ["accepted", "accepted", "clamped(2 -> 0.96078): margin"] == verdicts


def test_a_stop_entry_counts_like_a_limit_order() -> None:
    """A trigger that opens is exposure to come."""
    trigger = TriggerType(isMarket=True, triggerPx=Decimal(120), tpsl=Tpsl.STOP_LOSS)
    entry = PlaceOrder(
        coin="BTC", is_buy=True, sz=Decimal(15), order_type=OrderType(trigger=trigger)
    )
    assert ["accepted", f"rejected({COIN})"] == judge(see(), entry, order("1"))[1]


def test_without_a_price_only_reducing_is_possible() -> None:
    """An order that cannot be valued is kept back; a limit order brings its own price."""
    blind = see({"BTC": "5"}, mids={"ETH": "10.0"})
    assert ["rejected(no_price)", "accepted", "accepted"] == judge(
        blind, order("1"), order("-5", reduce=True), order("1", px="100")
    )[1]


def test_an_account_under_water_can_only_reduce() -> None:
    """No equity, no new risk."""
    seen = see({"BTC": "5"}, equity="-10")
    assert [f"rejected({COIN})", "accepted"] == judge(seen, order("1"), order("-5"))[1]


def test_too_many_actions_are_cut_off() -> None:
    """The first five go out, the sixth is told why not."""
    actions, verdicts = judge(see(), *[order(f"1.{n}") for n in range(6)])
    assert len(actions) == 5
    assert verdicts[5] == "rejected(too_many_actions)"


def reduce_only(size: str, tif: Tif = Tif.GTC) -> PlaceOrder:
    """A limit order that closes some of a long position of BTC, above the mid or through it."""
    price = "99" if tif is Tif.IOC else "101"
    kind = OrderType(limit=LimitType(tif=tif))
    return msgspec.structs.replace(order(f"-{size}", px=price, reduce=True), order_type=kind)


@pytest.mark.parametrize("tif", [Tif.GTC, Tif.IOC])
def test_reduce_only_limits_of_one_decision_share_the_position(tif: Tif) -> None:
    """The surplus is cut off: nothing could ever fill it."""
    asked = [reduce_only(size, tif) for size in ("4", "4", "4", "1")]
    assert ["accepted", "accepted", "clamped(4 -> 2): reduce_only", "rejected(reduce_only)"] == (
        judge(see({"BTC": "10"}), *asked)[1]
    )


def test_what_closes_at_once_and_stops_pass_beside_resting_exits() -> None:
    """A resting target is no reason to keep an exit back, nor is one exit of another kind."""
    trigger = TriggerType(isMarket=True, triggerPx=Decimal(95), tpsl=Tpsl.STOP_LOSS)
    stop = msgspec.structs.replace(order("-10", reduce=True), order_type=OrderType(trigger=trigger))
    asked = (reduce_only("10"), stop, stop, reduce_only("10", Tif.IOC), order("-10", reduce=True))
    assert ["accepted"] * 5 == judge(see({"BTC": "10"}), *asked)[1]


def test_a_flood_of_reductions_is_cut_off_but_not_what_is_at_the_market() -> None:
    """Of those that may rest a hundred; closing at the market always passes."""
    small = [reduce_only("0.01") for _ in range(REDUCTIONS + 20)]
    verdicts = judge(see({"BTC": "10"}), *small, order("-10", reduce=True))[1]
    assert REDUCTIONS + 1 == verdicts.count("accepted")
    assert ["rejected(too_many_actions)"] * 20 + ["accepted"] == verdicts[REDUCTIONS:]


def test_only_what_may_add_counts_as_an_action() -> None:
    """Quotes that are taken down and placed anew are half as many."""
    rest = tuple(resting("0.01", oid=n) for n in range(10))
    cancels = [CancelOrder(coin="BTC", oid=order.oid) for order in rest]
    placed = [order(f"0.2{n}", px="99") for n in range(5)]
    assert {"accepted"} == set(judge(see(orders=rest), *cancels, *placed)[1])


def test_verdicts_name_what_was_asked_and_what_was_let_through() -> None:
    """They are fed back to the strategy as values."""
    done = pass_gate(see(), order("20"))
    expected = Verdict(
        action=0, outcome="clamped", rule=COIN, before=Decimal(20), after=Decimal(15)
    )
    assert (expected,) == done.verdicts


_sizes = st.integers(-40, 40).filter(bool)
_orders = st.builds(
    lambda size, coin, px, reduce: order(str(size), coin, px, reduce=reduce),
    _sizes,
    st.sampled_from(["BTC", "ETH"]),
    st.sampled_from(["0", "100", "7"]),
    st.booleans(),
)


@given(
    held=st.dictionaries(st.sampled_from(["BTC", "ETH"]), _sizes.map(str)),
    asked=st.lists(_orders, max_size=5),
)
def test_market_orders_never_take_the_account_beyond_its_limits(
    held: dict[str, str], asked: list[PlaceOrder]
) -> None:
    """Filled in their order, they end within the limits or not above where they started."""
    seen = see(held)
    markets = [item for item in asked if item.limit_px == 0]
    passed, _ = judge(seen, *markets)
    position = {coin: seen.size_of(coin) for coin in ("BTC", "ETH")}
    for action in passed:
        assert isinstance(action, PlaceOrder)
        signed = action.sz if action.is_buy else -action.sz
        before = position[action.coin]
        if action.reduce_only:
            signed = (
                max(-abs(before), min(abs(before), signed)) if before * signed < 0 else 0 * signed
            )
        position[action.coin] = before + signed
    price = {"BTC": 100, "ETH": 10}
    worth = {coin: abs(size) * price[coin] for coin, size in position.items()}
    start = {coin: abs(seen.size_of(coin)) * price[coin] for coin in position}
    for coin, value in worth.items():
        assert value <= max(Decimal(1500), start[coin])
    assert sum(worth.values(), Decimal(0)) <= max(Decimal(2000), sum(start.values(), Decimal(0)))

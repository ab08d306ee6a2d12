"""The manager over whole positions: the worked example, restarts, races, order of exits."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.strategy_core.exits.small_venue import START_MS, SmallVenue, places, stops

from strategy_core.exits.kinds import ExitKind, ExitState
from strategy_core.exits.memory import ExitMemory
from strategy_core.exits.rules import ExitRules
from strategy_core.intents import ExitPlan
from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.venue import Leg, PlaceOrder

SMART = ExitRules(smart=True)
PLAN = ExitPlan(coin="ETH", confidence=0.7, model_id="m1", stop=Decimal(1980))


def opened(
    *,
    rules: ExitRules = SMART,
    restarts: bool = False,
    size: str = "0.375",
    plan: ExitPlan | None = PLAN,
) -> SmallVenue:
    """A position at 2,000 with its plan, seen once."""
    venue = SmallVenue(rules=rules, restarts=restarts)
    venue.step("2000", plan=plan)
    venue.open(size, "2000")
    venue.step("2000")
    return venue


def block(atr: float, *, close_ms: int) -> dict[str, object]:
    """Market data with a range on 1m bars."""
    bar = {"open_time_ms": close_ms - MINUTE_MS, "close": 2000.0, "atr_14": atr}
    return {"intervals_data": {"1": bar}}


@pytest.mark.parametrize("restarts", [False, True])
def test_the_worked_example_to_the_digit(restarts: bool) -> None:
    """0.375 at 2,000: a part at +1R, the stop to break-even, the rest at the trailing stop."""
    venue = opened(restarts=restarts)
    first = venue.step("2020")
    (part,) = places(first.actions)
    assert isinstance(part, PlaceOrder)
    assert (Decimal("0.187"), False, True) == (part.sz, part.is_buy, part.reduce_only)
    assert [Decimal("2002.2")] == stops(venue.step("2020").actions)
    venue.snapshots = {"ETH": block(1.6, close_ms=venue.now_ms + MINUTE_MS)}
    assert [Decimal(2021)] == stops(venue.step("2031").actions)
    assert not venue.closed
    venue.orders.clear()  # the stop at the venue is slow: the exit is not
    (rest,) = places(venue.step("2021").actions)
    assert isinstance(rest, PlaceOrder)
    assert Decimal("0.188") == rest.sz
    venue.step("2021")
    (record,) = venue.closed
    assert "trailing_take_profit" == record.kind
    assert [Decimal("7.688"), Decimal("0.6784596")] == [record.realized, record.fees]
    assert Decimal("0.93") == round(record.gain_in_risks or Decimal(0), 2)
    assert (Decimal("0.375"), Decimal(2000)) == (record.size, record.entry_price)
    assert Decimal("0.0155") == record.favorable
    assert [Decimal(0), 7] == [record.slippage_bps, len(record.conditions)]
    assert 5 * MINUTE_MS == record.holding_ms


def test_the_moved_stop_at_the_venue_may_be_faster_than_the_exit() -> None:
    """It closes the rest itself; nothing more is sent, and the record says which exit it was."""
    venue = opened()
    venue.step("2020")
    venue.step("2020")
    venue.step("2031")
    review = venue.step("2015")
    assert () == review.actions
    assert ["trailing_take_profit"] == [record.kind for record in venue.closed]
    assert Decimal(0) == venue.sizes["ETH"]
    assert {} == venue.memory.coins


@pytest.mark.parametrize("restarts", [False, True])
def test_time_ends_a_position_two_hours_after_its_first_fill(restarts: bool) -> None:
    """Neither a restart, nor an addition, nor a partial exit begins the two hours anew."""
    venue = opened(restarts=restarts)
    opened_ms = venue.now_ms - MINUTE_MS
    due_ms = opened_ms + 2 * HOUR_MS
    assert due_ms == venue.step("2000").watch.until_ms
    venue.open("0.1", "2000")
    venue.step("2000", minutes=30)
    venue.step("2020", minutes=30)
    assert places(tuple(venue.sent))
    venue.step("2010", minutes=56)
    before = len(places(tuple(venue.sent)))
    assert due_ms == venue.step("2010").watch.until_ms
    assert before == len(places(tuple(venue.sent)))
    (order,) = places(venue.step("2010").actions)
    assert isinstance(order, PlaceOrder)
    assert due_ms == venue.now_ms
    venue.step("2010")
    (record,) = venue.closed
    assert ("time_stop", opened_ms, 2 * HOUR_MS) == (
        record.kind,
        record.opened_at_ms,
        record.holding_ms,
    )


def test_a_clock_that_jumps_ends_what_is_overdue_once() -> None:
    venue = opened()
    (order,) = places(venue.step("2000", minutes=60 * 24).actions)
    assert isinstance(order, PlaceOrder)
    assert () == venue.step("2000", minutes=60 * 24).actions


@pytest.mark.parametrize("restarts", [False, True])
def test_confidence_that_collapses_at_two_closes_ends_a_position_at_once(restarts: bool) -> None:
    """The order leaves with the decision that said so, not a bar later."""
    venue = opened(restarts=restarts)
    low = ExitPlan(coin="ETH", confidence=0.5, model_id="m1")
    assert () == venue.step("2001", plan=low).actions
    again = venue.step("2001", plan=low)
    assert 1 == len(places(again.actions))
    venue.step("2001")
    assert ["confidence_collapse"] == [record.kind for record in venue.closed]


def test_a_new_model_begins_the_count_anew() -> None:
    venue = opened()
    for model in ("m1", "m2"):
        low = ExitPlan(coin="ETH", confidence=0.5, model_id=model)
        assert () == venue.step("2001", plan=low).actions


def test_two_words_on_one_bar_close_are_one() -> None:
    """A strategy that is woken twice within a bar has not confirmed itself."""
    venue = opened()
    low = ExitPlan(coin="ETH", confidence=0.5, model_id="m1")
    assert () == venue.step("2001", minutes=0.25, plan=low).actions
    assert () == venue.step("2001", minutes=0.25, plan=low).actions


def test_a_rule_of_the_strategy_ends_its_position() -> None:
    """It is watched without anything asked for, by price and by the close of its bars."""
    text = "price < 1990 or close(4h) > 2500 and rsi_14(4h) < 30"
    venue = opened(rules=ExitRules(), plan=ExitPlan(coin="ETH", invalidation=text))
    watch = venue.step("1995").watch
    assert [Decimal(1990)] == [item.below for item in watch.wake_on.price if item.below]
    assert ("4h", ("ETH",), ("240",)) == (watch.wake_on.bar, watch.snapshots, watch.intervals)
    assert 1 == len(places(venue.step("1989.9").actions))
    venue.step("1989.9")
    (record,) = venue.closed
    reading = record.conditions[4]
    assert ("structure_invalidation", "true") == (record.kind, reading.values["invalidated"])


def test_a_rule_that_cannot_be_read_leaves_the_one_before_and_the_rest_of_the_plan() -> None:
    venue = opened(plan=ExitPlan(coin="ETH", invalidation="price < 1990", stop=Decimal(1980)))
    bad = ExitPlan(coin="ETH", invalidation="close(4h > 1", swing=Decimal(-3), confidence=0.9)
    review = venue.step("2000", plan=bad)
    (fault,) = review.wrong
    assert fault.plan == 0
    assert "plan of ETH: swing -3 is not a positive price; " in fault.reason
    assert fault.reason.endswith("; invalidation: column 10: expected ')', found '>'")
    held = venue.memory.coins["ETH"]
    assert held.plan is not None
    assert ("price < 1990", None, 0.9) == (
        held.plan.invalidation,
        held.plan.swing,
        held.plan.confidence,
    )


def test_a_plan_for_an_unknown_coin_is_told() -> None:
    venue = opened()
    review = venue.step("2000", plan=ExitPlan(coin="DOGE"))
    assert [(0, "plan of DOGE: there is no such coin")] == list(review.wrong)


def test_a_part_is_tried_under_one_id_only_and_then_left() -> None:
    """Sent under two ids it could be taken twice."""
    venue = opened()
    venue.takes = False
    venue.step("2020")
    for _ in range(5):
        venue.step("2020")
    assert 1 == len(places(tuple(venue.sent)))
    held = venue.memory.coins["ETH"]
    assert (True, False, ExitState.OPEN) == (held.partial_done, held.partial_taken, held.state)


def test_a_position_too_small_for_parts_keeps_together() -> None:
    """Half of 19.98 USD is below the least notional; the stop is not moved for it either."""
    venue = opened(size="0.009")
    review = venue.step("2020")
    assert ((), ("ETH is too small to be closed in parts",)) == (review.actions, review.notes)
    held = venue.memory.coins["ETH"]
    assert (True, False) == (held.partial_done, held.partial_taken)


def test_neither_part_may_be_too_small() -> None:
    """Nine tenths of 18 USD are enough, one tenth is not."""
    rules = ExitRules(smart=True, partial_share=0.9)
    assert (
        "ETH is too small to be closed in parts"
        in opened(rules=rules, size="0.009").step("2020").notes
    )


def test_an_exit_that_the_order_manager_carries_on_is_told_as_that_exit() -> None:
    """Later attempts have ids of its own; legs of the entry have none."""
    venue = opened()
    venue.takes = False
    venue.step("2001", minutes=120)
    venue.open("-0.375", "1999")
    venue.step("1999")
    (record,) = venue.closed
    assert "time_stop" == record.kind
    assert Decimal(2) / 2001 * 10_000 == record.slippage_bps


def test_the_first_risk_is_that_of_the_whole_entry() -> None:
    """Filled at 2,000 and at 2,010: the stop at 1,980 is 25 away from the average."""
    venue = SmallVenue(rules=SMART)
    venue.step("2000", plan=PLAN)
    venue.open("0.1", "2000")
    venue.open("0.1", "2010")
    venue.step("2000")
    assert Decimal(25) == venue.memory.coins["ETH"].unit_risk


def test_a_close_that_is_lost_is_sent_anew_when_it_is_late() -> None:
    """Not before: the order manager is seeing to it."""
    venue = opened()
    venue.takes = False
    first = places(venue.step("2000", minutes=120).actions)
    assert [] == places(venue.step("2000").actions)
    second = places(venue.step("2000").actions)
    assert [1, 1] == [len(first), len(second)]
    assert first != second


def test_the_first_three_take_the_place_of_another_exit_on_its_way() -> None:
    """A part that is on its way gives way to the time stop; nothing takes the place of that."""
    venue = opened()
    venue.takes = False
    venue.step("2020", minutes=118.5)
    held = venue.memory.coins["ETH"]
    assert (ExitState.REDUCING, ExitKind.PARTIAL_TAKE_PROFIT) == (
        held.state,
        held.pending and held.pending.kind,
    )
    (order,) = places(venue.step("2020", minutes=0.5).actions)
    assert isinstance(order, PlaceOrder)
    assert (Decimal("0.375"), ExitState.CLOSING) == (order.sz, held.state)
    assert [] == places(venue.step("100", minutes=0.5).actions)


def test_no_order_of_an_exit_can_flip_a_position_that_its_bracket_has_closed() -> None:
    """The bracket fills while the exit is on its way: flat is what was wanted."""
    venue = opened()
    venue.protect("1980")
    venue.takes = False
    review = venue.step("1999", minutes=120)
    late = places(review.actions)
    venue.takes = True
    assert [] == places(venue.step("1979", minutes=0.5).actions)
    for order in late:
        venue.carry_out(order)
    assert Decimal(0) == venue.sizes["ETH"]
    assert ["stop_loss"] == [record.kind for record in venue.closed]
    assert () == venue.step("1979").actions


def test_the_stop_of_the_entry_is_taken_down_once_the_moved_one_rests() -> None:
    """Never both are missing."""
    venue = opened()
    venue.protect("1980")
    venue.step("2020")
    venue.step("2020")
    assert [1980, Decimal("2002.2")] == [Decimal(order.limitPx) for order in venue.orders]
    venue.step("2020")
    assert [Decimal("2002.2")] == [Decimal(order.limitPx) for order in venue.orders]


def test_the_stop_of_somebody_else_is_left_as_it_is() -> None:
    """It reduces too, and stands behind the moved one; it is not the trader's to cancel."""
    venue = opened()
    venue.protect("1980")
    venue.foreign = {venue.orders[0].oid}
    for _ in range(3):
        venue.step("2020")
    assert [1980, Decimal("2002.2")] == [Decimal(order.limitPx) for order in venue.orders]


def test_a_moved_stop_that_is_lost_or_too_small_is_placed_again() -> None:
    venue = opened()
    venue.step("2020")
    venue.step("2020")
    venue.orders.clear()
    assert [Decimal("2002.2")] == stops(venue.step("2020").actions)
    venue.open("0.1", "1990")  # a lower average: break-even is no reason to move
    assert [Decimal("2002.2")] == stops(venue.step("2020").actions)
    assert Decimal("0.288") == Decimal(venue.orders[-1].sz)


def test_a_stop_that_does_not_rest_yet_takes_none_down() -> None:
    venue = opened()
    venue.protect("1980")
    venue.step("2020")
    venue.takes = False
    assert [Decimal("2002.2")] == stops(venue.step("2020").actions)
    assert () == venue.step("2020", minutes=0.1).actions
    assert [1980] == [Decimal(order.limitPx) for order in venue.orders]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["0.375", "-0.375"]),
    st.lists(st.integers(-60, 60), min_size=5, max_size=25),
    st.booleans(),
)
def test_on_any_path_stops_move_in_favor_and_nothing_flips(
    size: str, path: list[int], restarts: bool
) -> None:
    """With and without a restart between every two steps: the same orders, each once."""
    side = 1 if Decimal(size) > 0 else -1
    plan = msgspec.structs.replace(PLAN, stop=Decimal(2000 - 20 * side))
    venues = [opened(size=size, plan=plan, restarts=again) for again in (restarts, not restarts)]
    for venue in venues:
        mark = 2000
        for move in path:
            mark = max(1500, mark + move)
            venue.step(str(mark))
            assert Decimal(size) * venue.sizes["ETH"] >= 0
        moved = stops(tuple(venue.sent))
        assert moved == sorted(moved, reverse=side < 0)
        cloids = [order.cloid for order in venue.sent if isinstance(order, PlaceOrder)]
        assert len(cloids) == len(set(cloids))
    assert venues[0].sent == venues[1].sent
    assert venues[0].closed == venues[1].closed


def test_an_empty_rule_set_follows_nothing_and_asks_for_nothing() -> None:
    """A baseline is woken by nothing new, sees no more data, and gets no order."""
    venue = opened(rules=ExitRules(), plan=None)
    review = venue.step("2100")
    assert () == review.actions
    assert (False, None, None, ()) == (
        review.watch.wake_on.fill,
        review.watch.wake_on.bar,
        review.watch.until_ms,
        review.watch.snapshots,
    )


def test_legs_of_an_entry_tell_its_risk() -> None:
    """A strategy that protects its entries needs no plan for the gain to be counted in risks."""
    venue = SmallVenue(rules=SMART)
    venue.step("2000")
    entry = PlaceOrder(
        coin="ETH",
        is_buy=True,
        sz=Decimal("0.375"),
        stop_loss=Leg(price=Decimal(1980)),
        take_profit=Leg(price=Decimal(2050)),
    )
    venue.manager().adopt((), venue.observe(), (entry,))
    venue.open("0.375", "2000")
    venue.step("2000")
    assert Decimal(20) == venue.memory.coins["ETH"].unit_risk


def test_a_plan_for_the_other_side_waits_for_its_own_position() -> None:
    """The strategy turns from long to short in one decision: the long's record ends with it."""
    venue = opened()
    turn = PlaceOrder(coin="ETH", is_buy=False, sz=Decimal("0.75"))
    plan = ExitPlan(coin="ETH", confidence=0.8, stop=Decimal(2020))
    venue.manager().adopt((plan,), venue.observe(), (turn,))
    assert 0.7 == venue.memory.coins["ETH"].plan.confidence  # type: ignore[union-attr]
    venue.open("-0.375", "2000")
    venue.open("-0.375", "2000")
    venue.step("2000")
    held = venue.memory.coins["ETH"]
    assert (-1, Decimal(20), 0.8) == (held.side, held.unit_risk, held.confidence_at_entry)
    assert ["strategy"] == [record.kind for record in venue.closed]


def test_a_plan_whose_entry_never_comes_is_dropped() -> None:
    venue = SmallVenue(rules=SMART)
    venue.step("2000", plan=PLAN)
    assert ["ETH"] == list(venue.memory.coming)
    review = venue.step("2000", minutes=11)
    assert {} == venue.memory.coming
    assert ("ETH was not entered: its exit plan is dropped",) == review.notes


def test_a_position_that_was_there_before_begins_when_it_is_first_seen() -> None:
    """No fill of it was shown: its time stop runs from now, its end is told as unseen."""
    venue = SmallVenue(rules=SMART)
    venue.open("0.375", "2000")
    venue.fills.clear()
    venue.step("2000")
    assert START_MS + MINUTE_MS == venue.memory.coins["ETH"].opened_at_ms
    venue.sizes["ETH"] = Decimal(0)
    venue.step("2000")
    assert ["unseen"] == [record.kind for record in venue.closed]


def test_a_fill_that_is_told_twice_counts_once() -> None:
    venue = opened()
    venue.step("2000", minutes=119)
    fills = list(venue.fills)
    venue.step("2000")
    venue.fills = fills
    venue.step("2000")
    assert 1 == len(venue.closed)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"px": "NaN"},
        {"px": "0"},
        {"px": "-5"},
        {"sz": "1e400"},
        {"sz": "0"},
        {"closedPnl": "much"},
        {"fee": ""},
        {"startPosition": "Infinity"},
    ],
)
def test_a_fill_that_makes_no_sense_is_told_and_left_out(nonsense: dict[str, str]) -> None:
    """The position is then followed by the venue's report of it."""
    venue = opened()
    venue.open("0.1", "2000")
    venue.fills = [msgspec.structs.replace(venue.fills[0], **nonsense)]
    review = venue.step("2000")
    assert f"ETH: fill {venue.ids} makes no sense to the exits" in review.notes
    assert Decimal("0.475") == venue.memory.coins["ETH"].size


@pytest.mark.parametrize("price", ["0", "-2000", "1e40"])
def test_a_position_that_makes_no_sense_is_told_and_left_alone(price: str) -> None:
    venue = opened()
    venue.entries["ETH"] = Decimal(price)
    review = venue.step("2000")
    assert "ETH: position 0.375 makes no sense to the exits" in review.notes
    assert Decimal(2000) == venue.memory.coins["ETH"].entry_price


def test_a_price_no_market_reaches_is_not_waited_for() -> None:
    """The venue would refuse the whole wait."""
    plan = ExitPlan(coin="ETH", invalidation="price > 999999999999")
    watch = opened(rules=ExitRules(), plan=plan).step("2000").watch
    assert () == watch.wake_on.price


def test_the_memory_is_json() -> None:
    venue = opened(plan=msgspec.structs.replace(PLAN, invalidation="price < 1990"))
    venue.step("2020")
    raw = msgspec.json.encode(venue.memory)
    assert venue.memory == msgspec.json.decode(raw, type=ExitMemory)

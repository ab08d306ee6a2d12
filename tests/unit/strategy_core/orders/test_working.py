"""Parent orders: quotes that follow the touch, and slices."""

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from tests.support.order_venue import COIN, WOULD_MATCH, Managed, OrderVenue

from strategy_core.intents import ParentOrder, Passive, Sliced
from strategy_core.orders.rules import ExecutionRules
from suite.contracts.venue import Action, CancelOrder, Leg, ModifyOrder, PlaceOrder
from suite.enums import Tif, TraderStatus

EDGE = Passive(edge=Decimal("0.01"))


def quote(size: str = "1", *, how: Passive = EDGE, reduce_only: bool = False) -> ParentOrder:
    return ParentOrder(
        coin=COIN,
        is_buy=not reduce_only,
        sz=Decimal(size),
        execution=how,
        reduce_only=reduce_only,
    )


def slices(size: str, how: Sliced | None = None) -> ParentOrder:
    return ParentOrder(coin=COIN, is_buy=True, sz=Decimal(size), execution=how or Sliced())


def placed(managed: Managed) -> list[PlaceOrder]:
    return [action for action in managed.venue.sent if isinstance(action, PlaceOrder)]


def moved(managed: Managed) -> list[ModifyOrder]:
    return [action for action in managed.venue.sent if isinstance(action, ModifyOrder)]


# ---- quotes -----------------------------------------------------------------------------------


def test_a_passive_order_rests_at_the_touch_and_ends_when_filled() -> None:
    """Post-only at the best bid; nothing is left of it afterwards."""
    managed = Managed()
    (order,) = managed.turn(quote())
    assert isinstance(order, PlaceOrder)
    assert order.order_type.limit is not None
    assert (Decimal(1999), Tif.ALO) == (order.limit_px, order.order_type.limit.tif)
    managed.turn()
    managed.venue.move("1997", "1999")
    assert managed.turn() == ()
    assert (Decimal(1), {}) == (managed.venue.position, managed.memory.works)


def test_a_quote_follows_a_touch_that_leaves_it_but_none_that_comes_nearer() -> None:
    """A modification under the same name, for what is left."""
    managed = Managed()
    managed.turn(quote())
    managed.venue.move("1998", "2000")
    assert managed.turn() == ()
    managed.venue.fill(next(iter(managed.venue.orders.values())), Decimal("0.4"))
    managed.venue.move("2001", "2003")
    (change,) = managed.turn()
    assert isinstance(change, ModifyOrder)
    assert (Decimal(2001), Decimal("0.6")) == (change.limit_px, change.sz)
    assert placed(managed)[0].cloid == change.cloid


def test_a_quote_stays_while_the_touch_is_within_a_tenth_of_the_range() -> None:
    """0.1 ATR where it is known, one tick where it is not."""
    calm = Managed(OrderVenue(atr=20.0))
    calm.turn(quote())
    calm.venue.move("2000.9", "2003")
    assert calm.turn() == ()
    calm.venue.move("2001", "2003")
    assert len(calm.turn()) == 1
    unknown = Managed()
    unknown.turn(quote())
    unknown.venue.move("1999.1", "2003")
    assert len(unknown.turn()) == 1


def test_a_quote_moves_once_in_half_a_second_and_six_times_in_all() -> None:
    """More would spend the address's budget on nothing."""
    managed = Managed()
    managed.turn(quote(), ms=100)
    for step in range(40):
        managed.venue.move(str(2000 + step), str(2002 + step))
        managed.turn(ms=250)
    assert len(moved(managed)) == 6


@pytest.mark.parametrize(
    ("edge", "crosses"), [("0.0009", True), ("0.0007", False), ("0", False), ("-1", False)]
)
def test_at_the_timeout_it_crosses_only_where_that_pays(edge: str, crosses: bool) -> None:
    """Edge less the difference of the fees (3 bp) and half the spread (5 bp) must be above 0."""
    managed = Managed()
    managed.turn(quote(how=Passive(edge=Decimal(edge), timeout_ms=5_000)), ms=4_999)
    assert managed.turn(ms=1) == ()
    (action,) = managed.turn()
    if crosses:
        assert isinstance(action, ModifyOrder)
        assert action.order_type.limit is not None
        assert action.order_type.limit.tif is Tif.IOC
        assert Decimal("2003.1") == action.limit_px  # 10 bp through 2001, on the lattice
    else:
        assert isinstance(action, CancelOrder)
    managed.turn()
    assert (Decimal(crosses), {}) == (managed.venue.position, managed.memory.works)
    assert len(managed.memory.missed) == (not crosses)
    assert managed.trouble == []


def test_a_missed_entry_is_kept_with_what_the_market_did_then() -> None:
    """A study of fills alone would leave out the trades that ran away."""
    managed = Managed()
    managed.turn(quote(how=Passive(timeout_ms=1_000)))
    managed.turn()
    managed.turn(ms=3_600_000)
    (missed,) = managed.memory.missed
    assert (Decimal(1), None) == (missed.sz, missed.moved)
    managed.venue.move("2039", "2041")
    managed.turn()
    assert Decimal("0.02") == missed.moved
    assert [note[:6] for note in managed.notes] == ["MISSED", "MISSED"]


def test_what_crosses_in_part_is_missed_in_part() -> None:
    """A capped order takes what is there."""
    managed = Managed()
    managed.turn(quote(how=Passive(edge=Decimal(1), timeout_ms=1_000)))
    managed.venue.depth = Decimal("0.25")
    managed.turn()
    managed.turn()
    assert Decimal("0.25") == managed.venue.position
    assert [Decimal("0.75")] == [missed.sz for missed in managed.memory.missed]


def test_a_crossing_that_finds_nothing_takes_the_quote_back() -> None:
    """The old order stays when its modification is refused; it must not rest for ever."""
    managed = Managed()
    managed.turn(quote(how=Passive(edge=Decimal(1), timeout_ms=1_000)))
    managed.venue.depth = Decimal(0)
    managed.turn()
    (cancel,) = managed.turn()
    assert isinstance(cancel, CancelOrder)
    managed.turn()
    assert ({}, {}) == (managed.venue.orders, managed.memory.works)


def test_a_quote_that_would_cross_is_priced_anew_under_the_next_generation() -> None:
    """At most five times, while the signal is young; then the entry is missed."""
    managed = Managed(OrderVenue(refusals=[WOULD_MATCH] * 20))
    managed.turn(quote(), ms=200)
    for _ in range(20):
        managed.turn(ms=200)
    orders = placed(managed)
    assert len(orders) == 6
    assert len({order.cloid for order in orders}) == 6
    assert len(managed.memory.missed) == 1
    slow = Managed(OrderVenue(refusals=[WOULD_MATCH] * 20))
    slow.turn(quote(), ms=60_000)
    for _ in range(5):
        slow.turn(ms=60_000)
    assert len(placed(slow)) == 2  # the first look is never late, the second is


def test_a_signal_whose_price_has_gone_is_not_tried_again() -> None:
    """0.3 ATR is too far."""
    managed = Managed(OrderVenue(refusals=[WOULD_MATCH], atr=10.0))
    managed.turn(quote())
    managed.venue.move("2002", "2004")
    assert managed.turn() == ()
    assert len(managed.memory.missed) == 1


def test_a_refusal_for_good_drops_the_order_with_the_reason() -> None:
    """The venue's words are in the journal."""
    managed = Managed(OrderVenue(refusals=["Insufficient margin to place order. asset=0"]))
    managed.turn(quote())
    assert managed.turn() == ()
    assert "Insufficient margin" in managed.notes[-1]
    assert {} == managed.memory.works


def test_an_order_kept_back_by_the_gate_ends_and_a_smaller_one_is_worked() -> None:
    """What was not sent never happened."""
    managed = Managed()
    managed.turn(quote(), sends=lambda _actions: ())
    managed.turn()
    assert "kept it back" in managed.notes[-1]

    def smaller(actions: tuple[Action, ...]) -> tuple[Action, ...]:
        return tuple(msgspec.structs.replace(action, sz=Decimal("0.3")) for action in actions)

    managed.turn(quote(), sends=smaller)
    managed.turn()
    managed.venue.move("1997", "1999")
    managed.turn()
    assert (Decimal("0.3"), {}) == (managed.venue.position, managed.memory.works)
    assert managed.trouble == []


def test_a_paused_trader_takes_its_quotes_back() -> None:
    """New risk ends; what closes goes on."""
    managed = Managed()
    managed.turn(quote())
    managed.venue.status = TraderStatus.PAUSED
    (cancel,) = managed.turn()
    assert isinstance(cancel, CancelOrder)
    assert managed.turn(quote()) == ()
    assert (0, {}) == (len(managed.venue.orders), managed.memory.works)


def test_a_quote_that_closes_goes_on_as_an_exit_when_its_time_is_up() -> None:
    """A close is not missed: it crosses, then escalates."""
    managed = Managed(OrderVenue(position=Decimal(1)))
    managed.turn(quote(how=Passive(timeout_ms=1_000), reduce_only=True))
    managed.venue.depth = Decimal("0.3")
    for _ in range(8):
        managed.turn()
    assert (Decimal(0), {}) == (managed.venue.position, managed.memory.exits)
    assert [] == managed.memory.missed


# ---- slices -----------------------------------------------------------------------------------


def test_slices_are_equal_and_the_last_takes_the_remainder() -> None:
    """Each a twentieth of a minute's volume at most, about 15 s apart."""
    managed = Managed(OrderVenue(volume=10.0))
    managed.turn(slices("1.7"), ms=500)
    for _ in range(200):
        managed.turn(ms=500)
    sizes = [order.sz for order in placed(managed)]
    assert [Decimal("0.425")] * 4 == sizes
    assert (Decimal("1.7"), {}) == (managed.venue.position, managed.memory.works)
    uneven = Managed(OrderVenue(volume=10.0))
    uneven.turn(slices("1.00001"), ms=20_000)
    for _ in range(8):
        uneven.turn(ms=20_000)
    assert [Decimal("0.33334")] * 2 + [Decimal("0.33333")] == [o.sz for o in placed(uneven)]


def test_slices_come_at_their_interval_give_or_take_a_fifth() -> None:
    """The jitter follows from the decision, so a restart keeps it."""
    managed = Managed(OrderVenue(volume=10.0))
    managed.turn(slices("4"), ms=250)
    times = [managed.venue.now_ms for _ in range(600) if managed.turn(ms=250)]
    gaps = [two - one for one, two in pairwise(times)]
    assert len(gaps) >= 6
    assert min(gaps) >= 12_000
    assert max(gaps) <= 18_250
    assert len(set(gaps)) > 1


def test_there_are_at_most_twenty_slices_and_none_below_the_smallest_order() -> None:
    """Twenty of a huge order; of a small one as many as are worth 10 USD each."""
    huge = Managed(OrderVenue(volume=1.0))
    huge.turn(slices("100"))
    assert [Decimal(5)] == [order.sz for order in placed(huge)]
    small = Managed(OrderVenue(volume=0.001))
    small.turn(slices("0.016"), ms=20_000)
    assert [Decimal("0.00534")] == [order.sz for order in placed(small)]  # 32 USD: three slices


def test_a_slice_takes_no_more_than_a_tenth_of_what_was_traded_since() -> None:
    """When too little was, the slot is left out; the rest is missed in the end."""
    managed = Managed(OrderVenue(volume=10.0))
    managed.turn(slices("2"), ms=60_000)
    managed.venue.volume = 1.0
    managed.turn(ms=60_000)
    assert [Decimal("0.5"), Decimal("0.1")] == [order.sz for order in placed(managed)]
    managed.venue.volume = 0.0
    for _ in range(60):
        managed.turn(ms=60_000)
    assert len(placed(managed)) == 2
    assert [Decimal("1.4")] == [missed.sz for missed in managed.memory.missed]


def test_slices_of_an_entry_stop_when_the_price_runs_away() -> None:
    """Half an ATR against the arrival price."""
    managed = Managed(OrderVenue(volume=10.0, atr=20.0))
    managed.turn(slices("2"), ms=20_000)
    managed.venue.move("2009.5", "2011.5")
    managed.turn(ms=20_000)
    assert (Decimal("0.5"), {}) == (managed.venue.position, managed.memory.works)
    assert "against" in managed.memory.missed[0].why


def test_a_slice_that_finds_nothing_comes_again_in_the_next_slot() -> None:
    """What was not filled is still to be filled, and no more than that."""
    managed = Managed(OrderVenue(volume=10.0, depth=Decimal("0.2")))
    managed.turn(slices("1"), ms=20_000)
    for _ in range(10):
        managed.turn(ms=20_000)
    assert (Decimal(1), {}) == (managed.venue.position, managed.memory.works)
    assert managed.trouble == []


@pytest.mark.parametrize("how", [EDGE, Sliced()])
def test_a_parent_order_that_cannot_be_worked_is_dropped_with_a_note(how: Passive | Sliced) -> None:
    """No size, no such coin: the others of the decision go on."""
    managed = Managed()
    bad = [
        ParentOrder(coin=COIN, is_buy=True, sz=Decimal(size), execution=how)
        for size in ("0", "-1", "NaN", "Infinity", "0.0000001")
    ]
    unknown = ParentOrder(coin="NO", is_buy=True, sz=Decimal(1), execution=how)
    good = ParentOrder(coin=COIN, is_buy=True, sz=Decimal(1), execution=how)
    assert len(managed.turn(*bad, unknown, good)) == 1
    managed.turn()
    assert sum("dropped" in note for note in managed.notes) == 6


def test_what_is_filled_of_a_parent_is_protected_by_prices_that_add_no_risk() -> None:
    """Off the lattice the stop of a long is rounded up and its target down."""
    managed = Managed()
    parent = ParentOrder(
        coin=COIN,
        is_buy=True,
        sz=Decimal(1),
        execution=EDGE,
        stop_loss=Leg(price=Decimal("1899.91")),
        take_profit=Leg(price=Decimal("2100.19")),
    )
    managed.turn(parent)
    managed.venue.move("1997", "1999")
    managed.turn()
    managed.turn()
    prices = sorted(order.px for order in managed.venue.orders.values())
    assert [Decimal(1900), Decimal("2100.1")] == prices


def test_rules_can_shorten_what_a_quote_may_do() -> None:
    """No modification, no second attempt."""
    managed = Managed(rules=ExecutionRules(requotes=0, retries=0))
    managed.turn(quote())
    managed.venue.move("2005", "2007")
    assert managed.turn() == ()

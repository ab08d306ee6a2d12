"""Stops and targets kept to what is held, and no position naked for long."""

from decimal import Decimal

import msgspec
import pytest
from tests.support.order_venue import COIN, NOT_KNOWN, Managed, OrderVenue, close, entry, stop_order

from strategy_core.intents import ParentOrder, Passive, Sliced
from suite.contracts.venue import (
    CancelOrder,
    Leg,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    TriggerType,
)
from suite.enums import Tpsl

STOP, TARGET = Leg(price=Decimal(1900)), Leg(price=Decimal(2100))


def parent(size: str = "1", how: Passive | Sliced | None = None) -> ParentOrder:
    return ParentOrder(
        coin=COIN,
        is_buy=True,
        sz=Decimal(size),
        execution=how or Passive(),
        stop_loss=STOP,
        take_profit=TARGET,
    )


def protective(managed: Managed) -> dict[str, Decimal]:
    return {order.tpsl: order.sz for order in managed.venue.orders.values() if order.tpsl}


def fill_quote(managed: Managed, size: str) -> None:
    (quote,) = [order for order in managed.venue.orders.values() if not order.tpsl]
    managed.venue.fill(quote, Decimal(size))


def test_each_part_that_is_filled_is_protected_to_its_size_at_once() -> None:
    """A second fill makes both orders larger under the same names."""
    managed = Managed()
    managed.turn(parent())
    fill_quote(managed, "0.3")
    managed.turn()
    assert {"sl": Decimal("0.3"), "tp": Decimal("0.3")} == protective(managed)
    names = {order.cloid for order in managed.venue.orders.values()}
    fill_quote(managed, "0.5")
    managed.turn()
    assert {"sl": Decimal("0.8"), "tp": Decimal("0.8")} == protective(managed)
    assert names == {order.cloid for order in managed.venue.orders.values()}


def test_a_stop_that_fills_ends_the_protection_and_a_later_fill_gets_its_own() -> None:
    """No order of the part that is gone meets what comes next."""
    managed = Managed()
    managed.turn(parent())
    fill_quote(managed, "0.3")
    managed.turn()
    managed.turn()
    stop = next(o for o in managed.venue.orders.values() if o.tpsl == "sl")
    managed.venue.fill(stop, Decimal("0.3"), price=Decimal(1900))
    managed.turn()
    assert ({}, {}) == (protective(managed), managed.memory.guards)
    fill_quote(managed, "0.2")
    managed.turn()
    assert {"sl": Decimal("0.2"), "tp": Decimal("0.2")} == protective(managed)
    assert managed.trouble == []


def test_orders_of_a_flat_position_are_canceled() -> None:
    """A venue that keeps reduce-only triggers of a flat position must not keep ours."""
    managed = Managed()
    managed.turn(parent())
    fill_quote(managed, "1")
    managed.turn()
    managed.turn()
    kept = dict(managed.venue.orders)
    managed.turn(close("1"))
    managed.venue.orders |= kept
    actions = managed.turn()
    assert {CancelOrder} == {type(action) for action in actions}
    assert {} == managed.venue.orders


def test_a_target_that_fills_in_part_leaves_a_stop_for_the_rest() -> None:
    """Nothing of the position is without a stop, and no stop is larger than the position."""
    managed = Managed()
    managed.turn(parent())
    fill_quote(managed, "1")
    managed.turn()
    managed.turn()
    target = next(o for o in managed.venue.orders.values() if o.tpsl == "tp")
    managed.venue.fill(target, Decimal("0.4"))
    managed.turn()
    assert {"sl": Decimal("0.6"), "tp": Decimal("0.6")} == protective(managed)


def test_legs_of_a_plain_entry_are_the_venues_and_are_left_alone() -> None:
    """Entry, stop and target are one group; nothing is placed beside it."""
    managed = Managed()
    (order,) = managed.turn(entry("1", stop="1900", target="2100"))
    assert isinstance(order, PlaceOrder)
    assert (STOP, TARGET) == (order.stop_loss, order.take_profit)
    for _ in range(20):
        assert managed.turn() == ()
    assert (1, 0, 0) == (
        managed.memory.naked.counts[0],
        managed.memory.naked.longest_ms,
        managed.memory.naked.closed,
    )


def test_a_leg_that_is_lost_is_replaced_within_the_turn() -> None:
    """The position is naked from then until the new stop is confirmed."""
    managed = Managed()
    managed.turn(entry("1", stop="1900", target="2100"))
    managed.turn()
    managed.venue.drop(Tpsl.STOP_LOSS)
    (stop,) = managed.turn()
    assert isinstance(stop, PlaceOrder)
    assert stop.order_type.trigger is not None
    assert (Decimal(1900), Decimal(1), True) == (
        stop.order_type.trigger.triggerPx,
        stop.sz,
        stop.reduce_only,
    )
    assert managed.turn() == ()
    assert {"sl": Decimal(1), "tp": Decimal(1)} == protective(managed)


def test_a_group_whose_entry_fills_in_part_gets_a_stop_until_its_legs_wake() -> None:
    """Legs sleep until the entry is complete; the stand-in goes when they stand."""
    managed = Managed()
    managed.turn(entry("1", stop="1900", target="2100", limit="1999"))
    first = next(order for order in managed.venue.orders.values() if not order.tpsl)
    managed.venue.fill(first, Decimal("0.4"))
    managed.turn()
    assert Decimal("0.4") == managed.venue.stops()
    managed.turn()
    managed.venue.fill(first, Decimal("0.6"))
    managed.turn()
    assert Decimal(1) == managed.venue.stops()
    assert managed.turn() == ()
    assert managed.trouble == []


@pytest.mark.parametrize("ms", [100, 1_000, 60_000])
def test_a_position_that_gets_no_stop_is_closed_after_ten_seconds_or_one_step(ms: int) -> None:
    """Placed again each turn, then closed at market, and said so."""
    managed = Managed()
    managed.turn(entry("1", stop="1900"), ms=ms)
    managed.turn(ms=ms)
    managed.venue.drop(Tpsl.STOP_LOSS)
    naked_since, turns = managed.venue.now_ms, 0
    while managed.venue.position and turns < 1000:
        managed.venue.refusals = ["Too many open orders"]
        managed.venue.orders.clear()
        if managed.venue.now_ms - naked_since > 10_000:
            managed.venue.refusals = []
        managed.turn(ms=ms)
        turns += 1
    assert Decimal(0) == managed.venue.position
    assert managed.venue.now_ms - naked_since <= max(10_000 + 3 * ms, 2 * ms)
    assert 1 == managed.memory.naked.closed
    managed.turn()
    assert any("no stop was confirmed" in note for note in managed.notes)


def test_a_stop_whose_price_has_been_passed_closes_at_once() -> None:
    """It would have fired; the venue refuses to take it now."""
    managed = Managed()
    managed.turn(entry("1", stop="1900"))
    managed.turn()
    managed.venue.drop(Tpsl.STOP_LOSS)
    managed.venue.move("1890", "1892")
    (order,) = managed.turn()
    assert isinstance(order, PlaceOrder)
    assert (Decimal(1), True, Decimal(0)) == (order.sz, order.reduce_only, order.limit_px)
    managed.turn()
    assert (Decimal(0), {}) == (managed.venue.position, managed.memory.guards)


def test_a_target_whose_price_has_been_passed_closes_at_once() -> None:
    """A fill that came after the market had reached it."""
    managed = Managed()
    managed.turn(parent())
    fill_quote(managed, "1")
    managed.venue.move("2150", "2152")
    managed.turn()
    managed.turn()
    assert (Decimal(0), {}) == (managed.venue.position, managed.memory.guards)


def test_a_stop_of_the_traders_own_is_watched_too() -> None:
    """Once it has rested for a position, it is missed when it goes."""
    managed = Managed()
    managed.turn(entry("1"))
    managed.turn(stop_order("1", "1950"))
    managed.turn()
    managed.venue.drop(Tpsl.STOP_LOSS)
    managed.turn()
    assert Decimal(1) == managed.venue.stops()


def test_a_trader_that_takes_its_stop_back_is_not_given_it_again() -> None:
    """Its own order or a leg, by either name."""
    managed = Managed()
    managed.turn(entry("1"))
    (stop,) = managed.turn(stop_order("1", "1950"))
    assert isinstance(stop, PlaceOrder)
    managed.turn()
    managed.turn(CancelOrder(coin=COIN, cloid=stop.cloid))
    managed.turn()
    assert managed.turn() == ()
    assert Decimal(0) == managed.venue.stops()
    legs = Managed()
    legs.turn(entry("1", stop="1900"))
    legs.turn()
    (leg,) = [order for order in legs.venue.orders.values() if order.tpsl]
    legs.turn(CancelOrder(coin=COIN, oid=leg.oid))
    legs.turn()
    assert legs.turn() == ()
    assert Decimal(0) == legs.venue.stops()


def test_a_stop_that_its_trader_moves_is_kept_where_it_wants_it() -> None:
    """A leg changed by its number, then lost."""
    managed = Managed()
    managed.turn(entry("1", stop="1900"))
    managed.turn()
    (leg,) = [order for order in managed.venue.orders.values() if order.tpsl]
    managed.turn(
        ModifyOrder(
            coin=COIN,
            is_buy=False,
            sz=Decimal(1),
            limit_px=Decimal(0),
            oid=leg.oid,
            order_type=OrderType(
                trigger=TriggerType(isMarket=True, triggerPx=Decimal(1950), tpsl=Tpsl.STOP_LOSS)
            ),
            reduce_only=True,
        )
    )
    assert managed.turn() == ()
    managed.venue.drop(Tpsl.STOP_LOSS)
    managed.turn()
    assert [Decimal(1950)] == [o.px for o in managed.venue.orders.values() if o.tpsl]


def test_protection_of_a_long_does_not_meet_the_short_that_follows() -> None:
    """A flip ends what the first position was protected by; attribution goes by name, not time."""
    managed = Managed()
    managed.turn(parent())
    fill_quote(managed, "1")
    managed.turn()
    managed.turn()
    managed.turn(
        PlaceOrder(coin=COIN, is_buy=False, sz=Decimal(3), stop_loss=Leg(price=Decimal(2200)))
    )
    managed.turn()
    assert Decimal(-2) == managed.venue.position
    stops = [order for order in managed.venue.orders.values() if order.tpsl == "sl"]
    assert all(order.is_buy and order.px == Decimal(2200) for order in stops)
    assert all(not guard.is_buy for guard in managed.memory.guards.values())


def test_naked_time_is_counted_from_the_fill_to_the_order_that_stands() -> None:
    """The fill came 700 ms before it was seen; the stop was placed then."""
    managed = Managed()
    managed.turn(parent(), ms=1_000)
    fill_quote(managed, "1")
    managed.venue.now_ms += 700
    managed.turn(ms=400)
    managed.turn()
    assert 700 == managed.memory.naked.longest_ms
    assert [0, 1, 0, 0, 0, 0, 0] == managed.memory.naked.counts


def test_a_stop_is_not_placed_twice_while_nobody_knows_of_the_first() -> None:
    """An unknown order may live: it is waited for, and then found."""
    managed = Managed()
    managed.turn(parent())
    fill_quote(managed, "1")
    managed.turn()
    managed.venue.results = [NOT_KNOWN] * len(managed.venue.results)
    hidden, managed.venue.orders = managed.venue.orders, {}
    assert managed.turn() == ()
    managed.venue.orders = hidden
    assert managed.turn() == ()
    assert {"sl": Decimal(1), "tp": Decimal(1)} == protective(managed)


def with_two_parents() -> Managed:
    """Both filled: 1 with its stop at 1900, then 2 with its stop at 1950."""
    managed = Managed()
    late = msgspec.structs.replace(parent("2"), stop_loss=Leg(price=Decimal(1950)))
    managed.turn(parent("1"), late)
    for quote in list(managed.venue.orders.values()):
        managed.venue.fill(quote, quote.sz)
    managed.turn()
    managed.turn()
    return managed


def test_two_parents_of_a_coin_are_protected_each_by_its_own() -> None:
    """What was opened first counts as closed first."""
    managed = with_two_parents()
    assert {Decimal(1900): Decimal(1), Decimal(1950): Decimal(2)} == stops_by_price(managed)
    managed.turn(close("1.5"))
    managed.turn()
    managed.turn()
    assert {Decimal(1950): Decimal("1.5")} == stops_by_price(managed)


def test_a_stop_that_fills_counts_against_the_part_it_was_for() -> None:
    """The newer part is stopped out; the older keeps its own stop."""
    managed = with_two_parents()
    managed.venue.move("1948")
    assert Decimal(1) == managed.venue.position
    managed.turn()
    assert managed.turn() == ()
    assert {Decimal(1900): Decimal(1)} == stops_by_price(managed)


def cancel_stop_at(managed: Managed, price: str) -> CancelOrder:
    """As the exits do it: by the venue's id."""
    (oid,) = [o.oid for o in managed.venue.orders.values() if o.px == Decimal(price)]
    return CancelOrder(coin=COIN, oid=oid)


def moved_stop(managed: Managed, price: str = "1980") -> None:
    """A parent order fills, its trader moves the stop and takes the old one back."""
    managed.turn(parent())
    fill_quote(managed, "1")
    managed.turn()
    managed.turn(stop_order("1", price))
    managed.turn(cancel_stop_at(managed, "1900"))


def test_a_moved_stop_leaves_the_target_standing() -> None:
    """Both stops are of the same part: neither takes the other's room."""
    managed = Managed()
    moved_stop(managed)
    for _ in range(3):
        assert managed.turn() == ()
        assert {"sl": Decimal(1), "tp": Decimal(1)} == protective(managed)
    assert {Decimal(1980): Decimal(1)} == stops_by_price(managed)
    assert managed.trouble == []


def test_a_moved_stop_that_is_lost_is_placed_again_at_its_price() -> None:
    """The part is held to the last price that its trader asked for."""
    managed = Managed()
    moved_stop(managed)
    managed.turn()
    managed.venue.drop(Tpsl.STOP_LOSS)
    managed.turn()
    managed.turn()
    assert {Decimal(1980): Decimal(1)} == stops_by_price(managed)
    assert {"sl": Decimal(1), "tp": Decimal(1)} == protective(managed)


def test_a_stop_moved_twice_still_leaves_the_target_and_ends_with_the_position() -> None:
    """Nothing of what was moved stays behind for the next position."""
    managed = Managed()
    moved_stop(managed, "1950")
    managed.turn(stop_order("1", "1980"))
    managed.turn(cancel_stop_at(managed, "1950"))
    managed.turn()
    assert {"sl": Decimal(1), "tp": Decimal(1)} == protective(managed)
    assert {Decimal(1980): Decimal(1)} == stops_by_price(managed)
    managed.venue.move("1970")
    managed.turn()
    managed.turn()
    assert (Decimal(0), {}, {}) == (
        managed.venue.position,
        managed.venue.orders,
        managed.memory.guards,
    )


def test_a_target_beside_a_moved_stop_shrinks_with_the_position() -> None:
    """What the trader closes counts for both."""
    managed = Managed()
    moved_stop(managed)
    managed.turn(close("0.4"))
    managed.turn()
    managed.turn()
    assert {"sl": Decimal("0.6"), "tp": Decimal("0.6")} == protective(managed)


def test_slices_go_out_with_their_protection() -> None:
    """They trade at once: between fill and stop there is no time at all."""
    managed = Managed(OrderVenue(volume=10.0))
    managed.turn(parent("1", Sliced()))
    assert {Decimal(1900): Decimal("0.5")} == stops_by_price(managed)
    for _ in range(20):
        managed.turn()
    assert Decimal(1) == managed.venue.stops()
    assert (0, 0) == (managed.memory.naked.longest_ms, managed.memory.naked.closed)


def test_parts_filled_one_after_the_other_are_no_long_naked_time() -> None:
    """Each part's own time counts, not that since the first."""
    managed = Managed()
    managed.turn(parent("1"))
    for _ in range(8):
        fill_quote(managed, "0.1")
        managed.turn(ms=2_000)
    assert 0 == managed.memory.naked.closed
    assert Decimal("0.8") == managed.venue.stops()
    assert managed.memory.naked.longest_ms <= 2_000


def stops_by_price(managed: Managed) -> dict[Decimal, Decimal]:
    stops: dict[Decimal, Decimal] = {}
    for order in managed.venue.orders.values():
        if order.tpsl == "sl":
            stops[order.px] = stops.get(order.px, Decimal(0)) + order.sz
    return stops

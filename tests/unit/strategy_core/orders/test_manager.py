"""The manager as the loop sees it."""

from decimal import Decimal

import msgspec
import pytest
from tests.support.order_venue import (
    COIN,
    NOT_KNOWN,
    START_MS,
    Managed,
    OrderVenue,
    close,
    entry,
    restarted,
)

from strategy_core.intents import Intent, ParentOrder, Passive, Sliced
from strategy_core.orders.identity import cloid_for
from strategy_core.orders.memory import OrderMemory
from strategy_core.port import NOTHING_EARLIER
from suite.contracts.clock import WakeOn
from suite.contracts.venue import Action, CancelOrder, Leg, PlaceOrder, SetLeverage

QUOTE = ParentOrder(
    coin=COIN,
    is_buy=True,
    sz=Decimal(1),
    execution=Passive(),
    stop_loss=Leg(price=Decimal(1900)),
)


def test_orders_are_named_by_their_decision_and_their_place_in_it() -> None:
    """A name that the trader gave is kept; what is no order has none."""
    managed = Managed()
    own = msgspec.structs.replace(entry("0.1"), cloid="0x" + "a" * 32)
    lever = SetLeverage(coin=COIN, leverage=2)
    first, second, third, fourth = managed.turn(entry("0.1"), own, lever, entry("0.2"))
    assert isinstance(first, PlaceOrder)
    assert isinstance(fourth, PlaceOrder)
    assert (cloid_for("a", "t", 1, 0), cloid_for("a", "t", 1, 3)) == (first.cloid, fourth.cloid)
    assert (own, lever) == (second, third)


def test_the_same_decision_never_acts_twice() -> None:
    """Neither when it is taken again nor after a restart; another source has other names."""
    venue = OrderVenue()
    managed = Managed(venue)
    seen = venue.observe()
    manager = managed.manager(managed.memory)
    manager.observe(seen)
    intents = (entry("0.1"), QUOTE, close("1"))
    assert len(manager.take(intents, seen, turn=1)) == 3
    assert manager.take(intents, seen, turn=1) == ()
    again = managed.manager(restarted(managed.memory))
    assert again.take(intents, seen, turn=1) == ()
    assert len(again.take(intents, seen, turn=1, source="exits")) == 3


def test_it_says_when_it_wants_to_look_again() -> None:
    """What was just taken counts; without work the trader's own times do."""
    managed = Managed()
    manager = managed.manager(managed.memory)
    seen = managed.venue.observe()
    assert (None, NOTHING_EARLIER) == (manager.observe(seen).until_ms, manager.wake_on)
    manager.take((QUOTE,), seen, turn=1)
    assert (START_MS + 500, WakeOn(fill=True, order=True)) == (manager.until_ms, manager.wake_on)
    slices = msgspec.structs.replace(QUOTE, execution=Sliced(interval_ms=1_000))
    calm = managed.manager(OrderMemory())
    calm.observe(seen)
    calm.take((slices,), seen, turn=1)
    assert calm.until_ms is not None
    assert START_MS + 800 <= calm.until_ms <= START_MS + 1_200


@pytest.mark.parametrize("intent", [entry("1", limit="1990"), QUOTE])
def test_an_order_that_nobody_sees_is_under_way(intent: Intent) -> None:
    """It may fill at any time; once it is listed, or can live no more, it counts no longer."""
    managed = Managed()

    def under_way() -> list[tuple[Decimal, bool]]:
        manager = managed.manager(managed.memory)
        return [(order.sz, order.is_buy) for order in manager.pending()]

    managed.turn(intent)
    assert under_way() == []  # it is among what this turn sends
    managed.venue.results = [NOT_KNOWN]
    hidden, managed.venue.orders = managed.venue.orders, {}
    managed.turn()
    assert [(Decimal(1), True)] == under_way()
    managed.venue.orders = hidden
    managed.turn()
    assert under_way() == []
    managed.venue.orders = {}
    managed.turn()
    assert under_way() == []


def test_a_close_that_nobody_sees_takes_no_room() -> None:
    """It cannot open anything."""
    managed = Managed(OrderVenue(position=Decimal(1), depth=Decimal(0)))
    managed.turn(close("1"))
    managed.venue.results = [NOT_KNOWN]
    managed.turn()
    assert managed.manager(managed.memory).pending() == ()


def test_what_is_still_to_be_sent_of_parents_can_be_asked() -> None:
    """The gate counts it as under way."""
    managed = Managed(OrderVenue(volume=10.0))
    managed.turn(msgspec.structs.replace(QUOTE, sz=Decimal(2), execution=Sliced()), QUOTE)
    managed.turn()
    rests = managed.manager(managed.memory).pending()
    assert [Decimal("1.5")] == [rest.sz for rest in rests]


def test_what_the_loop_adds_is_answered_too() -> None:
    """Cancellations of its own beside what was returned, in any order."""
    managed = Managed()
    managed.turn(entry("1", limit="1999"))
    managed.turn()
    (order,) = managed.venue.orders.values()

    def with_cancel(actions: tuple[Action, ...]) -> tuple[Action, ...]:
        return (CancelOrder(coin=COIN, oid=order.oid), *actions)

    managed.turn(entry("0.5"), sends=with_cancel)
    managed.turn()
    assert ([], {}) == (managed.trouble, managed.memory.children)
    assert Decimal("0.5") == managed.venue.position


def test_coins_with_an_order_of_unknown_outcome_are_named() -> None:
    """No parent order of theirs is begun meanwhile."""
    managed = Managed()
    managed.turn(entry("1", limit="1999"))
    managed.venue.results = []
    managed.venue.orders.clear()
    seen = managed.venue.observe()
    manager = managed.manager(managed.memory)
    assert (COIN,) == manager.observe(seen).unknown
    assert manager.take((QUOTE,), seen, turn=2) == ()
    assert any("unknown outcome" in note for note in managed.memory.notes)


def test_a_market_makers_memory_stays_small() -> None:
    """Hundreds of quotes placed, canceled and filled."""
    managed = Managed()
    venue, manager = managed.venue, managed.manager(managed.memory)
    for number in range(1, 801):
        seen = venue.observe()
        upkeep = manager.observe(seen)
        cancels = [CancelOrder(coin=COIN, oid=oid) for oid in venue.orders]
        venue.send(manager.take([*cancels, entry("0.01", limit="1990")], seen, turn=number))
        if number % 3 == 0:
            venue.move("1980")
            venue.move("1999")
        assert ((), ()) == (upkeep.actions, upkeep.trouble)
    assert len(managed.memory.children) <= 2
    assert len(msgspec.json.encode(managed.memory)) < 200_000

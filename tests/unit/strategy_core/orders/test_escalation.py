"""Exits that go on until they are done."""

from decimal import Decimal

import pytest
from tests.support.order_venue import COIN, NOT_KNOWN, Managed, OrderVenue, close, entry

from strategy_core.orders.identity import cloid_for
from strategy_core.orders.rules import ExecutionRules
from suite.contracts.venue import PlaceOrder


def attempts(managed: Managed) -> list[PlaceOrder]:
    return [a for a in managed.venue.sent if isinstance(a, PlaceOrder) and a.reduce_only]


def long(depth: str = "0", **values: object) -> Managed:
    venue = OrderVenue(position=Decimal(1), depth=Decimal(depth), **values)  # type: ignore[arg-type]
    return Managed(venue)


@pytest.mark.parametrize("ms", [1_000, 60_000])
def test_an_exit_goes_further_through_the_touch_each_time(ms: int) -> None:
    """10 bp as sent, then 30 bp, 100 bp and the market, a second or a step apart."""
    managed = long()
    managed.turn(close("1", limit="1997"), ms=ms)
    for _ in range(4):
        managed.turn(ms=ms)
    limits = [order.limit_px for order in attempts(managed)]
    expected = ["1997", "1993", "1979", "0", "0"]  # of 1999, floored to the lattice
    assert [Decimal(price) for price in expected] == limits
    assert [cloid_for("a", "t", 1, 0, n) for n in range(5)] == [o.cloid for o in attempts(managed)]


def test_attempts_are_a_second_apart_however_often_it_looks() -> None:
    """A fast loop does not burn through the steps."""
    managed = long()
    managed.turn(close("1", limit="1997"), ms=100)
    for _ in range(25):
        managed.turn(ms=100)
    assert len(attempts(managed)) == 3


def test_each_attempt_is_for_what_is_left() -> None:
    """A part filled at each; nothing more once it is flat."""
    managed = long("0.4")
    managed.turn(close("1"))
    for _ in range(6):
        managed.turn()
    assert [Decimal(1), Decimal("0.6"), Decimal("0.2")] == [o.sz for o in attempts(managed)]
    assert (Decimal(0), {}) == (managed.venue.position, managed.memory.exits)
    assert managed.trouble == []


def test_a_partial_close_stops_at_what_was_asked() -> None:
    """0.3 of 1 was to go; 0.7 stay."""
    managed = long("0.1")
    managed.turn(close("0.3"))
    for _ in range(8):
        managed.turn()
    assert (Decimal("0.7"), {}) == (managed.venue.position, managed.memory.exits)


def test_an_exit_of_a_position_that_is_gone_is_done() -> None:
    """The venue says that it would increase: somebody else has closed it."""
    managed = long()
    managed.turn(close("1"))
    managed.venue.position = Decimal(0)
    managed.memory.positions = {}
    managed.turn()
    assert {} == managed.memory.exits
    flat = Managed()
    flat.turn(close("1"))
    flat.turn()
    assert ({}, 1) == (flat.memory.exits, len(attempts(flat)))


def test_an_exit_sent_anew_takes_the_place_of_one_that_waits() -> None:
    """Exits that are decided again each turn do not pile up."""
    managed = long()
    for _ in range(10):
        managed.turn(close("1"), ms=100)
    assert 1 == len(managed.memory.exits)


def test_an_exit_nobody_answers_is_followed_by_another_after_ten_seconds() -> None:
    """Reduce-only orders cannot flip, so an exit need not wait for certainty."""
    managed = long()
    managed.turn(close("1"))
    managed.venue.results = [NOT_KNOWN]
    for _ in range(9):
        assert managed.turn() == ()
    managed.venue.depth = Decimal(9)
    assert len(managed.turn()) == 1
    managed.turn()
    assert Decimal(0) == managed.venue.position


@pytest.mark.parametrize("size", ["0.5", "0.99999"])
def test_a_part_nobody_answers_waits_until_it_can_no_longer_be_accepted(size: str) -> None:
    """Half of a position sent twice under two names would close all of it."""
    managed = long()
    managed.turn(close(size))
    managed.venue.results = [NOT_KNOWN]
    for _ in range(19):
        assert managed.turn() == ()
    managed.venue.depth = Decimal(9)
    assert 1 == sum(len(managed.turn()) for _ in range(3))
    assert (1 - Decimal(size), {}) == (managed.venue.position, managed.memory.exits)


def test_a_whole_close_waits_for_proof_once_the_position_has_grown() -> None:
    """Sent twice it could then close what came after it."""
    managed = long()
    managed.turn(close("1"))
    managed.venue.results = [NOT_KNOWN]
    managed.venue.depth = Decimal(9)
    managed.turn(entry("1"))
    managed.venue.depth = Decimal(0)
    for _ in range(17):
        assert managed.turn() == ()


def test_an_exit_that_never_gets_through_is_trouble() -> None:
    """It goes on all the same."""
    managed = long()
    managed.turn(close("1"))
    for _ in range(12):
        managed.turn()
    assert ["exit failed 9 times" in text for text in managed.trouble] == [True]
    assert len(attempts(managed)) == 13


def test_an_exit_kept_back_is_trouble_and_is_not_repeated() -> None:
    """Nothing may hold an exit; if something does, a person must know."""
    managed = long()
    managed.turn(close("1"), sends=lambda _actions: ())
    assert managed.turn() == ()
    assert ["exit kept back" in text for text in managed.trouble] == [True]


def test_steps_are_the_traders_own_where_it_says_so() -> None:
    """One step of 50 bp, then the market."""
    managed = Managed(
        OrderVenue(position=Decimal(1), depth=Decimal(0)),
        rules=ExecutionRules(exit_steps=(0.001, 0.005), exit_pause_ms=0),
    )
    managed.turn(close("1", limit="1997"), ms=1)
    managed.turn(ms=1)
    managed.turn(ms=1)
    limits = [order.limit_px for order in attempts(managed)]
    assert [Decimal(1997), Decimal(1989), Decimal(0)] == limits


def test_an_entry_that_finds_nothing_is_left_to_its_trader() -> None:
    """Only exits are repeated."""
    managed = Managed(OrderVenue(depth=Decimal(0)))
    managed.turn(entry("1"))
    assert managed.turn() == ()
    assert COIN in managed.notes[-1]

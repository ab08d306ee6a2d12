"""Keys of requests: how many are kept, for how long, and while a request is under way."""

from decimal import Decimal

import pytest
from tests.support.worlds import open_memory_world, random_source

from suite.bars import MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.venue import ActionReply, PlaceOrder
from suite.errors import Conflict, RateLimited
from virtual_exchange.application.exchange import keys
from virtual_exchange.application.exchange.keys import DONE, KEPT_MS, RequestKeys
from virtual_exchange.application.latency_queue import Delivery, answered
from virtual_exchange.application.session import Session

FILLED = ActionReply(status="ok", response="filled")


class Sender:
    """Counts what it carries out."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self) -> Delivery[ActionReply]:
        self.sent += 1
        return answered(FILLED)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEYS_MAX", 3)
    monkeypatch.setattr(keys, "KEYS_RESERVED", 2)


@pytest.mark.usefixtures("three")
def test_young_keys_are_never_forgotten() -> None:
    """Beyond the bound a request is refused, and nothing is done."""
    clock, send = ManualClock(1_000), Sender()
    kept = RequestKeys(clock)
    for name in "abc":
        kept.once(0, name, b"x", send)
    clock.advance_to(1_000 + KEPT_MS - 1)
    with pytest.raises(RateLimited) as refused:
        kept.once(0, "d", b"x", send)
    assert (3, 1) == (send.sent, refused.value.retry_after_ms)
    assert kept.once(0, "a", b"x", send).replayed
    assert not kept.once(1, "d", b"x", send).replayed


@pytest.mark.usefixtures("three")
def test_noops_and_what_reduces_risk_have_room_of_their_own() -> None:
    """An exit must not wait ten minutes because of a storm of entries; the bound is a bound."""
    clock, send = ManualClock(1_000), Sender()
    kept = RequestKeys(clock)
    for name in "abc":
        kept.once(0, name, b"x", send)
    assert not kept.once(0, "d", b"x", send, urgent=True).replayed
    clock.advance_to(2_000)
    assert not kept.noop(0, "e").replayed
    with pytest.raises(RateLimited):
        kept.noop(0, "f")
    with pytest.raises(RateLimited):
        kept.once(0, "f", b"x", send, urgent=True)
    with pytest.raises(RateLimited) as refused:
        kept.once(0, "f", b"x", send)
    assert KEPT_MS - 1_000 == refused.value.retry_after_ms
    clock.advance_to(1_000 + KEPT_MS)
    assert not kept.once(0, "f", b"x", send).replayed
    assert kept.noop(0, "e").delivery.arrived


@pytest.mark.usefixtures("three")
def test_oldest_key_makes_room_when_it_is_old_enough() -> None:
    """One at a time: the others stay for as long as there is room."""
    clock, send = ManualClock(1_000), Sender()
    kept = RequestKeys(clock)
    for name in "abc":
        kept.once(0, name, b"x", send)
    clock.advance_to(1_000 + KEPT_MS)
    kept.once(0, "d", b"x", send)
    assert [True, True, True] == [kept.once(0, name, b"x", send).replayed for name in "bcd"]
    assert 4 == send.sent


def test_key_of_another_account_is_another_key() -> None:
    send = Sender()
    kept = RequestKeys(ManualClock(0))
    assert not kept.once(0, "a", b"x", send).replayed
    assert not kept.noop(1, "a").replayed
    assert FILLED == kept.noop(0, "a").delivery.answer
    with pytest.raises(Conflict):
        kept.once(1, "a", b"x", send)


def open_late(order: PlaceOrder) -> tuple[Session, Delivery[ActionReply]]:
    """A world in which an order takes a bar, and one that is on its way with the key `a`."""
    session = open_memory_world(random_source("BTC"), latency=MINUTE_MS)
    sent = session.keys.once(0, "a", b"x", lambda: session.barrier.send(0, order))
    return session, sent.delivery


def test_request_under_way_is_not_sent_again() -> None:
    """A repetition and a noop are told of the one that is under way."""
    order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01"))
    session, sent = open_late(order)
    repeated = session.keys.once(0, "a", b"x", lambda: session.barrier.send(0, order))
    assert sent is repeated.delivery is session.keys.noop(0, "a").delivery
    told: list[str] = []
    for name in ("first", "second"):
        sent.on_arrival(lambda name=name: told.append(name))  # type: ignore[misc]
    session.world.play(5)
    assert (True, ["first", "second"]) == (sent.arrived, told)
    assert 1 == len(session.world.books[0].fills)


def test_answer_of_a_noop_is_the_venues_plainest() -> None:
    assert DONE == RequestKeys(ManualClock(0)).noop(0, "a").delivery.answer

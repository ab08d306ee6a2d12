"""Orders in slices: `twapOrder` and `twapCancel` over the native gateway."""

from itertools import count
from typing import Any

import pytest
from tests.support.wallets import Wallet, post
from tests.support.worlds import random_source

from suite.clock import ManualClock
from suite.contracts.clock import WaitRequest, WakeOn, Want
from suite.contracts.world import AccountRequest, WorldRequest
from virtual_exchange.application.session import Session, open_session

NOW_MS = 1_790_000_000_000
OWNER = Wallet(17)


@pytest.fixture
def session() -> Session:
    OWNER.nonces = count(NOW_MS)
    accounts = (AccountRequest(id="alice", address=OWNER.address), AccountRequest(id="bob"))
    request = WorldRequest(symbols=("BTC",), accounts=accounts)
    return open_session(request, source=random_source("BTC"), clock=ManualClock(NOW_MS))


def act(session: Session, action: dict[str, Any]) -> Any:
    return post(session, OWNER.signed(action))


def twap(minutes: int = 10, size: str = "0.1", *, reduce_only: bool = False) -> dict[str, Any]:
    parts = {"a": 0, "b": True, "s": size, "r": reduce_only, "m": minutes, "t": False}
    return {"type": "twapOrder", "twap": parts}


def test_twap_fills_a_slice_a_bar_and_ends_filled(session: Session) -> None:
    """Whatever moves time: no advance goes past a slice."""
    reply = act(session, twap())
    assert reply["response"]["data"]["status"] == {"running": {"twapId": 1}}
    book = session.world.books[0]
    assert 1 == len(book.fills)
    session.world.play(30)
    assert 10 == len(book.fills)
    assert {1_000} == {fill.size for fill in book.fills}
    assert [("activated", 0), ("finished", 10_000)] == [
        (update.status, update.executed) for update in book.twap_updates
    ]
    assert {} == book.twaps
    assert {"Twap Slice"} == {order.order_type for order in book.orders.values()}


def test_twap_that_is_ended_sends_no_more(session: Session) -> None:
    """Once; then it is gone."""
    act(session, twap())
    session.world.play(3)
    end = {"type": "twapCancel", "a": 0, "t": 1}
    assert act(session, end)["response"]["data"] == {"status": "success"}
    assert "error" in act(session, end)["response"]["data"]["status"]
    session.world.play(30)
    assert 4 == len(session.world.books[0].fills)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (twap(minutes=1), "5 to 1440 minutes"),
        (twap(size="0.0001"), "TWAP order value too small. Min is $100."),
        (twap(size="0"), "invalid size"),
        (twap(size="0.000001"), "invalid size"),
        (twap(reduce_only=True), "Reduce-only TWAP order would increase position."),
    ],
)
def test_twap_is_refused_with_a_reason(session: Session, action: Any, text: str) -> None:
    """Before its first slice."""
    reply = act(session, action)
    assert text in reply["response"]["data"]["status"]["error"]
    assert {} == session.world.books[0].twaps


def test_account_has_only_so_many_twaps_at_a_time(session: Session) -> None:
    """One more may be begun when one has ended."""
    for _ in range(100):
        assert "running" in act(session, twap())["response"]["data"]["status"]
    error = {"error": "Too many TWAP orders. Current limit is 100."}
    assert error == act(session, twap())["response"]["data"]["status"]
    act(session, {"type": "twapCancel", "a": 0, "t": 7})
    assert "running" in act(session, twap())["response"]["data"]["status"]


def test_twap_ends_with_its_world(session: Session) -> None:
    """At the last boundary nothing is sent."""
    act(session, twap(minutes=1440, size="1"))
    session.world.play(session.world.end_bar)
    assert "terminated" == session.world.books[0].twap_updates[-1].status


def test_slice_that_fills_wakes_who_waits_for_fills(session: Session) -> None:
    """As every fill does."""
    act(session, twap())
    for account in (0, 1):
        session.barrier.join(account, Want())
    wake = WaitRequest(step_seq=1, wake_on=WakeOn(fill=True))
    ticket = session.barrier.wait(0, wake)
    session.barrier.wait(1, WaitRequest(step_seq=1, until_ms=session.world.to_ms))
    while session.barrier.move():
        pass
    assert ("fill",) == ticket.result().woke_by

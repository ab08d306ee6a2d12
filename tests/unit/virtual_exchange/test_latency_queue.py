"""Latency of a world: orders on their way, and the answers to them."""

from decimal import Decimal
from typing import Any

import pytest
from tests.support.worlds import START_MS, open_memory_world, random_source

from perp_engine.commands import Advance, Deposit, NewOrder, PlaceOrders
from perp_engine.engine import Engine
from perp_engine.events import Fill
from perp_engine.rules import Rules
from suite.bars import MINUTE_MS
from suite.contracts.clock import WaitRequest, WakeOn, Want
from suite.contracts.venue import CancelOrder, PlaceOrder, SetLeverage
from suite.enums import Side
from suite.fixed import Size, Usd
from suite.instrument import default_instrument
from virtual_exchange.application.clock.participant import Ticket
from virtual_exchange.application.latency_queue import SENT
from virtual_exchange.application.session import Session

LATENCY_MS = 90_000


def late(**settings: Any) -> Session:
    """A world in which an order takes two bars."""
    return open_memory_world(random_source("BTC"), latency=LATENCY_MS, **settings)


def buy(sz: str = "0.01", **more: Any) -> PlaceOrder:
    return PlaceOrder(coin="BTC", is_buy=True, sz=Decimal(sz), **more)


def wait(session: Session, step: int, minutes: int, **more: Any) -> Ticket:
    request = WaitRequest(step_seq=step, until_ms=START_MS + minutes * MINUTE_MS, **more)
    ticket = session.barrier.wait(0, request)
    while session.barrier.move():
        pass
    return ticket


def status(answer: Any) -> Any:
    return answer.response["data"]["statuses"][0]


def test_latency_of_a_world_is_that_of_the_engine() -> None:
    """The same orders at the same times are filled alike when the engine itself holds them."""
    session = late()
    tape, rules = session.world.market.tape, Rules(decision_latency_ms=LATENCY_MS)
    engine = Engine([default_instrument("BTC", 2)], tape, 1, rules)
    engine.apply(Deposit(account=0, usd=Usd(10_000_000_000)))
    told: list[Fill] = []
    for bar in (0, 3, 4, 9, 590, 598):
        session.world.play(bar)
        session.barrier.send(0, buy())
        events = engine.apply(Advance(until_bar=bar)) if bar else ()
        order = NewOrder(symbol=0, side=Side.BUY, size=Size(1000))
        events += engine.apply(PlaceOrders(account=0, orders=(order,)))
        told += [event for event in events if isinstance(event, Fill)]
    session.world.play(session.world.end_bar)
    told += [e for e in engine.apply(Advance(until_bar=tape.length)) if isinstance(e, Fill)]
    assert 5 == len(told)
    assert [(f.time_ms, f.price, f.fee_usd, f.oid, f.tid) for f in told] == [
        (f.time_ms, f.price, f.fee_usd, f.oid, f.tid) for f in session.world.books[0].fills
    ]
    assert str(LATENCY_MS) == str(session.record().rules["latency_ms"])


def test_step_tells_what_became_of_its_orders_once_they_have_arrived() -> None:
    """A wake-up before that says that they were sent; what they do later is told in fills."""
    session = late()
    session.barrier.join(0, Want())
    early = wait(session, 1, 1, orders=(buy(),)).result()
    assert (SENT, ()) == (status(early.results[0]), early.fills)
    later = wait(session, 2, 5, orders=(buy("0.02"),)).result()
    assert "filled" in status(later.results[0])
    assert ["0.01", "0.02"] == [fill.sz for fill in later.fills]
    assert [2, 3] == [(fill.time - START_MS) // MINUTE_MS for fill in later.fills]


def test_arrival_wakes_whoever_waits_for_fills_or_orders() -> None:
    """At the boundary at which it happens."""
    session = late()
    session.barrier.join(0, Want())
    filled = wait(session, 1, 9, orders=(buy(),), wake_on=WakeOn(fill=True)).result()
    assert (START_MS + 2 * MINUTE_MS, ("fill",)) == (filled.now_ms, filled.woke_by)
    resting = buy(limit_px=Decimal(80000))
    opened = wait(session, 2, 9, orders=(resting,), wake_on=WakeOn(order=True)).result()
    assert (START_MS + 4 * MINUTE_MS, ("order",)) == (opened.now_ms, opened.woke_by)
    assert "resting" in status(opened.results[0])


def test_leverage_is_set_at_once_and_a_cancel_is_on_its_way() -> None:
    """As in the engine: only actions on orders take time."""
    session = late()
    leverage = session.barrier.send(0, SetLeverage(coin="BTC", leverage=3, is_cross=True))
    assert ("ok", True) == (leverage.answer.status, leverage.arrived)
    resting = session.barrier.send(0, buy(limit_px=Decimal(80000)))
    session.world.play(2)
    oid = status(resting.answer)["resting"]["oid"]
    cancel = session.barrier.send(0, CancelOrder(coin="BTC", oid=oid))
    assert (SENT, False) == (status(cancel.answer), cancel.arrived)
    session.world.play(4)
    assert "success" == status(cancel.answer)


def test_order_that_is_on_its_way_at_the_end_is_told_that_trading_has_halted() -> None:
    """Nothing is left without an answer."""
    session = late()
    session.world.play(session.world.end_bar - 1)
    delivery = session.barrier.send(0, buy())
    session.world.play(session.world.end_bar)
    assert ("err", "Trading is halted.") == (delivery.answer.status, delivery.answer.response)
    assert [] == session.world.books[0].fills


@pytest.mark.parametrize("latency", [0, 1, 60_000, 60_001])
def test_latency_is_rounded_up_to_a_bar(latency: int) -> None:
    """Nothing finer is known."""
    session = open_memory_world(random_source("BTC"), latency=latency)
    session.barrier.send(0, buy())
    session.world.play(5)
    bars = (session.world.books[0].fills[0].time_ms - START_MS) // MINUTE_MS
    assert -(-latency // MINUTE_MS) == bars

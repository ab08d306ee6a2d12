"""Actions of an account, and the venue's answers to them."""

from decimal import Decimal
from typing import Any

import pytest
from tests.support.worlds import open_memory_world, random_source

from suite.contracts.venue import (
    ActionReply,
    CancelOrder,
    Leg,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    SetLeverage,
    TriggerType,
)
from suite.enums import Tpsl
from suite.errors import RejectReason
from virtual_exchange.application.exchange.texts import TEXTS, error_text
from virtual_exchange.application.session import Session
from virtual_exchange.application.world import Stops

CLOID = "0x" + "a" * 32


@pytest.fixture
def session() -> Session:
    return open_memory_world(random_source("BTC", "ETH"))


def order(sz: str = "0.01", px: str = "0", **more: Any) -> PlaceOrder:
    fields: dict[str, Any] = {"coin": "BTC", "is_buy": True, **more}
    return PlaceOrder(sz=Decimal(sz), limit_px=Decimal(px), **fields)


def statuses(reply: ActionReply) -> list[Any]:
    assert reply.status == "ok"
    response: Any = reply.response
    rows: list[Any] = response["data"]["statuses"]
    return rows


def refusal(session: Session, action: PlaceOrder) -> str:
    text: str = statuses(session.venue.submit(0, action))[0]["error"]
    return text


def test_market_order_is_filled_at_once_around_the_opening_print(session: Session) -> None:
    """Limit price 0 is a market order; the fill pays half the spread and slippage."""
    ask = session.world.engine.book(0).ask
    (status,) = statuses(session.venue.submit(0, order()))
    assert status["filled"]["totalSz"] == "0.01"
    price = session.world.market.instruments[0].parse_price(status["filled"]["avgPx"])
    assert ask <= price <= ask * 1.0002


def test_resting_order_holds_margin_and_gives_it_back_when_canceled(session: Session) -> None:
    """The margin an order held, and what it gave back, is visible in its row."""
    (status,) = statuses(session.venue.submit(0, order("0.1", "90000")))
    oid = status["resting"]["oid"]
    row = session.queries.accounts.orders.order_rows(0)[0]
    assert (oid, "open") == (row["oid"], row["status"])
    assert Decimal(row["held_usd"]) > 0
    session.venue.submit(0, CancelOrder(coin="BTC", oid=oid))
    row = session.queries.accounts.orders.order_rows(0)[0]
    assert (row["held_usd"], "canceled") == (row["refunded_usd"], row["status"])


def test_entry_with_protection_is_one_group(session: Session) -> None:
    """Stop and target wait for their trigger once the entry is filled, and name it as parent."""
    action = order(stop_loss=Leg(price=Decimal(90000)), take_profit=Leg(price=Decimal(99000)))
    filled, *children = statuses(session.venue.submit(0, action))
    assert ["waitingForTrigger", "waitingForTrigger"] == children
    rows = session.queries.accounts.orders.order_rows(0)
    assert [filled["filled"]["oid"]] * 2 == [row["parent_oid"] for row in rows[:2]]


def test_protection_of_a_resting_entry_waits_for_its_fill(session: Session) -> None:
    """Until the entry is filled its children wait."""
    action = order("0.1", "90000", stop_loss=Leg(price=Decimal(85000)))
    resting, child = statuses(session.venue.submit(0, action))
    assert "resting" in resting
    assert child == "waitingForFill"
    (parent,) = [o for o in session.queries.accounts.orders.frontend_orders(0) if o["children"]]
    assert resting["resting"]["oid"] == parent["oid"]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (order("0"), "Order has zero size."),
        (order("-1"), "Order has invalid size."),
        (order("NaN"), "Order has invalid size."),
        (order("Infinity"), "Order has invalid size."),
        (order("0.000001"), "Order has invalid size."),
        (order("1e400"), "Order has invalid size."),
        (order("30000"), "Order has invalid size."),
        (order("1", "94000.55"), "Order has invalid price."),
        (order("1", "94000.5"), "Order has invalid price."),
        (order("1", "-5"), "Order has invalid price."),
        (order("1", "NaN"), "Order has invalid price."),
        (order("1", "sNaN"), "Order has invalid price."),
        (order("1", "1e30"), TEXTS[RejectReason.PRICE_TOO_FAR]),
        (order("1", "1000000"), TEXTS[RejectReason.PRICE_TOO_FAR]),
        (order("0.0001"), "Order must have minimum value of $10. asset=0"),
        (order("20"), "Insufficient margin to place order. asset=0"),
        (order(reduce_only=True), "Reduce only order would increase position. asset=0"),
    ],
)
def test_order_that_cannot_be_is_refused_in_the_venues_words(
    session: Session, action: PlaceOrder, text: str
) -> None:
    """Each has the venue's own text, nothing is left behind, and the account is untouched."""
    before = session.world.engine.digest()
    assert text == refusal(session, action)
    assert before == session.world.engine.digest()
    assert session.world.books[0].rejected == 1


def test_every_reason_has_a_text() -> None:
    """No refusal is without words, and the runtime ones name the asset."""
    assert set(RejectReason) == set(TEXTS)
    for reason in RejectReason:
        assert "{" not in error_text(reason, 3, bid="1.0", ask="2.0")


def test_unknown_coin_is_told_in_one_line(session: Session) -> None:
    """The whole action is refused."""
    reply = session.venue.submit(0, order(coin="NOPE"))
    assert ActionReply(status="err", response="Unknown coin 'NOPE'.") == reply


def test_any_venues_name_of_a_coin_is_understood(session: Session) -> None:
    """BTCUSDT is BTC."""
    assert "filled" in statuses(session.venue.submit(0, order(coin="BTCUSDT")))[0]


def test_unknown_oid_cannot_be_canceled_or_modified(session: Session) -> None:
    """Unknown, filled and canceled orders cannot be told apart."""
    cancel = session.venue.submit(0, CancelOrder(coin="BTC", oid=5))
    text = "Order was never placed, already canceled, or filled. asset=0"
    assert [{"error": text}] == statuses(cancel)
    for oid in (5, 10**30, -1):
        modify = ModifyOrder(
            coin="BTC", oid=oid, is_buy=True, sz=Decimal(1), limit_px=Decimal(90000)
        )
        reply = session.venue.submit(0, modify)
        assert reply.response == "Cannot modify canceled or filled order"


def test_live_cloid_cannot_be_used_twice_but_an_ended_one_can(session: Session) -> None:
    """The newest order of a client id is the one it finds."""
    session.venue.submit(0, order("0.1", "90000", cloid=CLOID))
    assert (
        refusal(session, order("0.1", "91000", cloid=CLOID)) == TEXTS[RejectReason.DUPLICATE_CLOID]
    )
    assert ["success"] == statuses(session.venue.submit(0, CancelOrder(coin="BTC", cloid=CLOID)))
    (again,) = statuses(session.venue.submit(0, order("0.1", "92000", cloid=CLOID)))
    assert CLOID == again["resting"]["cloid"]


def test_modified_order_has_a_new_oid_and_its_cloid(session: Session) -> None:
    """Modify is cancel and place anew."""
    (first,) = statuses(session.venue.submit(0, order("0.1", "90000", cloid=CLOID)))
    modify = ModifyOrder(
        coin="BTC", cloid=CLOID, is_buy=True, sz=Decimal("0.2"), limit_px=Decimal(90500)
    )
    (second,) = statuses(session.venue.submit(0, modify))
    assert first["resting"]["oid"] != second["resting"]["oid"]
    assert CLOID == second["resting"]["cloid"]
    (open_order,) = session.queries.accounts.orders.open_orders(0)
    assert ("90500.0", "0.2") == (open_order.limitPx, open_order.sz)


def test_standalone_trigger_rests_with_an_oid(session: Session) -> None:
    """Clients need the id of a stop that belongs to no group."""
    session.venue.submit(0, order())
    trigger = TriggerType(isMarket=True, triggerPx=Decimal(90000), tpsl=Tpsl.STOP_LOSS)
    stop = order(is_buy=False, reduce_only=True, order_type=OrderType(trigger=trigger))
    assert "oid" in statuses(session.venue.submit(0, stop))[0]["resting"]


def test_leverage_outside_the_instruments_range_is_refused(session: Session) -> None:
    """Zero, negative and huge leverage change nothing."""
    for leverage in (0, -3, 41, 10**30):
        reply = session.venue.submit(0, SetLeverage(coin="BTC", leverage=leverage))
        assert ActionReply(status="err", response="Invalid leverage value") == reply
    good = session.venue.submit(0, SetLeverage(coin="BTC", leverage=3))
    assert ActionReply(status="ok", response={"type": "default"}) == good


def test_finished_world_refuses_orders_and_has_none_left(session: Session) -> None:
    """At the end resting orders are canceled and trading is halted."""
    session.venue.submit(0, order("0.1", "90000"))
    while not session.world.finished:
        session.world.advance(session.world.end_bar, Stops())
    assert () == session.queries.accounts.orders.open_orders(0)
    assert session.venue.submit(0, order()).response == "Trading is halted."

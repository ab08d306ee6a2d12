"""A trader that falls below its maintenance margin, from its own side and in the report."""

from decimal import Decimal

from tests.support.worlds import START_MS, MemorySource, open_memory_world, path_bars

from suite.bars import MINUTE_MS
from suite.contracts.clock import WaitRequest, WakeOn, Want
from suite.contracts.venue import PlaceOrder
from virtual_exchange.application.info.request import InfoBody
from virtual_exchange.application.report.building import build_report
from virtual_exchange.application.session import Session

FALL = [(100_000.0, 100_010.0, 99_990.0, 100_000.0)] * 5 + [
    (100_000.0, 100_010.0, 96_000.0, 96_500.0)
]
REST = [(96_500.0, 96_510.0, 96_490.0, 96_500.0)] * 20


def ruined() -> tuple[Session, tuple[str, ...]]:
    """A session in which alice bought all she could, and why she woke."""
    session = open_memory_world(MemorySource({"BTC": path_bars(FALL + REST)}))
    session.barrier.join(0, Want())
    order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("3.8"))
    request = WaitRequest(
        step_seq=1,
        until_ms=START_MS + 20 * MINUTE_MS,
        orders=(order,),
        wake_on=WakeOn(liquidation=True),
    )
    ticket = session.barrier.wait(0, request)
    while session.barrier.move():
        pass
    return session, ticket.result().woke_by


def test_liquidation_wakes_who_asked_for_it() -> None:
    """At the end of the bar that did it, not at the time it would have slept until."""
    session, woke_by = ruined()
    assert woke_by == ("liquidation",)
    assert session.world.now_ms == START_MS + 6 * MINUTE_MS


def test_fills_of_the_venue_say_so() -> None:
    """They have an id of their own and no order of the trader; ordinary fills say nothing."""
    session, _ = ruined()
    first, *others = session.queries.accounts.fills.rows(0)
    assert not first.liquidation
    assert others
    assert all(fill.liquidation and fill.liquidation.method == "market" for fill in others)
    state = session.queries.accounts.clearinghouse(0)
    assert (state.assetPositions, state.crossMaintenanceMarginUsed) == ((), "0.0")


def test_order_of_the_venue_is_found_by_the_id_of_its_fills() -> None:
    """So that fills and orders can be joined; others stay unknown."""
    session, _ = ruined()
    forced = session.queries.accounts.fills.rows(0)[-1]
    found = session.queries.accounts.orders.order_status(InfoBody(type="", oid=forced.oid), 0)
    assert ("order", "filled") == (found["status"], found["order"]["status"])
    order = found["order"]["order"]
    assert ("LiquidationMarket", True, "A") == (order["tif"], order["reduceOnly"], order["side"])
    unknown = InfoBody(type="", oid=forced.oid + 5)
    assert {"status": "unknownOid"} == session.queries.accounts.orders.order_status(unknown, 0)


def test_report_has_the_liquidation_and_its_sums_hold() -> None:
    """A fifth first, then the rest; and the bridge from gross to net stays exact."""
    session, _ = ruined()
    end = WaitRequest(step_seq=2, until_ms=START_MS + 26 * MINUTE_MS)
    session.barrier.wait(0, end)
    while session.barrier.move():
        pass
    report = build_report(session.record())
    (trader,) = report["result"]["traders"].values()
    part, rest = trader["liquidations"]
    assert (part["coin"], part["margin"]) == (rest["coin"], rest["margin"]) == ("BTC", "cross")
    assert Decimal(part["equity"]) < Decimal(part["maintenance"])
    assert {fill["cause"] for fill in trader["trades"]} == {"order", "liquidation"}
    bridge = {name: Decimal(value) for name, value in trader["bridge"].items()}
    assert bridge["unrealized"] == 0
    gross = bridge["realized"] - bridge["fees"] + bridge["funding"] + bridge["insurance"]
    assert gross == bridge["net"]


def test_position_shows_where_it_would_be_liquidated() -> None:
    """Between the price it was opened at and nothing, below the mark of a long."""
    session = open_memory_world(MemorySource({"BTC": path_bars(FALL + REST)}))
    session.barrier.join(0, Want())
    order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal(3))
    session.barrier.wait(0, WaitRequest(step_seq=1, until_ms=START_MS + MINUTE_MS, orders=(order,)))
    while session.barrier.move():
        pass
    (held,) = session.queries.accounts.clearinghouse(0).assetPositions
    assert held.position.liquidationPx is not None
    assert 90_000 < Decimal(held.position.liquidationPx) < 100_000

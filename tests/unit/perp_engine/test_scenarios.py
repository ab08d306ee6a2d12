"""The engine's rules, as tables of commands and events."""

from pathlib import Path

import pytest
from tests.support.random_traders import Driver, random_tape
from tests.support.scenario import play

from perp_engine.commands import CancelOrder, NewOrder, PlaceOrders
from perp_engine.events import OrderClosed, OrderOpened
from perp_engine.rules import PLAIN
from suite.enums import Side, Tif
from suite.fixed import Price, Size

TABLES = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_every_row_of_a_table_happens_as_written(table: Path) -> None:
    """Each command has exactly the events that stand beside it."""
    for row, expected, actual in play(table.read_text()):
        assert (row, expected) == (row, actual)


def test_defect_1_a_stop_looks_at_the_side_that_hurts_its_position() -> None:
    """A long's stop does not fire on a rise, nor a short's on a fall; each fires on the other."""
    rows = play(
        """
        rules plain
        account alice 100000
        account bob 100000
        bar 60000 60010 59990 60000 100
        alice buy 0.2 market sl 59500
        bob sell 0.2 market sl 60500
        bar 60000 60400 59600 60000 100
        bar 60000 60000 59500 59700 100
        bar 59700 60500 59700 60500 100
        """
    )
    stops = [actual for row, _, actual in rows if row.startswith("bar")]
    assert stops == [
        "a2 open 0.2; a2 fills 0.2 @ 59500.0 taker fee 5.355",
        "b2 open 0.2; b2 fills 0.2 @ 60500.0 taker fee 5.445",
    ]


def test_defect_3_an_order_decided_on_a_bar_fills_at_the_next_opening_print() -> None:
    """What is decided when a bar has closed trades at the print after it, never at that close."""
    rows = play(
        """
        rules plain
        account alice 100000
        bar 60000 60010 59990 60005 100
        bar 60050 60090 60040 60080 100
        alice buy 0.1 market
        bar 60100 60110 60090 60100 100
        """
    )
    assert [actual for row, _, actual in rows if "buy" in row] == [
        "a1 open; a1 fills 0.1 @ 60100.0 taker fee 2.7045"
    ]


def test_an_order_holds_margin_and_gives_back_what_it_did_not_need() -> None:
    """A market order holds its margin at the price it fills; a canceled one gets all of it back."""
    tape = random_tape(1, 60)
    engine = Driver.start(1, tape, 1, PLAIN).engine
    size, price = Size(1000), engine.book(0).ask
    market = NewOrder(symbol=0, side=Side.BUY, size=size, tif=Tif.IOC)
    opened, _, closed = engine.apply(PlaceOrders(account=0, orders=(market,)))
    assert isinstance(opened, OrderOpened)
    assert isinstance(closed, OrderClosed)
    assert opened.held_usd == -(-price * size // engine.position(0, 0).leverage)
    assert closed.refunded_usd == 0
    limit = NewOrder(symbol=0, side=Side.BUY, size=size, limit_price=Price(500_000))
    (rests,) = engine.apply(PlaceOrders(account=0, orders=(limit,)))
    assert isinstance(rests, OrderOpened)
    (ended,) = engine.apply(CancelOrder(account=0, symbol=0, oid=rests.oid))
    assert isinstance(ended, OrderClosed)
    assert rests.held_usd == ended.refunded_usd == 500_000 * size // 40

"""The engine's rules, as tables of commands and events."""

from pathlib import Path

import pytest
from tests.support.scenario import play

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

"""Every moment of a range is in one piece, and the pieces are those that Binance publishes."""

from hypothesis import given
from hypothesis import strategies as st

from data_collector.domain.archives import Shelf, days, months, plan
from suite.bars import DAY_MS, HOUR_MS
from suite.klines import Gap
from suite.moments import parse_moment


def pieces(start: str, end: str, now: str) -> list[str]:
    found = plan(Gap(parse_moment(start), parse_moment(end)), parse_moment(now))
    return [piece.stamp or piece.shelf for piece in found]


def test_whole_months_then_days_then_what_is_asked_for() -> None:
    """The last whole day is yesterday."""
    assert ["2025-03-31", "2025-04", "2025-05", "2025-06-01", "2025-06-02", "asked"] == pieces(
        "2025-03-31T12:00", "2025-06-03T08:00", "2025-06-03T08:00"
    )
    assert ["asked"] == pieces("2025-06-03T01:00", "2025-06-03T02:00", "2025-06-03T08:00")
    assert ["2025-02"] == pieces("2025-02-01", "2025-03-01", "2025-03-01")


def test_file_that_is_missing_is_final_once_it_would_be_there() -> None:
    """A month some days after its end, a day some hours after."""
    span = Gap(parse_moment("2025-04-01"), parse_moment("2025-06-05"))
    found = list(plan(span, parse_moment("2025-06-05T10:00")))
    assert {"2025-04": True, "2025-05": False} == {
        item.stamp: item.is_final for item in found if item.shelf == Shelf.MONTHLY
    }
    assert ["2025-06-01"] == [
        item.stamp for item in found if item.shelf == Shelf.DAILY and item.is_final
    ]


@given(st.integers(0, 400 * 24), st.integers(0, 100 * 24), st.integers(0, 100 * 24))
def test_pieces_cover_a_range_once(first: int, length: int, later: int) -> None:
    """Rising, without holes, whatever the clock says."""
    start_ms = parse_moment("2024-01-15") + first * HOUR_MS
    end_ms = start_ms + length * HOUR_MS
    now_ms = start_ms + later * HOUR_MS
    for cut in (plan, months, days):
        found = list(cut(Gap(start_ms, end_ms), now_ms))
        cursor = start_ms
        for piece in found:
            assert cursor == piece.span.start_ms < piece.span.end_ms
            cursor = piece.span.end_ms
        assert end_ms == cursor
        assert all(
            piece.span.end_ms <= now_ms + DAY_MS for piece in found if piece.shelf == Shelf.MONTHLY
        )

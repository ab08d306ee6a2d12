"""Candles of every interval, the open one made of nothing but what is known."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from tests.support.worlds import START_MS, MemorySource, open_memory_world, random_bars

from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from virtual_exchange.application.info.request import InfoBody, UnknownRequest
from virtual_exchange.application.session import Session

INTERVALS = (
    *("1m", "3m", "5m", "15m", "30m"),
    *("1h", "2h", "4h", "8h", "12h"),
    *("1d", "3d", "1w", "1M"),
)
NOW_MS = START_MS + 9 * DAY_MS + 7 * HOUR_MS + 4 * MINUTE_MS


@pytest.fixture(scope="module")
def session() -> Session:
    """Forty days of minutes, of which the world plays the last ones."""
    first_ms = START_MS - 30 * DAY_MS
    bars = random_bars("BTC", 40 * 1440, start_ms=first_ms)
    opened = open_memory_world(MemorySource({"BTC": bars}), from_=START_MS)
    opened.barrier.advance(NOW_MS)
    return opened


def candles(
    session: Session, interval: str, start_ms: int = 0, end_ms: int | None = None
) -> list[dict[str, Any]]:
    req = {"coin": "BTC", "interval": interval, "startTime": start_ms, "endTime": end_ms}
    rows: list[dict[str, Any]] = session.queries.info(InfoBody(type="candleSnapshot", req=req), 0)
    return rows


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_are_without_gaps_and_the_last_one_is_open(session: Session, interval: str) -> None:
    """Each begins where the one before ended, and holds its own bars."""
    rows = candles(session, interval)
    assert len(rows) <= 5000
    for before, after in pairwise(rows):
        assert before["T"] + 1 == after["t"]
        assert (before["T"] + 1 - before["t"]) // MINUTE_MS == before["n"] or before is rows[0]
    assert rows[-1]["t"] <= NOW_MS <= rows[-1]["T"]
    assert (NOW_MS - rows[-1]["t"]) // MINUTE_MS == rows[-1]["n"]
    for row in rows:
        opened, high, low, close = (float(row[name]) for name in "ohlc")
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert ("BTC", interval) == (row["s"], row["i"])


def test_weeks_begin_on_thursdays_and_months_on_the_first(session: Session) -> None:
    """As on the venue."""
    weeks = [datetime.fromtimestamp(row["t"] / 1000, UTC) for row in candles(session, "1w")]
    assert {3} == {week.weekday() for week in weeks}
    months = [datetime.fromtimestamp(row["t"] / 1000, UTC) for row in candles(session, "1M")]
    assert ["2025-04-01", "2025-05-01"] == [month.date().isoformat() for month in months]


def test_open_candle_ends_at_the_present_print(session: Session) -> None:
    """Without volume when none of its bars is closed yet."""
    (row,) = candles(session, "1m", NOW_MS, NOW_MS)
    print_ = session.world.market.instruments[0].format_price(session.world.engine.book(0).print)
    assert {print_} == {row[name] for name in "ohlc"}
    assert ("0.0", 0) == (row["v"], row["n"])
    four = candles(session, "5m", NOW_MS, NOW_MS)[0]
    assert (print_, 4) == (four["c"], four["n"])
    minutes = candles(session, "1m", four["t"], NOW_MS)
    assert four["o"] == minutes[0]["o"]
    assert float(four["h"]) == max(float(row["h"]) for row in minutes)
    assert float(four["l"]) == min(float(row["l"]) for row in minutes)


def test_range_is_of_candles_that_overlap_it(session: Session) -> None:
    """The first may begin before it."""
    start_ms = START_MS + 90 * MINUTE_MS
    rows = candles(session, "1h", start_ms, START_MS + 4 * HOUR_MS)
    assert [START_MS + hour * HOUR_MS for hour in (1, 2, 3, 4)] == [row["t"] for row in rows]
    assert [] == candles(session, "1h", START_MS + HOUR_MS, START_MS)
    assert [] == candles(session, "1h", NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS)
    assert [] == candles(session, "1h", 10**30, 10**31)


def test_older_candles_are_not_there_any_more(session: Session) -> None:
    """Five thousand before now, whatever range is asked for."""
    assert 5000 == len(candles(session, "1m"))
    assert [] == candles(session, "1m", 0, START_MS)


@pytest.mark.parametrize(
    "req",
    [
        None,
        {},
        {"coin": "BTC", "interval": "1h"},
        {"coin": "BTC", "interval": "6h", "startTime": 0},
        {"coin": 7, "interval": "1h", "startTime": 0},
        {"coin": "BTC", "interval": "1h", "startTime": "0"},
        {"coin": "BTC", "interval": "1h", "startTime": True},
        {"coin": "BTC", "interval": "1h", "startTime": 0, "endTime": 1.5},
    ],
)
def test_range_of_another_shape_is_refused(session: Session, req: dict[str, Any] | None) -> None:
    """The venue's 422."""
    with pytest.raises(UnknownRequest):
        session.queries.info(InfoBody(type="candleSnapshot", req=req), 0)


def test_world_that_ended_has_no_open_candle() -> None:
    """Nothing is known beyond its last bar; a longer one may still lack bars."""
    ended = open_memory_world(MemorySource({"BTC": random_bars("BTC", 90)}))
    ended.barrier.advance(ended.world.to_ms)
    assert 90 == len(candles(ended, "1m"))
    assert [60, 30] == [row["n"] for row in candles(ended, "1h")]

"""Snapshots while a coin is collected: what was known is not made again."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.data_collector.market import NOW_MS, START_MS, make_bars
from tests.unit.data_collector.serving import parts_of

from data_collector.application.collecting.live_bars import LiveBars, Tail
from data_collector.application.snapshots import Snapshots
from data_collector.domain.candles import Candle
from suite.bars import MINUTE_MS, Bars
from suite.errors import DataGap, NotFound
from suite.klines import Source
from suite.service.kline_store import KlineStore

SOURCE = Source("hyperliquid")
TRUTH = make_bars(3000)


def candles(first: int, end: int) -> list[Candle]:
    rows = TRUTH.rows(first, end)
    columns = (rows.open_time_ms, rows.open, rows.high, rows.low, rows.close, rows.volume)
    return [
        Candle(
            coin="BTC",
            interval_ms=MINUTE_MS,
            open_time_ms=at_ms,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            closed=True,
        )
        for at_ms, opened, high, low, close, volume in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


class Live:
    """A store with the tail of what is being collected, and one reader who never leaves."""

    def __init__(self, folder: Path) -> None:
        self.store = KlineStore(folder)
        self.tail = Tail(SOURCE)
        self.bars = LiveBars(self.store, self.tail)
        self.covered_ms = 0
        self.snapshots = self.reader()

    def reader(self) -> Snapshots:
        return parts_of(
            self.store, lambda: NOW_MS, bars=self.bars, covered_ms=lambda *_: self.covered_ms
        ).snapshots

    def agrees(self, at_ms: int | None = None) -> bool:
        """Whether the reader says what one would who has just come."""
        self.snapshots.touch("BTC")
        return self.reader().build("BTC", at_ms) == self.snapshots.build("BTC", at_ms)


@pytest.fixture
def live(tmp_path: Path) -> Live:
    return Live(tmp_path)


def append(first: int, end: int) -> Callable[[Live], object]:
    return lambda live: live.tail.add(candles(first, end))


def flush(live: Live) -> None:
    live.store.append_bars(SOURCE, "BTC", live.tail.bars("BTC"))
    live.tail.drop("BTC")


def write(bars: Bars) -> Callable[[Live], object]:
    return lambda live: live.store.write_bars(SOURCE, "BTC", bars)


def test_reader_who_stays_says_what_one_says_who_has_just_come(live: Live) -> None:
    """Through minutes, flushes, gaps, what fills them, and values that change after all."""
    steps = (
        write(TRUTH.rows(0, 700)),
        append(700, 701),
        append(701, 720),
        flush,
        append(725, 760),
        write(TRUTH.rows(720, 725)),
        write(make_bars(3, price=50.0)),
        flush,
        append(760, 1500),
        append(1500, 1501),
    )
    for step in steps:
        step(live)
        assert live.agrees()
        assert live.agrees(START_MS + 600 * MINUTE_MS)


def test_a_new_minute_is_added_to_what_is_known(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longer bars of the whole past are not made again."""
    write(TRUTH.rows(0, 700))(live)
    live.snapshots.build("BTC", None)
    made: list[int] = []
    monkeypatch.setattr(
        "data_collector.application.snapshots.SnapshotSeries", lambda *_: made.append(1)
    )
    append(700, 702)(live)
    live.snapshots.touch("BTC")
    live.snapshots.build("BTC", START_MS + 702 * MINUTE_MS)
    assert [] == made


def test_nobody_waits_for_another_coin(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """BTC's files take long to read; ETH is answered meanwhile."""
    write(TRUTH.rows(0, 700))(live)
    live.store.write_bars(SOURCE, "ETH", TRUTH.rows(0, 30))
    read, reading, answered = live.bars.read, threading.Event(), threading.Event()

    def slow(coin: str, *args: object, **options: object) -> Bars:
        if coin == "BTC":
            reading.set()
            assert answered.wait(10)
        return read(coin, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(live.bars, "read", slow)
    other = threading.Thread(target=live.snapshots.build, args=("BTC", None))
    other.start()
    assert reading.wait(10)
    live.snapshots.build("ETH", None)
    assert other.is_alive()
    answered.set()
    other.join(10)
    assert not other.is_alive()


def test_a_moment_after_a_missing_minute_is_answered_the_same_before_and_after_the_next_bar(
    live: Live,
) -> None:
    """As soon as it is decided that the minute is missing, and not while it may still come."""
    write(TRUTH.rows(0, 700))(live)
    after_ms = START_MS + 701 * MINUTE_MS
    with pytest.raises(DataGap, match="has no closed bar"):
        live.snapshots.build("BTC", after_ms)
    live.covered_ms = after_ms
    before = live.snapshots.build("BTC", after_ms)
    with pytest.raises(DataGap):
        live.snapshots.build("BTC", after_ms + MINUTE_MS)
    append(701, 702)(live)
    live.snapshots.touch("BTC")
    assert before == live.snapshots.build("BTC", after_ms)
    append(700, 701)(live)
    live.snapshots.touch("BTC")
    assert before != live.snapshots.build("BTC", after_ms)
    assert live.agrees(after_ms)


def test_coins_that_nobody_stores_leave_nothing_behind(live: Live) -> None:
    write(TRUTH.rows(0, 10))(live)
    for number in range(20):
        with pytest.raises(NotFound):
            live.snapshots.build(f"NO{number}", None)
    assert {} == live.snapshots._turns

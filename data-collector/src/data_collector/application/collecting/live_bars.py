"""Bars that are acknowledged and not yet in the store, and readers that see both as one."""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from data_collector.application.ports import BarReader
from data_collector.domain.candles import Candle
from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.errors import DataGap
from suite.klines import (
    COLUMNS,
    Coverage,
    Gap,
    Source,
    bars_of,
    concat_bars,
    empty_bars,
    gaps_of,
    merge_bars,
)


def bars_from(candles: Iterable[Candle], interval_ms: int) -> Bars:
    """Make bars of closed candles, sorted; of two of one time the later in the list."""
    rows = {candle.open_time_ms: candle for candle in candles}
    times = sorted(rows)
    table = np.array([rows[at].values for at in times], np.float64).reshape(-1, 5).T
    return bars_of(interval_ms, dict(zip(COLUMNS, (times, *table), strict=True)))


class TailMark(NamedTuple):
    """Bars by what they are: the same of any process that collected the same.

    Attributes:
        changed_ms: when the last of them closed, epoch ms.
        digest: of all of them.
    """

    changed_ms: int
    digest: str


class _Marked(NamedTuple):
    bars: Bars
    mark: TailMark


class Tail:
    """Bars between journal and store, of one source and interval; read by other threads.

    Args:
        source: where they come from.
        interval: their name, `1m`.
    """

    def __init__(self, source: Source, interval: str = "1m") -> None:
        self.source = source
        self.interval = interval
        self._step_ms = INTERVAL_MS[interval]
        self._rows: dict[str, list[Candle]] = {}
        self._made: dict[str, Bars] = {}
        self._versions: dict[str, int] = {}
        self._marks: dict[str, _Marked] = {}
        self._lock = threading.Lock()

    def add(self, candles: Iterable[Candle]) -> None:
        """Take bars that are journaled."""
        with self._lock:
            for candle in candles:
                self._rows.setdefault(candle.coin, []).append(candle)
                self._changed(candle.coin)

    def bars(self, coin: str) -> Bars:
        """Those of a coin."""
        with self._lock:
            made = self._made.get(coin)
            if made is None:
                made = bars_from(self._rows.get(coin, ()), self._step_ms)
                self._made[coin] = made
            return made

    def drop(self, coin: str) -> None:
        """Let go of a coin's bars: they are in the store."""
        with self._lock:
            if self._rows.pop(coin, None):
                self._changed(coin)

    def coins(self) -> list[str]:
        """Which coins have some."""
        with self._lock:
            return sorted(self._rows)

    def mark(self, coin: str) -> "TailMark | None":
        """Name a coin's bars by what they are; None where there are none."""
        bars = self.bars(coin)
        if len(bars) == 0:
            return None
        mark = self._marks.get(coin)
        if mark is None or mark.bars is not bars:
            digest = hashlib.blake2b(digest_size=16)
            for name in COLUMNS:
                digest.update(np.ascontiguousarray(getattr(bars, name)).data)
            end_ms = int(bars.open_time_ms[-1]) + self._step_ms
            mark = self._marks[coin] = _Marked(bars, TailMark(end_ms, digest.hexdigest()))
        return mark.mark

    def version(self, coin: str) -> int:
        """Count the changes of a coin's bars."""
        return self._versions.get(coin, 0)

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._rows.values()))

    def _changed(self, coin: str) -> None:
        self._made.pop(coin, None)
        self._versions[coin] = self._versions.get(coin, 0) + 1


class LiveBars:
    """A store together with the tail of what is being collected.

    The tail is looked at before the store: a bar that moves from one to the other meanwhile is
    seen twice, which merging undoes, and never missed.

    Args:
        store: what was collected before.
        tail: what is not in it yet.
    """

    def __init__(self, store: BarReader, tail: Tail) -> None:
        self._store = store
        self._tail = tail

    def series(self) -> tuple[tuple[Source, str, str], ...]:
        """List (source, coin, interval) of everything that has bars, the preferred source first."""
        live = [(self._tail.source, coin, self._tail.interval) for coin in self._tail.coins()]
        return tuple(
            sorted(
                {*self._store.series(), *live},
                key=lambda item: (item[1], item[0].rank, INTERVAL_MS[item[2]]),
            )
        )

    def coverage(
        self, coin: str, interval: str = "1m", *, source: Source | str | None = None
    ) -> Coverage:
        """Say from when to when bars are there and which are missing."""
        source = self._chosen(coin, interval, source)
        tail = self._tail_of(coin, interval, source)
        if len(tail) == 0:
            return self._store.coverage(coin, interval, source=source)
        step = INTERVAL_MS[interval]
        try:
            held = self._store.coverage(coin, interval, source=self._tail.source)
        except DataGap:
            held = None
        if held is not None and int(tail.open_time_ms[0]) < held.end_ms:
            bars = self.read(coin, interval, source=self._tail.source)
            return _coverage(self._tail.source, interval, bars.open_time_ms, held.gaps)
        live = _coverage(self._tail.source, interval, tail.open_time_ms)
        if held is None:
            return live
        between = (Gap(held.end_ms, live.first_open_ms),)
        return Coverage(
            source=held.source,
            interval=interval,
            first_open_ms=held.first_open_ms,
            end_ms=live.end_ms,
            bars=held.bars + live.bars,
            gaps=held.gaps + (between if between[0].bars(step) else ()) + live.gaps,
        )

    def read(
        self,
        coin: str,
        interval: str = "1m",
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> Bars:
        """Read the bars of a range."""
        source = self._chosen(coin, interval, source)
        tail = self._tail_of(coin, interval, source)
        if len(tail) == 0:
            return self._store.read(coin, interval, from_ms, to_ms, source=source)
        recent = tail.between(from_ms or 0, 1 << 62 if to_ms is None else to_ms)
        try:
            stored = self._store.read(coin, interval, from_ms, to_ms, source=self._tail.source)
        except DataGap:
            if len(recent) == 0:
                raise
            return recent
        if len(recent) == 0:
            return stored
        if int(recent.open_time_ms[0]) > int(stored.open_time_ms[-1]):
            return concat_bars([stored, recent], stored.interval_ms)
        return merge_bars(stored, recent).bars

    def read_funding(
        self,
        coin: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> tuple[I64, F64]:
        """Read the settled funding of a range; it is stored at once."""
        source = self._chosen(coin, None, source)
        try:
            return self._store.read_funding(coin, from_ms, to_ms, source=source)
        except DataGap:
            if len(self._tail_of(coin, self._tail.interval, source)) == 0:
                raise
            return np.zeros(0, np.int64), np.zeros(0)

    def fingerprint(self, coin: str, interval: str = "1m", *, source: Source) -> tuple[Any, ...]:
        """Name the present state of a coin's bars."""
        mark = self._tail.mark(coin) if source == self._tail.source else None
        return (mark, *self._store.fingerprint(coin, interval, source=source))

    def _chosen(
        self, coin: str, interval: str | None, source: Source | str | None
    ) -> Source | str | None:
        """The source that was named, else the preferred one; None where nothing is there."""
        if source is not None:
            return source
        held = (
            s for s, name, length in self.series() if name == coin and interval in {None, length}
        )
        return next(held, None)

    def _tail_of(self, coin: str, interval: str, source: Source | str | None) -> Bars:
        """The tail's bars of a coin where its source is the one that is meant."""
        mine = self._tail.source
        if interval == self._tail.interval and source in {mine, mine.venue, str(mine)}:
            return self._tail.bars(coin)
        return empty_bars(INTERVAL_MS[interval])


def _coverage(source: Source, interval: str, times: I64, noted: tuple[Gap, ...] = ()) -> Coverage:
    """Cover some bars; a gap inside one that the store knows the reason of has that reason."""
    step = INTERVAL_MS[interval]
    return Coverage(
        source=source,
        interval=interval,
        first_open_ms=int(times[0]),
        end_ms=int(times[-1]) + step,
        bars=len(times),
        gaps=tuple(_with_reason(gap, noted) for gap in gaps_of(times, step)),
    )


def _with_reason(gap: Gap, noted: tuple[Gap, ...]) -> Gap:
    for item in noted:
        if item.start_ms <= gap.start_ms and gap.end_ms <= item.end_ms:
            return replace(item, start_ms=gap.start_ms, end_ms=gap.end_ms)
    return gap

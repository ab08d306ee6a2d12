"""What the store holds, as people and the data contract are told."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_collector.application.ports import BarReader, Records
from strategy_core.snapshot import FundingView, SnapshotSeries
from suite.bars import F64, HOUR_MS, I64, INTERVAL_MS, MINUTE_MS, Bars, resample
from suite.errors import BadRequest, DataGap, NotFound
from suite.instrument import coin_of
from suite.klines import Coverage, Source, empty_bars, merge_bars
from suite.moments import format_moment

MAX_KLINES = 5000
_FIRST_FUNDING_INTERVAL_MS = 8 * HOUR_MS
"""Taken for the interval before the first stamp that is stored."""
_KEPT = 8


def coin_asked(symbol: str) -> str:
    """Name the coin of a symbol in a request.

    Raises:
        NotFound: it is no symbol.
    """
    try:
        return coin_of(symbol)
    except ValueError as error:
        raise NotFound(str(error)) from None


def coverage_table(
    store: BarReader, records: Records
) -> list[tuple[Coverage, str, dict[str, Any]]]:
    """List what is stored: coverage, coin and record of each series."""
    return [
        (store.coverage(coin, interval, source=source), coin, records.record_at(source, coin) or {})
        for source, coin, interval in store.series()
    ]


def coverage_rows(store: BarReader, records: Records) -> list[dict[str, Any]]:
    """List what is stored, as `GET /coverage` answers."""
    preferred: set[tuple[str, str]] = set()
    rows = []
    for held, coin, record in coverage_table(store, records):
        step = INTERVAL_MS[held.interval]
        rows.append(
            {
                "coin": coin,
                "interval": held.interval,
                "venue": held.source.venue,
                "market": held.source.market,
                "preferred": (coin, held.interval) not in preferred,
                "first_open_ms": held.first_open_ms,
                "end_ms": held.end_ms,
                "bars": held.bars,
                "missing_bars": sum(gap.bars(step) for gap in held.gaps),
                "gaps": [[gap.start_ms, gap.end_ms] for gap in held.gaps],
                "source": record.get("source", ""),
                "synthetic": bool(record.get("synthetic", False)),
            }
        )
        preferred.add((coin, held.interval))
    return rows


class Klines:
    """Closed bars of any interval.

    Args:
        store: where they are.
        now_ms: the clock.
    """

    def __init__(self, store: BarReader, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    def read(self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None) -> Bars:
        """Read bars with open times in [start, end), at most the last 5000 of them.

        Stored bars of the interval, and elsewhere what the stored 1m bars add up to.

        Raises:
            NotFound: not a symbol.
            BadRequest: the interval is unknown, or the range ends after now.
            DataGap: nothing is stored in the range; says what is.
        """
        if interval not in INTERVAL_MS:
            names = ", ".join(INTERVAL_MS)
            raise BadRequest(f"unknown interval {interval[:10]!r}; there are {names}")
        coin, now_ms = coin_asked(symbol), self._now_ms()
        if end_ms is not None and end_ms > now_ms:
            raise BadRequest(f"end {end_ms} is in the future; now is {now_ms}")
        held = {item[2] for item in self._store.series() if item[1] == coin}
        if interval == "1m" or not held & {"1m", interval}:
            bars = self._store.read(coin, interval, start_ms, end_ms)
        else:
            bars = self._united(coin, interval, held, start_ms, end_ms)
        return bars.rows(max(0, len(bars) - MAX_KLINES), len(bars))

    def _united(
        self, coin: str, interval: str, held: set[str], start_ms: int | None, end_ms: int | None
    ) -> Bars:
        """Bars as stored, and those made of 1m bars where none are."""
        step = INTERVAL_MS[interval]
        first = None if start_ms is None else -(-start_ms // step) * step
        parts, faults = [empty_bars(step)], []
        for name in ("1m", interval):
            if name not in held:
                continue
            last = None if end_ms is None else -(-end_ms // step) * step
            try:
                bars = self._store.read(coin, name, first, last)
            except DataGap as error:
                faults.append(error)
                continue
            if name == "1m":
                end = int(bars.open_time_ms[-1]) + MINUTE_MS
                bars, _ = resample(bars, step)
                bars = bars.rows(0, bars.closed_by(end))
            parts.append(bars)
        united = parts[0]
        for part in parts[1:]:
            united = merge_bars(united, part).bars
        united = united if end_ms is None else united.between(0, end_ms)
        if len(united) == 0:
            raise faults[0] if faults else DataGap(f"{coin} has no whole {interval} bar there")
        return united


@dataclass(frozen=True, slots=True)
class _Loaded:
    """All that snapshots of one coin need, as of one state of its files."""

    fingerprint: tuple[Any, ...]
    series: SnapshotSeries
    first_ms: int
    end_ms: int
    funding: tuple[I64, F64]


class Snapshots:
    """The market of a coin at any stored moment; the last few coins are kept in memory.

    Args:
        store: where bars and funding are.
        now_ms: the clock.
    """

    def __init__(self, store: BarReader, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._kept: dict[str, _Loaded] = {}
        self._lock = threading.Lock()

    def build(self, symbol: str, as_of_ms: int | None) -> dict[str, Any]:
        """Describe a coin's market from the 1m bars closed by a time.

        Args:
            symbol: by any venue's convention.
            as_of_ms: rounded down to a minute; None for the newest that is stored.

        Raises:
            NotFound: not a symbol.
            BadRequest: the time has not come yet.
            DataGap: nothing is stored for the time; says what is.
        """
        coin, now_ms = coin_asked(symbol), self._now_ms()
        if as_of_ms is not None and as_of_ms > now_ms:
            raise BadRequest(f"timestamp {as_of_ms} is in the future; now is {now_ms}")
        with self._lock:
            loaded = self._load(coin)
            at_ms = min(loaded.end_ms, now_ms) if as_of_ms is None else as_of_ms
            at_ms = at_ms // MINUTE_MS * MINUTE_MS
            if not loaded.first_ms < at_ms <= loaded.end_ms:
                raise DataGap(
                    f"{coin} has no closed bar for {format_moment(at_ms)}; stored are "
                    f"{format_moment(loaded.first_ms)} to {format_moment(loaded.end_ms)}"
                )
            return dict(loaded.series.build(at_ms, funding=_funding(loaded, at_ms), market=None))

    def _load(self, coin: str) -> _Loaded:
        source = self._source(coin)
        fingerprint = (source, *self._store.fingerprint(coin, "1m", source=source))
        loaded = self._kept.pop(coin, None)
        if loaded is None or loaded.fingerprint != fingerprint:
            bars = self._store.read(coin, "1m", source=source)
            loaded = _Loaded(
                fingerprint,
                SnapshotSeries(coin, bars),
                int(bars.open_time_ms[0]),
                int(bars.open_time_ms[-1]) + MINUTE_MS,
                self._store.read_funding(coin, source=source),
            )
        self._kept[coin] = loaded
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return loaded

    def _source(self, coin: str) -> Source:
        for source, name, interval in self._store.series():
            if (name, interval) == (coin, "1m"):
                return source
        return self._store.coverage(coin, "1m").source  # which says what is stored instead


def _funding(loaded: _Loaded, at_ms: int) -> FundingView | None:
    """The funding settled last; stamps count from the minute at or after them."""
    times, rates = loaded.funding
    boundary = -(-times // MINUTE_MS) * MINUTE_MS
    row = int(np.searchsorted(boundary, at_ms, side="right")) - 1
    if row < 0:
        return None
    length = int(boundary[row] - boundary[row - 1]) if row else _FIRST_FUNDING_INTERVAL_MS
    return FundingView(
        rate_hourly=float(rates[row]) / (length / HOUR_MS), settled_at_ms=int(boundary[row])
    )

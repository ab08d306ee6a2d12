"""Bars: open-stamped candles, visible only once closed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.intervals import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS

__all__ = [
    "DAY_MS",
    "F64",
    "HOUR_MS",
    "I64",
    "INTERVAL_MS",
    "MINUTE_MS",
    "Bars",
    "BoolArray",
    "resample",
]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one coin and interval, oldest first, one row a bar.

    Attributes:
        interval_ms: length of a bar.
        open_time_ms: shape (n,), strictly rising, multiples of the interval; rows may be missing.
        open, high, low, close: shape (n,), USD as published.
        volume: shape (n,), units of the coin.
    """

    interval_ms: int
    open_time_ms: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64

    def __len__(self) -> int:
        return len(self.open_time_ms)

    def rows(self, first: int, end: int) -> "Bars":
        """Rows `first` to before `end`, as views."""
        return Bars(
            self.interval_ms,
            self.open_time_ms[first:end],
            self.open[first:end],
            self.high[first:end],
            self.low[first:end],
            self.close[first:end],
            self.volume[first:end],
        )

    def closed_by(self, now_ms: int) -> int:
        """How many rows are closed at `now_ms`: those with open time + interval <= now."""
        return int(np.searchsorted(self.open_time_ms, now_ms - self.interval_ms, side="right"))

    def between(self, from_ms: int, to_ms: int) -> "Bars":
        """Rows whose open time is in [from_ms, to_ms)."""
        first, end = np.searchsorted(self.open_time_ms, [from_ms, to_ms])
        return self.rows(int(first), int(end))


def resample(bars: Bars, interval_ms: int) -> tuple[Bars, BoolArray]:
    """Aggregate bars into a longer interval, buckets aligned to the UTC epoch.

    Args:
        bars: shorter bars; the new interval is a multiple of theirs.
        interval_ms: length of the new bars.

    Returns:
        The longer bars, one for each bucket with at least one row, and for each whether no row is
        missing in it. Use a bar only once it is closed (`Bars.closed_by`): the last bucket may
        still be forming.
    """
    if len(bars) == 0:
        return Bars(interval_ms, *(getattr(bars, name) for name in _COLUMNS)), np.zeros(0, np.bool_)
    bucket = bars.open_time_ms // interval_ms
    starts = np.flatnonzero(np.concatenate([[True], bucket[1:] != bucket[:-1]]))
    ends = np.concatenate([starts[1:], [len(bars)]])
    longer = Bars(
        interval_ms,
        bucket[starts] * interval_ms,
        bars.open[starts],
        np.maximum.reduceat(bars.high, starts),
        np.minimum.reduceat(bars.low, starts),
        bars.close[ends - 1],
        np.add.reduceat(bars.volume, starts),
    )
    return longer, (ends - starts) == interval_ms // bars.interval_ms


_COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume")

"""The twelve features, of many bars at once or bar by bar; both run the same compiled step.

    rows = batch(bars)                  # values (n, 12), ATR (n,), NaN before the state is warm
    stream = Stream(60_000)
    stream.step(ts, open, high, low, close, volume)  # a closed bar; then .values, .atr, .ready

A value at a row reads that bar and earlier ones, nothing else: it is known when the bar has closed.
"""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from strategy_core.ict.kernel import layout
from strategy_core.ict.kernel.feed import feed, feed_all
from strategy_core.ict.schema import COUNT, WARM_UP, schema_hash
from suite.bars import F64, I64, Bars

REFUSALS: Final = {
    layout.NOT_FINITE: "a price or volume is not a number",
    layout.NOT_POSITIVE: "the low is not above zero",
    layout.NOT_ORDERED: "open and close are not between low and high",
    layout.NEGATIVE_VOLUME: "the volume is negative",
    layout.OFF_GRID: "the open time is not a multiple of the interval",
    layout.OUT_OF_RANGE: "no price is below 1e-12 or above 1e12, no volume above 1e18",
    layout.NOT_LATER: "the open time is not after that of the bar before",
}

_NO_LOG: Final = np.zeros((0, layout.COLUMNS))


class BarRefused(ValueError):
    """A bar cannot be right; the state is as it was before."""


class StateRefused(ValueError):
    """A saved state is of other features, another interval or damaged."""


@dataclass(frozen=True, slots=True)
class Features:
    """Features of bars, row by row.

    Attributes:
        values: shape (n, 12), columns as `schema.NAMES`, each in [-1, 1]; rows of NaN until
            `WARM_UP` bars without a long hole came before.
        atr: shape (n,), USD, above zero.
    """

    values: F64
    atr: F64


def new_state(interval_ms: int) -> tuple[F64, I64]:
    """Build the state before the first bar of this length."""
    if interval_ms <= 0:
        raise ValueError(f"bars of {interval_ms} ms: the interval must be above zero")
    floats, ints = np.zeros(layout.FLOATS), np.zeros(layout.INTS, np.int64)
    ints[[layout.SWEPT_LOW_AT, layout.SWEPT_HIGH_AT]] = -1
    return floats, ints


def refused(ts: int, why: int) -> BarRefused:
    """Name the bar and what is wrong with it."""
    return BarRefused(f"bar of {ts} ms: {REFUSALS[why]}")


def run(bars: Bars, log: F64 = _NO_LOG) -> tuple[Features, int]:
    """Feed bars to a new state.

    Args:
        bars: closed bars, oldest first; rows may be missing.
        log: shape (m, layout.COLUMNS), written: events as they became known.

    Returns:
        Their features, and how many events there were, which may be more than had room.

    Raises:
        BarRefused: a bar that cannot be right, the first of them.
    """
    floats, ints = new_state(bars.interval_ms)
    values, atr = np.empty((len(bars), COUNT)), np.empty(len(bars))
    times = np.ascontiguousarray(bars.open_time_ms, np.int64)
    table = np.array([bars.open, bars.high, bars.low, bars.close, bars.volume], np.float64)
    taken = feed_all(floats, ints, times, table, bars.interval_ms, values, atr, log)
    if taken < len(bars):
        ts = int(times[taken])
        opened, high, low, close, volume = table[:, taken].tolist()
        interval_ms, out = bars.interval_ms, values[taken]
        why = feed(floats, ints, ts, opened, high, low, close, volume, interval_ms, out, log)
        raise refused(ts, why)
    return Features(values, atr), int(ints[layout.LOGGED])


def batch(bars: Bars) -> Features:
    """Compute the features of many bars.

    Args:
        bars: closed bars, oldest first; rows may be missing: a short hole is filled with flat bars,
            which have no row here, and after a long one the warm-up begins anew.

    Raises:
        BarRefused: a bar that cannot be right, the first of them.
    """
    return run(bars)[0]


class Stream:
    """The features of one coin, bar by bar."""

    def __init__(self, interval_ms: int, log: F64 = _NO_LOG) -> None:
        """Begin before the first bar.

        Args:
            interval_ms: length of a bar.
            log: shape (m, layout.COLUMNS): where each step writes the events it sees.
        """
        self.interval_ms = interval_ms
        self.values: F64 = np.full(COUNT, np.nan)
        """Shape (12,): the features of the last bar, overwritten by the next; NaN until warm."""
        self._log = log
        self._floats, self._ints = new_state(interval_ms)

    def step(
        self, ts: int, opened: float, high: float, low: float, close: float, volume: float
    ) -> F64:
        """Take one closed bar; return `values`.

        Raises:
            BarRefused: the bar cannot be right, and is as if it had not been.
        """
        ints = self._ints
        ints[layout.LOGGED] = 0
        why = feed(
            self._floats,
            ints,
            ts,
            opened,
            high,
            low,
            close,
            volume,
            self.interval_ms,
            self.values,
            self._log,
        )
        if why:
            raise refused(ts, why)
        return self.values

    @property
    def bars(self) -> int:
        """How many bars there were since the beginning or the last long hole, filled ones too."""
        return int(self._ints[layout.BARS])

    @property
    def ready(self) -> bool:
        """Whether the values are numbers."""
        return self.bars > WARM_UP

    @property
    def atr(self) -> float:
        """Average true range of the last bar, USD."""
        return float(self._floats[layout.ATR])

    @property
    def last_ms(self) -> int | None:
        """Open time of the last bar; None before the first."""
        return int(self._ints[layout.TIME]) if self.bars else None

    @property
    def events(self) -> F64:
        """What the last step wrote into the log, as far as it had room: shape (k, COLUMNS)."""
        return self._log[: self._ints[layout.LOGGED]]

    def snapshot(self) -> bytes:
        """Save the state: a stream restored from it goes on as this one does."""
        name = schema_hash(self.interval_ms).encode()
        ints = self._ints.copy()
        ints[layout.LOGGED] = 0  # the log is not part of it
        state = self._floats.tobytes() + ints.tobytes() + self.values.tobytes()
        return name + struct.pack("<q", self.interval_ms) + state

    @classmethod
    def restored(cls, saved: bytes, log: F64 = _NO_LOG) -> "Stream":
        """Go on from a snapshot.

        Raises:
            StateRefused: it is of other features, or damaged.
        """
        if len(saved) != _SAVED:
            raise StateRefused(f"a saved state has {_SAVED} bytes, this has {len(saved)}")
        interval_ms = struct.unpack("<q", saved[16:24])[0]
        if saved[:16] != schema_hash(interval_ms).encode():
            raise StateRefused("the saved state is of another version of the features; feed bars")
        stream = cls(interval_ms, log)
        counters = 24 + 8 * layout.FLOATS
        vector = counters + 8 * layout.INTS
        stream._floats[:] = np.frombuffer(saved[24:counters])
        stream._ints[:] = np.frombuffer(saved[counters:vector], np.int64)
        stream.values[:] = np.frombuffer(saved[vector:])
        return stream


_SAVED: Final = 24 + 8 * (layout.FLOATS + layout.INTS + COUNT)

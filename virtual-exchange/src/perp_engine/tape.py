"""The market as the engine reads it: integer bars on one grid, and funding stamps."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from suite.bars import I64
from suite.checks import check

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
NO_BAR = -1
"""Volume of a bar that the data lacks: no fill can happen in it and the mark stands still."""


@dataclass(frozen=True, slots=True)
class Detail:
    """What is known of the path inside bars: finer bars, or trades, which are bars of one price.

    Attributes:
        rows: shape (n, 4) int64: open, high, low, close, in the order of time, coin after coin.
        first: shape (symbols, bars + 1) int64: index into `rows` where each bar's detail starts; a
            bar without any has its successor's.
    """

    rows: I64
    first: I64

    @classmethod
    def of_trades(cls, tape: "Tape", trades: tuple[tuple[I64, I64], ...]) -> Self:
        """Sort recorded trades into the bars of a tape.

        Args:
            trades: per symbol the times in ms, rising, and prices in price units.
        """
        grid = tape.start_ms + tape.interval_ms * np.arange(tape.length + 1)
        rows, first, at = [], [], 0
        for times, prices in trades:
            edges = np.searchsorted(times, grid)
            first.append(at + edges - edges[0])
            rows.append(np.repeat(prices[edges[0] : edges[-1], None], 4, axis=1))
            at += int(edges[-1] - edges[0])
        return cls(
            np.ascontiguousarray(np.concatenate(rows).astype(np.int64)),
            np.ascontiguousarray(np.stack(first).astype(np.int64)),
        )


@dataclass(frozen=True, slots=True)
class Tape:
    """Bars of every symbol from a common start.

    Attributes:
        start_ms: open time of bar 0.
        interval_ms: length of a bar.
        bars: shape (symbols, 5, bars), C-contiguous int64: open, high, low, close in price units,
            volume in size units or `NO_BAR`.
        funding: per symbol, shape (stamps, 2): stamp time in ms (rising), rate in 10^-9.
        detail: finer bars or trades inside them, for `BarPath.RECORDED`.

    Raises:
        ValueError: a bar that cannot be: its place is named.
    """

    start_ms: int
    interval_ms: int
    bars: I64
    funding: tuple[I64, ...]
    detail: Detail | None = None

    def __post_init__(self) -> None:
        self._check_shape()
        for symbol in range(self.symbols):
            self._check_bars(symbol)
            self._check_detail(symbol)

    def _check_shape(self) -> None:
        check(
            self.bars.ndim == 3 and self.bars.shape[1] == 5, "bars must have shape (symbols, 5, n)"
        )
        check(
            self.bars.dtype == np.int64 and self.bars.flags.c_contiguous, "bars must be plain int64"
        )
        check(len(self.funding) == self.bars.shape[0], "one funding table a symbol")

    def _check_bars(self, symbol: int) -> None:
        opened, high, low, close, volume = self.bars[symbol]
        there = volume != NO_BAR
        faults = {
            "has a price that is not positive": low <= 0,
            "has its high below its open or close": high < np.maximum(opened, close),
            "has its low above its open or close": low > np.minimum(opened, close),
            "has a negative volume": volume < 0,
        }
        for fault, where in faults.items():
            bad = np.flatnonzero(where & there)
            if len(bad):
                raise ValueError(f"bar {bad[0]} of symbol {symbol} {fault}")
        stamps = self.funding[symbol]
        if len(stamps) > 1 and (np.diff(stamps[:, 0]) <= 0).any():
            raise ValueError(f"funding stamps of symbol {symbol} do not rise")

    def _check_detail(self, symbol: int) -> None:
        if self.detail is None:
            return
        first = self.detail.first[symbol]
        check(len(first) == self.length + 1, "detail: one start a bar, and the end")
        bar = np.repeat(np.arange(self.length), np.diff(first))
        _, high, low, _ = self.detail.rows[first[0] : first[-1]].T
        outside = (high > self.bars[symbol, HIGH, bar]) | (low < self.bars[symbol, LOW, bar])
        if outside.any():
            raise ValueError(f"detail of bar {bar[outside][0]} of symbol {symbol} is outside it")

    @property
    def symbols(self) -> int:
        """Number of symbols."""
        return int(self.bars.shape[0])

    @property
    def length(self) -> int:
        """Number of bars."""
        return int(self.bars.shape[2])

    @property
    def highest_price(self) -> int:
        """No price on it is above this."""
        return int(self.bars[:, :VOLUME].max(initial=0))

    def last_bar(self, symbol: int) -> int:
        """Last bar of a symbol that the data has, -1 when it has none; then it is delisted."""
        there = np.flatnonzero(self.bars[symbol, VOLUME] != NO_BAR)
        return int(there[-1]) if len(there) else -1

    def time_ms(self, bar: int) -> int:
        """Boundary before bar `bar`."""
        return self.start_ms + bar * self.interval_ms

    def bar_at(self, time_ms: int) -> int:
        """First boundary that is not before `time_ms`."""
        return -((self.start_ms - time_ms) // self.interval_ms)

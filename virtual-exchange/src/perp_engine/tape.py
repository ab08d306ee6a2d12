"""The market as the engine reads it: integer bars on one grid, and funding stamps."""

from dataclasses import dataclass

import numpy as np

from suite.bars import I64
from suite.checks import check

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
NO_BAR = -1
"""Volume of a bar that the data lacks: no fill can happen in it and the mark stands still."""


@dataclass(frozen=True, slots=True)
class Tape:
    """Bars of every symbol from a common start.

    Attributes:
        start_ms: open time of bar 0.
        interval_ms: length of a bar.
        bars: shape (symbols, 5, bars), C-contiguous int64: open, high, low, close in price units,
            volume in size units or `NO_BAR`.
        funding: per symbol, shape (stamps, 2): stamp time in ms (rising), rate in 10^-9.
    """

    start_ms: int
    interval_ms: int
    bars: I64
    funding: tuple[I64, ...]

    def __post_init__(self) -> None:
        check(
            self.bars.ndim == 3 and self.bars.shape[1] == 5, "bars must have shape (symbols, 5, n)"
        )
        check(
            self.bars.dtype == np.int64 and self.bars.flags.c_contiguous, "bars must be plain int64"
        )
        check(len(self.funding) == self.bars.shape[0], "one funding table a symbol")

    @property
    def symbols(self) -> int:
        """Number of symbols."""
        return int(self.bars.shape[0])

    @property
    def length(self) -> int:
        """Number of bars."""
        return int(self.bars.shape[2])

    def time_ms(self, bar: int) -> int:
        """Boundary before bar `bar`."""
        return self.start_ms + bar * self.interval_ms

    def bar_at(self, time_ms: int) -> int:
        """First boundary that is not before `time_ms`."""
        return -((self.start_ms - time_ms) // self.interval_ms)

"""Curves of equity that grow at their end: what a dollar became, falls, and days.

Of a long curve what a screen can show is kept, with its extremes; what is said of the whole goes by
all of it, since it goes on with each sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from suite import performance
from suite.bars import DAY_MS, F64
from suite.page.thinning import drawdown, thin

POINTS: Final = 4096
"""That are kept of one curve, and at most twice as many."""
DAYS_MAX: Final = 1000
"""Days of returns that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The points of a curve at one moment, which grow no more; columns of equal length."""

    time_ms: Sequence[int]
    equity_usd: Sequence[int]
    profit_usd: Sequence[int]
    index: Sequence[float]


class Curve:
    """One account over time; money in micro-USD.

    A step grows the dollar by `(value - paid in) / value before`, value being equity less the
    models' bill: deposits are neutral. After a ruin it stays 0.

    Attributes:
        time_ms, equity_usd, profit_usd, index: points that are kept.
        growth: of one dollar since the first sample.
        peak: the highest that was.
        deepest: fall below a peak, 0 to 1.
        gaps: days without a sample.
    """

    def __init__(self) -> None:
        self.time_ms: list[int] = []
        self.equity_usd: list[int] = []
        self.profit_usd: list[int] = []
        self.index: list[float] = []
        self.growth = 1.0
        self.peak = 1.0
        self.deepest = 0.0
        self.gaps = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self._value = 0
        self._deposits = 0
        self._day_open = 1.0
        self._returns: list[float] = []
        self._sharpe: float | None = None

    def add(self, time_ms: int, equity_usd: int, deposits_usd: int, cost_usd: int) -> bool:
        """Take a sample in; False where it is not after the last one."""
        if self.last_ms is not None and time_ms <= self.last_ms:
            return False
        value = equity_usd - cost_usd
        before = value - (deposits_usd - self._deposits)
        if self.last_ms is None:
            self.first_ms = time_ms
            self.growth = 0.0 if value < 0 else 1.0
        else:
            self._turn_day(self.last_ms, time_ms)
            if self._value > 0:
                self.growth = self.growth * before / self._value if before > 0 else 0.0
        self._value, self._deposits, self.last_ms = value, deposits_usd, time_ms
        self.peak = max(self.peak, self.growth)
        self.deepest = max(self.deepest, self.fall)
        self.time_ms.append(time_ms)
        self.equity_usd.append(equity_usd)
        self.profit_usd.append(equity_usd - deposits_usd)
        self.index.append(round(self.growth, 9))
        if len(self.time_ms) >= 2 * POINTS:
            self._thin()
        return True

    @property
    def fall(self) -> float:
        """How far it is below its highest now, 0 to 1."""
        return 1.0 - self.growth / self.peak

    @property
    def total_return(self) -> float | None:
        """What became of a dollar, less that dollar; None before any sample."""
        return None if self.last_ms is None else self.growth - 1.0

    @property
    def sharpe(self) -> float | None:
        """Of whole days, annualized; None under 30 of them."""
        return self._sharpe

    @property
    def returns(self) -> F64:
        """Of whole days, the newest last, shape (days,)."""
        return np.array(self._returns, dtype=np.float64)

    def points(self) -> Points:
        """Copy what is kept."""
        return Points(
            time_ms=tuple(self.time_ms),
            equity_usd=tuple(self.equity_usd),
            profit_usd=tuple(self.profit_usd),
            index=tuple(self.index),
        )

    def _turn_day(self, before_ms: int, now_ms: int) -> None:
        days = now_ms // DAY_MS - before_ms // DAY_MS
        if days <= 0:
            return
        closed = self.growth / self._day_open - 1.0 if self._day_open > 0 else 0.0
        missing = min(days - 1, DAYS_MAX)
        self.gaps += days - 1
        # A day without a sample has no return of its own: what it brought is in the next one's.
        self._returns = [*self._returns, closed, *[0.0] * missing][-DAYS_MAX:]
        self._day_open = self.growth
        self._sharpe = performance.sharpe(self.returns)

    def _thin(self) -> None:
        kept = thin(self.index, drawdown(self.index), POINTS)
        for name in ("time_ms", "equity_usd", "profit_usd", "index"):
            column = getattr(self, name)
            setattr(self, name, [column[place] for place in kept])


def chosen(index: Sequence[float], points: int) -> Sequence[int]:
    """Choose what a screen shows of a curve.

    Args:
        index: of its points.
        points: at most; at least 8.
    """
    if len(index) <= points:
        return range(len(index))
    return thin(index, drawdown(index), points)

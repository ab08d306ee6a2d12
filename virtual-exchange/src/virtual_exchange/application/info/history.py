"""What the last 24 hours of a coin's closed bars add up to."""

from dataclasses import dataclass

import numpy as np

from suite.bars import DAY_MS, Bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The 24 hours before a moment, USD and coins; None where no bar is stored.

    Attributes:
        first_price: open of the first bar in it.
        last_price: last close.
    """

    first_price: float | None
    last_price: float | None
    high: float | None
    low: float | None
    volume: float | None
    notional: float | None


class DayWindow:
    """Rolling 24 hours over the closed bars of one coin; a moment is added up once."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._last: tuple[int, Day] | None = None

    def at(self, now_ms: int) -> Day:
        """Add up the bars that closed in (now - 24 h, now]."""
        if self._last is None or self._last[0] != now_ms:
            self._last = (now_ms, self._sum(now_ms))
        return self._last[1]

    def notional_between(self, from_ms: int, to_ms: int, *, now_ms: int) -> float:
        """What was traded in the bars that opened in [from, to) and are closed by now, USD."""
        bars = self._bars.rows(0, self._bars.closed_by(now_ms)).between(from_ms, to_ms)
        return round(float((bars.volume * bars.close).sum()), 4)

    def _sum(self, now_ms: int) -> Day:
        bars, end = self._bars, self._bars.closed_by(now_ms)
        first = int(np.searchsorted(bars.open_time_ms, now_ms - DAY_MS))
        if first >= end:
            return Day(
                first_price=None,
                last_price=float(bars.close[end - 1]) if end else None,
                high=None,
                low=None,
                volume=None,
                notional=None,
            )
        volume = bars.volume[first:end]
        return Day(
            first_price=float(bars.open[first]),
            last_price=float(bars.close[end - 1]),
            high=float(bars.high[first:end].max()),
            low=float(bars.low[first:end].min()),
            volume=round(float(volume.sum()), 6),
            notional=round(float((volume * bars.close[first:end]).sum()), 4),
        )

"""What a screen can show of long series, with nothing lost that a reader would look for."""

from collections.abc import Iterator, Sequence
from itertools import chain, count, groupby
from typing import Any, Final

from suite.bars import DAY_MS, MINUTE_MS

_KEPT_A_STRETCH: Final = 3  # lowest and highest value, deepest drawdown
_USUAL_MINUTES: Final = (3, 5, 15, 30, 60, 120, 240, 480, 720)

Candle = Sequence[Any]
"""Open time in ms, then open, high, low and close as texts; whatever follows is left out."""


def drawdown(values: Sequence[float]) -> list[float]:
    """How far below its running peak a curve is, as a fraction of the peak."""
    peak, falls = 0.0, []
    for value in values:
        peak = max(peak, value)
        falls.append(round((peak - value) / peak, 6) if peak > 0 else 0.0)
    return falls


def thin(values: Sequence[float], falls: Sequence[float], most: int) -> list[int]:
    """Choose at most `most` points: the ends, and the extremes of every stretch between.

    Args:
        values: of a curve.
        falls: its drawdown, which need not be deepest where the curve is lowest.
        most: how many points; at least 8.
    """
    total = len(values)
    if total <= most:
        return list(range(total))
    stretches = max(1, (most - 2) // _KEPT_A_STRETCH)
    size = -(-total // stretches)
    kept = {0, total - 1}
    for start in range(0, total, size):
        stretch = range(start, min(start + size, total))
        kept.add(min(stretch, key=values.__getitem__))
        kept.add(max(stretch, key=values.__getitem__))
        kept.add(max(stretch, key=falls.__getitem__))
    return sorted(kept)


def fit_candles(
    candles: Sequence[Candle], interval_ms: int, most: int
) -> tuple[int, list[list[Any]]]:
    """Merge candles until few enough show the whole of their time.

    Returns:
        Their interval, one that people use, and the candles.
    """
    shown = [list(candle[:5]) for candle in candles]
    longer = _steps(interval_ms)
    while len(shown) > most:
        interval_ms = next(longer)
        shown = _merged(candles, interval_ms)
    return interval_ms, shown


def _steps(interval_ms: int) -> Iterator[int]:
    """Intervals that people use, then whole days, that whole candles fit into."""
    usual = (minutes * MINUTE_MS for minutes in _USUAL_MINUTES)
    days = (many * DAY_MS for many in count(1))
    return (step for step in chain(usual, days) if step > interval_ms and step % interval_ms == 0)


def _merged(candles: Sequence[Candle], step: int) -> list[list[Any]]:
    longer = []
    for start, group in groupby(candles, key=lambda candle: candle[0] // step * step):
        rows = list(group)
        high = max((row[2] for row in rows), key=float)
        low = min((row[3] for row in rows), key=float)
        longer.append([start, rows[0][1], high, low, rows[-1][4]])
    return longer

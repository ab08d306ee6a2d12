"""Bars for the tests of strategy_core: seeded, synthetic, with what real ones have."""

import numpy as np

from suite.bars import MINUTE_MS, Bars

START_MS = 1_746_403_200_000  # 2025-05-05, a UTC midnight


def random_bars(
    count: int, *, seed: int = 1, start_ms: int = START_MS, interval_ms: int = MINUTE_MS
) -> Bars:
    generator = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.001, count)))
    open_ = np.concatenate([[100.0], close[:-1]])
    return Bars(
        interval_ms,
        start_ms + np.arange(count, dtype=np.int64) * interval_ms,
        open_,
        np.maximum(open_, close) * (1 + generator.uniform(0, 0.001, count)),
        np.minimum(open_, close) * (1 - generator.uniform(0, 0.001, count)),
        close,
        generator.uniform(0.0, 9.0, count),
    )


def drop_rows(bars: Bars, first: int, end: int) -> Bars:
    keep = np.ones(len(bars), dtype=bool)
    keep[first:end] = False
    return Bars(
        bars.interval_ms,
        bars.open_time_ms[keep],
        bars.open[keep],
        bars.high[keep],
        bars.low[keep],
        bars.close[keep],
        bars.volume[keep],
    )


def poison_after(bars: Bars, now_ms: int) -> Bars:
    """The same bars, with garbage in every one that is not closed at a time."""
    known = bars.closed_by(now_ms)
    columns = []
    for index, column in enumerate((bars.open, bars.high, bars.low, bars.close, bars.volume)):
        garbage = column.copy()
        garbage[known:] = 1e9 * (index + 1)
        columns.append(garbage)
    return Bars(bars.interval_ms, bars.open_time_ms, *columns)

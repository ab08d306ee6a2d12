"""Classic indicators of the market-data snapshot, over exactly the last 500 closed bars.

Every recursive one (EMA, Wilder) is linear in the window, with weights that never change. They are
worked out once and an indicator is then one elementwise product and one `numpy.sum`, whose order of
addition is fixed: the same bars give the same bytes in every process. No BLAS: its order is not.

With fewer than 500 bars all are None, one rule for all fields, so that no value depends on how much
history a process happens to hold.

Definitions (`c` close, window of n = 500 bars):

- `ema_9`, `ema_20`, `ema_50`: seeded with the mean of the first N closes of the window, then
  `e += (c - e) * 2 / (N + 1)`.
- `sma_14`: mean of the last 14 closes.
- `rsi_14`, `rsi_7`: Wilder's averages of gains and losses, the first over N changes, then
  `((N - 1) * avg + x) / N`; `100 * G / (G + L)`, 50 when both are 0.
- `macd_line`, `macd_signal`, `macd_hist`: `ema_12 - ema_26`; its 9-EMA, seeded with its first 9
  values; the difference.
- `bollinger_upper`, `_middle`, `_lower`: mean of 20 closes, +- 2 population standard deviations.
- `atr_14`, `atr_3`: Wilder's, not the simple mean: the first over N true ranges, then as above; a
  true range needs a previous close.
- `volume_average`: mean volume of the last 20 bars, this one included.
"""

import math
from functools import cache
from typing import Final

import numpy as np

from suite.bars import F64, Bars

WINDOW: Final = 500
"""Bars an indicator is computed over, never more and never fewer."""

BOLLINGER_BARS: Final = 20
BOLLINGER_DEVIATIONS: Final = 2.0
VOLUME_BARS: Final = 20
SMA_BARS: Final = 14

FIELDS: Final = (
    "ema_9",
    "ema_20",
    "ema_50",
    "sma_14",
    "rsi_14",
    "rsi_7",
    "macd_line",
    "macd_signal",
    "macd_hist",
    "bollinger_upper",
    "bollinger_middle",
    "bollinger_lower",
    "atr_14",
    "atr_3",
    "volume_average",
)
"""Names in the order in which the snapshot shows them."""

NOTHING: Final[dict[str, float | None]] = dict.fromkeys(FIELDS)
"""The answer for fewer than 500 bars; to be copied, not changed."""


def indicators(bars: Bars) -> dict[str, float | None]:
    """Compute all indicators of the last closed bar.

    Args:
        bars: closed bars, oldest first, USD and units of the coin; only the last 500 are read.

    Returns:
        One value for each of `FIELDS`; all None for fewer than 500 bars, and None where a value
        is not finite.
    """
    if len(bars) < WINDOW:
        return dict(NOTHING)
    close = bars.close[-WINDOW:]
    ema_9, ema_20, ema_50, macd_line, macd_signal = _weighted(_close_weights(), close)
    change = np.diff(close)
    wilder = _wilder_weights()
    up_14, up_7 = _weighted(wilder[:2], np.maximum(change, 0.0))
    down_14, down_7 = _weighted(wilder[:2], np.maximum(-change, 0.0))
    atr_14, atr_3 = _weighted(wilder[::2], _true_range(bars, close))
    middle = _mean(close[-BOLLINGER_BARS:])
    offset = close[-BOLLINGER_BARS:] - middle
    band = BOLLINGER_DEVIATIONS * math.sqrt(_mean(offset * offset))
    values = (
        ema_9,
        ema_20,
        ema_50,
        _mean(close[-SMA_BARS:]),
        _rsi(up_14, down_14),
        _rsi(up_7, down_7),
        macd_line,
        macd_signal,
        macd_line - macd_signal,
        middle + band,
        middle,
        middle - band,
        atr_14,
        atr_3,
        _mean(bars.volume[-VOLUME_BARS:]),
    )
    return {
        name: value if math.isfinite(value) else None
        for name, value in zip(FIELDS, values, strict=True)
    }


def _weighted(weights: F64, series: F64) -> list[float]:
    """Weighted sums: weights of shape (k, n), series of shape (n,); k numbers."""
    products: list[float] = np.sum(weights * series, axis=1).tolist()
    return products


def _mean(series: F64) -> float:
    return float(np.sum(series)) / len(series)


def _true_range(bars: Bars, close: F64) -> F64:
    """True range of each bar of the window but the first; shape (n - 1,), USD."""
    high, low, before = bars.high[-WINDOW + 1 :], bars.low[-WINDOW + 1 :], close[:-1]
    result: F64 = np.maximum(high, before) - np.minimum(low, before)
    return result


def _rsi(gain: float, loss: float) -> float:
    total = gain + loss
    return 50.0 if total == 0.0 else 100.0 * gain / total


@cache
def _close_weights() -> F64:
    """Weights over the closes of ema_9, ema_20, ema_50, MACD line and signal: shape (5, 500)."""
    unit = np.eye(WINDOW)
    fast, slow = _smoothed(unit, 12, 2 / 13), _smoothed(unit, 26, 2 / 27)
    line = fast[26 - 12 :] - slow  # both from the bar on which ema_26 begins
    rows = [_smoothed(unit, count, 2 / (count + 1))[-1] for count in (9, 20, 50)]
    return _frozen([*rows, line[-1], _smoothed(line, 9, 2 / 10)[-1]])


@cache
def _wilder_weights() -> F64:
    """Weights over 499 changes or true ranges of Wilder's means of 14, 7, 3: shape (3, 499)."""
    unit = np.eye(WINDOW - 1)
    return _frozen([_smoothed(unit, count, 1 / count)[-1] for count in (14, 7, 3)])


def _smoothed(rows: F64, count: int, factor: float) -> F64:
    """Smooth exponentially down the rows, all columns at once.

    Args:
        rows: shape (m, k), oldest first; unit vectors to learn the weights of the recursion.
        count: rows whose mean is the seed.
        factor: share of each new row.

    Returns:
        Shape (m - count + 1, k): the smoothed value from the last row of the seed on.
    """
    state = np.sum(rows[:count], axis=0) / count
    smoothed = [state]
    for row in rows[count:]:
        state = state + (row - state) * factor
        smoothed.append(state)
    return np.array(smoothed)


def _frozen(rows: list[F64]) -> F64:
    weights = np.array(rows)
    weights.flags.writeable = False
    return weights

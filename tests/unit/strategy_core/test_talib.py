"""Indicators against TA-Lib over the same 500 bars, and where its definitions are others.

- EMA, SMA, RSI, ATR, Bollinger: TA-Lib seeds as we do, with the plain mean of the first N values of
  what it is given. Given the window and nothing else, it computes the same numbers.
- MACD: TA-Lib lets both averages begin on the bar on which the slow one can, so its fast one is
  seeded with closes 15 to 26 of the window; ours with closes 1 to 12. After 474 more bars the fast
  average remembers (11/13)^474 = 4e-35 of its seed: nothing that a float can hold.
- RSI where nothing moves: TA-Lib says 0, we say 50, because there is no loss either.
- `macd_hist` is a difference of differences: its error is judged against a price.
"""

import numpy as np
import pytest
import talib
from tests.unit.strategy_core.market import random_bars

from strategy_core.indicators import FIELDS, WINDOW, indicators
from suite.bars import Bars


def of_talib(bars: Bars) -> dict[str, float]:
    window = bars.rows(len(bars) - WINDOW, len(bars))
    high, low, close, volume = window.high, window.low, window.close, window.volume
    line, signal, hist = talib.MACD(close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    series = {
        **{f"ema_{count}": talib.EMA(close, count) for count in (9, 20, 50)},
        "sma_14": talib.SMA(close, 14),
        **{f"rsi_{count}": talib.RSI(close, count) for count in (14, 7)},
        "macd_line": line,
        "macd_signal": signal,
        "macd_hist": hist,
        "bollinger_upper": upper,
        "bollinger_middle": middle,
        "bollinger_lower": lower,
        **{f"atr_{count}": talib.ATR(high, low, close, count) for count in (14, 3)},
        "volume_average": talib.SMA(volume, 20),
    }
    return {name: float(values[-1]) for name, values in series.items()}


@pytest.mark.parametrize("seed", range(12))
def test_indicators_equal_talib(seed: int) -> None:
    """All fifteen to 1e-9 of the value; MACD to 1e-11 of a price."""
    bars = random_bars(WINDOW + 61 * seed, seed=seed)
    found, price = indicators(bars), float(bars.close[-1])
    expected = of_talib(bars)
    assert set(FIELDS) == set(expected)
    for name, value in expected.items():
        absolute = 1e-11 * price if name.startswith("macd") else 0.0
        assert value == pytest.approx(found[name], rel=1e-9, abs=absolute), name


def test_talib_calls_a_market_that_stands_still_oversold() -> None:
    """The one value that differs on purpose."""
    flat = np.full(WINDOW, 7.0)
    times = np.arange(WINDOW, dtype=np.int64) * 60_000
    bars = Bars(60_000, times, flat, flat, flat, flat, flat)
    assert (0.0, 50.0) == (of_talib(bars)["rsi_14"], indicators(bars)["rsi_14"])


def test_talib_begins_its_fast_average_later_and_that_is_forgotten() -> None:
    """On the first bar that has a MACD the two differ; after a window they do not."""
    bars = random_bars(WINDOW)
    close = bars.close
    begun = close[:12].mean()
    for value in close[12:26]:
        begun += (value - begun) * 2 / 13
    ours_first = begun - close[:26].mean()
    theirs, _, _ = talib.MACD(close[:34], 12, 26, 9)
    shown = theirs[np.isfinite(theirs)]
    assert shown[0] != pytest.approx(ours_first, rel=1e-6)
    assert of_talib(bars)["macd_line"] == pytest.approx(indicators(bars)["macd_line"], rel=1e-9)

"""Indicators against a slow oracle that follows their definitions one bar at a time."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.unit.strategy_core.market import random_bars

from strategy_core.indicators import FIELDS, WINDOW, indicators
from suite.bars import Bars


def ema_series(values: list[float], count: int) -> list[float]:
    state = sum(values[:count]) / count
    series = [state]
    for value in values[count:]:
        state += (value - state) * 2.0 / (count + 1)
        series.append(state)
    return series


def wilder(values: list[float], count: int) -> float:
    state = sum(values[:count]) / count
    for value in values[count:]:
        state = ((count - 1) * state + value) / count
    return state


def rsi(closes: list[float], count: int) -> float:
    changes = [after - before for before, after in pairwise(closes)]
    gain = wilder([max(change, 0.0) for change in changes], count)
    loss = wilder([max(-change, 0.0) for change in changes], count)
    return 50.0 if gain + loss == 0.0 else 100.0 * gain / (gain + loss)


def oracle(bars: Bars) -> dict[str, float]:
    window = bars.rows(len(bars) - 500, len(bars))
    close, volume = window.close.tolist(), window.volume.tolist()
    ranges = [
        max(high - low, abs(high - before), abs(low - before))
        for high, low, before in zip(
            window.high.tolist()[1:], window.low.tolist()[1:], close[:-1], strict=True
        )
    ]
    fast, slow = ema_series(close, 12), ema_series(close, 26)
    line = [a - b for a, b in zip(fast[14:], slow, strict=True)]
    signal = ema_series(line, 9)[-1]
    middle = math.fsum(close[-20:]) / 20
    deviation = math.sqrt(math.fsum((value - middle) ** 2 for value in close[-20:]) / 20)
    return {
        "ema_9": ema_series(close, 9)[-1],
        "ema_20": ema_series(close, 20)[-1],
        "ema_50": ema_series(close, 50)[-1],
        "sma_14": math.fsum(close[-14:]) / 14,
        "rsi_14": rsi(close, 14),
        "rsi_7": rsi(close, 7),
        "macd_line": line[-1],
        "macd_signal": signal,
        "macd_hist": line[-1] - signal,
        "bollinger_upper": middle + 2 * deviation,
        "bollinger_middle": middle,
        "bollinger_lower": middle - 2 * deviation,
        "atr_14": wilder(ranges, 14),
        "atr_3": wilder(ranges, 3),
        "volume_average": math.fsum(volume[-20:]) / 20,
    }


@pytest.mark.parametrize("seed", range(8))
def test_indicators_equal_the_slow_oracle(seed: int) -> None:
    """Fixed weights give what the recursions give, to 1e-9 of the value."""
    bars = random_bars(500 + 37 * seed, seed=seed)
    expected = oracle(bars)
    found = indicators(bars)
    assert list(FIELDS) == list(found)
    for name, value in expected.items():
        # A MACD is a small difference of prices: its error is judged against a price.
        absolute = 1e-11 if name.startswith("macd") else 0.0
        assert value == pytest.approx(found[name], rel=1e-9, abs=absolute), name


def test_only_the_last_500_bars_count() -> None:
    """A process that holds more history computes the same bytes."""
    bars = random_bars(900)
    assert indicators(bars.rows(400, 900)) == indicators(bars)


def test_fewer_than_500_bars_give_nothing() -> None:
    """One rule for all fields: 499 bars are too few, 500 are enough."""
    bars = random_bars(500)
    assert dict.fromkeys(FIELDS) == indicators(bars.rows(1, 500))
    assert None not in indicators(bars).values()
    assert dict.fromkeys(FIELDS) == indicators(bars.rows(0, 0))


def test_memory_layout_changes_nothing() -> None:
    """Columns of a table in row order give the same bytes as columns of their own."""
    bars = random_bars(WINDOW)
    table = np.stack([bars.open, bars.high, bars.low, bars.close, bars.volume], axis=1)
    strided = Bars(bars.interval_ms, bars.open_time_ms, *(table[:, i] for i in range(5)))
    assert indicators(bars) == indicators(strided)


def test_a_market_that_stands_still_has_a_neutral_rsi() -> None:
    """No gain and no loss is 50, and nothing is NaN."""
    flat = np.full(WINDOW, 7.0)
    times = np.arange(WINDOW, dtype=np.int64) * 60_000
    found = indicators(Bars(60_000, times, flat, flat, flat, flat, np.zeros(WINDOW)))
    assert found["rsi_14"] == 50.0
    assert found["atr_14"] == 0.0
    assert found["bollinger_upper"] == found["bollinger_lower"] == 7.0


def test_a_broken_bar_shows_as_null_and_never_as_nan() -> None:
    """What is not finite is None."""
    bars = random_bars(WINDOW)
    close = bars.close.copy()
    close[-1] = np.nan
    broken = Bars(
        bars.interval_ms, bars.open_time_ms, bars.open, bars.high, bars.low, close, bars.volume
    )
    found = indicators(broken)
    assert found["ema_9"] is None
    assert found["volume_average"] is not None


def test_document_lists_every_indicator_in_its_order() -> None:
    """With a formula, a range and a least number of bars that is true."""
    page = (Path(__file__).parents[3] / "docs" / "indicators.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert list(FIELDS) == [row[0].strip("`") for row in rows]
    assert {4} == {len(row) for row in rows}
    bars = random_bars(WINDOW)
    for row in rows:
        # What lies before the bars a value takes has no part in it, where these are its last ones.
        if row[1].startswith("mean of the last") or row[0].startswith("`bollinger"):
            least = int(row[3])
            changed = bars.close.copy(), bars.volume.copy()
            for values in changed:
                values[: WINDOW - least] *= 3.0
            other = Bars(
                bars.interval_ms, bars.open_time_ms, bars.open, bars.high, bars.low, *changed
            )
            name = row[0].strip("`")
            assert indicators(bars)[name] == indicators(other)[name], name

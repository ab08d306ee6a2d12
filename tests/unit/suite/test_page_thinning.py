"""Long series on a small screen: what a reader looks for is still there."""

from suite.bars import DAY_MS, MINUTE_MS
from suite.page.thinning import drawdown, fit_candles, thin


def test_a_thinned_curve_keeps_its_deepest_drawdown() -> None:
    """It need not be where the equity is lowest."""
    values = [float(100 + i + (i * 7919) % 61 - 90 * (i == 4321)) for i in range(5000)]
    falls = drawdown(values)
    kept = thin(values, falls, 300)
    assert len(kept) <= 300
    assert (0, 4999) == (kept[0], kept[-1])
    for extreme, series in ((min, values), (max, values), (max, falls)):
        assert extreme(series) in [series[i] for i in kept]


def test_a_short_curve_is_left_whole() -> None:
    assert [0, 1, 2] == thin([1.0, 2.0, 1.0], [0.0, 0.0, 0.5], 8)


def test_few_candles_keep_their_interval() -> None:
    candles = [[i * MINUTE_MS, "1", "2", "1", "2", "9"] for i in range(10)]
    assert (MINUTE_MS, [row[:5] for row in candles]) == fit_candles(candles, MINUTE_MS, 10)


def test_merged_candles_have_an_interval_that_people_use_and_keep_the_extremes() -> None:
    candles = [[i * MINUTE_MS, "5", str(6 + i % 7), str(4 - i % 3), "5"] for i in range(1440)]
    interval_ms, shown = fit_candles(candles, MINUTE_MS, 100)
    assert (15 * MINUTE_MS, DAY_MS // (15 * MINUTE_MS)) == (interval_ms, len(shown))
    assert {"12"} == {row[2] for row in shown}
    assert {"2"} == {row[3] for row in shown}

"""Curves that grow: what a dollar became, whatever came in between."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_service.domain import curves
from portfolio_service.domain.curves import Curve, chosen
from suite import performance
from suite.bars import DAY_MS, MINUTE_MS
from suite.wealth import wealth_index

steps = st.lists(
    st.tuples(st.integers(-300, 300), st.sampled_from([0, 0, 0, 500, -100])),
    min_size=1,
    max_size=40,
)


@given(steps=steps)
def test_growth_is_that_of_the_leaderboard(steps: list[tuple[int, int]]) -> None:
    """Sample by sample as all at once: deposits are neutral, a ruin is for good."""
    equity, deposits = [1000], [1000]
    for made, paid in steps:
        equity.append(equity[-1] + made + paid)
        deposits.append(deposits[-1] + paid)
    curve = Curve()
    for number, (value, paid) in enumerate(zip(equity, deposits, strict=True)):
        curve.add(number * MINUTE_MS, value, paid, 0)
    index = wealth_index(np.array(equity), np.array(deposits))
    assert float(index[-1]) == pytest.approx(curve.growth, abs=1e-9)
    assert np.asarray(index) == pytest.approx(curve.index, abs=1e-8)


def test_falls_and_returns_of_days() -> None:
    chance = np.random.default_rng(3)
    curve, values = Curve(), [10_000_000_000]
    for day in range(40):
        for hour in range(24):
            curve.add(day * DAY_MS + hour * 3_600_000, values[-1], 10_000_000_000, 0)
            values.append(int(values[-1] * (1 + chance.normal(0, 0.004))))
    curve.add(40 * DAY_MS, values[-1], 10_000_000_000, 0)
    array = np.array(values)
    ends = np.concatenate([array[:1], array[23:960:24]])
    assert performance.returns_of(ends) == pytest.approx(curve.returns)
    assert performance.sharpe(performance.returns_of(ends)) == pytest.approx(curve.sharpe)
    fall = performance.max_drawdown(np.arange(len(array)), array)
    assert fall.depth == pytest.approx(curve.deepest)
    assert 0 == curve.gaps


def test_gaps_are_counted_and_bring_no_return_of_their_own() -> None:
    curve = Curve()
    curve.add(0, 100, 100, 0)
    curve.add(DAY_MS - 1, 110, 100, 0)
    curve.add(4 * DAY_MS, 121, 100, 0)
    curve.add(5 * DAY_MS, 121, 100, 0)
    assert [0.1, 0, 0, 0, 0.1] == pytest.approx(list(curve.returns))
    assert 3 == curve.gaps


def test_a_clock_that_goes_back_adds_nothing() -> None:
    curve = Curve()
    assert curve.add(10, 100, 100, 0)
    assert not curve.add(10, 150, 100, 0)
    assert not curve.add(9, 150, 100, 0)
    assert (1.0, 10) == (curve.growth, curve.last_ms)


def test_a_debt_is_a_ruin_and_not_a_number_out_of_bounds() -> None:
    curve = Curve()
    for number, equity in enumerate((100, 50, -20, 30)):
        curve.add(number, equity, 100, 0)
    assert (0.0, 1.0, -1.0) == (curve.growth, curve.deepest, curve.total_return)


def test_a_long_curve_keeps_its_extremes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "POINTS", 64)
    curve = Curve()
    for number in range(1000):
        curve.add(number, 5000 if number == 321 else 1000 + number % 7, 1000, 0)
    assert len(curve.time_ms) < 128
    assert {0, 321, 999} <= set(curve.time_ms)
    assert 1 - 1000 / 5000 == pytest.approx(curve.deepest, abs=1e-3)
    assert {0, len(curve.index) - 1} <= set(chosen(curve.index, 8))

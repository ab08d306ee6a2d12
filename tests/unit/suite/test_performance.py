"""Metrics against a library that is not ours, and against worked examples."""

from collections.abc import Callable
from functools import partial
from math import isclose

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import performance
from suite.bars import DAY_MS, F64, HOUR_MS

WORKED = np.array([0.01, -0.02, 0.015, 0.0, -0.005, 0.02, 0.01])
RETURNS = st.lists(st.floats(-0.2, 0.2), min_size=90, max_size=200).map(np.array)
ANNUAL = 365


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (performance.sharpe, lambda r: empyrical.sharpe_ratio(r, annualization=ANNUAL)),
        (performance.sortino, lambda r: empyrical.sortino_ratio(r, annualization=ANNUAL)),
        (performance.volatility, lambda r: empyrical.annual_volatility(r, annualization=ANNUAL)),
        (performance.cagr, lambda r: empyrical.annual_return(r, annualization=ANNUAL)),
    ],
    ids=["sharpe", "sortino", "volatility", "cagr"],
)
@given(RETURNS)
def test_metrics_of_returns_agree_with_another_library(
    ours: Callable[[F64], float | None], theirs: Callable[[F64], float], returns: F64
) -> None:
    """Two implementations of one definition, annualized by 365, agree to 1e-12."""
    value = ours(returns)
    if value is not None:
        assert isclose(theirs(returns), value, rel_tol=1e-12, abs_tol=1e-12)


@given(st.lists(st.integers(1, 10**12), min_size=2, max_size=200))
def test_the_deepest_drawdown_agrees_with_another_library(values: list[int]) -> None:
    """The peak runs along and includes the start."""
    equity = np.array(values, np.int64)
    ours = performance.max_drawdown(np.arange(len(values)) * HOUR_MS, equity)
    returns = equity[1:] / equity[:-1] - 1
    assert isclose(-empyrical.max_drawdown(returns), ours.depth, rel_tol=1e-12, abs_tol=1e-12)


def test_defect_6_max_drawdown_uses_the_running_peak() -> None:
    """A late high does not turn an early dip into a deep fall, nor hide a fall after it."""
    equity = np.array([100, 90, 150, 120, 200], np.int64)
    drawdown = performance.max_drawdown(np.arange(5) * HOUR_MS, equity)
    assert drawdown == performance.Drawdown(depth=0.2, duration_ms=HOUR_MS)


def test_time_under_water_runs_from_the_last_peak() -> None:
    """A curve that never recovers is under water to its end."""
    equity = np.array([100, 90, 95, 99, 99], np.int64)
    drawdown = performance.max_drawdown(np.arange(5) * HOUR_MS, equity)
    assert drawdown == performance.Drawdown(depth=0.1, duration_ms=4 * HOUR_MS)


def test_the_worked_example_of_seven_days() -> None:
    """Returns of +1, -2, +1.5, 0, -0.5, +2, +1 %: a Sharpe of 5.989, which is why 30 are asked."""
    mean, deviation = float(np.mean(WORKED)), float(np.std(WORKED, ddof=1))
    assert isclose(0.00428571, mean, rel_tol=1e-5)
    assert isclose(5.989, mean / deviation * 365**0.5, rel_tol=1e-4)
    assert performance.volatility(WORKED) == pytest.approx(0.01367131 * 365**0.5, rel=1e-6)
    equity = np.round(1e12 * np.cumprod(np.concatenate([[1.0], 1 + WORKED]))).astype(np.int64)
    assert performance.total_return(equity) == pytest.approx(0.029812, abs=5e-7)
    assert performance.max_drawdown(np.arange(8) * DAY_MS, equity).depth == pytest.approx(0.02)
    by_day = performance.trade_statistics([round(value * 10**6) for value in WORKED])
    assert by_day.profit_factor == pytest.approx(2.2)
    assert performance.sharpe(WORKED) is None
    assert performance.sortino(WORKED) is None


def test_a_month_of_the_worked_example_has_its_ratios() -> None:
    """Repeated, the mean and the downside stay; the deviation has more days to be divided by."""
    month = np.tile(WORKED, 5)
    assert performance.sortino(month) == pytest.approx(10.508, rel=1e-4)
    deviation = 0.01367131 * (6 / 7 * 35 / 34) ** 0.5
    assert performance.sharpe(month) == pytest.approx(0.00428571 / deviation * 365**0.5, rel=1e-5)


def test_growth_and_calmar_need_90_days() -> None:
    """One day short, there is no number."""
    daily = np.full(90, 0.001)
    assert performance.cagr(daily) == pytest.approx(1.001**365 - 1)
    assert performance.calmar(daily, 0.1) == pytest.approx((1.001**365 - 1) / 0.1)
    assert performance.cagr(daily[1:]) is None
    assert performance.calmar(daily[1:], 0.1) is None


def test_the_probability_of_a_sharpe_ratio_knows_days_and_tails() -> None:
    """A year at 0.10 a day is good evidence against 0, and none against the best of 50 tries."""
    year = partial(performance.sharpe_above, ratio=0.10, days=365, skew=-0.5, kurtosis=5.0)
    assert year(0.0) == pytest.approx(0.968, abs=5e-4)
    assert year(0.1138) == pytest.approx(0.399, abs=5e-4)
    month = np.tile(WORKED, 5)
    assert 0.95 < (performance.probabilistic_sharpe(month) or 0) < 1
    mirrored = performance.probabilistic_sharpe(-month)
    assert mirrored == pytest.approx(1 - (performance.probabilistic_sharpe(month) or 0))
    assert performance.probabilistic_sharpe(WORKED) is None
    assert performance.probabilistic_sharpe(np.zeros(100)) is None


def test_exposure_and_turnover_are_shares_of_the_money_there_was() -> None:
    """Half the time in the market at twice the equity is a mean leverage of 1."""
    equity = np.array([100, 100, 100, 100], np.int64)
    exposure = performance.exposure_of(equity, np.array([0, 200, 200, 0], np.int64))
    assert exposure == performance.Exposure(time_share=0.5, mean_leverage=1.0)
    assert performance.turnover_per_day(1000, equity, 2.0) == 5.0
    assert performance.basis_points(45, 100_000) == 4.5


def test_what_is_not_defined_is_none_and_not_a_huge_number() -> None:
    """No variation, no losses, no trades, no time: no number."""
    flat = np.zeros(100)
    assert performance.sharpe(flat) is None
    assert performance.sortino(flat) is None
    assert performance.calmar(flat, 0.0) is None
    statistics = performance.trade_statistics([])
    assert (statistics.win_rate, statistics.profit_factor, statistics.payoff) == (None, None, None)
    assert performance.trade_statistics([5, 7]).profit_factor is None
    assert performance.basis_points(1, 0) is None
    assert performance.turnover_per_day(1, np.array([1, 1]), 0) is None


def test_exact_zeros_are_neither_wins_nor_losses() -> None:
    """They are counted on their own."""
    statistics = performance.trade_statistics([10, -5, 0, 20])
    assert (statistics.wins, statistics.losses, statistics.breakevens) == (2, 1, 1)
    assert statistics.win_rate == pytest.approx(2 / 3)
    assert statistics.profit_factor == 6
    assert statistics.payoff == 3


def test_a_day_is_from_midnight_to_midnight() -> None:
    """The start counts as the first day's opening; what follows the last midnight waits."""
    hours = np.arange(5, 80) * HOUR_MS
    equity = np.arange(5, 80)
    assert performance.daily_equity(hours, equity).tolist() == [5, 24, 48, 72]
    short = performance.daily_equity(hours[:10], equity[:10])
    assert short.tolist() == [5, 14]
    assert DAY_MS == 24 * HOUR_MS


def test_returns_after_a_ruin_are_zero() -> None:
    """Nothing can be earned on nothing."""
    equity = np.array([100, -5, 10, 20], np.int64)
    assert performance.returns_of(equity).tolist() == [-1.05, 0.0, 1.0]
    assert performance.cagr(np.array([-1.05] + [0.01] * 100)) is None

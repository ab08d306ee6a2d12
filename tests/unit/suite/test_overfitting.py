"""Selection bias, against the papers' own figures and against slow definitions of the same."""

from itertools import combinations
from math import log, sqrt
from statistics import NormalDist, median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from suite.bars import F64
from suite.overfitting import (
    deflated_sharpe,
    expected_best,
    independent_trials,
    mean_correlation,
    overfitting_probability,
    ratios_a_day,
    symmetric_halves,
)
from suite.performance import sharpe_above

PAPER = {"ratio": 2.5 / sqrt(250), "days": 1250, "skew": -3.0, "kurtosis": 10.0}
"""The example of Bailey and López de Prado, 2014: annualized ratio 2.5, five years of days."""


@pytest.mark.parametrize(("trials", "told"), [(100, 0.9004), (46, 0.9505)])
def test_example_of_the_paper_on_the_deflated_ratio(trials: int, told: float) -> None:
    bar = expected_best(trials, 0.5 / 250)
    if trials == 100:
        assert 0.1132 == pytest.approx(bar, abs=5e-5)
    assert told == pytest.approx(sharpe_above(bar, **PAPER) or 0, abs=5e-4)  # type: ignore[arg-type]


def test_worked_example_of_the_deflated_sharpe_ratio() -> None:
    assert 0.1138 == pytest.approx(expected_best(50, 0.0025), abs=5e-5)
    seen = {"ratio": 0.10, "days": 365, "skew": -0.5, "kurtosis": 5.0}
    assert 0.968 == pytest.approx(sharpe_above(0.0, **seen) or 0, abs=5e-4)  # type: ignore[arg-type]
    below = sharpe_above(expected_best(50, 0.0025), **seen)  # type: ignore[arg-type]
    assert 0.399 == pytest.approx(below or 0, abs=1e-3)


@pytest.mark.parametrize("trials", [10, 100, 1000, 10_000])
def test_best_of_worthless_ones_is_what_drawing_them_shows(trials: int) -> None:
    drawn = np.random.default_rng(trials).normal(0, 1, (400, trials)).max(axis=1)
    error = drawn.std(ddof=1) / sqrt(len(drawn))
    assert expected_best(trials, 1.0) == pytest.approx(drawn.mean(), abs=4 * error + 0.04)


def test_best_of_many_worthless_ones_is_no_evidence() -> None:
    daily = np.random.default_rng(8).normal(0, 0.01, (120, 60))
    ratios = ratios_a_day(daily)
    best = daily[:, int(np.argmax(ratios))]
    alone = deflated_sharpe(best, trials=1, variance=0.0)
    among = deflated_sharpe(best, trials=60, variance=float(ratios.var(ddof=1)))
    assert alone is not None
    assert among is not None
    assert alone > 0.95
    assert among < 0.75
    assert (overfitting_probability(daily) or 0) > 0.3
    daily[:, 7] += 0.006
    assert (overfitting_probability(daily) or 0) < 0.05
    assert overfitting_probability(daily[:, :1]) is None
    assert deflated_sharpe(np.zeros(50), trials=2, variance=0.1) is None


@pytest.mark.parametrize("seed", range(3))
def test_deflated_ratio_is_that_of_the_definition(seed: int) -> None:
    daily = np.random.default_rng(seed).standard_t(4, 200) * 0.01 + 0.001
    normal = NormalDist()
    gamma, trials, variance = 0.5772156649, 37, 0.003
    bar = sqrt(variance) * (
        (1 - gamma) * normal.inv_cdf(1 - 1 / trials)
        + gamma * normal.inv_cdf(1 - 1 / (trials * 2.718281828459045))
    )
    ratio = daily.mean() / daily.std(ddof=1)
    skew, kurtosis = stats.skew(daily), stats.kurtosis(daily, fisher=False)
    below = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    told = normal.cdf((ratio - bar) * sqrt(199) / sqrt(below))
    assert deflated_sharpe(daily, trials=trials, variance=variance) == pytest.approx(told)


def _slow_probability(daily: F64) -> tuple[float, float]:
    """All halves of sixteen parts, one after the other, as section 3 of the paper says it."""
    days, width = daily.shape
    parts = [list(part) for part in np.array_split(np.arange(days), 16)]
    logits, losses = [], []
    for chosen in combinations(range(16), 8):
        own = np.zeros(days, bool)
        own[[day for part in chosen for day in parts[part]]] = True
        inside = daily[own].mean(axis=0) / daily[own].std(axis=0)
        outside = daily[~own].mean(axis=0) / daily[~own].std(axis=0)
        best = int(np.argmax(inside))
        rank = 1 + sum(other < outside[best] for other in outside)
        logits.append(log(rank / (width + 1) / (1 - rank / (width + 1))))
        losses.append(outside[best] < 0)
    return float(np.mean(np.array(logits) <= 0)), float(np.mean(losses))


def test_probability_of_overfitting_is_that_of_the_slow_definition() -> None:
    """Two thousand halves drawn of 12,870 tell what all of them tell, as far as draws can."""
    daily = np.random.default_rng(2).normal(0, 1, (32, 3))
    daily[:, 2] += 0.15
    told, loss = _slow_probability(daily)
    assert 0.02 < told < 0.98  # something to be right about
    halves = symmetric_halves(daily)
    assert halves is not None
    assert halves.probability == pytest.approx(told, abs=0.035)
    assert halves.loss == pytest.approx(loss, abs=0.035)


def test_wide_tables_are_halved_in_parts_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    daily = np.random.default_rng(4).normal(0, 1, (64, 7))
    whole = symmetric_halves(daily)
    monkeypatch.setattr("suite.overfitting._CELLS_MAX", 50)
    parted = symmetric_halves(daily)
    assert whole is not None
    assert parted is not None
    assert np.array_equal(whole.logits, parted.logits)
    assert median(whole.outside) == median(parted.outside)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.floats(0, 1), st.integers(0, 10**6))
def test_mean_correlation_is_that_of_all_pairs(width: int, shared: float, seed: int) -> None:
    dice = np.random.default_rng(seed)
    daily = dice.normal(0, 1, (60, width)) + shared * dice.normal(0, 3, (60, 1))
    pairs = np.atleast_2d(np.corrcoef(daily.T))[np.triu_indices(width, 1)]
    assert mean_correlation(daily) == pytest.approx(max(0.0, float(pairs.mean())), abs=1e-9)


def test_trials_that_do_the_same_count_once() -> None:
    daily = np.random.default_rng(3).normal(0, 1, (100, 1)) @ np.ones((1, 40))
    assert independent_trials(40, mean_correlation(daily)) == pytest.approx(1)
    assert independent_trials(40, 0.0) == 40
    daily[:, 1:] = 0  # what never moves is compared with nothing
    assert mean_correlation(daily) == 0
    assert np.isnan(ratios_a_day(daily)[1:]).all()

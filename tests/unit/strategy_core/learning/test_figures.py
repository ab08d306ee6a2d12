"""Calibration and scores, against worked examples and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from strategy_core.learning.calibration import Calibration, calibrate, platt, sigmoid
from strategy_core.learning.metrics import (
    auc,
    calibration_curve,
    day_bootstrap,
    expectancy,
    expected_calibration_error,
    judge,
    stability_index,
    sum_by_day,
)


@pytest.mark.parametrize(
    ("win", "loss", "p", "even", "confidence"),
    [
        (0.01, 0.01, 0.75, 0.50, 0.750),
        (0.016, 0.009, 0.52, 0.36, 0.625),
        (0.016, 0.009, 0.36, 0.36, 0.500),
        (0.016, 0.009, 0.30, 0.36, 0.417),
    ],
)
def test_confidence_of_one_half_breaks_even(
    win: float, loss: float, p: float, even: float, confidence: float
) -> None:
    found = Calibration(slope=1, shift=0, win=win, loss=loss)
    assert even == pytest.approx(found.break_even)
    assert confidence == pytest.approx(float(found.confidence(np.array(p))), abs=5e-4)


def test_platt_finds_what_an_optimizer_finds() -> None:
    generator = np.random.default_rng(5)
    score = generator.normal(0, 1.5, 2000)
    won = generator.random(2000) < sigmoid(0.7 * score - 0.4)
    weight = generator.uniform(0.2, 1, 2000)
    slope, shift = platt(score, won, weight)
    wins, losses = weight[won].sum(), weight[~won].sum()
    target = np.where(won, (wins + 1) / (wins + 2), 1 / (losses + 2))

    def loss(at: np.ndarray) -> float:
        value = at[0] * score + at[1]
        return float(weight @ (np.logaddexp(0, value) - target * value))

    best = optimize.minimize(loss, np.zeros(2), tol=1e-12).x
    assert best == pytest.approx([slope, shift], abs=1e-4)


def test_scores_that_separate_everything_still_have_a_calibration() -> None:
    score = np.linspace(-1, 1, 400)
    slope, shift = platt(score, score > 0, np.ones(400))
    assert np.isfinite([slope, shift]).all()
    assert slope > 1


def test_calibration_of_one_class_or_of_a_score_upside_down_is_refused() -> None:
    score, weight = np.linspace(-1, 1, 100), np.ones(100)
    assert "the same way" in str(calibrate(score, np.full(100, 0.01), weight))
    assert "did not mean more wins" in str(calibrate(score, -score, weight))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60))
def test_auc_is_that_of_ranks(pairs: list[tuple[int, bool]]) -> None:
    score = np.array([float(one) for one, _ in pairs])
    won = np.array([one for _, one in pairs])
    found = auc(score, won)
    if won.all() or not won.any():
        assert found == 0.5
        return
    wins, losses = int(won.sum()), int((~won).sum())
    test = stats.mannwhitneyu(score[won], score[~won]).statistic
    assert test / (wins * losses) == pytest.approx(found)


def test_probabilities_that_are_true_are_calibrated() -> None:
    generator = np.random.default_rng(1)
    p = generator.uniform(0.2, 0.8, 20_000)
    won = generator.random(20_000) < p
    day = np.repeat(np.arange(40), 500)
    scores = judge(p, won, weight=np.ones(20_000), base_rate=0.5, day=day)
    assert scores.ece < 0.02
    assert 1.0 == pytest.approx(scores.slope, abs=0.05)
    assert scores.skill > 0.1
    assert scores.auc_90.low < scores.auc < scores.auc_90.high
    assert 10 == len(calibration_curve(p, won))
    assert expected_calibration_error(np.clip(p + 0.2, 0, 1), won) == pytest.approx(0.2, abs=0.02)


def test_population_that_moved_is_seen() -> None:
    generator = np.random.default_rng(2)
    before, same = generator.normal(0, 1, 5000), generator.normal(0, 1, 5000)
    assert stability_index(before, same) < 0.02
    assert stability_index(before, same + 1) > 0.25


def test_days_are_the_observations_of_an_expectancy() -> None:
    day = np.repeat(np.arange(20), 50)
    weather = np.repeat(np.random.default_rng(3).normal(0.001, 0.01, 20), 50)
    found = expectancy(weather, day)
    plain = weather.mean() / (weather.std(ddof=1) / np.sqrt(1000))
    assert 1000 == found.trades
    assert abs(found.t_value) < abs(plain) / 5
    assert [3.0, 0.0, 4.0] == sum_by_day(
        np.array([1.0, 2.0, 4.0]), np.array([7, 7, 9]), np.array([7, 8, 9])
    ).tolist()
    low, high = (
        getattr(
            day_bootstrap(lambda rows: float(weather[rows].mean()), day, level=0.9, seed=1), end
        )
        for end in ("low", "high")
    )
    assert low < weather.mean() < high

"""The best of worthless strategies is called luck, and an edge that can be seen is seen."""

import numpy as np
import pytest
from scipy import stats
from tests.support.noise_sweeps import NOISES, judged, noise, walked, with_edge

from virtual_exchange.research.honesty import FoldReturns, judge, walk_forward
from virtual_exchange.research.honesty_plateau import places_of, plateau

DAYS = 365


@pytest.mark.parametrize("kind", NOISES)
def test_best_of_worthless_strategies_is_seldom_taken_for_real(kind: str) -> None:
    """At most 5 %: of 150 sweeps, no more than a true 5 % would show once in ten thousand runs."""
    dice = np.random.default_rng(5)
    sizes = (2, 10, 100)
    real = sum(
        judged(noise(kind, dice, days=DAYS, trials=trials)).real
        for trials in sizes
        for _ in range(50)
    )
    assert real <= stats.binom.ppf(0.9999, 150, 0.05)


def test_best_of_ten_thousand_is_luck_and_says_so() -> None:
    found = judge(noise("normal", np.random.default_rng(1), days=DAYS, trials=10_000))
    assert not found.real
    assert "not distinguishable from luck" == found.label
    assert found.sharpe is not None
    assert found.sharpe > 3  # what a naive search would have shown
    assert "the best of 10000 worthless ones is expected to show" in " ".join(found.reasons)


def test_edge_that_is_strong_is_found_and_the_right_one() -> None:
    dice = np.random.default_rng(2)
    daily = with_edge(noise("normal", dice, days=2 * DAYS, trials=100), 5.0, [42])
    found = judged(daily)
    assert found.real, found.reasons
    assert 42 == found.winner
    assert found.overfitting is not None
    assert found.overfitting < 0.05


def test_trials_that_failed_count_as_tried() -> None:
    daily = with_edge(noise("normal", np.random.default_rng(3), days=DAYS, trials=5), 4.3, [1])
    few, many = judge(daily), judge(daily, tried=100_000)
    assert few.real, few.reasons
    assert not many.real
    assert "99995 of 100000 trials failed" in " ".join(many.warnings)


@pytest.mark.parametrize(
    ("daily", "label", "reason"),
    [
        (np.empty((0, 0)), "nothing to judge", "Nothing was tried."),
        (np.zeros((1, 3)), "nothing to judge", "There is one day of results, and 30 are needed."),
        (np.full((90, 3), 0.001), "nothing to judge", "The equity of none of them ever moved."),
        (np.zeros((90, 1)), "nothing to judge", "The equity of none of them ever moved."),
    ],
)
def test_what_cannot_be_judged_is_not(daily: np.ndarray, label: str, reason: str) -> None:
    found = judge(daily)
    assert (label, False, None) == (found.label, found.real, found.winner)
    assert (reason,) == found.reasons


def test_few_days_are_not_enough_however_good() -> None:
    daily = np.random.default_rng(4).normal(0.02, 0.001, (12, 3))
    found = judge(daily)
    assert not found.real
    assert "moved on 12 of 12 days, at least 30 are needed" in found.reasons[0]
    assert any("needs 32 of them" in text for text in found.warnings)


def test_few_trades_are_not_enough_however_good() -> None:
    daily = np.random.default_rng(4).normal(0.01, 0.01, (200, 2))
    assert judge(daily, trades=[900, 900]).real
    found = judge(daily, trades=[3, 3])
    assert ("It closed 3 trades, 30 needed.",) == found.reasons


def test_one_trial_alone_can_be_judged_as_one() -> None:
    dice = np.random.default_rng(6)
    assert judge(dice.normal(0.004, 0.01, (365, 1))).real
    assert not judge(dice.normal(0.0, 0.01, (365, 1))).real


def test_walk_forward_trades_what_was_best_until_then() -> None:
    train = np.array([[0.01, 0.0], [0.02, 0.0], [0.01, -0.01]])
    test = np.array([[-0.01, 0.05], [0.02, 0.04], [-0.02, 0.06]])
    walk = walk_forward([FoldReturns(0, train, test)], np.array([7, 9]))
    assert walk is not None
    assert [7] == [step.trial for step in walk.steps]
    assert walk.total == pytest.approx(0.99 * 1.02 * 0.98 - 1)
    assert walk.degradation is not None
    assert walk.degradation < 0
    nothing = FoldReturns(1, np.zeros((3, 2)), test)
    assert walk_forward([nothing], np.array([7, 9])) is None


def test_loss_in_all_tests_is_never_real() -> None:
    daily = with_edge(noise("normal", np.random.default_rng(9), days=400, trials=3), 6, [0])
    folds = [FoldReturns(one.fold, one.train, -np.abs(one.test)) for one in walked(daily)]
    found = judge(daily, folds=folds)
    assert not found.real
    assert any("a gain is needed" in reason for reason in found.reasons)


def test_neighbors_differ_by_one_step_of_one_parameter() -> None:
    fast, slow = [1, 1, 1, 5, 5, 5, 9, 9, 9], [10, 20, 30] * 3
    places = places_of([fast, slow])
    ratios = np.array([0.0, 1, 0, 1, 2, 1, 0, 1, 0])
    level = plateau(places, ratios, 4, np.arange(9))
    assert level is not None
    assert ((1, 3, 5, 7), 1.0, 0.5, 1.0) == (
        level.neighbors,
        level.median,
        level.share,
        level.gaining,
    )
    ratios[[1, 3, 5, 7]] = [-1, -1, np.nan, -1]
    lonely = plateau(places, ratios, 4, np.arange(9))
    assert lonely is not None
    assert lonely.share < 0
    assert plateau(places, -np.ones(9), 4, np.arange(9)) is None


def test_neighbors_of_a_random_search_are_the_nearest() -> None:
    dice = np.random.default_rng(1)
    values = dice.random((40, 2))
    places = places_of([list(values[:, 0]), list(values[:, 1])])
    found = plateau(places, 1 + places[:, 0], 0, np.arange(40))
    assert found is not None
    assert 8 == len(found.neighbors)
    assert 0 not in found.neighbors
    words = places_of([["a", "b", "a"]])
    assert [[0], [1], [0]] == words.tolist()

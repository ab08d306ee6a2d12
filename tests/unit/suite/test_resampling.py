"""The bootstrap against libraries that are not ours, and against traders whose edge is known."""

import os
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap, optimal_block_length
from scipy import stats
from tests.support.simulated_traders import Process, coverage, shocks

from suite.resampling import (
    Resampler,
    automatic_lengths,
    block_lengths,
    growth_half_width,
    ratio_half_width,
    student_quantile,
    widened,
)

PROCESSES = get_args(Process)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("n", [30, 90, 336, 2160])
def test_automatic_block_lengths_are_those_of_another_library(process: Process, n: int) -> None:
    returns = shocks(process, (8, n), seed=3)
    theirs = [float(optimal_block_length(row)["circular"].iloc[0]) for row in returns]
    assert np.allclose(np.maximum(theirs, 1), automatic_lengths(returns), rtol=1e-9)


def test_a_series_that_never_moves_needs_blocks_of_one() -> None:
    assert [1.0] == automatic_lengths(np.zeros((1, 100))).tolist()


def test_blocks_are_never_shorter_than_a_short_series_can_show() -> None:
    assert [4] == block_lengths(np.zeros((1, 30))).tolist()
    assert [12] == block_lengths(np.zeros((1, 720))).tolist()


def test_a_mean_spreads_as_in_another_library() -> None:
    """Both draw circular blocks; they differ by what a thousand draws leave open."""
    returns, block = shocks("trending", (1, 720), seed=5)[0], 9
    theirs = CircularBlockBootstrap(block, returns, seed=7).apply(np.mean, 4000)[:, 0]
    ours = Resampler(720, resamples=4000, seed=7).means(returns, block)
    for share in (0.025, 0.5, 0.975):
        expected = np.quantile(theirs, share) - returns.mean()
        assert abs(expected - np.quantile(ours, share)) < 0.05 * float(np.std(theirs)) * 2


def test_the_interval_is_as_wide_as_another_library_says_where_samples_are_many() -> None:
    returns, block = shocks("volatility clusters", (1, 2160), seed=5)[0], 17
    low, high = CircularBlockBootstrap(block, returns, seed=7).conf_int(
        np.mean, 4000, method="percentile"
    )[:, 0]
    half = growth_half_width(returns, block, Resampler(2160, resamples=4000, seed=7))
    assert half == pytest.approx((high - low) / 2, rel=0.06)


@pytest.mark.parametrize("freedom", [1, 2, 3, 8, 19, 80, 301])
@pytest.mark.parametrize("tail", [0.025, 1e-4, 1e-6])
def test_students_quantiles_are_those_of_another_library(freedom: int, tail: float) -> None:
    assert student_quantile(tail, freedom) == pytest.approx(stats.t.isf(tail, freedom), rel=1e-7)


def test_few_blocks_widen_and_many_do_not() -> None:
    scores = [widened(1.96, blocks, blocks - 1) for blocks in (1, 2, 6, 60, 6000)]
    assert sorted(scores, reverse=True) == scores
    assert 1.96 == pytest.approx(scores[-1], rel=1e-3)
    assert 1e8 < scores[0]


def test_resamples_of_one_series_do_not_depend_on_what_was_drawn_before() -> None:
    returns = shocks("independent", (1, 100), seed=1)[0]
    fresh, used = (Resampler(100, resamples=50, seed=9) for _ in range(2))
    used.means(returns, 7)
    assert fresh.means(returns, 5).tolist() == used.means(returns, 5).tolist()


def test_means_of_resamples_vary_as_those_of_all_there_could_be() -> None:
    """Two series with a market in common: variances, and how far they go together."""
    returns = shocks("trending", (2, 100), seed=1) + shocks("independent", (1, 100), seed=2)
    resampler = Resampler(100, resamples=50_000, seed=9)
    for block in (1, 6, 8):
        drawn = np.cov(resampler.means(returns, block))
        assert np.allclose(resampler.covariance(returns, block), drawn, rtol=0.05)


def test_another_process_draws_the_same_resamples() -> None:
    code = (
        "import numpy as np; from suite.resampling import Resampler;"
        "print(Resampler(50, resamples=3, seed=4).means(np.arange(50.0) ** 1.5, 6).tolist())"
    )
    for hashes in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hashes},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        ours = Resampler(50, resamples=3, seed=4).means(np.arange(50.0) ** 1.5, 6).tolist()
        assert f"{ours}\n" == told


def test_what_is_too_short_or_too_still_has_no_interval() -> None:
    """A narrow interval around a handful of hours would be a lie."""
    short, sparse = np.full(29, 0.01), np.zeros(720)
    sparse[:29] = 0.01
    for returns in (short, sparse):
        resampler = Resampler(len(returns), resamples=100, seed=1)
        assert growth_half_width(returns, 4, resampler) is None
        assert ratio_half_width(returns, 4, resampler) is None


def test_who_never_moved_is_known_to_have_earned_nothing() -> None:
    resampler = Resampler(720, resamples=100, seed=1)
    assert 0.0 == growth_half_width(np.zeros(720), 12, resampler)
    assert ratio_half_width(np.zeros(720), 12, resampler) is None


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("n", [30, 336])
def test_the_interval_covers_the_true_edge(process: Process, n: int) -> None:
    """The short form; `tests/chaos/test_leaderboard.py` has every length, and tighter bounds."""
    assert 0.925 <= coverage(process, n, traders=500, seed=21) <= 0.985

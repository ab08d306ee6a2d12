"""What a series of returns says about its mean, and what may as well be luck.

Circular block bootstrap: whole blocks of neighbouring returns are drawn with replacement, so that
what returns do in a row (trends, quiet and wild times) stays in the resamples. Everything follows
from the seed: the same series and seed give the same numbers in every process.

Source: `docs/leaderboard.md`, which states every formula and the measured coverage.
"""

from functools import lru_cache
from math import atan, ceil, erfc, log10, pi, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from suite.bars import F64, I64, BoolArray

CONFIDENCE: Final = 0.95
RETURNS_MIN: Final = 30
"""Returns, and returns that are not zero, below which an interval would be a guess."""

_FARTHEST_SCORE: Final = 6.0  # beyond it, floats no longer tell tails apart
_WIDEST: Final = 1e9
_NO_SPREAD: Final = 1e-15


class Resampler:
    """Resamples of one length, the same ones for every series: what is common cancels.

    Args:
        length: returns of a series.
        resamples: how many.
        seed: of the draws.
    """

    def __init__(self, length: int, *, resamples: int, seed: int) -> None:
        self.length = length
        self.resamples = resamples
        self._seed = seed
        self._drawn: tuple[int, F64] | None = None

    def means(self, values: F64, block: int) -> F64:
        """Mean of each resample of a series, spread as a mean of `length` values is.

        Args:
            values: shape (..., length).
            block: length of the blocks.

        Returns:
            Shape (..., resamples): the resample's mean minus the series' mean.
        """
        centred = values - values.mean(axis=-1, keepdims=True)
        # A resample is whole blocks, so it may be longer than the series.
        grown = sqrt(self.blocks(block) * block / self.length)
        drawn: F64 = _block_means(centred, block) @ self._starts(block).T
        return drawn * (grown / self.blocks(block))

    def covariance(self, values: F64, block: int) -> F64:
        """Covariance of the means of all resamples there could be, shape (series, series)."""
        centred = values - values.mean(axis=1, keepdims=True)
        means = _block_means(centred, block)
        result: F64 = means @ means.T * (block / self.length**2)
        return result

    def blocks(self, block: int) -> int:
        """How many blocks a resample is made of."""
        return ceil(self.length / block)

    def _starts(self, block: int) -> F64:
        """How often each resample takes the block from each place, shape (resamples, length).

        The draws of the last block length are kept: go through series in the order of theirs.
        """
        if self._drawn is None or self._drawn[0] != block:
            dice = np.random.default_rng([self._seed, self.length, block])
            places = dice.integers(0, self.length, (self.resamples, self.blocks(block)))
            places += np.arange(self.resamples)[:, None] * self.length
            counts = np.bincount(places.ravel(), minlength=self.resamples * self.length)
            shaped = counts.reshape(self.resamples, self.length).astype(np.float64)
            self._drawn = (block, shaped)
        return self._drawn[1]


def block_lengths(returns: F64) -> I64:
    """Length of block that suits each series, for a circular block bootstrap of its mean.

    The larger of the automatic length and `1.25 * n^(1/3)`, rounded up: the automatic length of a
    short series is often 1, which misses dependence that the series is too short to show.

    Args:
        returns: shape (series, n).

    Source: Politis, White, "Automatic Block-Length Selection for the Dependent Bootstrap", 2004;
    Patton, Politis, White, correction, 2009. The floor has the rate of Hall, Horowitz, Jing, 1995.
    """
    n = returns.shape[1]
    floor = ceil(1.25 * n ** (1 / 3))
    if n < RETURNS_MIN:
        return np.full(len(returns), floor, dtype=np.int64)
    lengths: I64 = np.maximum(np.ceil(automatic_lengths(returns)), floor).astype(np.int64)
    return lengths


def automatic_lengths(returns: F64) -> F64:
    """Automatic block length of each series, shape (series,); 1 for one that does not vary.

    Source: as of `block_lengths`; the correction's formula for the circular bootstrap.
    """
    n = returns.shape[1]
    calm = max(5, int(log10(n)))
    most = min(ceil(sqrt(n)) + calm, n - 2)
    covariances, correlations = _autocovariances(returns, most)
    small = correlations < 2 * sqrt(log10(n) / n)
    views = np.lib.stride_tricks.sliding_window_view(small[:, :most], calm, axis=1)
    runs: BoolArray = np.logical_and.reduce(views, axis=2)
    bandwidth = np.where(runs.any(axis=1), 2 * np.maximum(runs.argmax(axis=1), 1), most)
    bandwidth = np.minimum(bandwidth, most)
    lag = np.arange(1, most + 1)
    window = np.clip(2 * (1 - lag / bandwidth[:, None]), 0, 1)
    g = 2 * np.sum(window * lag * covariances[:, 1:], axis=1)
    spectrum = covariances[:, 0] + 2 * np.sum(window * covariances[:, 1:], axis=1)
    lengths = np.ones(len(returns))
    varied = (covariances[:, 0] > 0) & (spectrum != 0)
    np.divide(1.5 * g**2, spectrum**2, out=lengths, where=varied)
    lengths[varied] = np.cbrt(lengths[varied] * n)
    result: F64 = np.clip(lengths, 1, ceil(min(3 * sqrt(n), n / 3)))
    return result


def growth_half_width(returns: F64, block: int, resampler: Resampler) -> float | None:
    """Half the 95 % interval of the mean return, symmetric about it.

    Args:
        returns: shape (n,), logarithmic.
        block: of `block_lengths`.
        resampler: for n returns.

    Returns:
        In the unit of a return; 0 when no return is anything but zero, and None with fewer than
        `RETURNS_MIN` returns that are.
    """
    active = np.count_nonzero(returns)
    if active < RETURNS_MIN:
        return None if active or len(returns) < RETURNS_MIN else 0.0
    return _half_width(resampler.means(returns, block), resampler.blocks(block))


def ratio_half_width(returns: F64, block: int, resampler: Resampler) -> float | None:
    """Half the 95 % interval of mean / standard deviation, symmetric about it.

    Args:
        returns: shape (n,), simple.
        block: of `block_lengths`.
        resampler: for n returns.

    Returns:
        None with fewer than `RETURNS_MIN` returns that are not zero, or that do not vary.
    """
    spread = float(returns.std())
    if np.count_nonzero(returns) < RETURNS_MIN or spread <= _NO_SPREAD:
        return None
    standard = (returns - returns.mean()) / spread
    moved = resampler.means(standard, block)
    # First two terms of the ratio: the mean moves it, and so does the spread it is divided by.
    ratio = float(returns.mean()) / spread
    moved -= ratio / 2 * resampler.means(standard**2, block)
    return _half_width(moved, resampler.blocks(block))


def widened(score: float, blocks: int, freedom: int) -> float:
    """Carry a score of the normal distribution over to as few blocks as there are.

    The quantile of Student's distribution that is as far out, for a variance that divides by
    `blocks` instead of `blocks - 1`.

    Args:
        score: positive.
        blocks: of a resample.
        freedom: degrees of it that the variance has.

    Source: Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, section 4.1.
    """
    if blocks < 2:
        return _WIDEST
    held = min(score, _FARTHEST_SCORE)
    wider = student_quantile(erfc(held / sqrt(2)) / 2, freedom) / held if held else 1.0
    return score * wider * sqrt(blocks / (blocks - 1))


@lru_cache(maxsize=1024)
def student_quantile(tail: float, freedom: int) -> float:
    """Value that Student's distribution exceeds with a small probability, by bisection."""
    low, high = 0.0, 1.0
    while _student_tail(high, freedom) > tail and high < _WIDEST:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if _student_tail(middle, freedom) > tail:
            low = middle
        else:
            high = middle
    return high


def _student_tail(value: float, freedom: int) -> float:
    """Probability above a positive value.

    Source: Abramowitz, Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4.
    """
    angle = atan(value / sqrt(freedom))
    cosine2 = freedom / (freedom + value**2)
    sine = value / sqrt(freedom + value**2)
    if freedom % 2:
        term = sqrt(cosine2) * sine
        total = 0.0
        for step in range(3, freedom + 1, 2):
            total += term
            term *= cosine2 * (step - 1) / step
        inside = 2 / pi * (angle + total)
    else:
        term, total = sine, 0.0
        for step in range(2, freedom + 1, 2):
            total += term
            term *= cosine2 * (step - 1) / step
        inside = total
    return (1 - inside) / 2


def _half_width(moved: F64, blocks: int) -> float:
    """Half the interval that resamples span.

    Blocks that overlap tell 1.5 times as much about a variance as blocks side by side.

    Source: Künsch, "The Jackknife and the Bootstrap for General Stationary Observations", 1989,
    section 3.
    """
    freedom = 3 * (blocks - 1) // 2
    score = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return float(np.quantile(np.abs(moved), CONFIDENCE)) * widened(score, blocks, freedom) / score


def _block_means(values: F64, block: int) -> F64:
    """Mean of the block from each place on, around the end, shape as the values."""
    ahead = values[..., : block - 1]
    sums = np.cumsum(np.concatenate([values, ahead], axis=-1), axis=-1)
    sums[..., block:] -= sums[..., :-block].copy()
    result: F64 = sums[..., block - 1 :] / block
    return result


def _autocovariances(returns: F64, most: int) -> tuple[F64, F64]:
    """Autocovariances, and sizes of autocorrelations, of lags 0 to `most`, a row a series."""
    n = returns.shape[1]
    centred = returns - returns.mean(axis=1, keepdims=True)
    before = np.cumsum(centred**2, axis=1)
    total = before[:, -1:]
    lags = range(most + 1)
    products = np.stack(
        [np.einsum("st,st->s", centred[:, lag:], centred[:, : n - lag]) for lag in lags], axis=1
    )
    # Each lag is measured against the squares without its first and without its last ones.
    late = total - before[:, : most + 1]
    early = before[:, n - 2 - np.arange(most + 1)]
    correlations = np.zeros_like(products)
    scale = np.sqrt(np.maximum(late * early, 0))
    np.divide(np.abs(products), scale, out=correlations, where=scale > 0)
    return products / n, correlations

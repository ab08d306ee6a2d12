"""Which differences between traders are more than luck.

Source: Mogstad, Romano, Shaikh, Wilhelm, "Inference for Ranks with Applications to Mobility across
Neighbourhoods and Academic Achievement across Countries", 2024: ranks from paired differences that
are tested together.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from suite.bars import F64, I64, BoolArray
from suite.resampling import CONFIDENCE, RETURNS_MIN, Resampler, widened

_SAME: Final = 1e-12
"""Share of two traders' variances below which their difference does not vary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Where each trader stands.

    Attributes:
        best: shape (traders,), 1 + number of traders that are significantly better.
        worst: shape (traders,), all but those that are significantly worse.
    """

    best: I64
    worst: I64


def ranks_of(growth: F64, lengths: I64, resampler: Resampler) -> Ranks:
    """Rank traders by mean growth, as far as it can be told apart.

    With 95 % probability no trader stands below another one that is not truly better, over all
    pairs of the board together.

    Args:
        growth: shape (traders, n), logarithmic returns over the same n steps.
        lengths: shape (traders,), of `block_lengths`.
        resampler: for n returns.
    """
    better = significantly_better(growth, lengths, resampler)
    return Ranks(best=1 + better.sum(axis=0), worst=len(growth) - better.sum(axis=1))


def significantly_better(growth: F64, lengths: I64, resampler: Resampler) -> BoolArray:
    """Say of each pair whether the first is better by more than luck explains.

    Every resample takes the same blocks of all traders, so what the market did to both cancels.
    A difference counts when it is larger, in its own standard errors, than the largest one of any
    pair is in 95 % of the resamples: one bar for all pairs, that knows how they depend on each
    other, where Holm's would have to assume the worst and need a millionth part of a resample.

    Returns:
        Shape (traders, traders): row is better than column.

    Source: Romano, Wolf, "Stepwise Multiple Testing as Formalized Data Snooping", 2005, first step.
    """
    steps = growth.shape[1]
    if len(growth) < 2 or steps < RETURNS_MIN:
        return np.zeros((len(growth), len(growth)), dtype=np.bool_)
    block = _common_block(lengths, steps)
    moved = resampler.means(growth, block)
    scale, certain = _inverse_errors(resampler.covariance(growth, block))
    active = np.count_nonzero(growth, axis=1)
    judged = np.maximum(active[:, None], active) >= RETURNS_MIN
    scale[~judged] = 0
    largest = _largest_differences(moved.astype(np.float32), scale.astype(np.float32))
    blocks = resampler.blocks(block)
    bar = widened(float(np.quantile(largest, CONFIDENCE)), blocks, blocks - 1)
    mean = growth.mean(axis=1)
    ahead = mean[:, None] - mean
    sure = certain & judged & (ahead * steps > _SAME**0.5)
    better: BoolArray = (ahead * scale > max(bar, 0.0)) & ~certain | sure
    return better


def _common_block(lengths: I64, steps: int) -> int:
    """Longest block that any trader needs, unless it would leave under twenty of them.

    At least two of the shortest: of many pairs the farthest out is judged, where the little that
    short blocks miss of a variance counts most.
    """
    shortest = int(lengths.min())
    return min(max(2 * shortest, int(lengths.max())), max(shortest, steps // 20))


def _inverse_errors(covariance: F64) -> tuple[F64, BoolArray]:
    """Inverse of each difference's standard error, 0 where it does not vary; and where that is."""
    variance = np.diag(covariance)
    both = variance[:, None] + variance
    difference = both - 2 * covariance
    certain = difference <= _SAME * both
    scale = np.zeros_like(difference)
    np.divide(1.0, np.sqrt(np.maximum(difference, 0)), out=scale, where=~certain)
    return scale, certain


def _largest_differences(
    moved: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    scale: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> F64:
    """Largest difference of any pair in each resample, in standard errors, shape (resamples,)."""
    largest = np.zeros(moved.shape[1], dtype=np.float32)
    for first in range(len(moved) - 1):
        gaps = moved[first + 1 :] - moved[first]
        np.abs(gaps, out=gaps)
        gaps *= scale[first, first + 1 :, None]
        np.maximum(largest, gaps.max(axis=0), out=largest)
    return largest.astype(np.float64)

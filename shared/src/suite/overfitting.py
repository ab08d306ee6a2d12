"""What is left of a Sharpe ratio after all that was tried.

Sources: Bailey, López de Prado, "The Deflated Sharpe Ratio", 2014; Bailey, Borwein, López de Prado,
Zhu, "The Probability of Backtest Overfitting", 2017.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb, e
from statistics import NormalDist
from typing import Final

import numpy as np

from suite.bars import F64
from suite.performance import sharpe_above

EULER: Final = 0.5772156649015329
PARTS: Final = 16
HALVES_MAX: Final = 2000
_CELLS_MAX: Final = 2_000_000  # of halves times configurations that are held at once
_NO_SPREAD: Final = 1e-15


def expected_best(trials: float, variance: float) -> float:
    """Sharpe ratio a day that the best of so many worthless trials is expected to show.

    `sqrt(V) * ((1 - E) * Z(1 - 1/N) + E * Z(1 - 1/(N * e)))`

    Args:
        trials: N, all configurations ever tried.
        variance: V, of the ratios a day across them.
    """
    if trials < 2 or variance <= 0:
        return 0.0
    inverse = NormalDist().inv_cdf
    best = (1 - EULER) * inverse(1 - 1 / trials) + EULER * inverse(1 - 1 / (trials * e))
    return float(variance**0.5 * best)


def deflated_sharpe(daily: F64, *, trials: float, variance: float) -> float | None:
    """Probability that a ratio is above what the best of worthless trials would show.

    Args:
        daily: shape (n,), results a day of the configuration chosen.
        trials, variance: as for `expected_best`.

    Returns:
        0 to 1; None where the results do not vary.
    """
    spread = float(np.std(daily, ddof=1)) if len(daily) > 1 else 0.0
    if spread <= _NO_SPREAD:
        return None
    standard = (daily - daily.mean()) / np.std(daily)
    return sharpe_above(
        expected_best(trials, variance),
        ratio=float(daily.mean()) / spread,
        days=len(daily),
        skew=float(np.mean(standard**3)),
        kurtosis=float(np.mean(standard**4)),
    )


def ratios_a_day(daily: F64) -> F64:
    """Mean over deviation (ddof 1) of each configuration, not annualized.

    Args:
        daily: shape (days, configurations), results a day; at least two days.

    Returns:
        Shape (configurations,); NaN for one whose results do not vary.
    """
    spread = daily.std(axis=0, ddof=1)
    varies = spread > _NO_SPREAD
    result = np.full(daily.shape[1], np.nan)
    np.divide(daily.mean(axis=0), spread, out=result, where=varies)
    return result


def mean_correlation(daily: F64) -> float:
    """Mean correlation over all pairs of configurations that vary, 0 to 1; 0 for fewer than two.

    Args:
        daily: shape (days, configurations), results a day.
    """
    spread = daily.std(axis=0)
    varied = spread > _NO_SPREAD
    width = int(varied.sum())
    if width < 2:
        return 0.0
    every = daily[:, varied]
    standard = (every - every.mean(axis=0)) / spread[varied]
    # The sum over all pairs is that of the squares of what all of them did together a day.
    together = float(np.mean(standard.sum(axis=1) ** 2))
    return min(1.0, max(0.0, (together - width) / (width * (width - 1))))


def independent_trials(trials: int, correlation: float) -> float:
    """How many unrelated trials tell as much as these: `c + (1 - c) * M`.

    Args:
        trials: M.
        correlation: c, mean over all pairs, 0 to 1.

    Source: Bailey, López de Prado, "The Deflated Sharpe Ratio", 2014, appendix A.3.
    """
    return correlation + (1 - correlation) * trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """What the best of one half of the days did in the other half, for many ways to halve them.

    Attributes:
        logits: of its rank in the other half; 0 is the middle, below it is worse.
        inside, outside: its ratio a day in the half it was chosen in, and in the other.
    """

    logits: F64
    inside: F64
    outside: F64

    @property
    def probability(self) -> float:
        """How often the best of one half is not above the median of the other."""
        return float(np.mean(self.logits <= 0))

    @property
    def loss(self) -> float:
        """How often the best of one half loses in the other."""
        return float(np.mean(self.outside < 0))


def symmetric_halves(daily: F64, *, seed: int = 0) -> Halves | None:
    """Halve the days in all ways that whole parts of them allow, and choose the best in each half.

    Args:
        daily: shape (days, configurations), results a day.
        seed: of the halves drawn where there are too many.

    Returns:
        None with one configuration, or fewer days than parts.

    Source: Bailey, Borwein, López de Prado, Zhu, 2017, section 3 (CSCV).
    """
    days, width = daily.shape
    if width < 2 or days < PARTS:
        return None
    parts = np.array_split(np.arange(days), PARTS)
    count = np.array([len(part) for part in parts], np.float64)
    total = np.array([daily[part].sum(axis=0) for part in parts])
    square = np.array([(daily[part] ** 2).sum(axis=0) for part in parts])
    logits, inside, outside = [], [], []
    for mask in _masks(seed, max(1, _CELLS_MAX // width)):
        seen = _ratios(mask, count, total, square)
        best = np.argmax(seen, axis=1)
        row = np.arange(len(mask))
        inside.append(seen[row, best])
        seen = _ratios(1.0 - mask, count, total, square)
        reached = seen[row, best][:, None]
        below = (seen < reached).sum(axis=1) + ((seen == reached).sum(axis=1) + 1) / 2
        share = below / (width + 1)
        logits.append(np.log(share / (1 - share)))
        outside.append(reached[:, 0])
    return Halves(
        logits=np.concatenate(logits),
        inside=np.concatenate(inside),
        outside=np.concatenate(outside),
    )


def overfitting_probability(daily: F64, *, seed: int = 0) -> float | None:
    """How often the best of one half of the days is below the median of the other.

    Args:
        daily: shape (days, configurations), results a day.
        seed: of the halves drawn where there are too many.

    Returns:
        0 to 1; None with one configuration, or fewer days than parts.
    """
    halves = symmetric_halves(daily, seed=seed)
    return None if halves is None else halves.probability


def _masks(seed: int, most: int) -> Iterator[F64]:
    """Halves as rows of ones for the parts in them, at most so many at a time."""
    every = np.array(list(combinations(range(PARTS), PARTS // 2)))
    if comb(PARTS, PARTS // 2) > HALVES_MAX:
        chosen = np.random.default_rng(seed).choice(len(every), HALVES_MAX, replace=False)
        every = every[np.sort(chosen)]
    for start in range(0, len(every), most):
        rows = every[start : start + most]
        mask = np.zeros((len(rows), PARTS))
        mask[np.arange(len(rows))[:, None], rows] = 1.0
        yield mask


def _ratios(mask: F64, count: F64, total: F64, square: F64) -> F64:
    """Mean over deviation of each configuration in each half, shape (halves, configurations)."""
    days = (mask @ count)[:, None]
    mean = mask @ total / days
    spread = np.sqrt(np.maximum(0.0, mask @ square / days - mean**2))
    return np.divide(mean, spread, out=np.zeros_like(mean), where=spread > 1e-12)

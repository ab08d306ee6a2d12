"""What is left of a Sharpe ratio after all that was tried.

Sources: Bailey, López de Prado, "The Deflated Sharpe Ratio", 2014; Bailey, Borwein, López de Prado,
Zhu, "The Probability of Backtest Overfitting", 2017.
"""

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


def expected_best(trials: int, variance: float) -> float:
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


def deflated_sharpe(daily: F64, *, trials: int, variance: float) -> float | None:
    """Probability that a ratio is above what the best of worthless trials would show.

    Args:
        daily: shape (n,), results a day of the configuration chosen.
        trials, variance: as for `expected_best`.

    Returns:
        0 to 1; None where the results do not vary.
    """
    spread = float(np.std(daily, ddof=1)) if len(daily) > 1 else 0.0
    if spread <= 1e-15:
        return None
    standard = (daily - daily.mean()) / np.std(daily)
    return sharpe_above(
        expected_best(trials, variance),
        ratio=float(daily.mean()) / spread,
        days=len(daily),
        skew=float(np.mean(standard**3)),
        kurtosis=float(np.mean(standard**4)),
    )


def overfitting_probability(daily: F64, *, seed: int = 0) -> float | None:
    """How often the best of one half of the days is below the median of the other.

    Args:
        daily: shape (days, configurations), results a day.
        seed: of the halves drawn where there are too many.

    Returns:
        0 to 1; None with one configuration, or fewer days than parts.
    """
    days, width = daily.shape
    if width < 2 or days < PARTS:
        return None
    parts = np.array_split(np.arange(days), PARTS)
    count = np.array([len(part) for part in parts], np.float64)
    total = np.array([daily[part].sum(axis=0) for part in parts])
    square = np.array([(daily[part] ** 2).sum(axis=0) for part in parts])
    every = np.array(list(combinations(range(PARTS), PARTS // 2)))
    if comb(PARTS, PARTS // 2) > HALVES_MAX:
        chosen = np.random.default_rng(seed).choice(len(every), HALVES_MAX, replace=False)
        every = every[np.sort(chosen)]
    inside = np.zeros((len(every), PARTS))
    inside[np.arange(len(every))[:, None], every] = 1.0
    best = np.argmax(_ratios(inside, count, total, square), axis=1)
    outside = _ratios(1.0 - inside, count, total, square)
    reached = outside[np.arange(len(every)), best][:, None]
    below = (outside < reached).sum(axis=1) + ((outside == reached).sum(axis=1) + 1) / 2
    share = below / (width + 1)
    return float(np.mean(np.log(share / (1 - share)) <= 0))


def _ratios(mask: F64, count: F64, total: F64, square: F64) -> F64:
    """Mean over deviation of each configuration in each half, shape (halves, configurations)."""
    days = (mask @ count)[:, None]
    mean = mask @ total / days
    spread = np.sqrt(np.maximum(0.0, mask @ square / days - mean**2))
    return np.divide(mean, spread, out=np.zeros_like(mean), where=spread > 1e-12)

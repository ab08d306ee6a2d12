"""How good probabilities are, and how sure that is.

Intervals come from a bootstrap of whole days: trades of one day share its weather.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
import numpy as np

from strategy_core.learning.calibration import platt
from suite.bars import F64, I64, BoolArray

BINS: Final = 10
DRAWS: Final = 2000
DAYS_A_YEAR: Final = 365
LOGIT_MAX: Final = 30.0


class Interval(msgspec.Struct, frozen=True):
    """Of a figure, by a bootstrap."""

    low: float
    high: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """How good the probabilities of one test are.

    Attributes:
        rows: trades judged.
        base_rate: share of winners.
        auc: probability that a winner scores above a loser; 0.5 is chance.
        auc_90: its interval.
        brier: mean squared distance of probability and outcome, weighted.
        brier_base: the same of the base rate of the training data, told of every trade.
        log_loss: natural logarithm, weighted.
        ece: mean distance of probability and outcome in ten bins of equal count.
        slope: of outcomes on probabilities, on the logistic scale; 1 is calibrated.
        spread: standard deviation of the probabilities.
    """

    rows: int
    base_rate: float
    auc: float
    auc_90: Interval
    brier: float
    brier_base: float
    log_loss: float
    ece: float
    slope: float
    spread: float

    @property
    def skill(self) -> float:
        """`1 - brier / brier_base`: what is gained over the base rate."""
        return 1.0 - self.brier / self.brier_base if self.brier_base > 0 else 0.0


class Bin(NamedTuple):
    """One point of a calibration curve: mean probability, share of winners, trades."""

    probability: float
    won: float
    rows: int


def judge(
    probability: F64,
    won: BoolArray,
    *,
    weight: F64,
    base_rate: float,
    day: I64,
    seed: int = 0,
) -> Scores:
    """Judge probabilities by what came of them.

    Args:
        probability: shape (n,), of a win.
        won: shape (n,).
        weight: shape (n,), positive.
        base_rate: share of winners in the data that was trained on.
        day: shape (n,), of each trade.
        seed: of the bootstrap.
    """
    outcome = won.astype(np.float64)
    inner = np.clip(probability, 1e-12, 1.0 - 1e-12)
    logit = np.clip(np.log(inner / (1.0 - inner)), -LOGIT_MAX, LOGIT_MAX)
    several = bool(won.any() and not won.all())
    return Scores(
        rows=len(won),
        base_rate=float(outcome.mean()),
        auc=auc(probability, won),
        auc_90=day_bootstrap(
            lambda rows: auc(probability[rows], won[rows]), day, level=0.90, seed=seed, draws=500
        ),
        brier=float(np.average((probability - outcome) ** 2, weights=weight)),
        brier_base=float(np.average((base_rate - outcome) ** 2, weights=weight)),
        log_loss=float(
            -np.average(np.where(won, np.log(inner), np.log(1.0 - inner)), weights=weight)
        ),
        ece=expected_calibration_error(probability, won),
        slope=platt(logit, won, weight)[0] if several else 0.0,
        spread=float(np.std(probability)),
    )


def auc(score: F64, won: BoolArray) -> float:
    """Area under the ROC curve, by ranks, ties shared; 0.5 where there is only one class."""
    wins = int(np.count_nonzero(won))
    losses = len(won) - wins
    if not wins or not losses:
        return 0.5
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2.0
    total = float(rank[place][won].sum())
    return (total - wins * (wins + 1) / 2.0) / (wins * losses)


def calibration_curve(probability: F64, won: BoolArray) -> list[Bin]:
    """Ten bins of equal count, lowest probability first; fewer where there are fewer trades."""
    order = np.argsort(probability, kind="stable")
    return [
        Bin(float(probability[rows].mean()), float(won[rows].mean()), len(rows))
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def expected_calibration_error(probability: F64, won: BoolArray) -> float:
    """`sum n_b / n * |mean won - mean probability|` over the bins of the curve."""
    bins = calibration_curve(probability, won)
    rows = sum(one.rows for one in bins)
    return sum(one.rows / rows * abs(one.won - one.probability) for one in bins) if rows else 0.0


def stability_index(before: F64, after: F64) -> float:
    """Population stability index of one feature: how far its distribution has moved.

    Args:
        before, after: values in the data fitted on, and in the test.

    Returns:
        0 for the same; above 0.25 it is another population. Bins are ten quantiles of `before`.
    """
    edges = np.unique(np.quantile(before, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
    was = np.bincount(np.searchsorted(edges, before, side="right"), minlength=len(edges) + 1)
    now = np.bincount(np.searchsorted(edges, after, side="right"), minlength=len(edges) + 1)
    was_share = np.maximum(was / max(1, len(before)), 1e-4)
    now_share = np.maximum(now / max(1, len(after)), 1e-4)
    return float(np.sum((now_share - was_share) * np.log(now_share / was_share)))


def day_bootstrap(
    figure: Callable[[I64], float], day: I64, *, level: float, seed: int, draws: int = DRAWS
) -> Interval:
    """Draw whole days with replacement, and see how far a figure moves.

    Args:
        figure: of row numbers, with repetitions.
        day: shape (n,), of each row.
        level: of the interval, e.g. 0.90.
        seed: of the draws.
        draws: how many.
    """
    generator = np.random.default_rng(seed)
    groups = [np.flatnonzero(day == one) for one in np.unique(day)]
    if not groups:
        return Interval(0.0, 0.0)
    found = np.empty(draws)
    for index in range(draws):
        chosen = generator.integers(0, len(groups), len(groups))
        found[index] = figure(np.concatenate([groups[one] for one in chosen]))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def sum_by_day(values: F64, day: I64, days: I64) -> F64:
    """Sums a day, shape of `days`; 0 for a day without a row.

    Args:
        values, day: shape (n,), a row each.
        days: rising and without a hole; every `day` is among them.
    """
    summed = np.bincount(day - days[0], weights=values, minlength=len(days))
    return summed.astype(np.float64)


def daily_sharpe(daily: F64) -> float:
    """`mean / std * sqrt(365)` of sums a day; 0 where they do not vary."""
    spread = float(np.std(daily, ddof=1)) if len(daily) > 1 else 0.0
    return float(np.mean(daily)) / spread * DAYS_A_YEAR**0.5 if spread > 1e-15 else 0.0


def sharpe_interval(daily: F64, *, level: float = 0.95, seed: int = 0) -> Interval:
    """Of `daily_sharpe`, by drawing days with replacement."""
    drawn = np.random.default_rng(seed).integers(0, len(daily), (DRAWS, len(daily)))
    low, high = np.quantile(
        [daily_sharpe(daily[rows]) for rows in drawn], [(1 - level) / 2, (1 + level) / 2]
    )
    return Interval(float(low), float(high))


class Expectancy(NamedTuple):
    """Mean result of a trade, fraction of the notional; its t-value clustered by day; trades."""

    mean: float
    t_value: float
    trades: int


def expectancy(net: F64, day: I64) -> Expectancy:
    """Mean and t-value of results, days taken as one observation each."""
    if not len(net):
        return Expectancy(0.0, 0.0, 0)
    mean = float(net.mean())
    _, place = np.unique(day, return_inverse=True)
    off = np.bincount(place, weights=net - mean)
    groups = len(off)
    if groups < 2:
        return Expectancy(mean, 0.0, len(net))
    error = float(np.sqrt(np.sum(off**2) * groups / (groups - 1))) / len(net)
    return Expectancy(mean, mean / error if error > 0 else 0.0, len(net))

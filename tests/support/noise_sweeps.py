"""Sweeps of strategies of which it is known whether they are worth anything."""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Final

import numpy as np

from suite.bars import F64
from suite.performance import DAYS_A_YEAR
from virtual_exchange.research.honesty import FoldReturns, Verdict, judge

Noise = Callable[[np.random.Generator, int, int], F64]
"""Draws results a day, shape (days, trials), that nobody could foresee."""


def _normal(dice: np.random.Generator, days: int, trials: int) -> F64:
    return dice.normal(0, 0.01, (days, trials))


def _fat(dice: np.random.Generator, days: int, trials: int) -> F64:
    return 0.006 * dice.standard_t(3, (days, trials))


def _related(dice: np.random.Generator, days: int, trials: int) -> F64:
    own, shared = dice.normal(0, 0.01, (days, trials)), dice.normal(0, 0.01, (days, 1))
    return sqrt(0.3) * own + sqrt(0.7) * shared


def _seldom(dice: np.random.Generator, days: int, trials: int) -> F64:
    return dice.normal(0, 0.02, (days, trials)) * (dice.random((days, trials)) < 0.25)


def _held(dice: np.random.Generator, days: int, trials: int) -> F64:
    """Long, short or flat for ten days on average, all in one market with wild and quiet times."""
    calm = np.exp(0.5 * np.cumsum(dice.normal(0, 0.1, days)))
    market = 0.02 * calm / calm.mean() * dice.standard_t(4, days)
    side = dice.integers(-1, 2, (days, trials)).astype(np.float64)
    moves = dice.random((days, trials)) < 0.1
    moves[0] = True
    since = np.maximum.accumulate(np.where(moves, np.arange(days)[:, None], 0), axis=0)
    results: F64 = np.take_along_axis(side, since, axis=0) * market[:, None]
    return results


NOISES: Final[dict[str, Noise]] = {
    "normal": _normal,
    "fat tails (t, 3)": _fat,
    "related, 0.7": _related,
    "trade one day of four": _seldom,
    "hold for days, one market": _held,
}


def noise(kind: str, dice: np.random.Generator, *, days: int, trials: int) -> F64:
    """Draw a sweep of worthless strategies."""
    return NOISES[kind](dice, days, trials)


def with_edge(daily: F64, sharpe: float, trials: Sequence[int]) -> F64:
    """Give some trials a true Sharpe ratio a year, by what they gain on every day."""
    changed = daily.copy()
    for trial in trials:
        changed[:, trial] += sharpe / sqrt(DAYS_A_YEAR) * daily[:, trial].std()
    return changed


def walked(daily: F64, folds: int = 4) -> list[FoldReturns]:
    """Cut days into a walk forward: a train before each test, a day between them."""
    edges = np.linspace(0, len(daily), folds + 2).astype(int)
    return [
        FoldReturns(
            fold, daily[edges[fold] : edges[fold + 1] - 1], daily[edges[fold + 1] : edges[fold + 2]]
        )
        for fold in range(folds)
    ]


def judged(daily: F64) -> Verdict:
    """Judge a sweep as one that is walked forward is."""
    folds = walked(daily)
    quick = judge(daily, folds=folds, halve=False)  # conditions only add up
    return judge(daily, folds=folds) if quick.real else quick

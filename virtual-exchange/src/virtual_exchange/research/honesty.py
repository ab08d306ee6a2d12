"""Whether the best of a search is more than the luck of having searched.

A search shows the best of many results, and the best of many worthless results is good. Every
figure here takes that off: it counts what was tried, chooses in one part of the days and looks in
another, and asks how the winner's neighbors do. The winner is real only where all conditions hold;
what cannot be said is not taken for yes.

Sources: Bailey, López de Prado, "The Deflated Sharpe Ratio", 2014; Bailey, Borwein, López de Prado,
Zhu, "The Probability of Backtest Overfitting", 2017; Pardo, "The Evaluation and Optimization of
Trading Strategies", 2008, chapter 11 (walk-forward efficiency), chapter 13 (plateaus).
`docs/research-honesty.md` has the measured share of mistakes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, sqrt
from typing import Final, Literal, NamedTuple

import numpy as np

from suite.bars import F64, I64
from suite.overfitting import (
    PARTS,
    Halves,
    deflated_sharpe,
    expected_best,
    independent_trials,
    mean_correlation,
    ratios_a_day,
    symmetric_halves,
)
from suite.performance import DAYS_A_YEAR, SHARPE_DAYS_MIN, sharpe_above
from virtual_exchange.research.honesty_plateau import Plateau, plateau

CONFIDENCE: Final = 0.95
"""That a winner is called real by mistake in at most 5 % of searches among worthless ones."""
LOSS_MAX: Final = 0.20
"""How often the best of one half of the days may lose in the other."""
OVERFITTING_MAX: Final = 0.20
PLATEAU_MIN: Final = 0.5
TRADES_MIN: Final = 30
_PLAIN: Final = {"days", "trades"}  # needed, and no reason by themselves
_ANNUAL: Final = sqrt(DAYS_A_YEAR)

Label = Literal["distinguishable from luck", "not distinguishable from luck", "nothing to judge"]


class FoldReturns(NamedTuple):
    """What all sets of parameters did in one step of a walk forward.

    Attributes:
        fold: its number.
        train, test: shape (days, trials), results a day; the test is after the train.
    """

    fold: int
    train: F64
    test: F64


class Step(NamedTuple):
    """The best of one train, and what became of it.

    Attributes:
        fold: number of the step.
        trial: what was best in the train.
        train, test: its Sharpe ratio there, annualized; None where it did not vary.
    """

    fold: int
    trial: int
    train: float | None
    test: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walk forward: always trade what was best until then.

    Attributes:
        steps: one a fold.
        sharpe: of all tests in a row, annualized; None where they do not vary.
        above_zero: probability that its true ratio is above 0.
        total: return of all tests in a row.
        degradation: mean ratio in tests over that in trains; 1 is no loss, None where trains lost.
    """

    steps: tuple[Step, ...]
    sharpe: float | None
    above_zero: float | None
    total: float
    degradation: float | None


class Condition(NamedTuple):
    """Something that must hold.

    Attributes:
        name: of it.
        met: None where it cannot be judged.
        told: what was found, and what is needed.
    """

    name: str
    met: bool | None
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What can be said of the best of a search; ratios are annualized.

    Attributes:
        label: in words, for its head.
        real: all conditions hold.
        winner: trial that is judged; None where none can be.
        reasons: plain sentences: what stands against it, or what speaks for it.
        warnings: what does not decide, and should be known.
        conditions: each with what was found.
        tried: trials that were run, failed ones too.
        compared: those with a result on every day.
        independent: how many unrelated ones they are worth.
        correlation: mean over all pairs.
        days: how many, and `active` how many on which the winner's equity moved.
        sharpe: of the winner.
        by_luck: what the best of as many worthless trials is expected to show.
        deflated: probability that the winner's true ratio is above that.
        overfitting: PBO; how often the best of one half of the days is below the other's median.
        loss: how often it loses there.
        halves: what these two are made of.
        walk, plateau: see there; None where there is none.
    """

    label: Label
    real: bool
    winner: int | None
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    tried: int = 0
    compared: int = 0
    independent: float = 0.0
    correlation: float = 0.0
    days: int = 0
    active: int = 0
    sharpe: float | None = None
    by_luck: float | None = None
    deflated: float | None = None
    overfitting: float | None = None
    loss: float | None = None
    halves: Halves | None = None
    walk: Walk | None = None
    plateau: Plateau | None = None


def judge(
    daily: F64,
    *,
    trials: I64 | None = None,
    tried: int | None = None,
    folds: Sequence[FoldReturns] = (),
    places: F64 | None = None,
    trades: Sequence[int] | None = None,
    halve: bool = True,
    chosen: int | None = None,
) -> Verdict:
    """Judge the best of a search.

    Args:
        daily: shape (days, trials), simple returns of equity a day over all days; only trials
            that have a result on every day.
        trials: their numbers; 0, 1, ... by default.
        tried: how many were run in all, failed ones too.
        folds: of the walk forward, with the same trials in the same order.
        places: shape (trials, parameters), where each lies, every parameter from 0 to 1.
        trades: closed by each.
        halve: look at halves of the days too, which takes longest; without, nothing is said of
            them, and nothing held against the winner.
        chosen: number of the trial to judge; the one with the highest ratio by default.
    """
    days, width = daily.shape if daily.ndim == 2 else (0, 0)
    numbers = np.arange(width) if trials is None else trials
    tried = width if tried is None else max(tried, width)
    if not width or days < 2:
        return _nothing(tried, width, days)
    ratios = ratios_a_day(daily)
    if np.isnan(ratios).all():
        return _nothing(tried, width, days, "the equity of none of them ever moved")
    best = int(np.nanargmax(ratios) if chosen is None else np.searchsorted(numbers, chosen))
    own = daily[:, best]
    correlation = mean_correlation(daily)
    luck = _variance_of_luck(ratios, days, correlation)
    halves = symmetric_halves(daily) if halve and days >= 2 * PARTS else None
    walk = walk_forward(folds, numbers) if folds else None
    found = Verdict(
        label="not distinguishable from luck",
        real=False,
        winner=int(numbers[best]),
        reasons=(),
        tried=tried,
        compared=width,
        independent=independent_trials(width, correlation),
        correlation=correlation,
        days=days,
        active=int(np.count_nonzero(own)),
        sharpe=float(ratios[best]) * _ANNUAL,
        by_luck=expected_best(tried, luck) * _ANNUAL,
        deflated=_above_luck(own, tried, luck),
        overfitting=None if halves is None else halves.probability,
        loss=None if halves is None else halves.loss,
        halves=halves,
        walk=walk,
        plateau=None if places is None else plateau(places, ratios * _ANNUAL, best, numbers),
    )
    return _decided(found, None if trades is None else int(trades[best]))


def walk_forward(folds: Sequence[FoldReturns], trials: I64) -> Walk | None:
    """Choose the best of each train, and put its tests in a row.

    Args:
        folds: in the order of time.
        trials: numbers of the columns.

    Returns:
        None where no train has anything to choose from.
    """
    steps, tests = [], []
    for fold in folds:
        if min(len(fold.train), len(fold.test)) < 2:
            continue
        seen = ratios_a_day(fold.train)
        if np.isnan(seen).all():
            continue
        best = int(np.nanargmax(seen))
        tests.append(fold.test[:, best])
        after = float(ratios_a_day(fold.test[:, [best]])[0])
        steps.append(
            Step(fold.fold, int(trials[best]), float(seen[best]) * _ANNUAL, _annual(after))
        )
    if not steps:
        return None
    row = np.concatenate(tests)
    before = float(np.mean([step.train for step in steps]))
    later = float(np.mean([step.test or 0.0 for step in steps]))
    return Walk(
        steps=tuple(steps),
        sharpe=_annual(float(ratios_a_day(row[:, None])[0])),
        above_zero=_above_luck(row, 1, 0.0),
        total=float(np.prod(1 + row)) - 1,
        degradation=later / before if before > 0 else None,
    )


def _variance_of_luck(ratios: F64, days: int, correlation: float) -> float:
    """How much ratios a day vary across trials, not below what chance alone makes of them.

    A few trials may lie together by chance; worthless ones vary by `(1 - c) / (n - 1)` where c is
    their mean correlation (Lo, "The Statistics of Sharpe Ratios", 2002, for ratios near 0).
    """
    known = ratios[~np.isnan(ratios)]
    seen = float(np.var(known, ddof=1)) if len(known) > 1 else 0.0
    return max(seen, (1 - correlation) / (days - 1)) if len(ratios) > 1 else 0.0


def _above_luck(daily: F64, tried: int, variance: float) -> float | None:
    """Probability that a ratio is above luck; the shape of returns may lower it, never raise it.

    A few large gains raise the ratio and the skew together, which makes the usual formula sure of
    what is chance: of worthless strategies with fat tails it takes 5.6 % for real instead of 5 %.
    """
    shaped = deflated_sharpe(daily, trials=tried, variance=variance)
    plain = sharpe_above(
        expected_best(tried, variance),
        ratio=float(ratios_a_day(daily[:, None])[0]),
        days=len(daily),
        skew=0.0,
        kurtosis=3.0,
    )
    return None if shaped is None or plain is None else min(shaped, plain)


def _nothing(tried: int, width: int, days: int, why: str = "") -> Verdict:
    """Say that there is nothing to say."""
    reason = why or (
        "nothing was tried"
        if not tried
        else f"none of {tried} trials has a result on every day: see their errors"
        if not width
        else f"there is one day of results, and {SHARPE_DAYS_MIN} are needed"
    )
    return Verdict(
        label="nothing to judge",
        real=False,
        winner=None,
        reasons=(_sentence(reason),),
        tried=tried,
        compared=width,
        days=days,
    )


def _decided(found: Verdict, trades: int | None) -> Verdict:
    """Hold the conditions against what was found, and put it into words."""
    conditions = tuple(_conditions(found, trades))
    real = all(one.met is not False for one in conditions)
    against = [one.told for one in conditions if one.met is False]
    unknown = [one.told for one in conditions if one.met is None]
    speaking = [one.told for one in conditions if one.met and one.name not in _PLAIN]
    kept = {name: getattr(found, name) for name in Verdict.__dataclass_fields__}
    kept |= {
        "label": "distinguishable from luck" if real else "not distinguishable from luck",
        "real": real,
        "conditions": conditions,
        "reasons": tuple(_sentence(text) for text in (speaking if real else against)),
        "warnings": tuple(_sentence(text) for text in [*unknown, *_warnings(found)]),
    }
    return Verdict(**kept)


def _conditions(found: Verdict, trades: int | None) -> list[Condition]:
    told = [
        Condition(
            "days",
            found.active >= SHARPE_DAYS_MIN,
            f"its equity moved on {found.active} of {found.days} days, at least {SHARPE_DAYS_MIN} "
            "are needed",
        )
    ]
    if trades is not None:
        told.append(
            Condition(
                "trades", trades >= TRADES_MIN, f"it closed {trades} trades, {TRADES_MIN} needed"
            )
        )
    told.append(_condition_of_luck(found))
    if found.compared > 1:
        told.append(_condition_of_halves(found))
    if found.walk is not None:
        told.append(
            Condition(
                "walk forward",
                found.walk.total > 0 and (found.walk.sharpe or 0) > 0,
                f"what was best until then made {_percent(found.walk.total)} in what came after, "
                f"Sharpe ratio {_said(found.walk.sharpe)}; a gain is needed",
            )
        )
    return told


def _condition_of_luck(found: Verdict) -> Condition:
    """Two ways to show an edge; where both were tried, each has half of the chance of error."""
    ways, needed = [found.deflated], CONFIDENCE
    told = f"its Sharpe ratio is {_said(found.sharpe)}"
    if found.tried > 1:
        told += (
            f"; the best of {found.tried} worthless ones is expected to show "
            f"{_said(found.by_luck)}: it is above that with probability {_said(found.deflated, 3)}"
        )
    else:
        told += f": it is above 0 with probability {_said(found.deflated, 3)}"
    if found.walk is not None:
        ways, needed = [*ways, found.walk.above_zero], (1 + CONFIDENCE) / 2
        told += (
            "; what was best until then is above 0 in what came after with probability "
            f"{_said(found.walk.above_zero, 3)}; one of the two must reach {needed}"
        )
    else:
        told += f", {needed} needed"
    met = any(one is not None and one >= needed for one in ways)
    return Condition("more than luck", met, told)


def _condition_of_halves(found: Verdict) -> Condition:
    if found.loss is None:
        return Condition(
            "other half",
            None,
            f"choosing in one half of the days and looking in the other needs {2 * PARTS} of them, "
            f"there are {found.days}",
        )
    return Condition(
        "other half",
        found.loss <= LOSS_MAX,
        f"the best of one half of the days loses in the other in {found.loss:.0%} of all ways to "
        f"halve them, at most {LOSS_MAX:.0%} may be",
    )


def _warnings(found: Verdict) -> list[str]:
    told = []
    if found.tried > found.compared:
        told.append(
            f"{found.tried - found.compared} of {found.tried} trials failed or lack days; they "
            "count as tried, and cannot win"
        )
    if found.overfitting is not None and found.overfitting > OVERFITTING_MAX:
        told.append(
            f"which set is best is not known: chosen in one half of the days, it is below the "
            f"median of the other in {found.overfitting:.0%} of all ways (PBO, at most "
            f"{OVERFITTING_MAX:.0%} is good)"
        )
    if found.plateau is not None and found.plateau.share < PLATEAU_MIN:
        told.append(
            f"it is a lonely peak: its {len(found.plateau.neighbors)} neighbors have a median "
            f"Sharpe ratio of {found.plateau.median:.2f}"
        )
    walk = found.walk
    if walk is not None and walk.degradation is not None and walk.degradation < PLATEAU_MIN:
        told.append(f"tests keep {walk.degradation:.0%} of the Sharpe ratio of their trains")
    return told


def _annual(ratio: float) -> float | None:
    return None if isnan(ratio) else ratio * _ANNUAL


def _said(value: float | None, digits: int = 2) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"


def _percent(value: float) -> str:
    return f"{100 * value:+.2f} %"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."

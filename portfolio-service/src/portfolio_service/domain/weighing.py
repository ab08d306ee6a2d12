"""Shares of the capital by what traders have shown: seven methods, and what bounds them all.

Returns are those of unit capital (time-weighted), daily, net of all costs: a large allocation of
the past does not reward itself. A method that has too little to go by gives way to `equal`, and
says so.

Source: risk and execution reference 11; Maillard, Roncalli, Teiletche, "The Properties of Equally
Weighted Risk Contribution Portfolios", 2010; Ledoit, Wolf, "Honey, I Shrunk the Sample Covariance
Matrix", 2004 (shrinking to the diagonal).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from suite.bars import F64

Method = Literal["equal", "inverse_vol", "risk_parity", "score", "kelly", "hrp", "min_cvar"]
Optimize = Callable[[Method, F64, F64], F64 | None]
"""Gives shares by a method, of returns of shape (traders, days) and their covariance; None where it
finds none."""
BY_LIBRARY: Final[frozenset[Method]] = frozenset({"hrp", "min_cvar"})
"""Methods that an `Optimize` is needed for."""

DAYS_MIN: Final[Mapping[Method, int]] = {
    "equal": 0,
    "inverse_vol": 30,
    "risk_parity": 60,
    "score": 30,
    "kelly": 120,
    "hrp": 60,
    "min_cvar": 120,
}
"""Days of returns that every trader needs for a method."""
HALF_LIFE_DAYS: Final = 20.0
"""After which a day counts half in a covariance."""
DIAGONAL_SHARE: Final = 0.3
"""How far a covariance is drawn to its diagonal; as much of the diagonal is added for `kelly`."""
KELLY_FRACTION: Final = 0.25
SCORE_DAYS: Final = 90
"""Days at which a Sharpe ratio counts half in a score."""
_MEAN_SHARE: Final = 0.5
"""How far a mean is drawn to nothing: means are known far worse than variances."""
_TURNS_MAX: Final = 10_000
_STILL: Final = 1e-10
_LEAST_DEVIATION: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """One trader that may get capital.

    Attributes:
        trader_id: its name.
        returns: daily, shape (days,), the last is the newest; all candidates' end on the same day.
        drawdown: below its highest, 0 to 1.
        sharpe: annualized, net; None where it is not defined.
        health: 0 to 1, how far it can be relied on at present.
        has_edge: its returns are told apart from luck, so that `kelly` may count on their mean.
    """

    trader_id: str
    returns: F64
    drawdown: float = 0.0
    sharpe: float | None = None
    health: float = 1.0
    has_edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What bounds every method.

    Attributes:
        weight_max: of one trader.
        reserve_min: share of the capital that nobody gets.
        drawdown_stop: fall from the highest at which a trader gets nothing; what it loses before
            that goes to the reserve, not to others.
    """

    weight_max: float = 0.4
    reserve_min: float = 0.1
    drawdown_stop: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Shares of the whole capital.

    Attributes:
        shares: by trader, 0 to `weight_max`; together at most 1 less the reserve.
        method: that gave them.
        notes: what was done otherwise than asked, and why; one line each.
    """

    shares: Mapping[str, float]
    method: Method
    notes: tuple[str, ...] = field(default=())


def weigh(
    method: Method,
    candidates: Sequence[Candidate],
    rules: Rules,
    optimize: Optimize | None = None,
) -> Weights:
    """Share the capital out.

    Args:
        method: as asked.
        candidates: at least one is no condition.
        rules: see there.
        optimize: for methods of a library.
    """
    if not candidates:
        return Weights(shares={}, method=method)
    used, why = _possible(method, candidates)
    notes = [why] if why else []
    raw = _of_library(used, candidates, optimize) if used in BY_LIBRARY else _RAW[used](candidates)
    if not raw.sum() > 0:  # nor is no number
        notes.append(f"{used} gives nobody anything: shared equally")
        raw, used = _equal(candidates), "equal"
    whole = 1.0 - rules.reserve_min
    if used == "kelly":  # what the edge is worth, be it less than all there is
        whole = min(whole, float(raw.sum()))
    share = _capped(raw / raw.sum(), whole, rules.weight_max)
    for place, one in enumerate(candidates):
        kept = float(np.clip(1.0 - one.drawdown / rules.drawdown_stop, 0.0, 1.0))
        if kept < 1:
            share[place] *= kept
            notes.append(
                f"{one.trader_id} is {one.drawdown:.1%} below its highest: it gets {kept:.0%}"
            )
    shares = {one.trader_id: float(w) for one, w in zip(candidates, share, strict=True)}
    return Weights(shares=shares, method=used, notes=tuple(notes))


def _possible(method: Method, candidates: Sequence[Candidate]) -> tuple[Method, str]:
    """Tell which method there is enough for, and why it is another one."""
    needed = DAYS_MIN[method]
    short = min(candidates, key=lambda one: len(one.returns))
    if len(short.returns) < needed:
        days = len(short.returns)
        return (
            "equal",
            f"{method} needs {needed} days, {short.trader_id} has {days}: shared equally",
        )
    if method in {"inverse_vol", "risk_parity", *BY_LIBRARY} and len(candidates) > 1:
        still = [one.trader_id for one in candidates if _deviation(one) < _LEAST_DEVIATION]
        if still:
            return "equal", f"{', '.join(still)} never moved: shared equally"
    if method == "kelly" and not any(one.has_edge for one in candidates):
        return "equal", "kelly needs returns that are told apart from luck: shared equally"
    return method, ""


def _deviation(one: Candidate) -> float:
    return float(one.returns.std(ddof=1)) if len(one.returns) > 1 else 0.0


def _equal(candidates: Sequence[Candidate]) -> F64:
    return np.ones(len(candidates))


def _inverse_vol(candidates: Sequence[Candidate]) -> F64:
    return 1.0 / np.array([max(_deviation(one), _LEAST_DEVIATION) for one in candidates])


def _score(candidates: Sequence[Candidate]) -> F64:
    """Sharpe ratio, drawn to nothing where there are few days, times health."""
    return np.array(
        [
            max(0.0, one.sharpe or 0.0)
            * (len(one.returns) / (len(one.returns) + SCORE_DAYS))
            * one.health
            for one in candidates
        ]
    )


def _risk_parity(candidates: Sequence[Candidate]) -> F64:
    """Equal contributions to risk, by cyclical coordinate descent."""
    cov = covariance(np.stack(_of_one_length(candidates)))
    count = len(candidates)
    share = np.full(count, 1.0 / count) / np.sqrt(np.diag(cov))
    for _ in range(_TURNS_MAX):
        before = share.copy()
        for i in range(count):
            others = float(cov[i] @ share - cov[i, i] * share[i])
            root = np.sqrt(others * others + 4.0 * cov[i, i] / count)
            share[i] = (root - others) / (2.0 * cov[i, i])
        if np.abs(share - before).max() < _STILL * np.abs(share).max():
            break
    result: F64 = share
    return result


def _kelly(candidates: Sequence[Candidate]) -> F64:
    """A quarter of the growth-optimal shares of the capital; who has no edge gets nothing."""
    returns = np.stack(_of_one_length(candidates))
    cov = covariance(returns)
    mean = returns.mean(axis=1) * _MEAN_SHARE
    without = [not one.has_edge for one in candidates]
    mean[without] = 0.0
    share = np.linalg.solve(cov + DIAGONAL_SHARE * np.diag(np.diag(cov)), mean)
    share[without] = 0.0  # it would be held as a hedge for the others
    result: F64 = KELLY_FRACTION * np.clip(share, 0.0, None)
    return result


def _of_library(method: Method, candidates: Sequence[Candidate], optimize: Optimize | None) -> F64:
    """Shares by an optimizer; nothing for anybody where there is none, or it finds none."""
    returns = np.stack(_of_one_length(candidates))
    found = None if optimize is None else optimize(method, returns, covariance(returns))
    if found is None or found.shape != (len(candidates),):
        return np.zeros(len(candidates))
    return np.clip(found, 0.0, None)


_RAW = {
    "equal": _equal,
    "inverse_vol": _inverse_vol,
    "risk_parity": _risk_parity,
    "score": _score,
    "kelly": _kelly,
}


def covariance(returns: F64) -> F64:
    """Estimate a covariance: newer days count more, and it is drawn to its diagonal.

    Args:
        returns: shape (traders, days).

    Returns:
        Shape (traders, traders), positive definite.
    """
    days = returns.shape[1]
    weight = 0.5 ** (np.arange(days)[::-1] / HALF_LIFE_DAYS)
    weight /= weight.sum()
    centered = returns - (returns * weight).sum(axis=1, keepdims=True)
    sample = (centered * weight) @ centered.T / (1.0 - (weight**2).sum())
    diagonal = np.diag(np.maximum(np.diag(sample), _LEAST_DEVIATION**2))
    result: F64 = (1.0 - DIAGONAL_SHARE) * sample + DIAGONAL_SHARE * diagonal
    np.fill_diagonal(result, np.diag(diagonal))
    return result


def _of_one_length(candidates: Sequence[Candidate]) -> list[F64]:
    """Cut all returns to the days that all have."""
    days = min(len(one.returns) for one in candidates)
    return [one.returns[len(one.returns) - days :] for one in candidates]


def _capped(share: F64, whole: float, most: float) -> F64:
    """Bring shares of 1 to shares of `whole`, none above `most`.

    What is above is shared among the others in proportion, again and again; what nobody may have
    is left over.
    """
    result = share * whole
    fixed = np.zeros(len(share), dtype=bool)
    for _ in range(len(share)):
        over = (result > most) & ~fixed
        if not over.any():
            break
        fixed |= over
        result[fixed] = most
        rest, free = whole - most * fixed.sum(), share[~fixed].sum()
        if free <= 0:
            break
        result[~fixed] = share[~fixed] / free * max(rest, 0.0)
    return np.minimum(result, most)

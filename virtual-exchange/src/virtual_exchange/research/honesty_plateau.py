"""How the sets of parameters around the best one do: an edge seldom stands on a single point.

Source: Pardo, "The Evaluation and Optimization of Trading Strategies", 2008, chapter 13.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from suite.bars import F64, I64

NEIGHBORS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plateau:
    """How the sets of parameters next to the winner do.

    Attributes:
        neighbors: their trials.
        median: of their Sharpe ratios, annualized.
        share: median over the winner's ratio; 1 is level ground, 0 or less a lonely peak.
        gaining: share of them that gain.
    """

    neighbors: tuple[int, ...]
    median: float
    share: float
    gaining: float


def plateau(places: F64, ratios: F64, best: int, trials: I64) -> Plateau | None:
    """Look at the trials around the winner.

    Its neighbors are those that differ in one parameter by one step of its values; where a search
    has no such ones, the nearest `NEIGHBORS`.

    Args:
        places: shape (trials, parameters), see `places_of`.
        ratios: Sharpe ratio of each trial; NaN counts as 0: it does nothing.
        best: row of the winner.
        trials: their numbers.

    Returns:
        None without another trial or parameter, or where the winner does not gain.
    """
    if len(places) < 2 or not places.shape[1] or not ratios[best] > 0:
        return None
    away = np.abs(places - places[best])
    steps = np.array([_smallest_step(column) for column in places.T])
    differs = away > 1e-12
    near = (differs.sum(axis=1) == 1) & (away <= steps + 1e-9).all(axis=1)
    rows = np.flatnonzero(near)
    if not len(rows):
        order = np.argsort((away**2).sum(axis=1), kind="stable")
        rows = order[order != best][:NEIGHBORS]
    around = np.nan_to_num(ratios[rows], nan=0.0)
    middle = float(np.median(around))
    return Plateau(
        neighbors=tuple(int(trials[row]) for row in rows),
        median=middle,
        share=middle / float(ratios[best]),
        gaining=float(np.mean(around > 0)),
    )


def places_of(values: Sequence[Sequence[object]]) -> F64:
    """Say where trials lie among each other.

    Args:
        values: of each parameter, a value a trial: numbers or words.

    Returns:
        Shape (trials, parameters), 0 to 1: the rank of a value among all values of its parameter.
        Words are as far from each other as can be.
    """
    columns = []
    for column in values:
        if all(isinstance(value, int | float) for value in column):
            known, place = np.unique(np.array(column, np.float64), return_inverse=True)
        else:
            known, place = np.unique([str(value) for value in column], return_inverse=True)
        columns.append(place / max(1, len(known) - 1))
    return np.column_stack(columns) if columns else np.empty((0, 0))


def _smallest_step(column: F64) -> float:
    """The step of ranks of a parameter."""
    known = np.unique(column)
    return float(known[1] - known[0]) if len(known) > 1 else 0.0

"""How much each labelled trade counts, and which may teach about which time."""

from typing import NamedTuple

import numpy as np

from strategy_core.learning.events import Events
from suite.bars import DAY_MS, F64, I64, BoolArray


def uniqueness(start_ms: I64, end_ms: I64, coin: I64) -> F64:
    """Mean over the life of a label of one over the labels alive then, of the same coin.

    Args:
        start_ms, end_ms: shape (n,), half-open lives; none is empty.
        coin: shape (n,).

    Returns:
        Shape (n,), above 0 and at most 1.

    Source: López de Prado, "Advances in Financial Machine Learning", 2018, chapter 4.
    """
    out = np.ones(len(start_ms))
    for one in np.unique(coin):
        rows = np.flatnonzero(coin == one)
        begin, end = start_ms[rows], end_ms[rows]
        edges = np.unique(np.concatenate([begin, end]))
        first, last = np.searchsorted(edges, begin), np.searchsorted(edges, end)
        alive = np.zeros(len(edges) + 1)
        np.add.at(alive, first, 1.0)
        np.add.at(alive, last, -1.0)
        alive = np.maximum(np.cumsum(alive)[: len(edges) - 1], 1.0)
        lengths = np.diff(edges).astype(np.float64)
        shared = np.concatenate([[0.0], np.cumsum(lengths / alive)])
        out[rows] = (shared[last] - shared[first]) / (end - begin)
    return out


def sample_weights(events: Events, *, now_ms: int, half_life_days: float) -> F64:
    """Uniqueness times recency: half after each half-life."""
    age_days = np.maximum(0.0, (now_ms - events.start_ms) / DAY_MS)
    alone = uniqueness(events.start_ms, events.end_ms, events.coin.astype(np.int64))
    return alone * 0.5 ** (age_days / half_life_days)


class Slices(NamedTuple):
    """Masks of shape (n,) over events: to fit, to stop early and calibrate, to test."""

    fit: BoolArray
    calibrate: BoolArray
    test: BoolArray


def slices(
    events: Events, *, calibrate_ms: int, test_ms: int, end_ms: int, embargo_ms: int
) -> Slices:
    """Divide by time, all coins together; no label reaches into a later part.

    A label that ends after the beginning of the next part is purged, and the next part begins an
    embargo later.

    Args:
        events: labelled trades.
        calibrate_ms, test_ms, end_ms: where the second and the third part begin, and the end.
        embargo_ms: one horizon of a label.
    """
    start, end = events.start_ms, events.end_ms
    return Slices(
        fit=end <= calibrate_ms,
        calibrate=(start >= calibrate_ms + embargo_ms) & (end <= test_ms),
        test=(start >= test_ms + embargo_ms) & (start < end_ms),
    )


class Fold(NamedTuple):
    """One step of a walk forward.

    Attributes:
        calibrate_ms, test_ms, end_ms: as for `slices`.
    """

    calibrate_ms: int
    test_ms: int
    end_ms: int


def folds(first_ms: int, last_ms: int, *, count: int, calibrate_share: float) -> list[Fold]:
    """Walk forward over a range: train on all that was, test on what comes next.

    The first three parts of `count + 3` are for training only; what is trained on expands.

    Args:
        first_ms, last_ms: of the events.
        count: how many test parts.
        calibrate_share: of what is trained on, its newest part.
    """
    length = (last_ms + 1 - first_ms) / (count + 3)
    found = []
    for index in range(count):
        test_ms = first_ms + round(length * (index + 3))
        found.append(
            Fold(
                calibrate_ms=test_ms - round((test_ms - first_ms) * calibrate_share),
                test_ms=test_ms,
                end_ms=first_ms + round(length * (index + 4)),
            )
        )
    return found

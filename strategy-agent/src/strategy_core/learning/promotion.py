"""Whether a new model takes the place of the one in use: only where every gate is passed.

| gate    | rule                                                                                |
| ------- | ----------------------------------------------------------------------------------- |
| schema  | features, bars and trades are the same                                              |
| better  | Brier score below the champion's on the same unseen trades, by a paired bootstrap of |
|         | days with probability 0.90; or the champion is older than 14 days and the challenger |
|         | at most 0.002 worse                                                                  |
| useful  | Brier score below the base rate's; lower end of the AUC's 90 % interval above 0.50   |
| honest  | calibration error at most 0.05, calibration slope from 0.5 to 2                      |
| sane    | no feature with more than 60 % of the gain, probabilities that vary by more than     |
|         | 0.005, no feature that has moved by 0.25 or more since                               |
"""

from typing import Final

import msgspec
import numpy as np

from strategy_core.learning.artefact import Meta, Model
from strategy_core.learning.events import Events
from strategy_core.learning.metrics import DRAWS
from strategy_core.learning.weights import sample_weights
from suite.bars import DAY_MS, F64

BETTER_SURE: Final = 0.90
OLD_DAYS: Final = 14
NOT_WORSE: Final = 0.002
ECE_MAX: Final = 0.05
SLOPE_MIN, SLOPE_MAX = 0.5, 2.0
GAIN_MAX: Final = 0.60
SPREAD_MIN: Final = 0.005
DRIFT_MAX: Final = 0.25
COMPARED_MIN: Final = 100
"""Fewer trades that neither has seen tell nothing."""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of a promotion.

    Attributes:
        name: of the gate.
        passed: whether it is met.
        told: the values that it was judged by.
    """

    name: str
    passed: bool
    told: str


def gates(
    challenger: Model, champion: Model | None, test: Events, *, now_ms: int, seed: int = 0
) -> tuple[Gate, ...]:
    """Judge a challenger.

    Args:
        challenger: newly trained.
        champion: in use; None for none.
        test: labelled trades later than all that the challenger was trained on.
        now_ms: the time.
        seed: of the bootstrap.
    """
    meta = challenger.meta
    return (
        _schema(meta, champion.meta if champion else None),
        _better(challenger, champion, test, now_ms=now_ms, seed=seed),
        _useful(meta),
        _honest(meta),
        _sane(meta),
    )


def _schema(meta: Meta, old: Meta | None) -> Gate:
    if old is None:
        return Gate(name="schema", passed=True, told="there is no champion")
    same = (meta.schema_hash, meta.label) == (old.schema_hash, old.label)
    return Gate(
        name="schema",
        passed=same,
        told="features and trades are the champion's" if same else "features or trades differ",
    )


def _better(
    challenger: Model, champion: Model | None, test: Events, *, now_ms: int, seed: int
) -> Gate:
    if champion is None:
        return Gate(name="better", passed=True, told="there is no champion")
    horizon_ms = champion.meta.label.horizon * champion.meta.interval_ms
    unseen = test.take(test.start_ms >= champion.meta.train_end_ms + horizon_ms)
    if len(unseen) < COMPARED_MIN:
        told = f"only {len(unseen)} trades that neither has seen, {COMPARED_MIN} are needed"
        return Gate(name="better", passed=False, told=told)
    weight = sample_weights(
        unseen, now_ms=now_ms, half_life_days=challenger.meta.training.half_life_days
    )
    losses = [_squares(model, unseen) for model in (champion, challenger)]
    gain = float(np.average(losses[0] - losses[1], weights=weight))
    sure = probability_better(losses[0], losses[1], weight, unseen, seed=seed)
    age = (now_ms - champion.meta.created_ms) / DAY_MS
    passed = (gain > 0 and sure >= BETTER_SURE) or (age > OLD_DAYS and gain >= -NOT_WORSE)
    told = (
        f"Brier {gain:+.5f} better on {len(unseen)} trades, with probability {sure:.3f}; "
        f"the champion is {age:.1f} days old"
    )
    return Gate(name="better", passed=passed, told=told)


def probability_better(
    old: F64, new: F64, weight: F64, events: Events, *, seed: int, draws: int = DRAWS
) -> float:
    """How often the new losses are below the old, where whole days are drawn with replacement.

    Args:
        old, new: shape (n,), squared errors on the same trades.
        weight: shape (n,).
        events: the trades.
        seed: of the draws.
        draws: how many.
    """
    _, place = np.unique(events.day, return_inverse=True)
    gain = np.bincount(place, weights=weight * (old - new))
    drawn = np.random.default_rng(seed).integers(0, len(gain), (draws, len(gain)))
    return float(np.mean(gain[drawn].sum(axis=1) > 0))


def _useful(meta: Meta) -> Gate:
    scores = meta.scores
    return Gate(
        name="useful",
        passed=scores.brier < scores.brier_base and scores.auc_90.low > 0.5,
        told=f"Brier {scores.brier:.5f} against {scores.brier_base:.5f} of the base rate; AUC "
        f"{scores.auc:.3f}, at least {scores.auc_90.low:.3f}",
    )


def _honest(meta: Meta) -> Gate:
    scores = meta.scores
    return Gate(
        name="honest",
        passed=scores.ece <= ECE_MAX and SLOPE_MIN <= scores.slope <= SLOPE_MAX,
        told=f"calibration error {scores.ece:.3f}, slope {scores.slope:.2f}",
    )


def _sane(meta: Meta) -> Gate:
    feature, gain = max(meta.gains.items(), key=lambda item: item[1])
    moved, drift = max(meta.drift.items(), key=lambda item: item[1])
    return Gate(
        name="sane",
        passed=gain <= GAIN_MAX and meta.scores.spread > SPREAD_MIN and drift < DRIFT_MAX,
        told=f"{feature} has {gain:.0%} of the gain; probabilities vary by "
        f"{meta.scores.spread:.4f}; {moved} has moved by {drift:.2f}",
    )


def _squares(model: Model, events: Events) -> F64:
    return (model.probability(events.features) - events.won) ** 2

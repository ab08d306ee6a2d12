"""One training: from labelled trades to a model, or to the reason why there is none."""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec
import numpy as np

from strategy_core.ict.schema import NAMES, SCHEMA, schema_hash
from strategy_core.learning.artefact import META, Meta, Traded, written
from strategy_core.learning.boosting import Sample, Trees, grow, library
from strategy_core.learning.calibration import Calibration, calibrate
from strategy_core.learning.events import Events
from strategy_core.learning.metrics import Scores, expectancy, judge, stability_index
from strategy_core.learning.rules import LabelRules, TrainingRules
from strategy_core.learning.weights import Slices, sample_weights, slices
from suite.bars import DAY_MS, F64

BP: Final = 10_000.0
FEW_ROUNDS: Final = 3
"""So few trees have found nothing."""


class Untrained(StrEnum):
    """Why there is no model."""

    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    BAD_DATA = "BAD_DATA"
    """Numbers that are none, or a feature that never changes."""
    NO_SIGNAL = "NO_SIGNAL"
    """The features do not tell winners from losers: an answer, not an error."""


class Refusal(NamedTuple):
    """There is no model.

    Attributes:
        why: in one word.
        text: in one line.
    """

    why: Untrained
    text: str


class Circumstances(NamedTuple):
    """What a model is trained for.

    Attributes:
        interval_ms: of the bars.
        label: rules of the labels.
        training: rules of the training.
        now_ms: the time, which nothing in the data may be after.
        parent: model in use, empty for none.
        synthetic: the market is made up.
    """

    interval_ms: int
    label: LabelRules
    training: TrainingRules
    now_ms: int
    parent: str = ""
    synthetic: bool = False


class Fitted(NamedTuple):
    """What a training has found, before it is judged.

    Attributes:
        model: the trees, as bytes.
        trees: the same, ready.
        rounds: how many.
        calibration: of their scores.
        base_rate: share of winners in all that was fitted on, weighted.
    """

    model: bytes
    trees: Trees
    rounds: int
    calibration: Calibration
    base_rate: float

    def probability(self, events: Events) -> F64:
        """Probability of each trade to win."""
        return self.calibration.probability(self.trees.scores(events.features))

    def confidence(self, events: Events) -> F64:
        """Confidence in each trade."""
        return self.calibration.confidence(self.probability(events))


class Trained(NamedTuple):
    """A model, as files."""

    meta: Meta
    files: dict[str, bytes]


def train(events: Events, asked: Circumstances) -> Trained | Refusal:
    """Train a model on the newest trades, and judge it on the newest of those.

    Args:
        events: labelled trades, all coins together.
        asked: what it is for.
    """
    rules = asked.training
    recent = events.take(
        (events.start_ms >= asked.now_ms - rules.days * DAY_MS) & (events.end_ms <= asked.now_ms)
    )
    if refusal := _too_few(recent, rules) or _unsound(recent):
        return refusal
    first, last = int(recent.start_ms[0]), int(recent.end_ms.max())
    length = last - first
    cut = slices(
        recent,
        calibrate_ms=first + round(length * rules.fit),
        test_ms=first + round(length * (rules.fit + rules.calibrate)),
        end_ms=last,
        embargo_ms=asked.label.horizon * asked.interval_ms,
    )
    fitted = fit(recent, cut, rules, now_ms=asked.now_ms)
    if isinstance(fitted, Refusal):
        return fitted
    test = recent.take(cut.test)
    if len(test) < rules.minimum.calibration or test.won.all() or not test.won.any():
        return Refusal(
            Untrained.INSUFFICIENT_DATA,
            f"the test slice has {len(test)} trades, {int(test.won.sum())} of them won",
        )
    return _written(recent, cut, fitted, asked)


def fit(events: Events, cut: Slices, rules: TrainingRules, *, now_ms: int) -> Fitted | Refusal:
    """Grow and calibrate on two slices.

    Args:
        events: labelled trades.
        cut: slices; the test is not looked at.
        rules: of the training.
        now_ms: the time that recency counts from.
    """
    grown_on, stopped_by = events.take(cut.fit), events.take(cut.calibrate)
    if refusal := _unfit(grown_on, stopped_by, rules):
        return refusal
    weight = sample_weights(grown_on, now_ms=now_ms, half_life_days=rules.half_life_days)
    later = sample_weights(stopped_by, now_ms=now_ms, half_life_days=rules.half_life_days)
    grown = grow(
        Sample(grown_on.features, grown_on.won, weight),
        Sample(stopped_by.features, stopped_by.won, later),
        NAMES,
        rules.boosting,
    )
    if grown.rounds <= FEW_ROUNDS:
        return Refusal(
            Untrained.NO_SIGNAL,
            f"after {grown.rounds} trees nothing was predicted better than by the base rate",
        )
    trees = Trees(grown.model)
    if not any(trees.gains().values()):
        return Refusal(
            Untrained.NO_SIGNAL,
            f"{grown.rounds} trees split nowhere: all trades look alike to them",
        )
    calibration = calibrate(trees.scores(stopped_by.features), stopped_by.net, later)
    if isinstance(calibration, str):
        return Refusal(Untrained.NO_SIGNAL, calibration)
    base = np.average(
        np.concatenate([grown_on.won, stopped_by.won]), weights=np.concatenate([weight, later])
    )
    return Fitted(grown.model, trees, grown.rounds, calibration, float(base))


def traded(events: Events) -> Traded:
    """Sum up what trading all of these would have brought."""
    found = expectancy(events.net, events.day)
    return Traded(
        trades=found.trades,
        gross_bp=float(events.gross.mean()) * BP if found.trades else 0.0,
        net_bp=found.mean * BP,
        t_value=found.t_value,
        won=float(events.won.mean()) if found.trades else 0.0,
    )


def scores_of(fitted: Fitted, test: Events, rules: TrainingRules, *, now_ms: int) -> Scores:
    """Judge what was fitted by trades that it has not seen."""
    return judge(
        fitted.probability(test),
        test.won,
        weight=sample_weights(test, now_ms=now_ms, half_life_days=rules.half_life_days),
        base_rate=fitted.base_rate,
        day=test.day,
        seed=rules.boosting.seed,
    )


def _written(events: Events, cut: Slices, fitted: Fitted, asked: Circumstances) -> Trained:
    grown_on, test = events.take(cut.fit), events.take(cut.test)
    seen = events.take(cut.fit | cut.calibrate)
    meta = Meta(
        model_id="",
        created_ms=asked.now_ms,
        schema=SCHEMA,
        schema_hash=schema_hash(asked.interval_ms),
        feature_names=NAMES,
        interval_ms=asked.interval_ms,
        coins=events.coins,
        train_start_ms=int(seen.start_ms.min()),
        train_end_ms=int(seen.end_ms.max()),
        test_start_ms=int(test.start_ms.min()),
        test_end_ms=int(test.end_ms.max()),
        rows=(int(cut.fit.sum()), int(cut.calibrate.sum()), int(cut.test.sum())),
        label=asked.label,
        training=asked.training,
        rounds=fitted.rounds,
        data_digest=events.digest(),
        scores=scores_of(fitted, test, asked.training, now_ms=asked.now_ms),
        taken=traded(test.take(fitted.confidence(test) > 0.5)),
        every=traded(test),
        gains=fitted.trees.gains(),
        drift={
            name: stability_index(
                grown_on.features[:, place].astype(np.float64),
                test.features[:, place].astype(np.float64),
            )
            for place, name in enumerate(NAMES)
        },
        parent=asked.parent,
        library=library().__version__,
        synthetic=asked.synthetic,
    )
    files = written(meta, fitted.model, fitted.calibration, test.features)
    return Trained(msgspec.json.decode(files[META], type=Meta), files)


def _too_few(events: Events, rules: TrainingRules) -> Refusal | None:
    """Whether there is too little to begin with."""
    least = rules.minimum
    won = int(np.count_nonzero(events.won))
    days = len(np.unique(events.day))
    found = {
        f"{len(events)} labelled trades, {least.events} are needed": len(events) < least.events,
        f"only {won} won, {least.each_class} are needed": won < least.each_class,
        f"only {len(events) - won} lost, {least.each_class} are needed": len(events) - won
        < least.each_class,
        f"{days} days, {least.days} are needed": days < least.days,
    }
    short = [text for text, holds in found.items() if holds]
    return Refusal(Untrained.INSUFFICIENT_DATA, "; ".join(short)) if short else None


def _unsound(events: Events) -> Refusal | None:
    """Whether a number is none."""
    if np.isfinite(events.features).all() and np.isfinite(events.net).all():
        return None
    return Refusal(Untrained.BAD_DATA, "a feature or a result is not a number")


def _unfit(fit_on: Events, stop_by: Events, rules: TrainingRules) -> Refusal | None:
    """Whether nothing can be learned from two slices."""
    if refusal := _unsound(fit_on) or _unsound(stop_by):
        return refusal
    won = int(np.count_nonzero(stop_by.won))
    least, lost = rules.minimum.calibration, len(stop_by) - won
    if min(won, lost) < least:
        return Refusal(
            Untrained.INSUFFICIENT_DATA,
            f"the calibration slice has {won} winners and {lost} losers, {least} of each are "
            "needed",
        )
    if len(fit_on) == 0 or fit_on.won.all() or not fit_on.won.any():
        return Refusal(
            Untrained.INSUFFICIENT_DATA, "all trades of the fit slice ended the same way"
        )
    still = np.ptp(fit_on.features, axis=0) == 0
    if still.any():
        names = ", ".join(name for name, one in zip(NAMES, still, strict=True) if one)
        return Refusal(Untrained.BAD_DATA, f"never changes: {names}")
    return None

"""Platt or isotonic: which calibration predicts trades that neither was fitted on.

`python -m tests.bench.bench_calibration --data STORE`: trees of every step of a walk forward, both
calibrations fitted on its calibration slice, both judged on its test; ADR 0037.
"""

import argparse
from pathlib import Path

import numpy as np

from strategy_agent.adapters.market_store import load_past
from strategy_core.learning.rules import LabelRules, SignalMode, TrainingRules
from strategy_core.learning.training import Refusal, fit
from strategy_core.learning.walkforward import Trial, steps_of
from strategy_core.learning.weights import sample_weights, slices
from suite.bars import F64, MINUTE_MS, BoolArray

LABELS = (
    LabelRules(),
    LabelRules(mode=SignalMode.RELAXED),
    LabelRules(stop_atr=12, horizon=480),
    LabelRules(mode=SignalMode.RELAXED, stop_atr=12, horizon=480),
)


def isotonic(score: F64, won: BoolArray, weight: F64, asked: F64) -> F64:
    """Fit a rising step function by pooling neighbors, and read it at other scores.

    Args:
        score, won, weight: shape (n,), fitted on.
        asked: shape (m,), scores.

    Returns:
        Shape (m,), probabilities, drawn in by one trade of either outcome so that none is certain.
    """
    order = np.argsort(score, kind="stable")
    blocks: list[list[float]] = []  # weight of winners, weight, first score
    for at in order.tolist():
        blocks.append([weight[at] * won[at], weight[at], score[at]])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            wins, total, _ = blocks.pop()
            blocks[-1][0] += wins
            blocks[-1][1] += total
    table = np.array(blocks)
    rate = (table[:, 0] + 0.5) / (table[:, 1] + 1.0)
    return rate[np.maximum(np.searchsorted(table[:, 2], asked, side="right") - 1, 0)]


def losses(probability: F64, won: BoolArray, weight: F64) -> tuple[float, float]:
    """Weighted Brier score and log loss."""
    told = np.where(won, probability, 1 - probability)
    brier = np.average((probability - won) ** 2, weights=weight)
    return float(brier), float(-np.average(np.log(told), weights=weight))


def compare(trial: Trial) -> list[bool]:
    """Print both calibrations of every step that has a model; whether Platt had the lower loss."""
    found = []
    for fold in steps_of([trial]):
        cut = slices(trial.events, embargo_ms=trial.label.horizon * MINUTE_MS, **fold._asdict())
        fitted = fit(trial.events, cut, trial.training, now_ms=fold.test_ms)
        if isinstance(fitted, Refusal):
            print(f"{trial.name:24} {fitted.text}")
            continue
        later, test = trial.events.take(cut.calibrate), trial.events.take(cut.test)
        half_life = trial.training.half_life_days
        weight = sample_weights(later, now_ms=fold.test_ms, half_life_days=half_life)
        judged = sample_weights(test, now_ms=fold.end_ms, half_life_days=half_life)
        scores = fitted.trees.scores(later.features), fitted.trees.scores(test.features)
        platt = losses(fitted.calibration.probability(scores[1]), test.won, judged)
        steps = losses(isotonic(scores[0], later.won, weight, scores[1]), test.won, judged)
        print(
            f"{trial.name:24} {len(later):6} rows   Brier {platt[0]:.5f} Platt, {steps[0]:.5f} "
            f"isotonic   log loss {platt[1]:.5f}, {steps[1]:.5f}"
        )
        found.append(platt[1] <= steps[1])
    return found


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a kline store")
    past = load_past(
        parser.parse_args().data, coins=(), interval="1m", from_ms=None, to_ms=None, told=print
    )
    better: list[bool] = []
    for label in LABELS:
        name = f"{label.mode}, {label.stop_atr:g} ATR, {label.horizon}"
        better += compare(Trial(name, past.events(label), MINUTE_MS, label, TrainingRules()))
    print(f"Platt had the lower log loss in {sum(better)} of {len(better)} steps")


if __name__ == "__main__":
    main()

"""How long learning takes: training, one prediction, labels; budgets of docs/ml.md.

Run: python tests/bench/bench_learning.py
"""

import os
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from tests.unit.strategy_core.learning.test_labels import wandering
from tests.unit.strategy_core.learning.worlds import LABEL, TRAINING, drawn_events

from strategy_core.ict.features import batch
from strategy_core.ict.schema import NAMES
from strategy_core.learning.artefact import read
from strategy_core.learning.boosting import Sample, grow
from strategy_core.learning.labels import Market, events_of
from strategy_core.learning.rules import LabelRules, SignalMode
from strategy_core.learning.training import Circumstances, Trained, train
from suite.bars import DAY_MS, MINUTE_MS
from suite.instrument import default_instrument

ROWS = 50_000
CALLS = 3_000


def told(what: str, seconds: float, budget_s: float) -> None:
    print(f"{what:48} {seconds * 1e3:10.3f} ms   budget {budget_s * 1e3:8.3f} ms", flush=True)


def bench_training() -> Trained:
    events = drawn_events(ROWS, days=55, edge=0.1)
    cut = round(ROWS * 0.8)
    weight = np.ones(ROWS)
    parts = [
        Sample(events.features[part], events.won[part], weight[part])
        for part in (slice(0, cut), slice(cut, ROWS))
    ]
    fit, stop = parts
    grow(stop, fit, NAMES, TRAINING.boosting)  # loads the library
    best = min(_timed(lambda: grow(fit, stop, NAMES, TRAINING.boosting)) for _ in range(3))
    told(f"trees on {ROWS} rows, early stop", best, 1.0)
    now_ms = int(events.end_ms.max())
    asked = Circumstances(MINUTE_MS, LABEL, TRAINING, now_ms)
    best = min(_timed(lambda: train(events, asked)) for _ in range(2))
    told("the same with weights, calibration and judgment", best, 3.0)
    strong = train(drawn_events(ROWS, days=55, edge=0.8), asked)
    assert isinstance(strong, Trained)
    return strong


def bench_prediction(found: Trained) -> None:
    model = read(found.files)
    rows = drawn_events(8).features
    for count in (1, 8):
        part = rows[:count]
        call = partial(model.confidence, part)
        taken = [_timed(call) for _ in range(CALLS)]
        median, worst = (float(np.percentile(taken, share)) for share in (50, 99))
        told(f"confidence in {count}, {found.meta.rounds} trees, median", median, 150e-6)
        told("  p99", worst, 1e-3)


def bench_labels() -> None:
    bars = wandering(100_000, 1)
    features = batch(bars)
    market = Market(
        instrument=default_instrument("BTC", 2),
        bars=bars,
        values=features.values,
        atr=features.atr,
        funding_ms=np.zeros(0, np.int64),
        funding_rate=np.zeros(0),
    )
    rules = LabelRules(mode=SignalMode.RELAXED)
    count = len(events_of(market, rules))
    told(f"{count} labels of 100,000 bars", _timed(lambda: events_of(market, rules)), 1.0)


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(f"load {os.getloadavg()[0]:.1f}, {DAY_MS // MINUTE_MS} minutes a day")
    bench_prediction(bench_training())
    bench_labels()

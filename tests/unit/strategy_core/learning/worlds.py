"""Labelled trades with a known edge or none, and small markets to label."""

from collections.abc import Sequence

import numpy as np

from strategy_core.ict.schema import COUNT
from strategy_core.learning.events import Events
from strategy_core.learning.labels import Market
from strategy_core.learning.rules import BoostingRules, LabelRules, Minimum, TrainingRules
from suite.bars import DAY_MS, MINUTE_MS, Bars
from suite.instrument import default_instrument

START_MS = 20_000 * DAY_MS
LABEL = LabelRules()
TRAINING = TrainingRules()
QUICK = TrainingRules(
    boosting=BoostingRules(rounds=120, eta=0.1, early_stop=20),
    minimum=Minimum(events=400, each_class=80, days=5, calibration=30),
)


def drawn_events(
    count: int = 6000,
    *,
    days: int = 40,
    edge: float = 0.0,
    seed: int = 1,
    coins: Sequence[str] = ("BTC", "ETH"),
    weights: Sequence[float] = (1.0, -0.8, 0.6, 0.5),
) -> Events:
    """Draw labelled trades whose odds follow from the first features as strongly as asked."""
    generator = np.random.default_rng(seed)
    start = np.sort(generator.integers(0, days * 1440, count)) * MINUTE_MS + START_MS
    features = generator.uniform(-1, 1, (count, COUNT)).astype(np.float32)
    pull = features[:, : len(weights)].astype(np.float64) @ np.array(weights)
    won = generator.random(count) < 1 / (1 + np.exp(-2.0 * edge * pull))
    gross = np.where(won, 0.006, -0.006) + generator.normal(0, 0.001, count)
    return Events(
        coins=tuple(coins),
        start_ms=start,
        end_ms=start + generator.integers(2, 100, count) * MINUTE_MS,
        coin=generator.integers(0, len(coins), count).astype(np.int8),
        side=np.where(generator.random(count) < 0.5, 1, -1).astype(np.int8),
        gross=gross,
        net=gross - LABEL.cost,
        features=features,
    )


def market_of(
    rows: Sequence[Sequence[float]], *, atr: float = 0.2, funding: Sequence[tuple[int, float]] = ()
) -> Market:
    """Make a market of bars `(open, high, low, close)`, a minute each, from minute 0 on."""
    table = np.array(rows, np.float64)
    count = len(table)
    opened, high, low, close = np.ascontiguousarray(table.T)
    time = np.arange(count, dtype=np.int64) * MINUTE_MS
    bars = Bars(MINUTE_MS, time, opened, high, low, close, np.ones(count))
    return Market(
        instrument=default_instrument("BTC", 2),
        bars=bars,
        values=np.zeros((count, COUNT)),
        atr=np.full(count, atr),
        funding_ms=np.array([at for at, _ in funding], np.int64),
        funding_rate=np.array([rate for _, rate in funding], np.float64),
    )

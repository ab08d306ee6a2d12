"""The evaluation tells an edge, a leak and noise apart."""

import numpy as np
import pytest
from tests.unit.strategy_core.learning.test_labels import wandering
from tests.unit.strategy_core.learning.worlds import LABEL, QUICK, drawn_events

from strategy_core.ict.features import batch
from strategy_core.learning.events import Events, merged
from strategy_core.learning.labels import Market, label, shifted
from strategy_core.learning.rules import LabelRules
from strategy_core.learning.walkforward import Evaluation, Trial, evaluate, volatility_by_day
from suite.bars import MINUTE_MS
from suite.instrument import default_instrument

CALM: dict[int, float] = {}


def walked(*sets: Events) -> Evaluation:
    trials = [
        Trial(f"set {index}", events, MINUTE_MS, LABEL, QUICK) for index, events in enumerate(sets)
    ]
    return evaluate(trials, volatility=CALM)


def test_known_edge_is_found_and_is_evidence() -> None:
    found = walked(drawn_events(8000, days=90, edge=0.8))
    (report,) = found.trials
    assert report.scores is not None
    assert report.scores.auc > 0.7
    assert 5 == len(report.folds)
    assert report.taken.net_bp > 10
    assert report.every.net_bp < 0
    assert report.sharpe_95.low > 0
    assert (found.psr or 0) > 0.99
    missing = [name for name, met, _ in found.evidence.conditions if not met]
    assert ["overfitting"] == missing  # of one configuration nothing can be said


def test_evidence_is_complete_where_the_edge_stands_among_many() -> None:
    edge = drawn_events(8000, days=90, edge=0.8)
    noise = [drawn_events(8000, days=90, edge=0.0, seed=20 + one) for one in range(3)]
    found = walked(edge, *noise)
    assert found.evidence.passed, found.evidence
    assert (found.dsr or 0) > 0.95
    assert found.pbo is not None
    assert found.pbo <= 0.05


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pure_noise_is_no_evidence(seed: int) -> None:
    found = walked(*(drawn_events(5000, days=60, edge=0.0, seed=seed * 10 + one) for one in (0, 1)))
    assert not found.evidence.passed
    for report in found.trials:
        assert report.every.net_bp < -5
        if report.scores is not None:
            assert abs(report.scores.auc - 0.5) < 0.05


def every_fifteenth(market: Market) -> Events:
    """Both sides at every 15th bar: no rule stands between the features and the label."""
    rows = np.arange(1440, len(market.bars), 15)
    sides = [label(market, rows, np.full(len(rows), side, np.int8), SHORT) for side in (1, -1)]
    return merged(sides)


SHORT = LabelRules(stop_atr=3, horizon=60, taker_fee=0.0001, slippage=0.0001)


def canary(ahead: int) -> Evaluation:
    """Walk a market of chance, with features that see so many bars to come."""
    parts = []
    for seed, coin in ((11, "BTC"), (12, "ETH"), (13, "SOL")):
        bars = wandering(30_000, seed)
        features = batch(bars)
        market = Market(
            instrument=default_instrument(coin, 2), bars=bars, values=features.values,
            atr=features.atr, funding_ms=np.zeros(0, np.int64), funding_rate=np.zeros(0),
        )  # fmt: skip
        parts.append(every_fifteenth(shifted(market, ahead)))
    events = merged(parts)
    return evaluate([Trial("canary", events, MINUTE_MS, SHORT, QUICK)], volatility=CALM)


@pytest.mark.slow
def test_leak_canary_lights_up_for_one_and_for_five_bars_and_for_none_it_does_not() -> None:
    auc = {}
    for ahead in (0, 1, 5):
        scores = canary(ahead).trials[0].scores
        auc[ahead] = scores.auc if scores is not None else 0.5
    assert abs(auc[0] - 0.5) < 0.03, auc
    assert auc[1] > auc[0] + 0.03, auc
    assert auc[5] > 0.60, auc


def test_volatility_is_told_by_day() -> None:
    bars = wandering(3000, 5)
    empty = np.zeros(0, np.int64)
    market = Market(
        instrument=default_instrument("BTC", 2), bars=bars, values=np.zeros((3000, 12)),
        atr=np.ones(3000), funding_ms=empty, funding_rate=np.zeros(0),
    )  # fmt: skip
    found = volatility_by_day([market])
    assert [0, 1, 2] == list(found)
    assert 0.0012 == pytest.approx(found[0], rel=0.1)


def test_nothing_to_walk_is_said() -> None:
    with pytest.raises(ValueError, match="no trade to learn from"):
        evaluate([], volatility=CALM)

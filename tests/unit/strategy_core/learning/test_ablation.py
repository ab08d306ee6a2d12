"""Trades followed with the trader's exits: each by hand, and all against the label."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from tests.unit.strategy_core.learning.test_labels import wandering
from tests.unit.strategy_core.learning.worlds import QUICK, market_of

from strategy_core.exits.kinds import ExitKind
from strategy_core.exits.rules import ExitRules
from strategy_core.ict.features import batch
from strategy_core.ict.schema import NAMES
from strategy_core.learning.ablation import Ended, Path, ablate, ended, without
from strategy_core.learning.events import merged
from strategy_core.learning.labels import Market, events_of, label
from strategy_core.learning.rules import LabelRules, SignalMode
from strategy_core.learning.walkforward import Trial, evaluate, steps_of
from suite.bars import MINUTE_MS
from suite.instrument import default_instrument

RULES = LabelRules(slippage=0.0, horizon=5)  # at an ATR of 0.2 stop and target are 1.2 away
COST = RULES.cost
SMART = ExitRules(smart=True)
OFF = {kind.value: False for kind in ExitKind}
HOUR = 60
FLAT = (100.0, 100.1, 99.9, 100.0)


def only(kind: ExitKind, **more: float) -> ExitRules:
    return msgspec.convert({**OFF, kind.value: True, **more}, ExitRules)


def rising(*closes: float) -> list[tuple[float, float, float, float]]:
    """Bars from close to close, after one that proposes and one that enters at 100."""
    opens = (100.0, *closes[:-1])
    return [FLAT, FLAT, *((a, max(a, b), min(a, b), b) for a, b in zip(opens, closes, strict=True))]


def followed(
    market: Market,
    rules: ExitRules,
    *,
    side: int = 1,
    confidence: list[float] | None = None,
    label_rules: LabelRules = RULES,
) -> Ended:
    trial = Trial("one", label(market, np.array([0]), np.array([side], np.int8), label_rules),
                  MINUTE_MS, label_rules, QUICK)  # fmt: skip
    known = None if confidence is None else np.array(confidence)
    return ended(market, Path(0, side, known), trial, rules)


def test_time_stop_ends_at_the_open_after_its_time() -> None:
    market = market_of(rising(*[100.0] * 58, 100.5, 100.2, 99.0))
    found = followed(market, only(ExitKind.TIME_STOP, time_stop_hours=1), label_rules=LONG)
    assert {ExitKind.TIME_STOP} == found.acted
    assert 0.005 - COST == pytest.approx(found.net)


LONG = LabelRules(slippage=0.0, horizon=50)


def test_without_any_exit_a_trade_ends_after_ten_horizons_or_where_bars_end() -> None:
    closes = [100.0 + 0.01 * step for step in range(70)]
    rules = msgspec.convert(OFF, ExitRules)
    found = followed(market_of(rising(*closes)), rules)
    assert 0.0048 - COST == pytest.approx(found.net)  # bar 50 after the proposal
    found = followed(market_of(rising(*closes[:30])), rules)
    assert 0.0029 - COST == pytest.approx(found.net)
    market = market_of(rising(*closes))
    times = market.bars.open_time_ms.copy()
    times[20:] += MINUTE_MS
    found = followed(replace(market, bars=replace(market.bars, open_time_ms=times)), rules)
    assert 0.0017 - COST == pytest.approx(found.net)
    assert not found.acted


@pytest.mark.parametrize(
    ("third", "gross"),
    [
        ((100.0, 101.3, 98.7, 101.0), -0.012),  # spans both: the stop
        ((98.0, 98.5, 97.5, 98.2), -0.02),  # opens beyond the stop
        ((100.0, 101.3, 99.9, 101.0), 0.012),
    ],
)
def test_within_a_bar_the_stop_comes_first_and_a_gap_is_paid(
    third: tuple[float, float, float, float], gross: float
) -> None:
    market = market_of([FLAT, FLAT, FLAT, third, *[FLAT] * 5])
    found = followed(market, SMART)
    assert gross - COST == pytest.approx(found.net)
    assert label(market, np.array([0]), np.array([1], np.int8), RULES).net[0] == found.net


def test_exit_is_filled_at_the_next_open_whatever_the_close_was() -> None:
    bars = rising(100.2, 100.4, 100.6, 101.0, 101.1, 101.2)
    bars[5] = (100.9, 101.0, 100.8, 101.0)  # after a close at 100.6
    market = market_of(bars)
    market.values[4, NAMES.index("market_structure")] = -0.5
    market.values[4, NAMES.index("trend_alignment")] = -0.1
    assert 0.009 - COST == pytest.approx(followed(market, SMART).net)


def test_structure_that_turns_ends_at_the_next_open_and_is_mirrored() -> None:
    for side in (1, -1):
        market = market_of(rising(100.2, 100.4, 100.6, 101.0, 101.1, 101.2))
        market.values[4, NAMES.index("market_structure")] = -0.5 * side
        market.values[4, NAMES.index("trend_alignment")] = -0.1 * side
        found = followed(market, SMART, side=side)
        assert {ExitKind.STRUCTURE_INVALIDATION} == found.acted
        assert side * 0.006 - COST == pytest.approx(found.net)


def test_confidence_that_is_gone_at_two_closes_ends_the_trade() -> None:
    market = market_of(rising(100.2, 100.4, 100.6, 101.0, 101.1, 101.2))
    sure = [0.6, 0.6, 0.5, 0.6, 0.48, 0.47, 0.6, 0.6]
    found = followed(market, SMART, confidence=sure)
    assert {ExitKind.CONFIDENCE_COLLAPSE} == found.acted
    assert 0.01 - COST == pytest.approx(found.net)
    assert not followed(market, without(SMART, ExitKind.CONFIDENCE_COLLAPSE), confidence=sure).acted
    assert not followed(market, SMART).acted  # no model was asked


def test_part_is_taken_once_and_the_rest_does_not_lose() -> None:
    """Target three risks away: half at 101.4, the rest at its stop, which covers the costs."""
    wide = LabelRules(slippage=0.0, horizon=50, reward_risk=3.0)
    market = market_of(rising(101.0, 101.4, 101.5, 101.4, 100.0, 99.0))
    found = followed(market, only(ExitKind.PARTIAL_TAKE_PROFIT, slippage=0.0), label_rules=wide)
    assert {ExitKind.PARTIAL_TAKE_PROFIT} == found.acted
    stop = 0.001  # two fees, rounded towards the mark
    assert 0.5 * 0.014 + 0.5 * stop - COST == pytest.approx(found.net)


def test_stop_that_trails_ends_the_trade_behind_its_best_close() -> None:
    """From 1.5 risks on, half a risk (0.6) behind: from 102.4 to 101.8."""
    wide = LabelRules(slippage=0.0, horizon=50, reward_risk=3.0)
    market = market_of(rising(101.0, 102.0, 102.4, 102.3, 101.0, 100.0))
    found = followed(market, only(ExitKind.TRAILING_TAKE_PROFIT), label_rules=wide)
    assert {ExitKind.TRAILING_TAKE_PROFIT} == found.acted
    assert 0.018 - COST == pytest.approx(found.net)


def test_funding_is_paid_for_what_is_open_at_its_stamp() -> None:
    market = market_of(rising(*[100.0] * 70), funding=[(3 * MINUTE_MS, 0.001)])
    stop = only(ExitKind.TIME_STOP, time_stop_hours=1)
    for side in (1, -1):
        found = followed(market, stop, side=side)
        assert -side * 0.001 - COST == pytest.approx(found.net)


def markets(count: int = 20_000) -> list[Market]:
    """Two coins of chance; each bar opens where the one before has closed."""
    found = []
    for seed, coin in ((1, "BTC"), (2, "ETH")):
        bars = wandering(count, seed)
        bars = replace(bars, open=np.concatenate([bars.open[:1], bars.close[:-1]]))
        bars = replace(
            bars,
            high=np.maximum(bars.high, bars.open),
            low=np.minimum(bars.low, bars.open),
        )
        features = batch(bars)
        found.append(
            Market(
                instrument=default_instrument(coin, 2),
                bars=bars,
                values=features.values,
                atr=features.atr,
                funding_ms=np.zeros(0, np.int64),
                funding_rate=np.zeros(0),
            )
        )
    return found


@pytest.fixture(scope="module")
def trial() -> Trial:
    rules = LabelRules(mode=SignalMode.RELAXED, stop_atr=4, horizon=HOUR)
    events = merged(events_of(market, rules) for market in markets())
    return Trial("relaxed", events, MINUTE_MS, rules, QUICK)


def test_by_stop_target_and_time_alone_every_trade_ends_as_its_label_says(trial: Trial) -> None:
    """Two ways to the same number: here bar by bar, there all at once."""
    time_stop = only(ExitKind.TIME_STOP, time_stop_hours=1)
    events = trial.events
    for place, market in enumerate(markets()):
        mine = np.flatnonzero(events.coin == place)
        assert len(mine) > 100
        for one in mine[::5].tolist():
            row = int(np.searchsorted(market.bars.open_time_ms, events.start_ms[one]))
            if row + HOUR + 1 < len(market.bars):
                found = ended(market, Path(row, int(events.side[one]), None), trial, time_stop)
                assert events.net[one] == pytest.approx(found.net, abs=1e-12)


@pytest.mark.slow
def test_report_is_of_the_trades_of_the_walk_forward(trial: Trial) -> None:
    walked = evaluate([trial], volatility={}).trials[0]
    every, taken = ablate(trial, steps_of([trial]), markets(), SMART)
    assert (walked.every.trades, walked.taken.trades) == (every.trades, taken.trades)
    assert walked.every.net_bp == pytest.approx(every.label_bp)
    by_kind = {one.exit: one for one in every.without}
    assert list(ExitKind) == list(by_kind)
    assert by_kind[ExitKind.STRUCTURE_INVALIDATION].acted > 50
    assert 0 == by_kind[ExitKind.CONFIDENCE_COLLAPSE].acted
    for one in every.without:
        assert every.net_bp - one.net_bp == pytest.approx(one.adds_bp)
        assert one.adds_95.low <= one.adds_bp <= one.adds_95.high


@pytest.mark.parametrize(("side", "costs"), [(1, True), (-1, False)])
def test_exit_that_costs_money_is_seen(trial: Trial, side: int, costs: bool) -> None:
    """Where prices rise all the time, six minutes are too short for longs and long for shorts."""
    market = markets(8000)[0]
    drift = np.exp(0.0002 * np.arange(len(market.bars)))
    names = ("open", "high", "low", "close")
    bars = replace(market.bars, **{name: getattr(market.bars, name) * drift for name in names})
    features = batch(bars)
    rising = replace(market, bars=bars, values=features.values, atr=features.atr)
    rows = np.arange(2000, 7900, 25)
    events = label(rising, rows, np.full(len(rows), side, np.int8), trial.label)
    hasty = only(ExitKind.TIME_STOP, time_stop_hours=0.1)
    one = trial._replace(events=events)
    every, taken = ablate(one, steps_of([one]), [rising], hasty)
    (found,) = [one for one in every.without if one.exit is ExitKind.TIME_STOP]
    assert found.acted > 20
    assert found.adds_95.high < 0 if costs else found.adds_95.low > 0
    assert 0 == taken.trades

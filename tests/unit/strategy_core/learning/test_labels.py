"""How proposed trades end, by the examples of the specification and by walking bar for bar."""

import numpy as np
import pytest
from tests.unit.strategy_core.learning.worlds import market_of

from strategy_core.ict.features import Stream, batch
from strategy_core.learning.labels import Market, bracket_at, events_of, label, shifted
from strategy_core.learning.rules import LabelRules, SignalMode
from strategy_core.learning.signals import Held, proposal, proposals
from suite.bars import MINUTE_MS, Bars
from suite.instrument import default_instrument

RULES = LabelRules(slippage=0.0, horizon=5)
QUIET = (100.0, 100.1, 99.9, 100.0)
AT = np.array([0], np.int64)


def side(value: int) -> np.ndarray:
    return np.array([value], np.int8)


def test_target_is_reached_in_the_fourth_bar() -> None:
    rows = [QUIET, (100, 100.2, 99.9, 100), QUIET, QUIET, (100, 101.25, 99.9, 101), QUIET, QUIET]
    found = label(market_of(rows), AT, side(1), RULES)
    assert 1 == len(found)
    assert 0.012 == pytest.approx(found.gross[0])
    assert 0.0111 == pytest.approx(found.net[0])
    assert bool(found.won[0])
    assert (0, 5 * MINUTE_MS) == (found.start_ms[0], found.end_ms[0])


def test_bar_that_spans_both_counts_as_the_stop() -> None:
    rows = [QUIET, QUIET, QUIET, QUIET, (100, 101.25, 98.7, 101), QUIET, QUIET]
    found = label(market_of(rows), AT, side(1), RULES)
    assert -0.0129 == pytest.approx(found.net[0])
    assert not found.won[0]


def test_bar_that_opens_beyond_the_stop_ends_at_its_open() -> None:
    rows = [QUIET, QUIET, (97.0, 97.5, 96.0, 97.2), QUIET, QUIET, QUIET, QUIET]
    assert -0.03 == pytest.approx(label(market_of(rows), AT, side(1), RULES).gross[0])
    rows[2] = (103.0, 104.0, 102.5, 103.5)
    assert -0.03 == pytest.approx(label(market_of(rows), AT, side(-1), RULES).gross[0])


def test_trade_that_hits_neither_ends_at_the_close_of_its_horizon() -> None:
    rows = [QUIET] * 5 + [(100, 100.4, 99.9, 100.3), (1, 1, 1, 1)]
    found = label(market_of(rows), AT, side(1), RULES)
    assert 0.003 == pytest.approx(found.gross[0])
    assert 6 * MINUTE_MS == found.end_ms[0]


def test_trade_whose_bars_are_not_all_there_has_no_label() -> None:
    assert 0 == len(label(market_of([QUIET] * 5), AT, side(1), RULES))
    whole = market_of([QUIET] * 8)
    holed = Bars(
        MINUTE_MS,
        np.delete(np.arange(9, dtype=np.int64), 3) * MINUTE_MS,
        whole.bars.open, whole.bars.high, whole.bars.low, whole.bars.close, whole.bars.volume,
    )  # fmt: skip
    market = Market(
        instrument=whole.instrument, bars=holed, values=whole.values, atr=whole.atr,
        funding_ms=whole.funding_ms, funding_rate=whole.funding_rate,
    )  # fmt: skip
    assert 0 == len(label(market, AT, side(1), RULES))


def test_trade_whose_target_does_not_pay_is_left_out() -> None:
    assert 0 == len(label(market_of([QUIET] * 8, atr=0.01), AT, side(1), RULES))


def test_funding_is_paid_by_who_holds_over_its_stamp() -> None:
    rows = [QUIET] * 8
    stamps = [(MINUTE_MS, 0.01), (2 * MINUTE_MS, 0.0003), (6 * MINUTE_MS, -0.0001), (10**9, 0.1)]
    long, short = (label(market_of(rows, funding=stamps), AT, side(one), RULES) for one in (1, -1))
    assert -RULES.cost - 0.0002 == pytest.approx(long.net[0])
    assert -RULES.cost + 0.0002 == pytest.approx(short.net[0])


def wandering(count: int, seed: int) -> Bars:
    generator = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(generator.normal(0, 0.0012, count)))
    opened = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opened, close) * (1 + generator.exponential(0.0004, count))
    low = np.minimum(opened, close) * (1 - generator.exponential(0.0004, count))
    time = np.arange(count, dtype=np.int64) * MINUTE_MS
    return Bars(MINUTE_MS, time, opened, high, low, close, generator.exponential(10, count))


def test_labels_are_those_of_a_walk_bar_by_bar() -> None:
    bars = wandering(6000, 3)
    features = batch(bars)
    empty = np.zeros(0, np.int64)
    market = Market(
        instrument=default_instrument("BTC", 2), bars=bars, values=features.values,
        atr=features.atr, funding_ms=empty, funding_rate=np.zeros(0),
    )  # fmt: skip
    rules = LabelRules(mode=SignalMode.RELAXED, horizon=60, stop_atr=3)
    found = events_of(market, rules)
    assert len(found) > 100
    for index in range(len(found)):
        row = int(found.start_ms[index] // MINUTE_MS)
        assert slow_gross(market, row, int(found.side[index]), rules) == pytest.approx(
            found.gross[index], abs=1e-12
        )


def slow_gross(market: Market, row: int, side: int, rules: LabelRules) -> float:
    bars = market.bars
    entry = float(bars.open[row + 1])
    plan = bracket_at(side, entry, float(market.atr[row]), market.instrument, rules)
    stop, target = float(plan.stop), float(plan.target)
    for at in range(row + 1, row + rules.horizon + 1):
        worst = bars.low[at] if side > 0 else bars.high[at]
        best = bars.high[at] if side > 0 else bars.low[at]
        if side * (worst - stop) <= 0:
            price = bars.open[at] if side * (bars.open[at] - stop) <= 0 else stop
            return float(side * (price - entry) / entry)
        if side * (best - target) >= 0:
            return side * (target - entry) / entry
    return float(side * (bars.close[row + rules.horizon] - entry) / entry)


@pytest.mark.parametrize("mode", list(SignalMode))
def test_proposals_bar_by_bar_are_those_of_all_bars(mode: SignalMode) -> None:
    bars = wandering(5000, 4)
    whole = proposals(batch(bars).values, mode)
    stream, held, found = Stream(MINUTE_MS), Held(), []
    columns = (bars.open_time_ms, bars.open, bars.high, bars.low, bars.close, bars.volume)
    for ts, *row in zip(*(column.tolist() for column in columns), strict=True):
        one, held = proposal(stream.step(ts, *row), held, mode)
        found.append(one)
    assert whole.tolist() == found
    assert set(found) == {-1, 0, 1}


def test_shifted_market_sees_what_is_to_come() -> None:
    market = market_of([QUIET] * 8)
    market.values[:, 0] = np.arange(8)
    assert [5.0, 6.0, 7.0] == shifted(market, 5).values[:, 0].tolist()
    assert 3 == len(shifted(market, 5).bars)
    assert shifted(market, 0) is market

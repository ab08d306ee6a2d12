"""The features against an oracle of their definitions, and against everything that could leak.

`make chaos` runs the same with new examples, `tests/chaos/test_ict_poison.py` the full counts.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support.ict_markets import TEMPERS, bars_of, market, poisoned_bytes, recorded, rows
from tests.support.ict_oracle import Oracle, filled
from tests.support.real_data import COINS, needs_real_data

from strategy_core.ict.features import Stream, batch, new_state
from strategy_core.ict.kernel import layout
from strategy_core.ict.kernel.feed import step
from strategy_core.ict.schema import COUNT, MIRROR, NAMES, WARM_UP
from suite.bars import MINUTE_MS, Bars

SEEDS = st.integers(0, 2**32 - 1)
temper = st.sampled_from(TEMPERS)
BARS = 2000


@st.composite
def small_markets(draw: st.DrawFn) -> Bars:
    """A few bars of few prices, so that ties, inside bars and crossings are everywhere."""
    bar = st.tuples(*[st.integers(-3, 3)] * 4, st.sampled_from([0, 1, 2, 3, 64]))
    told, price = [], draw(st.integers(50, 60))
    for moves in draw(st.lists(bar, min_size=12, max_size=150)):
        path = price + np.cumsum(moves[:4])
        price = int(max(path[-1], 20))
        told.append((max(path[0], 20), max(*path, 20), max(path.min(), 20), price, moves[4]))
    return bars_of([tuple(float(x) for x in row) for row in told])


@given(small_markets())
def test_a_few_bars_of_few_prices_are_as_defined(bars: Bars) -> None:
    """Without the warm-up, which needs nothing but more bars."""
    floats, ints = new_state(MINUTE_MS)
    out, no_log = np.zeros(COUNT), np.zeros((0, layout.COLUMNS))
    table = rows(bars)
    for t, row in enumerate(table):
        step(floats, ints, *row, MINUTE_MS, out, no_log)
        if t % 7 == 0 or t == len(table) - 1:
            oracle = Oracle(table[: t + 1], MINUTE_MS)
            assert oracle.atr == pytest.approx(floats[layout.ATR], rel=1e-12)
            same(oracle, out)


def same(oracle: Oracle, values: Any) -> None:
    """Counts and flags to the bit, the rest but for the order of additions."""
    assert dict(zip(NAMES, oracle.values, strict=True)) == pytest.approx(
        dict(zip(NAMES, values.tolist(), strict=True)), rel=0, abs=1e-12
    )
    assert (oracle.values[0], oracle.values[8]) == (values[0], values[8])


@given(SEEDS, temper, st.integers(WARM_UP, BARS - 1))
def test_any_bar_is_as_defined_from_the_bars_before_it(seed: int, temper: str, t: int) -> None:
    """The oracle is given 1,441 bars and nothing else."""
    bars = market(seed, BARS, temper)
    values = batch(bars.rows(0, t + 1)).values[t]
    assume(not np.isnan(values[0]))
    same(Oracle(filled(rows(bars.rows(0, t + 1)), MINUTE_MS)[-WARM_UP - 1 :], MINUTE_MS), values)


@given(SEEDS, st.sampled_from(["trending", "trending", "calm", "coarse"]))
@settings(max_examples=25)
def test_every_change_is_at_the_bar_of_the_definition(seed: int, temper: str) -> None:
    """Where something begins, breaks, fills or expires, a bar early or late would show."""
    bars = market(seed, 2600, temper)
    values, table = batch(bars).values, rows(bars)
    steps, chosen, rng = np.abs(np.diff(values, axis=0)), [], np.random.default_rng(seed)
    for columns, most in (([0, 7, 8], 10), ([1, 5, 11], 5)):
        changes = np.flatnonzero((steps[:, columns] > 0.04).any(axis=1)) + 1
        chosen += rng.permutation(changes)[:most].tolist()
    for t in chosen:
        for row in (t - 1, t):
            same(Oracle(table[max(0, row - WARM_UP) : row + 1], MINUTE_MS), values[row])


@needs_real_data
@pytest.mark.parametrize("coin", COINS)
def test_recorded_bars_are_as_defined(coin: str) -> None:
    bars = recorded(coin)
    values, table = batch(bars).values, rows(bars)
    for t in np.random.default_rng(11).integers(WARM_UP, len(bars), 12).tolist():
        same(Oracle(table[t - WARM_UP : t + 1], MINUTE_MS), values[t])


@given(SEEDS, temper, st.integers(1, BARS))
def test_a_prefix_has_the_same_bits(seed: int, temper: str, count: int) -> None:
    bars = market(seed, BARS, temper)
    whole, part = batch(bars), batch(bars.rows(0, count))
    assert part.values.tobytes() == whole.values[:count].tobytes()
    assert part.atr.tobytes() == whole.atr[:count].tobytes()


@given(SEEDS, temper, st.integers(0, BARS), st.integers(0, BARS))
def test_a_stream_cut_anywhere_has_the_same_bits(
    seed: int, temper: str, first: int, second: int
) -> None:
    """A batch, then a restored stream, then another."""
    bars = market(seed, BARS, temper)
    expected, stream, told = batch(bars).values, Stream(MINUTE_MS), []
    for t, row in enumerate(rows(bars)):
        if t in (first, second):
            stream = Stream.restored(stream.snapshot())
        told.append(stream.step(*row).copy())
    assert expected.tobytes() == np.array(told).tobytes()


@given(SEEDS, temper)
def test_another_future_changes_no_byte_of_the_past(seed: int, temper: str) -> None:
    bars, other = market(seed, BARS, temper), market(seed + 1, BARS, "wild")
    cuts = np.random.default_rng(seed).integers(1, BARS, 20)
    assert poisoned_bytes(bars, other, cuts.tolist()) == 0


@given(SEEDS, temper, st.integers(1, 700))
def test_a_restart_with_enough_bars_has_the_same_bits(seed: int, temper: str, first: int) -> None:
    bars = market(seed, 2400, temper)
    whole = batch(bars).values
    late = batch(bars.rows(first, len(bars))).values
    ready = ~np.isnan(late[:, 0])
    assert ready.any() or temper == "gappy"
    assert whole[first:][ready].tobytes() == late[ready].tobytes()


@given(SEEDS, st.sampled_from(["calm", "wild", "coarse", "spiking"]))
def test_an_upside_down_chart_has_mirrored_features(seed: int, temper: str) -> None:
    bars = market(seed, BARS, temper)
    top = 2 * bars.high.max()
    turned = replace(
        bars,
        open=top - bars.open,
        high=top - bars.low,
        low=top - bars.high,
        close=top - bars.close,
    )
    told, mirror = batch(bars), batch(turned)
    still = np.minimum(told.atr / bars.close, mirror.atr / turned.close) > layout.ATR_FLOOR * 1.01
    assume(still[50:].all())  # the floor depends on the price
    difference = mirror.values[WARM_UP:] - told.values[WARM_UP:] * np.array(MIRROR)
    assert np.abs(difference).max() < 1e-9


@given(SEEDS, temper)
def test_units_do_not_matter(seed: int, temper: str) -> None:
    bars = market(seed, BARS, temper)
    values = batch(bars).values
    for price, volume, exact in ((1024.0, 8.0, True), (1000.0, 7.0, False)):
        prices = {name: getattr(bars, name) * price for name in ("open", "high", "low", "close")}
        scaled = batch(replace(bars, **prices, volume=bars.volume * volume)).values
        if exact:
            assert scaled.tobytes() == values.tobytes()
        else:
            assert np.nanmax(np.abs(scaled - values), initial=0.0) < 1e-9


@given(SEEDS, temper)
@settings(max_examples=30)
def test_values_stay_within_bounds(seed: int, temper: str) -> None:
    values = batch(market(seed, 4000, temper)).values
    told = values[~np.isnan(values).any(axis=1)]
    assert np.isnan(values).all(axis=1).sum() + len(told) == len(values)
    assert np.abs(told).max(initial=0.0) <= 1.0


@needs_real_data
@pytest.mark.parametrize("coin", COINS)
def test_recorded_values_stay_within_bounds(coin: str) -> None:
    values = batch(recorded(coin)).values
    assert np.isnan(values[:WARM_UP]).all()
    assert np.isfinite(values[WARM_UP:]).all()
    assert np.abs(values[WARM_UP:]).max() <= 1.0

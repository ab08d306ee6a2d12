"""The twelve features: values worked out by hand, one step for stream and batch, bad bars."""

import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.ict_markets import TEMPERS, WORKED, Row, bars_of, market, recorded, rows
from tests.support.real_data import needs_real_data

from strategy_core.ict.features import BarRefused, StateRefused, Stream, batch, new_state
from strategy_core.ict.kernel import layout
from strategy_core.ict.kernel.feed import step
from strategy_core.ict.schema import COUNT, MIRROR, NAMES, WARM_UP, mirrored, schema_hash
from suite.bars import MINUTE_MS, Bars

ROOT = Path(__file__).parents[4]

BY_HAND = {
    16: (1.578571, 0, 0, 0, 0, -0.009399, 0, 0.126697, 0, 0),
    17: (1.700000, 0, 0, 0.248622, -0.435730, -0.013545, 0, 0.117647, 0.316993, 0.3),
    18: (1.692857, 0, 0, 0, -0.413943, -0.039355, 0, 0.118143, -0.030401, 0.15),
    19: (1.728571, 0.5, 0.335180, 0.881070, -0.392157, 0.206495, 0, 0.115702, 0.571122, 0.75),
    20: (
        1.728571,
        0.5,
        0.290168,
        0.107877,
        -0.370370,
        0.262297,
        0.307432,
        0.115702,
        0.209782,
        0.95,
    ),
    21: (1.835714, 0.5, 0.462230, -0.104482, -0.348584, 0.217463, 0, 0.108949, 0.078463, 0.4),
    22: (1.864286, 0.5, 0, -0.228953, -0.326797, 0.122632, -0.211055, 0.107280, 0.274394, 0.05),
}
"""ATR, then the features 0, 1, 2, 3, 4, 5, 7, 9, 11 of the worked example."""

GOLDEN = {
    1440: "51.25 0.5 0.267345 0 0 0.169956 -0.003735 -0.428944 0.165463 0 "
    "-0.287695 0.863004 -0.396816",
    5000: "68.2 1 0.189249 0 0 -0.158429 0.402350 0.846625 0.181745 0.5 "
    "-0.209830 0.769937 0.095805",
    40000: "47.185714 -1 -0.463343 0 -0.208207 0.193015 -0.055611 -0.600346 0.297866 0 "
    "-0.484738 0.900691 0.176628",
    73138: "46.057143 0.5 0.522419 -0.003185 0 -0.132232 -0.085912 0.215503 0.234057 0 "
    "0.034745 0.385707 -0.384045",
}
"""ATR, then all twelve, of rows of the recorded minutes of BTC."""

MEANS = (
    "0.005181 -0.006422 0.000180 0.001999 0.008879 0.018254 0.050678 0.250624 "
    "-0.012671 -0.085732 0.622691 0.008437"
)


def numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def test_the_worked_example_is_what_the_step_says() -> None:
    floats, ints = new_state(MINUTE_MS)
    out, no_log = np.zeros(COUNT), np.zeros((0, layout.COLUMNS))
    for t, row in enumerate(rows(bars_of(WORKED))):
        step(floats, ints, *row, MINUTE_MS, out, no_log)
        assert (0, 0, 1) == (out[6], out[8], out[10])
        if t in BY_HAND:
            told = (floats[layout.ATR], *out[[0, 1, 2, 3, 4, 5, 7, 9, 11]])
            assert BY_HAND[t] == pytest.approx(told, abs=1e-6)


@needs_real_data
def test_recorded_bitcoin_has_the_golden_rows() -> None:
    features = batch(recorded("BTC"))
    for t, expected in GOLDEN.items():
        told = (features.atr[t], *features.values[t])
        assert numbers(expected) == pytest.approx(told, abs=1e-6)
    assert numbers(MEANS) == pytest.approx(features.values[WARM_UP:].mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("temper", TEMPERS)
def test_stream_and_batch_are_the_same_bits(temper: str) -> None:
    bars = market(1, 3200, temper)
    features, stream = batch(bars), Stream(MINUTE_MS)
    for t, row in enumerate(rows(bars)):
        assert features.values[t].tobytes() == stream.step(*row).tobytes()
        assert features.atr[t] == stream.atr
        assert stream.ready is not bool(np.isnan(features.values[t]).any())
    warm = features.values[~np.isnan(features.values[:, 0])]
    assert len(warm) > 700
    assert np.abs(warm).max() <= 1.0


def test_every_feature_says_something() -> None:
    """A market in which a feature is constant would prove nothing about it."""
    values = batch(market(2, 4000)).values[WARM_UP:]
    assert (values.std(axis=0) > 0.01).all()


def test_a_gap_of_exactly_the_smallest_size_is_none() -> None:
    """A tenth of an ATR, up to the last bits of whatever scale prices have."""
    for scale in (1.0, 3.0, 7.0, 1e-3, 1e5):
        # every range is 1 until the third bar of the gap, so the mean of the last 14 is known
        base = [(100.0, 100.5, 99.5, 100.0, 1.0)] * 20
        up = (100.0, 100.5, 99.5, 100.4, 1.0)
        for beyond, gaps in ((0.0, 0), (0.001, 1)):
            edge = 100.5 + 0.1 * (1 + beyond)
            third = (edge, 101.4, edge, 101.0, 1.0)  # from the close before it its range is 1, too
            floats, ints = new_state(MINUTE_MS)
            out, no_log = np.zeros(COUNT), np.zeros((0, layout.COLUMNS))
            for t, bar in enumerate([*base, up, third]):
                opened, high, low, close = (scale * price for price in bar[:4])
                row = (t * MINUTE_MS, opened, high, low, close, bar[4])
                step(floats, ints, *row, MINUTE_MS, out, no_log)
            assert gaps == ints[layout.ZONES + layout.BULL_GAPS], (scale, beyond)


def test_nothing_is_said_before_the_state_is_warm() -> None:
    values = batch(market(3, WARM_UP + 2)).values
    assert np.isnan(values[:WARM_UP]).all()
    assert np.isfinite(values[WARM_UP:]).all()


def test_a_short_hole_is_filled_with_flat_bars() -> None:
    """Sixty missing bars are as if the venue had reported them flat and without volume."""
    bars = market(4, 2000)
    table = rows(bars)
    hole = range(1700, 1760)
    close = table[hole.start - 1][4]
    flat: list[Row] = [
        (row[0], close, close, close, close, 0.0) if t in hole else row
        for t, row in enumerate(table)
    ]
    without, filled = Stream(MINUTE_MS), Stream(MINUTE_MS)
    for t, (row, reported) in enumerate(zip(table, flat, strict=True)):
        filled.step(*reported)
        if t not in hole:
            assert filled.values.tobytes() == without.step(*row).tobytes()
    assert filled.snapshot() == without.snapshot()


def test_a_long_hole_begins_anew() -> None:
    table = rows(market(5, 3 * WARM_UP))
    late = [(row[0] + 61 * MINUTE_MS, *row[1:]) for row in table[1500:]]
    stream, fresh = Stream(MINUTE_MS), Stream(MINUTE_MS)
    for row in table[:1500]:
        stream.step(*row)
    assert stream.ready
    for row in late:
        assert stream.step(*row).tobytes() == fresh.step(*row).tobytes()
        assert stream.bars == fresh.bars


def test_a_long_hole_forgets_the_last_break_where_none_follows() -> None:
    """Flat bars break nothing, so what was kept would be told when the state is warm again."""
    bars = market(5, 1600)
    stream = Stream(MINUTE_MS)
    for row in rows(bars):
        stream.step(*row)
    assert stream.values[NAMES.index("market_structure")] != 0
    begin, close = int(bars.open_time_ms[-1]) + 62 * MINUTE_MS, float(bars.close[-1])
    for t in range(WARM_UP + 1):
        stream.step(begin + t * MINUTE_MS, close, close, close, close, 1.0)
    assert stream.ready
    assert stream.values[NAMES.index("market_structure")] == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({1: math.nan}, "not a number"),
        ({5: math.inf}, "not a number"),
        ({3: 0.0}, "low is not above zero"),
        ({3: 1e9}, "not between low and high"),
        ({2: 1e-9}, "not between low and high"),
        ({5: -1.0}, "volume is negative"),
        ({2: 1e300}, "above 1e12"),
        ({3: 1e-300}, "below 1e-12"),
        ({5: 1e300}, "no volume above 1e18"),
        ({2: math.inf}, "not a number"),
        ({0: 1}, "not a multiple"),
        ({0: 0}, "not after"),
    ],
)
def test_a_bar_that_cannot_be_right_is_refused_and_leaves_no_trace(
    change: dict[int, Any], reason: str
) -> None:
    table = rows(market(6, 100))
    stream = Stream(MINUTE_MS)
    for row in table[:60]:
        stream.step(*row)
    before = stream.snapshot()
    bad: Any = tuple(change.get(k, value) for k, value in enumerate(table[60]))
    with pytest.raises(BarRefused, match=f"bar of {bad[0]} ms: .*{reason}"):
        stream.step(*bad)
    assert stream.snapshot() == before
    table[60] = bad
    columns = [np.array(column) for column in zip(*table, strict=True)]
    with pytest.raises(BarRefused, match=f"bar of {bad[0]} ms: .*{reason}"):
        batch(Bars(MINUTE_MS, columns[0].astype(np.int64), *columns[1:]))


def test_an_interval_of_nothing_is_refused() -> None:
    bars = market(10, 3)
    with pytest.raises(ValueError, match="above zero"):
        batch(Bars(0, *(getattr(bars, name) for name in Bars.__slots__[1:])))
    with pytest.raises(ValueError, match="above zero"):
        Stream(-1)


def test_a_saved_state_goes_on_as_if_nothing_had_been() -> None:
    table = rows(market(7, 2500, "gappy"))
    stream = Stream(MINUTE_MS)
    for t, row in enumerate(table):
        if t % 100 == 99:
            stream = Stream.restored(stream.snapshot())
        stream.step(*row)
    straight = Stream(MINUTE_MS)
    for row in table:
        straight.step(*row)
    assert straight.snapshot() == stream.snapshot()


def test_a_saved_state_of_other_features_is_refused() -> None:
    saved = Stream(MINUTE_MS).snapshot()
    with pytest.raises(StateRefused, match="bytes"):
        Stream.restored(saved[:-1])
    with pytest.raises(StateRefused, match="another version"):
        Stream.restored(b"0" * 16 + saved[16:])
    with pytest.raises(StateRefused, match="another version"):
        Stream.restored(saved[:16] + (300_000).to_bytes(8, "little") + saved[24:])


def test_a_short_sees_the_market_upside_down() -> None:
    values = batch(market(8, 1600)).values[WARM_UP:]
    short = mirrored(values, -1)
    for k, name in enumerate(NAMES):
        if name in ("swing_distance", "institutional_participation", "timeframe_convergence"):
            assert (short[:, k] == values[:, k]).all()
        else:
            assert (short[:, k] == -values[:, k]).all()
    assert (mirrored(short, -1) == values).all()
    assert mirrored(values, 1) is values
    assert not np.signbit(short[short == 0]).any()


def test_the_hash_names_names_parameters_and_interval() -> None:
    """A model is bound to it: it changes only on purpose, together with `VERSION`."""
    assert (12, 12) == (len(NAMES), len(MIRROR))
    assert schema_hash(MINUTE_MS) == "8e150644b832fcc2"
    assert schema_hash(5 * MINUTE_MS) != schema_hash(MINUTE_MS)


PRINT = """
import hashlib, json
from strategy_core.ict.features import Stream, batch
from strategy_core.ict.kernel.jit import INTERPRETED
from tests.support.ict_markets import TEMPERS, market
digests = {}
for temper in TEMPERS:
    rows = batch(market(9, 1700, temper))
    digests[temper] = hashlib.sha256(rows.values.tobytes() + rows.atr.tobytes()).hexdigest()
print(json.dumps([INTERPRETED, digests]))
"""


@pytest.mark.slow
def test_compiled_and_interpreted_are_the_same_bits() -> None:
    told = []
    for disabled in ("0", "1"):
        env = {**os.environ, "NUMBA_DISABLE_JIT": disabled, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", PRINT]
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    assert [False, True] == [interpreted for interpreted, _ in told]
    assert told[0][1] == told[1][1]


WITHOUT = """
import sys
sys.modules["numba"] = None  # as where the extra `ml` is not installed
import hashlib
import numpy as np
from strategy_core.ict.features import batch
from strategy_core.ict.kernel.jit import INTERPRETED
from suite.bars import Bars
assert INTERPRETED
columns = np.load(sys.argv[1])
rows = batch(Bars(60_000, np.arange(columns.shape[1], dtype=np.int64) * 60_000, *columns))
print(hashlib.sha256(rows.values.tobytes() + rows.atr.tobytes()).hexdigest())
"""


def test_without_the_compiler_the_features_are_the_same_bits(tmp_path: Path) -> None:
    bars = market(3, 900, "wild")
    columns = np.stack([bars.open, bars.high, bars.low, bars.close, bars.volume])
    np.save(tmp_path / "bars.npy", columns)
    command = [sys.executable, "-c", WITHOUT, str(tmp_path / "bars.npy")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = batch(Bars(60_000, np.arange(900, dtype=np.int64) * 60_000, *columns))
    digest = hashlib.sha256(rows.values.tobytes() + rows.atr.tobytes()).hexdigest()
    assert done.stdout.strip() == digest

"""Bars: closed or invisible."""

from collections.abc import Collection

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from suite.bars import F64, MINUTE_MS, Bars, resample


def minutes(count: int, *, missing: Collection[int] = ()) -> Bars:
    keep = np.array([i for i in range(count) if i not in missing], np.int64)
    price: F64 = (100 + keep).astype(np.float64)
    times = keep * MINUTE_MS
    return Bars(MINUTE_MS, times, price, price + 2, price - 2, price + 1, np.ones(len(keep)))


def test_a_bar_is_closed_only_when_its_interval_is_over() -> None:
    """A millisecond before its end a bar is not there."""
    bars = minutes(10)
    assert bars.closed_by(5 * MINUTE_MS) == 5
    assert bars.closed_by(5 * MINUTE_MS - 1) == 4
    assert bars.closed_by(-1) == 0


@given(st.integers(1, 300), st.sets(st.integers(0, 299), max_size=40))
def test_longer_bars_are_those_of_a_plain_loop(count: int, missing: set[int]) -> None:
    """Buckets are aligned to the epoch, and one with a hole says so."""
    bars = minutes(count, missing=missing)
    longer, whole = resample(bars, 15 * MINUTE_MS)
    buckets: dict[int, list[int]] = {}
    for row, time in enumerate(bars.open_time_ms.tolist()):
        buckets.setdefault(time // (15 * MINUTE_MS), []).append(row)
    assert list(buckets) == (longer.open_time_ms // (15 * MINUTE_MS)).tolist()
    for index, rows in enumerate(buckets.values()):
        assert longer.open[index] == bars.open[rows[0]]
        assert longer.close[index] == bars.close[rows[-1]]
        assert longer.high[index] == max(bars.high[row] for row in rows)
        assert longer.low[index] == min(bars.low[row] for row in rows)
        assert longer.volume[index] == len(rows)
        assert bool(whole[index]) == (len(rows) == 15)


def test_a_range_is_half_open() -> None:
    """The first time is in, the last is not."""
    part = minutes(10).between(2 * MINUTE_MS, 4 * MINUTE_MS)
    assert part.open_time_ms.tolist() == [2 * MINUTE_MS, 3 * MINUTE_MS]

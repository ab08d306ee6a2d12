"""Nobody is taught by what comes after: purge, embargo, folds; and how much each trade counts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.strategy_core.learning.worlds import START_MS, drawn_events

from strategy_core.learning.events import from_columns, merged, to_columns
from strategy_core.learning.weights import folds, sample_weights, slices, uniqueness
from suite.bars import DAY_MS, MINUTE_MS

HOUR = 60 * MINUTE_MS


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.floats(0.1, 0.6), st.floats(0.05, 0.3), st.integers(0, 300))
def test_no_label_reaches_into_a_later_slice(
    seed: int, fit: float, calibrate: float, embargo: int
) -> None:
    events = drawn_events(400, days=4, seed=seed)
    first, last = int(events.start_ms[0]), int(events.end_ms.max())
    at = [first + round((last - first) * share) for share in (fit, fit + calibrate)]
    cut = slices(
        events, calibrate_ms=at[0], test_ms=at[1], end_ms=last, embargo_ms=embargo * MINUTE_MS
    )
    assert not (cut.fit & cut.calibrate).any()
    assert not (cut.calibrate & cut.test).any()
    gap = embargo * MINUTE_MS
    for early, late in ((cut.fit, cut.calibrate), (cut.calibrate, cut.test)):
        if early.any() and late.any():
            assert events.end_ms[early].max() + gap <= events.start_ms[late].min()


def test_folds_walk_forward_and_leave_no_day_out() -> None:
    steps = folds(START_MS, START_MS + 80 * DAY_MS - 1, count=5, calibrate_share=0.2)
    assert [30, 40, 50, 60, 70] == [round((one.test_ms - START_MS) / DAY_MS) for one in steps]
    assert all(a.end_ms == b.test_ms for a, b in pairwise(steps))
    assert START_MS + 80 * DAY_MS == steps[-1].end_ms
    assert 24 == round((steps[0].calibrate_ms - START_MS) / DAY_MS)


def test_labels_that_live_together_share_their_weight() -> None:
    start = np.array([0, 0, 10, 100]) * HOUR
    end = np.array([10, 10, 20, 110]) * HOUR
    found = uniqueness(start, end, np.zeros(4, np.int64))
    assert [0.5, 0.5, 1.0, 1.0] == pytest.approx(found.tolist())
    found = uniqueness(np.array([0, 5]) * HOUR, np.array([10, 15]) * HOUR, np.zeros(2, np.int64))
    assert [0.75, 0.75] == pytest.approx(found.tolist())
    assert [1.0, 1.0] == uniqueness(start[:2], end[:2], np.array([0, 1])).tolist()


def test_trade_of_a_half_life_ago_counts_half() -> None:
    events = drawn_events(300, days=60, seed=3)
    alone = uniqueness(events.start_ms, events.end_ms, events.coin.astype(np.int64))
    now_ms = int(events.start_ms[0]) + 30 * DAY_MS
    weights = sample_weights(events, now_ms=now_ms, half_life_days=30)
    assert 0.5 == pytest.approx(weights[0] / alone[0])
    assert (weights <= alone).all()


def test_merged_events_are_sorted_and_read_back() -> None:
    parts = [drawn_events(50, seed=one, coins=(name,)) for one, name in ((1, "ETH"), (2, "BTC"))]
    whole = merged([one.take(one.coin == 0) for one in parts])
    assert ("BTC", "ETH") == whole.coins
    assert (np.diff(whole.start_ms) >= 0).all()
    again = from_columns(to_columns(whole))
    assert whole.digest() == again.digest()
    assert (
        whole.digest()
        == merged([whole.take(whole.coin == 1), whole.take(whole.coin == 0)]).digest()
    )
    assert whole.digest() != parts[0].digest()


def test_columns_that_are_not_whole_are_refused() -> None:
    columns = to_columns(drawn_events(20))
    del columns["net"]
    with pytest.raises(ValueError, match="events without net"):
        from_columns(columns)
    columns = to_columns(drawn_events(20))
    columns["side"] = columns["side"][:5]
    with pytest.raises(ValueError, match="not of one length"):
        from_columns(columns)

"""Structures for charts: events of the same step, each with the time it became known."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support import ict_markets
from tests.support.ict_markets import WORKED, bars_of, market, poisoned_bytes, rows

from strategy_core.ict.features import Features, Stream, batch
from strategy_core.ict.kernel import layout
from strategy_core.ict.structures import End, Kind, event_log, structures, told
from suite.bars import MINUTE_MS, Bars


def test_the_worked_example_has_its_seven_structures() -> None:
    """A swing is known five bars late, a gap at the close of its third bar."""
    m = MINUTE_MS
    expected = [
        (Kind.SWING, 1, 11 * m, 5 * m, 102.0, 102.0, None, None),
        (Kind.SWING, -1, 17 * m, 11 * m, 98.0, 98.0, None, None),
        (Kind.SWEEP, -1, 18 * m, 5 * m, 102.0, 102.6, None, None),
        (Kind.CHANGE, 1, 20 * m, 5 * m, 102.0, 102.0, None, None),
        (Kind.BLOCK, 1, 20 * m, 18 * m, 100.4, 101.3, 23 * m, End.BROKEN),
        (Kind.GAP, 1, 21 * m, 19 * m, 101.3, 102.6, 22 * m, End.BROKEN),
        (Kind.GAP, -1, 23 * m, 21 * m, 101.7, 102.6, None, None),
    ]
    found = [
        (s.kind, s.side, s.known_ms, s.from_ms, s.low, s.high, s.ended_ms, s.end)
        for s in structures(bars_of(WORKED))
    ]
    assert expected == found


@pytest.mark.parametrize("temper", ["calm", "gappy", "coarse"])
def test_a_stream_tells_what_a_batch_tells(temper: str) -> None:
    bars = market(31, 2500, temper)
    log = np.empty((256, layout.COLUMNS))
    stream, events = Stream(MINUTE_MS, log), []
    for row in rows(bars):
        stream.step(*row)
        events += stream.events.tolist()
    assert structures(bars) == told(events)
    assert {End.BROKEN} < {s.end for s in structures(bars)}


def test_writing_events_changes_no_feature() -> None:
    bars = market(32, 2500, "wild")
    stream = Stream(MINUTE_MS, np.empty((256, layout.COLUMNS)))
    values = np.array([stream.step(*row).copy() for row in rows(bars)])
    assert batch(bars).values.tobytes() == values.tobytes()


def test_nothing_is_known_before_it_could_be() -> None:
    """And what is known is never unsaid: the log of a prefix is the beginning of the log."""
    bars = market(33, 2500)
    log = event_log(bars)
    assert (np.diff(log[:, layout.KNOWN]) >= 0).all()
    for s in structures(bars):
        late = (s.known_ms - s.from_ms) // MINUTE_MS
        assert late == 6 if s.kind is Kind.SWING else late >= 1
        assert s.low <= s.high
        assert s.ended_ms is None or s.ended_ms > s.known_ms
    for count in (100, 900, 1777):
        part = event_log(bars.rows(0, count))
        assert (part == log[: len(part)]).all()


@pytest.mark.parametrize("temper", ["calm", "wild"])
def test_a_swing_is_swept_once(temper: str) -> None:
    """A second wick beyond the same swing takes no more stops: there are none left."""
    found = structures(market(38, 4000, temper))
    sweeps = [(s.side, s.from_ms) for s in found if s.kind is Kind.SWEEP]
    assert {side for side, _ in sweeps} == {1, -1}
    assert len(sweeps) == len(set(sweeps))


def test_a_long_hole_ends_every_zone() -> None:
    bars = market(34, 2400, "gappy")
    hole = int(bars.open_time_ms[599]) + MINUTE_MS
    assert bars.open_time_ms[600] > hole + 60 * MINUTE_MS
    found = structures(bars)
    forgotten = [s for s in found if s.end is End.FORGOTTEN]
    assert forgotten
    assert {hole} == {s.ended_ms for s in forgotten}
    zones = [s for s in found if s.kind in (Kind.BLOCK, Kind.GAP) and s.known_ms <= hole]
    assert all(s.ended_ms is not None for s in zones)


def test_the_live_zones_are_those_the_feature_weighs() -> None:
    """What is drawn is what the model sees: feature 1 once more, from the drawn blocks."""
    bars = market(35, 2500)
    features, close = batch(bars), float(bars.close[-1])
    sums = {1: 0.0, -1: 0.0}
    for s in structures(bars):
        if s.kind is Kind.BLOCK and s.ended_ms is None:
            distance = max(0.0, s.low - close, close - s.high)
            sums[s.side] += 1 / (1 + distance / features.atr[-1])
    expected = (sums[1] - sums[-1]) / (1 + sums[1] + sums[-1])
    assert expected == pytest.approx(features.values[-1, 1], abs=1e-12)
    assert expected != 0


def test_poison_that_works_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features that read five bars ahead change: the counter can count."""
    bars, other = market(36, 1800), market(37, 1800, "wild")
    assert poisoned_bytes(bars, other, [1600]) == 0

    def ahead(bars: Bars) -> Features:
        honest = batch(bars)
        return replace(honest, values=np.roll(honest.values, -5, axis=0))

    monkeypatch.setattr(ict_markets, "batch", ahead)
    assert poisoned_bytes(bars, other, [1600]) > 100

"""Minutes that grow while they are read, and the memory behind a live tape."""

import resource

import numpy as np
import pytest
from tests.support.worlds import START_MS, random_bars

from suite.bars import MINUTE_MS
from virtual_exchange.application.paper.memory import LazyWords
from virtual_exchange.domain.growing import GrowingBars

ROW = (5.0, 7.0, 4.0, 6.0, 2.0)


def after(bars: GrowingBars, minutes: int = 0) -> int:
    return int(bars.open_time_ms[-1]) + (minutes + 1) * MINUTE_MS


def test_bars_that_are_put_are_seen_by_who_holds_them() -> None:
    """What was cut out before stays as it was; thousands find room."""
    recorded = random_bars("BTC", 10)
    bars = GrowingBars(recorded)
    cut = bars.rows(0, len(bars))
    for _ in range(3000):
        assert bars.put(after(bars), *ROW)
    assert (10, 3010) == (len(cut), len(bars))
    assert ROW == tuple(
        float(getattr(bars, n)[-1]) for n in ("open", "high", "low", "close", "volume")
    )
    assert np.array_equal(recorded.close, bars.close[:10])
    assert np.all(np.diff(bars.open_time_ms) == MINUTE_MS)


def test_bar_that_is_told_again_replaces_itself() -> None:
    """It is said whether it is another."""
    bars = GrowingBars(random_bars("BTC", 10))
    opened = after(bars)
    assert bars.put(opened, *ROW)
    assert not bars.put(opened, *ROW)
    assert bars.put(opened, 5.0, 8.0, 4.0, 6.5, 3.0)
    assert (11, 8.0, 3.0) == (len(bars), bars.high[-1], bars.volume[-1])


def test_bar_that_was_missed_finds_its_place() -> None:
    """Between those that were told before it."""
    bars = GrowingBars(random_bars("BTC", 3))
    late = after(bars)
    bars.put(after(bars, 1), *ROW)
    assert bars.put(late, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert np.all(np.diff(bars.open_time_ms) == MINUTE_MS)
    assert [1.0, 6.0] == bars.close[-2:].tolist()


def test_open_bar_is_there_for_candles_only_and_can_be_dropped() -> None:
    """Closed ones are those that have ended."""
    bars = GrowingBars(random_bars("BTC", 3))
    now_ms = START_MS + 3 * MINUTE_MS + 20_000
    bars.put(START_MS + 3 * MINUTE_MS, *ROW)
    assert (3, 4) == (bars.closed_by(now_ms), len(bars.begun_by(now_ms)))
    bars.drop_from(now_ms)
    assert 3 == len(bars)
    bars.put(START_MS + 3 * MINUTE_MS, *ROW)
    assert 4 == len(bars)


def test_memory_takes_room_where_it_was_written_and_gives_it_back() -> None:
    """A hundred gigabytes of addresses cost nothing; old pages are zeros again."""
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory = LazyWords(100 << 27)
    memory.words[:100_000] = 7
    memory.words[-1] = 9
    memory.give_back(0, 90_000)
    kept = memory.words[:100_000]
    assert (0, 7, 9) == (kept[0], kept[-1], memory.words[-1])
    assert 90_000 - 512 <= int((kept == 0).sum()) <= 90_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


@pytest.mark.parametrize(("first", "end"), [(0, 0), (0, 500), (513, 1000)])
def test_less_than_a_page_is_not_given_back(first: int, end: int) -> None:
    """Its neighbors may still be wanted."""
    memory = LazyWords(2048)
    memory.words[:] = 7
    memory.give_back(first, end)
    assert (memory.words == 7).all()

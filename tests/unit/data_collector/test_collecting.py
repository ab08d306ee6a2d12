"""A collector: bars are safe before anybody hears of them, and nothing is asked that was told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.support.collecting import (
    NO_FUNDING,
    SOURCE,
    MemoryJournal,
    MemoryStore,
    Past,
    collecting,
    told,
)
from tests.support.waiting import until
from tests.unit.data_collector.truth import (
    START,
    TRUTH,
    connect,
    count,
    play,
    rows,
    stored,
)

from data_collector.application.collecting.live_bars import bars_from
from data_collector.domain.candles import (
    AssetContext,
    Candle,
    MarketEvent,
)
from suite.bars import F64, HOUR_MS, I64, MINUTE_MS
from suite.errors import DataGap, StorageError, UpstreamUnavailable
from suite.klines import bars_equal


async def test_steady_state_asks_for_no_klines_and_equals_the_source() -> None:
    past = Past(TRUTH)
    async with collecting(past, "BTC", "ETH") as running:
        await connect(running)
        play(running, 0, 400)
        await until(lambda: running.tail.version("ETH") == 400)
        assert 0 == running.collector.rest_calls.get("gap", 0)
    for coin, bars in TRUTH.items():
        assert bars_equal(bars, running.store.bars[coin, "1m"])
    assert [] == past.asked
    assert past.closed


async def test_one_fsync_holds_a_minute_of_all_coins() -> None:
    async with collecting(Past(TRUTH), "BTC", "ETH") as running:
        await connect(running)
        for row in range(5):
            play(running, row, row + 1)
            await until(lambda wanted=row + 1: wanted == running.tail.version("ETH"))  # type: ignore[misc]
        assert 5 == running.journal.appends


async def test_a_bar_is_told_as_closed_only_when_it_is_journaled() -> None:
    class Full(MemoryJournal):
        full = True

        def append(self, items: object) -> None:
            if self.full:
                raise StorageError("disk full")
            super().append(items)  # type: ignore[arg-type]

    journal = Full()
    heard: list[MarketEvent] = []
    async with collecting(Past(TRUTH), "BTC", journal=journal) as running:
        leave = running.collector.listen(heard.append)
        await connect(running, "BTC")
        play(running, 0, 3, "BTC")
        await until(lambda: "not written" == running.collector.status()[0]["state"])
        assert "disk full" in running.collector.status()[0]["reason"]
        assert not any(isinstance(item, Candle) and item.closed for item in heard)
        with pytest.raises(DataGap):
            stored(running)
        journal.full = False
        await until(lambda: 3 == running.tail.version("BTC"))
        closed = [item for item in heard if isinstance(item, Candle) and item.closed]
        assert [replace(told(TRUTH["BTC"], "BTC", row), closed=True) for row in range(3)] == closed
        leave()
        leave()
        heard_before = len(heard)
        play(running, 3, 4, "BTC")
        assert heard_before == len(heard)


async def test_a_restart_goes_on_where_the_store_and_the_journal_end() -> None:
    store, journal, past = MemoryStore(), MemoryJournal(), Past(TRUTH)
    store.append_bars(SOURCE, "BTC", TRUTH["BTC"].rows(0, 10))
    journal.append([(SOURCE, "BTC", TRUTH["BTC"].rows(10, 12))])
    async with collecting(past, "BTC", store=store, journal=journal) as running:
        await connect(running, "BTC")
        assert (12, []) == (len(store.bars["BTC", "1m"]), journal.items)
        play(running, 20, 22, "BTC")
        await until(lambda: 22 == count(running))
        assert [("BTC", START + 12 * MINUTE_MS, START + 20 * MINUTE_MS)] == past.asked
    assert bars_equal(TRUTH["BTC"].rows(0, 22), store.bars["BTC", "1m"])


async def test_a_late_change_of_a_closed_bar_is_a_revision() -> None:
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 3, "BTC")
        await until(lambda: 3 == count(running))
        late = told(TRUTH["BTC"], "BTC", 2, trades=12, volume=1e6)
        running.feed.tell(late)
        await until(lambda: 1e6 == stored(running).volume[2])
        assert [1] == [len(bars) for _, _, bars in running.journal.items]  # never two values
    assert 1 == running.store.result.revised
    assert 1e6 == running.store.bars["BTC", "1m"].volume[2]


async def test_flushing_moves_bars_from_the_tail_to_the_store_and_readers_see_no_difference() -> (
    None
):
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 5, "BTC")
        await until(lambda: 5 == running.tail.version("BTC"))
        before = stored(running)
        mark = running.live.fingerprint("BTC", source=SOURCE)
        held = running.live.coverage("BTC")
        await running.collector._writer.flush()
        assert (0, [], 1) == (len(running.tail), running.journal.items, running.store.writes)
        assert bars_equal(before, stored(running))
        assert held == running.live.coverage("BTC")
        assert mark != running.live.fingerprint("BTC", source=SOURCE)
        play(running, 5, 7, "BTC")
        await until(lambda: 2 == len(running.tail))
        assert list(range(7)) == rows(stored(running))
        assert (7, ()) == (running.live.coverage("BTC").bars, running.live.coverage("BTC").gaps)


async def test_bars_are_flushed_by_themselves_after_the_time_set() -> None:
    async with collecting(Past(TRUTH), "BTC", flush_s=0.05) as running:
        await connect(running, "BTC")
        play(running, 0, 5, "BTC")
        await until(lambda: ("BTC", "1m") in running.store.bars)
        await until(lambda: 0 == len(running.tail))


async def test_open_interest_funding_and_records_are_stored_beside_bars() -> None:
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        for row in range(70):
            context = AssetContext(coin="BTC", time_ms=0, open_interest=1000.0 + row)
            running.feed.tell(told(TRUTH["BTC"], "BTC", row), context)
            play(running, row, row + 1, "BTC")
            await asyncio.sleep(0.001)
        await until(lambda: 2 <= running.collector.rest_calls.get("funding", 0))
    interest = running.store.interest["BTC"]
    assert 1001.0 == interest[START + 2 * MINUTE_MS]  # it was told 6 s after minute 1 began
    assert all(at_ms % MINUTE_MS == 0 for at_ms in interest)
    assert START + 3_600_000 == running.store.funding["BTC"][0][-1]
    assert {"sz_decimals": 3} == running.store.records["BTC"]


async def test_a_funding_question_that_fails_says_nothing_about_the_interval() -> None:
    class Broken(Past):
        async def funding(
            self, coin: str, from_ms: int, to_ms: int
        ) -> AsyncIterator[tuple[I64, F64]]:
            if to_ms:
                raise UpstreamUnavailable("503")
            yield NO_FUNDING

    async with collecting(Broken(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 3, "BTC")
        await until(lambda: running.collector.rest_calls.get("funding"))
        assert HOUR_MS == running.collector._funding["BTC"].interval_ms


async def test_an_absurd_first_stamp_does_not_begin_a_coin() -> None:
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        running.feed.tell(replace(told(TRUTH["BTC"], "BTC", 0), open_time_ms=START * 5))
        play(running, 0, 3, "BTC")
        await until(lambda: 3 == count(running))
        assert {"absurd": 1} == running.collector.flaws
        assert START + 2 * MINUTE_MS == running.collector.status()[0]["last_bar_ms"]


async def test_a_growing_candle_of_a_closed_minute_is_not_told() -> None:
    heard: list[MarketEvent] = []
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 3, "BTC")
        await until(lambda: 3 == count(running))
        running.collector.listen(heard.append)
        running.feed.tell(told(TRUTH["BTC"], "BTC", 1, trades=2))
        assert [] == heard


async def test_what_was_over_is_closed_when_the_connection_is_lost_at_once() -> None:
    async with collecting(Past(TRUTH), "BTC", settle_s=5.0) as running:
        await connect(running, "BTC")
        play(running, 0, 3, "BTC")
        running.feed.listener.lost("gone")
        await until(lambda: 3 == count(running))


async def test_a_step_of_our_clock_changes_nothing_but_the_offset_told() -> None:
    async with collecting(Past(TRUTH), "BTC", now_ms=lambda: START + 10**10) as running:
        await connect(running, "BTC")
        play(running, 0, 3, "BTC")
        await until(lambda: 3 == running.tail.version("BTC"))
        (row,) = running.collector.status()
        assert abs(row["clock_offset_ms"] + 10**10) < 5 * MINUTE_MS
        assert START + 2 * MINUTE_MS == row["last_bar_ms"]


async def test_absurd_candles_are_noted_and_not_used() -> None:
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 2, "BTC")
        running.feed.tell(told(TRUTH["BTC"], "BTC", 2, low=1e9))
        running.feed.tell(replace(told(TRUTH["BTC"], "BTC", 2), open_time_ms=START * 5))
        play(running, 2, 3, "BTC")
        await until(lambda: 3 == running.tail.version("BTC"))
        assert {"absurd": 2} == running.collector.flaws
        assert bars_equal(TRUTH["BTC"].rows(0, 3), stored(running))


def test_bars_of_candles_are_sorted_and_the_later_word_wins() -> None:
    bars = TRUTH["BTC"]
    candles = [told(bars, "BTC", 1), told(bars, "BTC", 0), told(bars, "BTC", 1, volume=5.0)]
    made = bars_from(candles, MINUTE_MS)
    assert [0, 1] == rows(made)
    assert 5.0 == made.volume[1]

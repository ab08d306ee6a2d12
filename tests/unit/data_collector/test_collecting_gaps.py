"""What a collector lacks: how it is asked for, and what is said of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.support.collecting import (
    SOURCE,
    Collecting,
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
    Refusing,
    connect,
    count,
    play,
    stored,
)

from data_collector.domain.candles import (
    MarketEvent,
)
from suite.bars import MINUTE_MS, Bars
from suite.errors import UpstreamUnavailable
from suite.klines import Coverage, Gap, Source, bars_equal


async def outage(running: Collecting, again: int, end: int) -> None:
    """Tell 15 minutes of BTC, and after a new connection those from another one on."""
    await connect(running, "BTC")
    play(running, 0, 15, "BTC")
    running.feed.listener.lost("gone")
    running.feed.listener.connected()
    play(running, again, end, "BTC")


async def test_an_outage_is_filled_by_one_request_for_each_coin() -> None:
    past = Past(TRUTH)
    async with collecting(past, "BTC", "ETH") as running:
        await connect(running)
        play(running, 0, 15)
        running.feed.listener.lost("gone")
        assert "reconnecting" == running.collector.status()[0]["state"]
        running.feed.listener.connected()
        play(running, 40, 60)
        await until(lambda: 60 == count(running) == count(running, "ETH"))
        span = START + 15 * MINUTE_MS, START + 40 * MINUTE_MS
        assert [(coin, *span) for coin in TRUTH] == past.asked
    assert bars_equal(TRUTH["BTC"].rows(0, 60), running.store.bars["BTC", "1m"])


async def test_what_the_venue_has_not_either_gets_a_reason_in_the_ledger() -> None:
    absent = {START + row * MINUTE_MS for row in (17, 18, 22)}
    past = Past(TRUTH, absent)
    async with collecting(past, "BTC") as running:
        await outage(running, 30, 32)
        await until(lambda: 2 == len(running.store.reasons))
        gaps = [(gap, reason) for _, gap, reason in running.store.reasons]
    minutes = [(17, 19), (22, 23)]
    spans = [Gap(START + first * MINUTE_MS, START + end * MINUTE_MS) for first, end in minutes]
    assert [(span, "venue has none (outage)") for span in spans] == gaps


async def test_it_is_told_how_far_a_coin_is_though_its_last_minute_is_missing() -> None:
    """And never further than can be read: a bar that waits for the disk is not there yet."""
    absent = {START + row * MINUTE_MS for row in (5, 6, 7)}
    free = threading.Event()

    class Slow(MemoryJournal):
        def append(self, items: Sequence[tuple[Source, str, Bars]]) -> None:
            assert free.wait(10)
            super().append(items)

    async with collecting(Past(TRUTH, absent), "BTC", "ETH", journal=Slow()) as running:
        await connect(running, "BTC", "ETH")
        assert 0 == running.collector.covered_ms("BTC")
        play(running, 0, 5, "BTC", "ETH")
        assert START == running.collector.covered_ms("BTC")
        free.set()
        await until(lambda: 5 == count(running))
        assert START + 5 * MINUTE_MS == running.collector.covered_ms("BTC")
        play(running, 5, 8, "ETH")
        assert START + 8 * MINUTE_MS == running.collector.covered_ms("BTC")
        assert START + 5 * MINUTE_MS == running.live.coverage("BTC").end_ms


async def test_a_history_that_does_not_answer_is_asked_again_later() -> None:
    past = Past(TRUTH)
    past.failures = [UpstreamUnavailable("503")]
    async with collecting(past, "BTC") as running:
        await outage(running, 20, 22)
        await until(lambda: 1 == len(past.asked))
        running.collector._repairer._not_before_s.clear()
        play(running, 22, 23, "BTC")
        await until(lambda: 23 == count(running))
        assert 2 == len(past.asked)


async def test_a_restart_asks_for_gaps_that_were_never_asked_for() -> None:
    store, past = MemoryStore(), Past(TRUTH)
    for first, end in ((0, 5), (7, 10)):
        store.append_bars(SOURCE, "BTC", TRUTH["BTC"].rows(first, end))
    async with collecting(past, "BTC", store=store) as running:
        await connect(running, "BTC")
        play(running, 10, 12, "BTC")
        await until(lambda: 12 == count(running))
        assert [("BTC", START + 5 * MINUTE_MS, START + 7 * MINUTE_MS)] == past.asked


async def test_a_gap_that_the_store_knows_the_reason_of_keeps_it_while_bars_are_in_the_tail() -> (
    None
):
    class Noting(MemoryStore):
        def coverage(
            self, coin: str, interval: str = "1m", *, source: Source | str | None = None
        ) -> Coverage:
            held = super().coverage(coin, interval)
            return replace(held, gaps=tuple(replace(gap, reason="none") for gap in held.gaps))

    absent = {START + row * MINUTE_MS for row in (17, 18)}
    async with collecting(Past(TRUTH, absent), "BTC", store=Noting()) as running:
        await outage(running, 20, 22)
        await until(lambda: 20 == count(running))
        held = running.live.coverage("BTC")
    gap = Gap(START + 17 * MINUTE_MS, START + 19 * MINUTE_MS, "none")
    assert (20, (gap,)) == (held.bars, held.gaps)


@pytest.mark.parametrize("name", ["append_bars", "note_gap"])
async def test_a_gap_that_cannot_be_stored_is_asked_again_and_the_rest_goes_on(name: str) -> None:
    store, past = Refusing(name), Past(TRUTH, {START + 17 * MINUTE_MS})
    async with collecting(past, "BTC", store=store) as running:
        await outage(running, 20, 22)
        await until(lambda: running.collector.status()[0]["state"] == "not written")
        assert 5 == running.collector.status()[0]["gaps"]
        store.names.clear()
        running.collector._repairer._not_before_s.clear()
        play(running, 22, 23, "BTC")
        await until(lambda: 22 == count(running))
        await until(lambda: 1 == len(store.reasons))
        assert 2 == len(past.asked)


async def test_a_late_change_is_safe_although_the_venue_is_slow_to_answer() -> None:
    class Slow(Past):
        async def klines(self, *args: Any) -> AsyncIterator[Bars]:
            self.asked.append(args[:1] + args[2:])
            await asyncio.Event().wait()
            yield TRUTH["ETH"]

    store, past = MemoryStore(), Slow(TRUTH)
    store.append_bars(SOURCE, "ETH", TRUTH["ETH"].rows(0, 1))
    heard: list[MarketEvent] = []
    async with collecting(past, "BTC", "ETH", store=store) as running:
        await connect(running)
        play(running, 10, 13)
        await until(lambda: past.asked and 3 == count(running))
        running.collector.listen(heard.append)
        late = told(TRUTH["BTC"], "BTC", 11, trades=12, volume=1e6)
        running.feed.tell(late)
        await until(lambda: heard)
    assert [replace(late, closed=True)] == heard
    assert 1e6 == store.bars["BTC", "1m"].volume[1]


async def test_a_bar_that_the_venue_has_otherwise_is_told_again() -> None:
    heard: list[MarketEvent] = []
    past = Past(TRUTH, {START + 16 * MINUTE_MS})
    async with collecting(past, "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 13, "BTC")
        running.feed.tell(told(TRUTH["BTC"], "BTC", 13, trades=5, volume=0.0))
        running.feed.listener.flawed("malformed")
        play(running, 14, 16, "BTC")
        await until(lambda: 16 == count(running))
        running.collector.listen(heard.append)
        play(running, 17, 30, "BTC")
        await until(lambda: past.asked)
        right = told(TRUTH["BTC"], "BTC", 13, trades=5, closed=True)
        await until(lambda: right in heard)
        assert right.volume == stored(running).volume[13]


async def test_a_burst_that_tells_minutes_of_one_coin_before_those_of_the_next_is_no_loss() -> None:
    past = Past(TRUTH)
    async with collecting(past, "BTC", "ETH", settle_s=0.02) as running:
        await connect(running)
        play(running, 0, 12)
        for coin, bars in TRUTH.items():
            for row in range(12, 20):
                running.feed.tell(told(bars, coin, row, trades=0, volume=0.0))
                running.feed.tell(told(bars, coin, row))
        await until(lambda: 18 == count(running) == count(running, "ETH"))
        assert ([], {}) == (past.asked, running.collector.flaws)
        running.feed.listener.lost("gone")
    assert bars_equal(TRUTH["ETH"].rows(0, 18), running.store.bars["ETH", "1m"])


async def test_while_it_is_held_no_bar_is_taken_and_then_they_are_asked_for() -> None:
    past = Past(TRUTH)
    async with collecting(past, "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 15, "BTC")
        await until(lambda: 15 == count(running))
        running.collector.hold("the disk is full")
        play(running, 15, 30, "BTC")
        turns = running.collector.turns
        await until(lambda: running.collector.turns > turns + 1)
        row = running.collector.status()[0]
        assert ("not written", "the disk is full") == (row["state"], row["reason"])
        assert (15, []) == (count(running), past.asked)

        running.collector.hold("")
        play(running, 30, 32, "BTC")
        await until(lambda: 32 == count(running))
        assert [("BTC", START + 15 * MINUTE_MS, START + 30 * MINUTE_MS)] == past.asked
    assert bars_equal(TRUTH["BTC"].rows(0, 32), running.store.bars["BTC", "1m"])

"""A collector: bars are safe before anybody hears of them, and nothing is asked that was told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.support.collecting import (
    NO_FUNDING,
    SOURCE,
    Collecting,
    MemoryJournal,
    MemoryStore,
    Past,
    collecting,
    told,
)
from tests.support.waiting import until
from tests.support.worlds import random_bars

from data_collector.application.collecting import collector
from data_collector.application.collecting.live_bars import bars_from
from data_collector.domain.candles import (
    AssetContext,
    Candle,
    Followed,
    MarketEvent,
    Mids,
    Print,
    Refused,
)
from suite.bars import DAY_MS, F64, HOUR_MS, I64, MINUTE_MS, Bars
from suite.errors import BadRequest, DataGap, NotFound, StorageError, UpstreamUnavailable
from suite.klines import Coverage, Gap, Source, WriteResult, bars_equal

TRUTH = {coin: random_bars(coin, 400) for coin in ("BTC", "ETH")}
START = int(TRUTH["BTC"].open_time_ms[0])


async def connect(running: Collecting, *coins: str) -> None:
    await until(lambda: running.feeds and list(coins or TRUTH) == list(running.feed.coins))
    running.feed.listener.connected()


def play(running: Collecting, first: int, end: int, *coins: str) -> None:
    """Tell minutes of some coins; the clock ends up past the last one's grace."""
    for row in range(first, end):
        for coin in coins or TRUTH:
            running.feed.tell(told(TRUTH[coin], coin, row))
        running.feed.tell(Mids(time_ms=START + (row + 1) * MINUTE_MS + 6_000, prices={}))


def stored(running: Collecting, coin: str = "BTC") -> Bars:
    return running.live.read(coin)


def count(running: Collecting, coin: str = "BTC") -> int:
    try:
        return len(stored(running, coin))
    except DataGap:
        return 0


def rows(bars: Bars) -> list[int]:
    return [(at - START) // MINUTE_MS for at in bars.open_time_ms.tolist()]


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
        await connect(running, "BTC")
        play(running, 0, 15, "BTC")
        running.feed.listener.lost("gone")
        running.feed.listener.connected()
        play(running, 30, 32, "BTC")
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
        await connect(running, "BTC")
        play(running, 0, 15, "BTC")
        running.feed.listener.lost("gone")
        running.feed.listener.connected()
        play(running, 20, 22, "BTC")
        await until(lambda: 1 == len(past.asked))
        running.collector._repairer._not_before_s.clear()
        play(running, 22, 23, "BTC")
        await until(lambda: 23 == count(running))
        assert 2 == len(past.asked)


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


async def test_a_restart_asks_for_gaps_that_were_never_asked_for() -> None:
    store, past = MemoryStore(), Past(TRUTH)
    for first, end in ((0, 5), (7, 10)):
        store.append_bars(SOURCE, "BTC", TRUTH["BTC"].rows(first, end))
    async with collecting(past, "BTC", store=store) as running:
        await connect(running, "BTC")
        play(running, 10, 12, "BTC")
        await until(lambda: 12 == count(running))
        assert [("BTC", START + 5 * MINUTE_MS, START + 7 * MINUTE_MS)] == past.asked


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
        await connect(running, "BTC")
        play(running, 0, 15, "BTC")
        running.feed.listener.lost("gone")
        running.feed.listener.connected()
        play(running, 20, 22, "BTC")
        await until(lambda: 20 == count(running))
        held = running.live.coverage("BTC")
    gap = Gap(START + 17 * MINUTE_MS, START + 19 * MINUTE_MS, "none")
    assert (20, (gap,)) == (held.bars, held.gaps)


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


async def test_coins_are_started_and_stopped_while_it_runs() -> None:
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 3, "BTC")
        running.collector.start("ETHUSDT", ["1m", "1h"])
        await until(lambda: ["BTC", "ETH"] == running.feed.coins)
        play(running, 3, 6)
        await until(lambda: 3 == running.tail.version("ETH"))
        names = [(row["coin"], row["interval"]) for row in running.collector.status()]
        assert [("BTC", "1m"), ("ETH", "1m"), ("ETH", "1h")] == names
        running.collector.stop("BTC")
        await until(lambda: ["ETH"] == running.feed.coins)
        play(running, 6, 7)
        await until(lambda: 4 == running.tail.version("ETH"))
    assert list(range(6)) == rows(running.store.bars["BTC", "1m"])
    assert list(range(3, 7)) == rows(running.store.bars["ETH", "1m"])


async def test_a_coin_that_is_stopped_and_started_again_keeps_what_was_acknowledged() -> None:
    past = Past(TRUTH)
    async with collecting(past, "BTC", "ETH") as running:
        await connect(running)
        play(running, 0, 20)
        await until(lambda: 20 == count(running, "ETH"))
        running.collector.stop("ETH")
        await until(lambda: ["BTC"] == running.feed.coins)
        running.collector.start("ETH", ["1m"])
        await until(lambda: ["BTC", "ETH"] == running.feed.coins)
        play(running, 20, 22, "BTC")
        play(running, 22, 24)
        await until(lambda: 24 == count(running, "ETH"))
        assert [("ETH", START + 20 * MINUTE_MS, START + 22 * MINUTE_MS)] == past.asked
    assert bars_equal(TRUTH["ETH"].rows(0, 24), running.store.bars["ETH", "1m"])
    assert 0 == running.store.result.revised


class Refusing(MemoryStore):
    """A store that refuses what it is told to refuse."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = set(names)

    def append_bars(self, source: Source, coin: str, bars: Bars) -> WriteResult:
        self.refuse("append_bars")
        return super().append_bars(source, coin, bars)

    def note_gap(self, *args: Any, **more: Any) -> None:
        self.refuse("note_gap")
        super().note_gap(*args, **more)

    def coverage(self, coin: str, *args: Any, **more: Any) -> Coverage:
        self.refuse(f"coverage of {coin}")
        return super().coverage(coin, *args, **more)

    def refuse(self, name: str) -> None:
        if name in self.names:
            raise StorageError("no space left")


@pytest.mark.parametrize("name", ["append_bars", "note_gap"])
async def test_a_gap_that_cannot_be_stored_is_asked_again_and_the_rest_goes_on(name: str) -> None:
    store, past = Refusing(name), Past(TRUTH, {START + 17 * MINUTE_MS})
    async with collecting(past, "BTC", store=store) as running:
        await connect(running, "BTC")
        play(running, 0, 15, "BTC")
        running.feed.listener.lost("gone")
        running.feed.listener.connected()
        play(running, 20, 22, "BTC")
        await until(lambda: running.collector.status()[0]["state"] == "not written")
        assert 5 == running.collector.status()[0]["gaps"]
        store.names.clear()
        running.collector._repairer._not_before_s.clear()
        play(running, 22, 23, "BTC")
        await until(lambda: 22 == count(running))
        await until(lambda: 1 == len(store.reasons))
        assert 2 == len(past.asked)


async def test_a_coin_whose_bars_cannot_be_read_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector, "_RETRY_S", 0.01)
    store = Refusing("coverage of BTC")
    async with collecting(Past(TRUTH), "BTC", "ETH", store=store) as running:
        await until(lambda: running.feeds and ["ETH"] == running.feed.coins)
        states = {row["coin"]: row["state"] for row in running.collector.status()}
        assert "not read" == states["BTC"]
        store.names.clear()
        await connect(running)


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


async def test_a_venue_that_refuses_a_coin_shows_it_and_nothing_is_made_up() -> None:
    store = MemoryStore()
    store.append_bars(SOURCE, "ETH", TRUTH["ETH"].rows(0, 1))
    past = Past(TRUTH)
    async with collecting(past, "BTC", "ETH", store=store) as running:
        await connect(running)
        running.feed.tell(Refused(coin="ETH", reason="no such channel"))
        play(running, 1, 40, "BTC")
        await until(lambda: 39 == count(running))
        row = running.collector.status()[1]
        assert ("refused", "no such channel") == (row["state"], row["reason"])
        assert {"refused": 1} == running.collector.flaws
        running.feed.tell(Followed(coin="ETH"))
        assert "refused" != running.collector.status()[1]["state"]
    assert bars_equal(TRUTH["ETH"].rows(0, 1), store.bars["ETH", "1m"])


async def test_an_absurd_first_stamp_does_not_begin_a_coin() -> None:
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        running.feed.tell(replace(told(TRUTH["BTC"], "BTC", 0), open_time_ms=START * 5))
        play(running, 0, 3, "BTC")
        await until(lambda: 3 == count(running))
        assert {"absurd": 1} == running.collector.flaws
        assert START + 2 * MINUTE_MS == running.collector.status()[0]["last_bar_ms"]


async def test_what_the_venue_has_is_asked_by_our_clock_when_nothing_connects() -> None:
    past, now = Past(dict(TRUTH)), [START]
    async with collecting(past, "BTC", "ETH", now_ms=lambda: now[0]) as running:
        await connect(running)
        play(running, 0, 3)
        await until(lambda: running.collector._instruments_due_ms > START)
        running.feed.listener.lost("the venue does not trade ETH")
        past.truth = {"BTC": TRUTH["BTC"]}
        now[0] += DAY_MS
        running.collector.closing_done()
        await until(lambda: ["BTC"] == running.feed.coins)


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


async def test_a_growing_candle_of_a_closed_minute_is_not_told() -> None:
    heard: list[MarketEvent] = []
    async with collecting(Past(TRUTH), "BTC") as running:
        await connect(running, "BTC")
        play(running, 0, 3, "BTC")
        await until(lambda: 3 == count(running))
        running.collector.listen(heard.append)
        running.feed.tell(told(TRUTH["BTC"], "BTC", 1, trades=2))
        assert [] == heard


async def test_what_cannot_be_collected_is_refused_in_one_line() -> None:
    async with collecting(Past(TRUTH)) as running:
        with pytest.raises(NotFound):
            running.collector.start("not a symbol", ["1m"])
        with pytest.raises(BadRequest, match="interval '7m' is not collected"):
            running.collector.start("BTC", ["7m"])
        with pytest.raises(NotFound, match="BTC is not collected"):
            running.collector.stop("BTC")


async def test_a_coin_the_venue_does_not_have_is_named_and_no_longer_subscribed() -> None:
    async with collecting(Past(TRUTH), "BTC", "XYZ") as running:
        await connect(running, "BTC", "XYZ")
        play(running, 0, 2, "BTC")
        await until(lambda: ["BTC"] == running.feed.coins)
        states = {row["coin"]: row["state"] for row in running.collector.status()}
        assert "unknown to the venue" == states["XYZ"]


async def test_more_coins_than_a_connection_takes_get_another() -> None:
    truth = {f"C{number}": random_bars(f"C{number}", 5) for number in range(5)}
    async with collecting(Past(truth), *truth, coins_per_connection=2) as running:
        await until(lambda: 3 == len(running.feeds))
        await until(lambda: [2, 2, 1] == [len(feed.coins) for feed in running.feeds])


async def test_a_frozen_coin_gets_a_new_connection() -> None:
    async with collecting(Past(TRUTH), "BTC", "ETH") as running:
        await connect(running)
        play(running, 0, 12)
        for row in range(12, 16):
            at_ms = START + row * MINUTE_MS
            running.feed.tell(
                Print(coin="ETH", time_ms=at_ms + 1, price=1.0, size=1.0, is_buy=True)
            )
            play(running, row, row + 1, "BTC")
        assert 1 == len(running.feed.reconnects)
        await until(lambda: 13 <= count(running, "ETH"))


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

"""The coins of a collector: started, stopped, refused, unknown, and spread over connections."""

import pytest
from tests.support.collecting import (
    SOURCE,
    MemoryStore,
    Past,
    collecting,
)
from tests.support.waiting import until
from tests.support.worlds import random_bars
from tests.unit.data_collector.truth import START, TRUTH, Refusing, connect, count, play, rows

from data_collector.application.collecting import collector
from data_collector.domain.candles import (
    Followed,
    Print,
    Refused,
)
from suite.bars import DAY_MS, MINUTE_MS
from suite.errors import BadRequest, NotFound
from suite.klines import bars_equal


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
        assert bars_equal(TRUTH["ETH"].rows(0, 1), store.bars["ETH", "1m"])
        running.feed.tell(Followed(coin="ETH"))  # what is missing is asked for from here on
        assert "refused" != running.collector.status()[1]["state"]


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

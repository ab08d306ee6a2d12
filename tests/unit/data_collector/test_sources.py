"""Which of several sources is answered from: one, named, and the live one while it is collected."""

from pathlib import Path

import numpy as np
import pytest
from tests.unit.data_collector.market import NOW_MS, START_MS, make_bars
from tests.unit.data_collector.serving import LIVE, Client, MemoryCollection, client_of, parts_of

from data_collector.application.collecting.live_bars import LiveBars, Tail
from data_collector.application.reading import recent_candles
from data_collector.domain.candles import Candle
from suite.bars import HOUR_MS, MINUTE_MS
from suite.klines import Source
from suite.service.kline_store import KlineStore

IMPORTED = Source("binance")
NEW_MS = START_MS + 60 * MINUTE_MS


def candle(open_time_ms: int, close: float) -> Candle:
    return Candle(
        coin="BTC",
        interval_ms=MINUTE_MS,
        open_time_ms=open_time_ms,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=1.0,
        closed=True,
    )


class Market:
    """BTC imported from one venue and collected from another: its last minute is in the tail."""

    def __init__(self, folder: Path) -> None:
        self.store = KlineStore(folder)
        self.store.write_bars(IMPORTED, "BTC", make_bars(30, price=500.0))
        self.store.write_bars(LIVE, "BTC", make_bars(60))
        for source, rate in ((IMPORTED, 5e-4), (LIVE, 1e-4)):
            self.store.write_funding(source, "BTC", make_bars(1).open_time_ms, np.array([rate]))
        self.tail = Tail(LIVE)
        self.tail.add([candle(NEW_MS, 106.0)])
        self.collection = MemoryCollection()
        self.bars = LiveBars(self.store, self.tail)
        parts = parts_of(self.store, lambda: NOW_MS, collection=self.collection, bars=self.bars)
        self.client = client_of(parts, folder)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


def preferred(client: Client) -> list[str]:
    return [row["venue"] for row in client.get("/coverage").json() if row["preferred"]]


def test_what_is_collected_comes_before_what_was_imported(market: Market) -> None:
    """Rows, funding, snapshots and lists are of the live source, and all of them name it."""
    market.collection.start("BTC", ["1m"])
    client = market.client
    klines, funding = client.get("/klines/BTC"), client.get("/funding/BTC")
    assert (NEW_MS, 61) == (klines.json()[-1]["open_time_ms"], len(klines.json()))
    assert [1e-4] == [row["rate"] for row in funding.json()]
    assert ["hyperliquid/perp"] * 2 == [item.headers["x-source"] for item in (klines, funding)]
    assert NEW_MS + MINUTE_MS == client.get("/gpt-latest/BTC").json()["as_of_ms"]
    assert ["hyperliquid"] == [row["venue"] for row in client.get("/symbols").json()]
    assert ["hyperliquid"] == preferred(client)


def test_what_is_not_collected_any_more_is_ranked_by_name_again(market: Market) -> None:
    market.collection.start("BTC", ["1m"])
    market.collection.stop("BTC")
    klines = market.client.get("/klines/BTC")
    assert ("binance/perp", 30) == (klines.headers["x-source"], len(klines.json()))
    assert ["binance"] == preferred(market.client)


def test_a_coin_without_a_collected_bar_is_read_from_what_there_is(market: Market) -> None:
    market.store.write_bars(IMPORTED, "ETH", make_bars(10))
    market.collection.start("ETH", ["1m"])
    assert "binance/perp" == market.client.get("/klines/ETH").headers["x-source"]


def test_longer_bars_are_all_of_one_source(market: Market) -> None:
    """Hours that one venue has are not put between those made of another's minutes."""
    hours = make_bars(2, step_ms=HOUR_MS, price=555.0)
    market.store.write_bars(IMPORTED, "SOL", hours)
    market.store.write_bars(LIVE, "SOL", make_bars(180))
    klines = market.client.get("/klines/SOL?interval=1h")
    assert "binance/perp" == klines.headers["x-source"]
    assert hours.close.tolist() == [row["close"] for row in klines.json()]
    quarters = market.client.get("/klines/SOL?interval=15m")
    assert ("hyperliquid/perp", 12) == (quarters.headers["x-source"], len(quarters.json()))


def test_who_has_the_rows_is_told_the_source_too(market: Market) -> None:
    first = market.client.get("/klines/BTC")
    again = market.client.get("/klines/BTC", {"if-none-match": first.headers["etag"]})
    assert (304, "binance/perp") == (again.status_code, again.headers["x-source"])


def test_interval_that_no_source_has_is_refused_in_one_line(market: Market) -> None:
    market.store.write_bars(LIVE, "XRP", make_bars(3, step_ms=HOUR_MS))
    reply = market.client.get("/klines/XRP?interval=15m")
    assert 404 == reply.status_code
    assert "XRP has no stored 1m or 15m bars; stored are 1h of hyperliquid/perp" in reply.text


def test_candles_before_those_that_come_are_of_the_same_source(market: Market) -> None:
    """A longer candle is not made of two venues, whichever of them readers prefer."""
    before = recent_candles(market.bars, "BTC", LIVE)
    assert (61, NEW_MS, 106.0) == (len(before), before[-1].open_time_ms, before[-1].close)
    assert 500.0 < recent_candles(market.bars, "BTC", None)[0].close + 1


def test_collectors_that_have_the_same_bars_call_them_the_same(tmp_path: Path) -> None:
    """Whatever has happened to them before; other bars, or one more, are called otherwise."""
    tails = [Tail(LIVE) for _ in range(3)]
    store = KlineStore(tmp_path)
    names = [LiveBars(store, tail).fingerprint for tail in tails]
    assert 1 == len({name("BTC", source=LIVE) for name in names})
    tails[0].add([candle(NEW_MS, 106.0)])
    tails[1].add([candle(NEW_MS, 1.0)])
    tails[1].drop("BTC")
    tails[1].add([candle(NEW_MS, 107.0), candle(NEW_MS, 106.0)])
    tails[2].add([candle(NEW_MS, 107.0)])
    first, same, other = (name("BTC", source=LIVE) for name in names)
    assert first == same != other
    tails[1].add([candle(NEW_MS + MINUTE_MS, 106.0)])
    assert first != names[1]("BTC", source=LIVE)
    assert first != names[0]("BTC", source=IMPORTED)

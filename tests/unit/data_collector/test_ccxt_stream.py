"""A live market through the real streaming ccxt: recorded frames of Binance from a small server."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.binance_server import BinanceServer, binance, kline_frame
from tests.unit.data_collector.market import START_MS, make_bars

from data_collector.adapters.ccxt_stream import CcxtStream
from data_collector.domain.candles import Candle, MarketEvent, Mids, Print
from data_collector.venues import open_exchange
from suite.bars import MINUTE_MS
from suite.errors import NotFound, UpstreamUnavailable

BARS = make_bars(4)
LAST_MS = START_MS + 3 * MINUTE_MS


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    made = BinanceServer({"BTCUSDT": BARS, "1000PEPEUSDT": BARS}, START_MS + 10 * MINUTE_MS)
    for symbol in made.bars:
        for row in made.klines(symbol, START_MS, START_MS + 3 * MINUTE_MS):
            for is_closed in (False, True):
                frame = kline_frame(symbol, row, is_closed=is_closed)
                made.frames[f"{symbol.lower()}@kline_1m"].append(frame)
        last = made.klines(symbol, START_MS + 3 * MINUTE_MS, START_MS + 4 * MINUTE_MS)[0]
        made.frames[f"{symbol.lower()}@kline_1m"].append(kline_frame(symbol, last, is_closed=False))
    made.frames["btcusdt@trade"].append(
        json.dumps(
            {
                "e": "trade", "E": START_MS + 2, "T": START_MS + 1, "s": "BTCUSDT", "t": 7,
                "p": "100.5", "q": "0.25", "X": "MARKET", "m": False,
            }
        )
    )  # fmt: skip
    made.frames["btcusdt@miniTicker"].append(
        json.dumps(
            {
                "e": "24hrMiniTicker", "E": START_MS + 3, "s": "BTCUSDT", "c": "100.6", "o": "99",
                "h": "101", "l": "98", "v": "5", "q": "500",
            }
        )
    )  # fmt: skip
    async with binance(made) as running:
        yield running


def stream_of(server: BinanceServer, *coins: str) -> CcxtStream:
    api = open_exchange("binanceusdm", url=server.url, live=True)
    return CcxtStream(api, "perp", coins)


async def collected(stream: CcxtStream, until: Any) -> list[MarketEvent]:
    """Events up to the moment at which they are as wanted."""
    events: list[MarketEvent] = []
    async with asyncio.timeout(20):
        while not until(events):
            events.extend(await stream.receive())
    return events


def closed(events: list[MarketEvent]) -> set[tuple[str, int]]:
    candles = [event for event in events if isinstance(event, Candle)]
    return {
        (item.coin, (item.open_time_ms - START_MS) // MINUTE_MS) for item in candles if item.closed
    }


async def test_candles_trades_and_mids_come_in_our_words(server: BinanceServer) -> None:
    """A candle is closed where the venue says so; the last one is not."""
    stream = stream_of(server, "BTC", "kPEPE")
    await stream.open()
    expected = {(coin, minute) for coin in ("BTC", "kPEPE") for minute in range(3)}
    events = await collected(
        stream,
        lambda found: (
            closed(found) == expected and {Candle, Print, Mids} == {type(event) for event in found}
        ),
    )
    await stream.ping()
    await stream.close()
    last = {event.coin: event for event in events if isinstance(event, Candle)}
    assert 2 <= min((item.open_time_ms - START_MS) // MINUTE_MS for item in last.values())
    candles = {
        (item.coin, item.open_time_ms): item.values
        for item in events
        if isinstance(item, Candle) and item.closed
    }
    for (_, opened), values in candles.items():
        row = (opened - START_MS) // MINUTE_MS
        columns = (BARS.open, BARS.high, BARS.low, BARS.close, BARS.volume)
        assert tuple(float(column[row]) for column in columns) == values
    trade = next(event for event in events if isinstance(event, Print))
    assert Print(coin="BTC", time_ms=START_MS + 1, price=100.5, size=0.25, is_buy=True) == trade
    assert {"BTC": 100.6} == next(event for event in events if isinstance(event, Mids)).prices
    assert not any(path.endswith("klines") for path in server.asked)


async def test_candle_that_only_closes_is_told(server: BinanceServer) -> None:
    """Its values are those that were told before."""
    stream = stream_of(server, "BTC")
    await stream.open()
    await collected(
        stream, lambda found: any(getattr(item, "open_time_ms", 0) == LAST_MS for item in found)
    )
    row = server.klines("BTCUSDT", LAST_MS, LAST_MS + MINUTE_MS)[0]
    for socket in server.sockets:
        await socket.send_str(kline_frame("BTCUSDT", row, is_closed=True))
    assert {("BTC", 3)} == closed(await collected(stream, closed))
    await stream.close()


async def test_connection_that_ends_is_said(server: BinanceServer) -> None:
    """By the next receive, whatever is waiting."""
    stream = stream_of(server, "BTC")
    await stream.open()
    await collected(stream, lambda found: len(closed(found)) == 3)
    for socket in server.sockets:
        await socket.close()
    with pytest.raises(UpstreamUnavailable, match="binanceusdm"):
        await collected(stream, lambda _found: False)
    await stream.close()


async def test_coin_that_is_not_traded_stops_no_other(server: BinanceServer) -> None:
    """It is left out; where none is left, that is said before anything is subscribed."""
    stream = stream_of(server, "BTC", "ZZZ")
    await stream.open()
    await collected(stream, lambda found: ("BTC", 0) in closed(found))
    await stream.close()
    stream = stream_of(server, "ZZZ")
    with pytest.raises(NotFound, match="binanceusdm does not trade ZZZ"):
        await stream.open()
    await stream.close()


async def test_answer_that_cannot_be_read_ends_the_connection(
    server: BinanceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No coin may stop without a word while the others go on."""
    stream = stream_of(server, "BTC")
    nothing: dict[str, list[MarketEvent]] = {}
    monkeypatch.setattr(stream, "_candles", lambda _told: nothing["k"])
    await stream.open()
    with pytest.raises(UpstreamUnavailable, match="binanceusdm: KeyError"):
        await collected(stream, lambda _found: False)
    await stream.close()


async def test_venue_that_is_away_is_said(server: BinanceServer) -> None:
    """In one line."""
    server.refuses = 503
    stream = stream_of(server, "BTC")
    with pytest.raises(UpstreamUnavailable, match="binanceusdm"):
        await stream.open()
    await stream.close()

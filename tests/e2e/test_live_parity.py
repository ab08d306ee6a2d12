"""What is collected live is served as the venue itself serves it, before it is in the store."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import httpx
import msgspec
import pytest
from tests.support.collector_process import CollectorProcess
from tests.support.venue_process import VenueUnderTest, eventually, running_venue
from tests.support.worlds import START_MS

from suite.bars import DAY_MS, MINUTE_MS
from suite.klines import Source
from suite.service.kline_store import KlineStore

pytestmark = pytest.mark.process

COINS = ("BTC", "ETH")
DAYS = 6
"""Stored before the world begins."""
FROM_MS = START_MS + DAYS * DAY_MS
SPEED = 600.0
"""A minute in a tenth of a second."""


class Promised(msgspec.Struct):
    """The bytes of a snapshot that both services promise."""

    as_of_ms: int
    symbol: msgspec.Raw
    intervals_data: msgspec.Raw


def promised(reply: httpx.Response) -> tuple[int, bytes, bytes]:
    assert reply.status_code == 200, reply.text
    found = msgspec.json.decode(reply.content, type=Promised)
    return found.as_of_ms, bytes(found.symbol), bytes(found.intervals_data)


@contextmanager
def running_collector(folder: Path, venue: VenueUnderTest) -> Iterator[CollectorProcess]:
    """A collector that has the world's past, and collects its present."""
    assert venue.folder is not None
    played = KlineStore(venue.folder / "var" / "data")
    for coin in COINS:
        past = played.read(coin, "1m", None, FROM_MS)
        KlineStore(folder / "data").write_bars(Source("hyperliquid"), coin, past)
    collector = CollectorProcess(folder, venue.url, ",".join(COINS))
    try:
        yield collector
    finally:
        assert 0 == collector.stop(), (folder / "collector.log").read_text()[-3000:]


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("venue")
    options = ("--from", str(FROM_MS))
    with running_venue(folder, *options, coins=COINS, speed=SPEED, minutes=20_000) as found:
        yield found


@pytest.fixture(scope="module")
def collector(
    tmp_path_factory: pytest.TempPathFactory, venue: VenueUnderTest
) -> Iterator[CollectorProcess]:
    with running_collector(tmp_path_factory.mktemp("collector"), venue) as found:
        yield found


def test_live_tail_is_served_byte_equal_to_the_venue(
    venue: VenueUnderTest, collector: CollectorProcess
) -> None:
    """Every minute of it, of every coin, while nothing of it is in the store yet."""

    client = httpx.Client(trust_env=False, timeout=30)

    def newest(coin: str) -> int:
        return int(client.get(f"{collector.url}/gpt-latest/{coin}").json()["as_of_ms"])

    start = min(newest(coin) for coin in COINS)
    eventually(lambda: min(newest(coin) for coin in COINS) >= start + 60 * MINUTE_MS, limit_s=60)
    end = min(newest(coin) for coin in COINS)
    stored = KlineStore(collector.data).coverage("BTC").end_ms
    assert stored < end - 30 * MINUTE_MS, "the tail was to be unflushed"
    checked = 0
    for at_ms in (*range(end - 50 * MINUTE_MS, end + 1, MINUTE_MS), FROM_MS, FROM_MS - DAY_MS):
        for coin in COINS:
            path = f"/gpt-latest/{coin}?timestamp={at_ms}"
            ours, theirs = (client.get(url + path) for url in (collector.url, venue.url))
            assert promised(theirs) == promised(ours), path
            checked += 1
    assert 2 * 53 == checked
    client.close()


async def closed_candles(url: str, count: int) -> list[dict[str, str]]:
    """Wait for the next ones over a socket."""
    said = {"type": "candle", "coin": "BTC", "interval": "1m"}
    found: list[dict[str, str]] = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/ws") as socket,
        asyncio.timeout(30),
    ):
        await socket.send_json({"method": "subscribe", "subscription": said})
        while len(found) < count:
            told = json.loads(await socket.receive_str())
            if told["channel"] == "candle" and told["data"]["closed"]:
                found.append(told["data"])
    return found


def test_closed_candles_are_told_once_in_order_and_as_the_venue_has_them(
    venue: VenueUnderTest, collector: CollectorProcess
) -> None:
    candles = asyncio.run(closed_candles(collector.url, 20))
    times = [int(candle["t"]) for candle in candles]
    assert list(range(times[0], times[0] + 20 * MINUTE_MS, MINUTE_MS)) == times
    path = f"/klines/BTC?start={times[0]}&end={times[-1] + 1}"
    rows = httpx.get(venue.url + path).json()
    for name, key in (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v")):
        assert [row[name] for row in rows] == [float(candle[key]) for candle in candles]

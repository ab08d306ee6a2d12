"""A feed over HTTP: what is asked for, and what its messages mean."""

from typing import Any

import httpx
import msgspec
import pytest
import respx
from tests.support.worlds import START_MS

from suite.bars import HOUR_MS, MINUTE_MS
from suite.clock import ManualClock
from suite.errors import UpstreamRefused, UpstreamUnavailable
from virtual_exchange.adapters.live_feed import HttpFeed, read_message
from virtual_exchange.domain.live import HourlyRate, Minute, Prints

URL = "http://127.0.0.1:8000"
META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 50},
        {"name": "DOGE", "szDecimals": 0, "maxLeverage": 10, "marginTableId": 10},
    ],
    "marginTables": [
        [
            50,
            {
                "description": "tiered 40x",
                "marginTiers": [
                    {"lowerBound": "0.0", "maxLeverage": 40},
                    {"lowerBound": "150000000.0", "maxLeverage": 20},
                ],
            },
        ]
    ],
}


def rows(first: int, end: int) -> list[dict[str, float]]:
    """Minutes by their number since the start."""
    return [
        {
            "open_time_ms": START_MS + number * MINUTE_MS,
            "open": 94000.0,
            "high": 94010.5,
            "low": 93990.0,
            "close": 94000.0 + number,
            "volume": 3.5,
        }
        for number in range(first, end)
    ]


def feed(now_ms: int = 5_000) -> HttpFeed:
    return HttpFeed(f"{URL}/", silence_s=15, clock=ManualClock(now_ms))


def klines(request: httpx.Request) -> httpx.Response:
    """Seven thousand minutes, five thousand a page."""
    query = request.url.params
    start = (int(query["start"]) - START_MS) // MINUTE_MS
    end = (int(query["end"]) - START_MS) // MINUTE_MS if "end" in query else 7000
    return httpx.Response(200, json=rows(max(0, start, end - 5000), end))


@respx.mock
async def test_opening_reads_all_pages_and_what_the_feed_has_beside_them() -> None:
    """Bars of a collector, and nothing else: the known table, the clock of this machine."""
    respx.get(f"{URL}/klines/BTC").mock(side_effect=klines)
    stamps = [{"time_ms": START_MS + i * 8 * HOUR_MS, "rate": 0.0008} for i in range(9)]
    respx.get(f"{URL}/funding/BTC").respond(json=stamps)
    respx.route().respond(404)
    time, (coin,) = await feed().opening(["BTC"])
    assert (5_000, 5_000, 1.0) == (time.now_ms, time.wall_ms, time.speed)
    assert (7000, 94000.0, 100_999.0) == (len(coin.bars), coin.bars.close[0], coin.bars.close[-1])
    assert (5, 40) == (coin.instrument.sz_decimals, coin.instrument.max_leverage)
    assert pytest.approx([0.0001] * 3) == list(coin.hourly_rates)


@respx.mock
async def test_instruments_and_clock_of_a_virtual_exchange_are_its_own() -> None:
    """Its margin tiers and its time, with the distance to the wall clock."""
    respx.get(f"{URL}/klines/BTC").respond(json=rows(0, 3))
    respx.get(f"{URL}/klines/DOGE").respond(json=[])
    respx.post(f"{URL}/info").respond(json=META)
    respx.get(f"{URL}/clock").respond(
        json={"mode": "paced", "now_ms": START_MS, "speed": 60.0, "finished": False}
    )
    respx.route().respond(404)
    time, (btc, doge) = await feed().opening(["BTC", "DOGE"])
    assert [(0, 40), (150_000_000_000_000, 20)] == [
        (tier.lower_bound_usd, tier.max_leverage) for tier in btc.instrument.tiers
    ]
    assert (10, 0, 0) == (doge.instrument.max_leverage, len(doge.bars), len(doge.hourly_rates))
    assert START_MS + 60_000 == time.at(6_000)
    assert 7_000 == time.wall_at(START_MS + 120_000)


@pytest.mark.parametrize(
    ("clock", "coin", "text"),
    [
        ({"mode": "lockstep", "now_ms": 1, "speed": 0.0}, "BTC", "does not go on by itself"),
        ({"mode": "paced", "now_ms": 1, "speed": 1.0, "finished": True}, "BTC", "does not go on"),
        ({"mode": "paced", "now_ms": 1, "speed": 1.0}, "SOL", "has no SOL; it has BTC, DOGE"),
    ],
)
@respx.mock
async def test_feed_that_cannot_be_followed_is_refused(clock: Any, coin: str, text: str) -> None:
    """In one line that says why."""
    respx.get(f"{URL}/klines/BTC").respond(json=rows(0, 3))
    respx.post(f"{URL}/info").respond(json=META)
    respx.get(f"{URL}/clock").respond(json=clock)
    respx.route().respond(404)
    with pytest.raises(UpstreamRefused, match=text):
        await feed().opening([coin])


async def test_feed_that_is_not_there_is_told_at_once() -> None:
    """Nobody waits for attempts; who starts the service sees it."""
    with pytest.raises(UpstreamUnavailable, match="cannot be reached"):
        await HttpFeed("http://127.0.0.1:1", silence_s=15, clock=ManualClock(0)).opening(["BTC"])


@respx.mock
async def test_missed_minutes_and_settled_rates_can_be_asked_for() -> None:
    """Only those since a time; no rate where there is none."""
    respx.get(f"{URL}/klines/BTC").mock(side_effect=klines)
    respx.route().respond(404)
    from_ms = START_MS + 6990 * MINUTE_MS
    found = await feed().minutes("BTC", from_ms)
    assert (10, from_ms) == (len(found), found.open_time_ms[0])
    assert await feed().hourly_rate("BTC") is None
    assert 0 == len(await feed().minutes("ETH", from_ms))


CANDLE = {
    "t": START_MS,
    "T": START_MS + MINUTE_MS - 1,
    "s": "BTC",
    "i": "1m",
    "o": "94000.0",
    "h": "94010.5",
    "l": "93990.0",
    "c": "94005.0",
    "v": "3.5",
    "n": 7,
    "closed": False,
}
TRADE = {"coin": "BTC", "side": "B", "px": "94000.5", "sz": "0.25", "time": START_MS, "tid": 1}


def said(channel: str, data: Any) -> bytes:
    return msgspec.json.encode({"channel": channel, "data": data})


def test_messages_become_what_happened() -> None:
    """Candles, trades by coin, rates; what is not wanted is nothing."""
    (minute,) = read_message(said("candle", CANDLE))
    assert isinstance(minute, Minute)
    assert (START_MS, (94000.0, 94010.5, 93990.0, 94005.0, 3.5)) == (
        minute.open_time_ms,
        minute.values,
    )
    first, second = read_message(said("trades", [TRADE, TRADE | {"coin": "ETH"}, TRADE]))
    assert isinstance(first, Prints)
    assert isinstance(second, Prints)
    assert (("BTC", 2), ("ETH", 1)) == (
        (first.coin, len(first.prints)),
        (second.coin, len(second.prints)),
    )
    context = {"coin": "BTC", "ctx": {"funding": "0.0000125", "markPx": "1.0"}}
    assert (HourlyRate(coin="BTC", rate=0.0000125),) == read_message(
        said("activeAssetCtx", context)
    )
    for channel, data in (
        ("candle", CANDLE | {"i": "5m"}),
        ("activeAssetCtx", {"coin": "BTC", "ctx": {}}),
        ("allMids", {"mids": {"BTC": "1.0"}}),
        ("error", "Invalid subscription"),
        ("pong", None),
    ):
        assert () == read_message(said(channel, data))


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense",
        b"[]",
        said("candle", {"t": 1}),
        said("candle", CANDLE | {"o": "nan"}),
        said("trades", [TRADE | {"px": "1e5"}]),
        said("trades", {"coin": "BTC"}),
        said("activeAssetCtx", {"coin": "BTC", "ctx": {"funding": "inf"}}),
    ],
)
def test_message_of_another_shape_is_no_message(data: bytes) -> None:
    """It is counted as a flaw; the connection goes on."""
    with pytest.raises(msgspec.DecodeError):
        read_message(data)

"""The collector's WebSocket: what is told, to whom, in which order, and who is dropped."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.support.sockets import Socket
from tests.unit.data_collector.market import START_MS
from tests.unit.data_collector.serving import MemoryCollection

from data_collector.application.streaming import Hub, Limits
from data_collector.domain.candles import AssetContext, Candle, Mids, Print
from data_collector.entrypoint.ws import SocketEndpoint
from suite.bars import MINUTE_MS
from suite.errors import DataGap
from suite.service.websocket import WIRE


def candle(minute: int, close: float = 100.0, *, closed: bool = False, coin: str = "BTC") -> Candle:
    return Candle(
        coin=coin,
        interval_ms=MINUTE_MS,
        open_time_ms=START_MS + minute * MINUTE_MS,
        open=100.0,
        high=max(100.0, close),
        low=min(100.0, close),
        close=close,
        volume=2.5,
        trades=4,
        closed=closed,
    )


class Running:
    """An endpoint over a collection of BTC and ETH."""

    def __init__(self, *stored: Candle, **options: Any) -> None:
        self.collection = MemoryCollection()
        for coin in ("BTC", "ETH"):
            self.collection.start(coin, ["1m"])
        self.hub = Hub(self.collection, lambda _: self.recent(stored))
        self.endpoint = SocketEndpoint(self.hub, **options)

    @staticmethod
    def recent(stored: tuple[Candle, ...]) -> tuple[Candle, ...]:
        if not stored:
            raise DataGap("nothing stored")
        return stored

    async def begun(self) -> None:
        """Wait until what came before has been read for every longer candle."""
        topics = self.hub._topics.values()
        await asyncio.gather(*(topic.beginning for topic in topics if topic.beginning))

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Socket]:
        socket = Socket()
        scope = {"type": "websocket", "path_params": {}, "extensions": {WIRE: socket}}
        task = asyncio.create_task(self.endpoint(scope, socket._incoming.get, socket.asgi))
        try:
            yield socket
        finally:
            socket.hang_up()
            await task


async def test_candle_is_told_as_it_grows_and_when_it_is_closed() -> None:
    """In the words of the venue, with all digits; other coins and events are not told."""
    running = Running()
    async with running.connected() as client:
        said = await client.subscribe("candle", coin="BTC", interval="1m")
        assert ["subscriptionResponse"] == [item["channel"] for item in said]
        running.collection.tell(candle(0, 100.00001), candle(0, coin="ETH"))
        (row,) = await client.take("candle")
        assert (START_MS, START_MS + MINUTE_MS - 1) == (row["t"], row["T"])
        assert {
            "s": "BTC",
            "i": "1m",
            "n": 4,
            "closed": False,
            "complete": True,
        }.items() <= row.items()
        assert ("100.0", "100.00001", "2.5") == (row["o"], row["c"], row["v"])
        running.collection.tell(candle(1), candle(0, 101.0, closed=True))
        rows = await client.take("candle")
        assert [(START_MS, True), (START_MS + MINUTE_MS, False)] == [
            (row["t"], row["closed"]) for row in rows
        ]


async def test_slow_client_gets_the_latest_state_and_every_closed_candle() -> None:
    """What a candle was meanwhile is of no use to it."""
    running = Running()
    async with running.connected() as client:
        await client.subscribe("candle", coin="BTC", interval="1m")
        for minute in range(3):
            for close in (100.5, 101.0, 102.0):
                running.collection.tell(candle(minute, close))
            running.collection.tell(candle(minute, 103.0, closed=True))
        running.collection.tell(candle(3, 99.0), candle(3, 98.0))
        rows = await client.take("candle")
    assert [("103.0", True)] * 3 + [("98.0", False)] == [(row["c"], row["closed"]) for row in rows]


async def test_longer_candle_is_made_of_the_minutes_before_and_those_told() -> None:
    """It closes with its last minute, though the next one has begun to grow by then."""
    stored = [candle(minute, 90.0 + minute, closed=True) for minute in range(13)]
    running = Running(*stored)
    async with running.connected() as client:
        await client.subscribe("candle", coin="BTC", interval="15m")
        await running.begun()
        running.collection.tell(candle(13, 120.0), candle(13, 119.0, closed=True), candle(14))
        (row,) = await client.take("candle")
        assert ("15m", START_MS, False) == (row["i"], row["t"], row["closed"])
        assert ("100.0", "90.0", "119.0", "100.0") == (row["o"], row["l"], row["h"], row["c"])
        assert "37.5" == row["v"]
        running.collection.tell(candle(15, 70.0), candle(14, 104.0, closed=True))
        rows = await client.take("candle")
    assert [(START_MS, "104.0", True), (START_MS + 15 * MINUTE_MS, "70.0", False)] == [
        (row["t"], row["c"], row["closed"]) for row in rows
    ]


@pytest.mark.parametrize("absent", [range(5), (7,), (0,)])
async def test_longer_candle_that_lacks_a_minute_is_not_told_as_closed(
    absent: Sequence[int],
) -> None:
    """It began in the middle, or a minute was lost; it says so until the minutes come after all."""
    running = Running()
    async with running.connected() as client:
        await client.subscribe("candle", coin="BTC", interval="15m")
        await running.begun()
        running.collection.tell(candle(5, 95.0))
        (row,) = await client.take("candle")
        assert (False, False) == (row["closed"], row["complete"])
        told = [candle(minute, closed=True) for minute in range(15) if minute not in absent]
        running.collection.tell(*told[:-1], candle(15), told[-1])
        rows = await client.take("candle")
        next_ms = START_MS + 15 * MINUTE_MS
        assert [(START_MS, False, False), (next_ms, False, True)] == [
            (row["t"], row["closed"], row["complete"]) for row in rows
        ]
        running.collection.tell(*(candle(minute, closed=True) for minute in absent))
        (row,) = await client.take("candle")
        assert (START_MS, True, True) == (row["t"], row["closed"], row["complete"])


async def test_longer_candle_is_closed_with_minutes_that_were_asked_for_meanwhile() -> None:
    """A minute was lost and filled in: the stream does not tell it, the store has it."""
    stored = [candle(minute, closed=True) for minute in range(5)]
    running = Running()
    running.hub._recent = lambda _: stored
    async with running.connected() as client:
        await client.subscribe("candle", coin="BTC", interval="15m")
        await running.begun()
        running.collection.tell(*(candle(minute, closed=True) for minute in range(6, 14)))
        assert [False] == [row["complete"] for row in await client.take("candle")]
        stored.append(candle(5, closed=True))
        running.collection.tell(candle(14, closed=True))
        await running.begun()
        rows = await client.take("candle")
        assert [(START_MS, False), (START_MS, True)] == [(row["t"], row["closed"]) for row in rows]
        assert "37.5" == rows[-1]["v"]


async def test_minute_that_is_told_again_says_nothing_new_about_the_longer_one() -> None:
    running = Running(*(candle(minute, closed=True) for minute in range(14)))
    async with running.connected() as client:
        await client.subscribe("candle", coin="BTC", interval="15m")
        await running.begun()
        running.collection.tell(candle(14, closed=True), candle(14), candle(3))
        assert [True] == [row["closed"] for row in await client.take("candle")]


async def test_longer_candle_begins_though_the_first_who_asked_for_it_left() -> None:
    """While the past was still being read; the others get it all the same."""
    reading, left = threading.Event(), threading.Event()
    running = Running()

    def recent(_: str) -> list[Candle]:
        reading.set()
        assert left.wait(10)
        return [candle(minute, closed=True) for minute in range(14)]

    running.hub._recent = recent
    async with running.connected() as other:
        async with running.connected() as first:
            await first.subscribe("candle", coin="BTC", interval="15m")
            await asyncio.to_thread(reading.wait, 10)
            await other.subscribe("candle", coin="BTC", interval="15m")
        left.set()
        await running.begun()
        running.collection.tell(candle(14, closed=True))
        assert [True] == [row["closed"] for row in await other.take("candle")]


async def test_coin_that_is_collected_no_longer_can_be_unsubscribed_from() -> None:
    """Nobody can subscribe to it any more."""
    running = Running()
    wanted = {"coin": "BTC", "interval": "1m"}
    async with running.connected() as client, running.connected() as other:
        await client.subscribe("candle", **wanted)
        running.collection.stop("BTC")
        assert "Invalid subscription" in str(await other.subscribe("candle", **wanted))
        (answer,) = await client.unsubscribe("candle", **wanted)
        assert "unsubscribe" == answer["data"]["method"]
        assert [] == running.collection.listeners


async def test_mids_and_trades_are_told() -> None:
    """All mids each time, though only some of them came; trades one by one."""
    running = Running()
    async with running.connected() as client:
        await client.subscribe("allMids")
        await client.subscribe("trades", coin="BTCUSDT")
        running.collection.tell(
            Mids(time_ms=1, prices={"BTC": 94000.5, "kPEPE": 0.0000125}),
            Mids(time_ms=2, prices={"BTC": 94001.0}),
            AssetContext(coin="BTC", time_ms=3),
            Print(coin="BTC", time_ms=4, price=94000.0, size=0.5, is_buy=True),
            Print(coin="ETH", time_ms=4, price=1800.0, size=0.5, is_buy=False),
        )
        said = await client.take()
    trade = {"coin": "BTC", "side": "B", "px": "94000.0", "sz": "0.5", "time": 4}
    mids = {"mids": {"BTC": "94001.0", "kPEPE": "0.0000125"}}
    expected = [{"channel": "trades", "data": [trade]}, {"channel": "allMids", "data": mids}]
    assert expected == said


async def test_collection_is_listened_to_only_while_somebody_has_subscribed() -> None:
    """And what is unsubscribed from is told no longer."""
    running = Running()
    assert [] == running.collection.listeners
    async with running.connected() as client, running.connected() as other:
        await client.subscribe("candle", coin="BTC", interval="1m")
        await other.subscribe("candle", coin="BTC", interval="1m")
        assert 1 == len(running.collection.listeners)
        (answer,) = await client.unsubscribe("candle", coin="BTC", interval="1m")
        assert "unsubscribe" == answer["data"]["method"]
        running.collection.tell(candle(0))
        assert ([], 1) == (await client.take(), len(await other.take()))
    assert [] == running.collection.listeners


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("{", "Error parsing JSON into valid websocket request: {"),
        ('{"method":"post","id":1,"request":{"type":"info","payload":{}}}', "Error parsing"),
        (
            '{"method":"subscribe","subscription":{"type":"candle","coin":"SOL","interval":"1m"}}',
            'Invalid subscription {"type":"candle","interval":"1m","coin":"SOL"}',
        ),
        (
            '{"method":"subscribe","subscription":{"type":"candle","coin":"BTC","interval":"1M"}}',
            "Invalid subscription",
        ),
        (
            '{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}',
            "Invalid subscription",
        ),
        (
            '{"method":"unsubscribe","subscription":{"type":"trades","coin":"BTC"}}',
            "Already unsubscribed",
        ),
    ],
)
async def test_what_means_nothing_is_answered(said: str, text: str) -> None:
    async with Running().connected() as client:
        (answer,) = await client.ask(said)
        assert "error" == answer["channel"]
        assert answer["data"].startswith(text), answer
        assert [{"channel": "pong"}] == await client.ask({"method": "ping"})


async def test_limits_of_a_connection_are_kept() -> None:
    running = Running(limits=Limits(channels=1, messages=4))
    async with running.connected() as client:
        await client.subscribe("allMids")
        assert "Already subscribed" in str(await client.subscribe("allMids"))
        assert "more than 1 channels" in str(await client.subscribe("trades", coin="BTC"))
        await client.ask({"method": "ping"})
        assert "4 messages per minute" in str(await client.ask({"method": "ping"}))


async def test_client_that_takes_nothing_is_dropped() -> None:
    """After the limit, with a reason; others go on, and its place is free again."""
    running = Running(stall_s=0.01, connections=2)
    async with running.connected() as slow, running.connected() as other:
        for client in (slow, other):
            await client.subscribe("trades", coin="BTC")
        async with running.connected() as third:
            await third.take()
            assert (1013, "no room") == third.closed
        slow.blocked = True
        running.collection.tell(Print(coin="BTC", time_ms=1, price=1.0, size=1.0, is_buy=True))
        await asyncio.wait_for(slow.ended.wait(), 5)
        assert slow.closed is not None
        assert (1013, True) == (slow.closed[0], "nothing was taken" in slow.closed[1])
        assert 1 == len(await other.take())
        async with running.connected() as again:
            assert [{"channel": "pong"}] == await again.ask({"method": "ping"})


async def test_client_for_whom_too_much_waits_is_dropped() -> None:
    """What waits is bounded, and nothing of a log is left out silently."""
    running = Running(limits=Limits(waiting=10))
    async with running.connected() as slow:
        await slow.subscribe("trades", coin="BTC")
        trade = Print(coin="BTC", time_ms=1, price=1.0, size=1.0, is_buy=True)
        running.collection.tell(*(replace(trade, time_ms=at) for at in range(11)))
        await slow.take()
        assert (1013, "too slow: too much is waiting") == slow.closed


async def test_service_that_collects_nothing_refuses_subscriptions() -> None:
    running = Running()
    running.endpoint = SocketEndpoint(Hub(None, lambda _: ()))
    async with running.connected() as client:
        for kind, params in (("allMids", {}), ("trades", {"coin": "BTC"})):
            assert "Invalid subscription" in str(await client.subscribe(kind, **params))

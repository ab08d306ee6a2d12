"""Channels of the market: states that are the latest, logs that miss nothing."""

from typing import Any

import numpy as np
import pytest
from tests.support.sockets import Socket, connected
from tests.support.worlds import (
    START_MS,
    MemorySource,
    open_memory_world,
    path_bars,
    random_source,
)

from suite.bars import MINUTE_MS, Bars
from virtual_exchange.application.session import Session
from virtual_exchange.application.stream.subscriber import ConnectionLimits


@pytest.fixture
def session() -> Session:
    return open_memory_world(random_source("BTC", "ETH"))


def play(session: Session, bars: int) -> None:
    session.world.play(session.world.engine.bar + bars)


def candles(session: Session, interval: str) -> list[dict[str, Any]]:
    """All that have begun by now, as `/info` tells them."""
    now_ms = session.world.now_ms
    return session.queries.market.candles.candles(0, interval, START_MS, now_ms)


async def followed(client: Socket, kind: str, **params: Any) -> list[Any]:
    """Subscribe, and take what comes with it."""
    return [m["data"] for m in (await client.subscribe(kind, **params))[1:]]


# logs


@pytest.mark.parametrize("interval", ["1m", "5m", "1h"])
@pytest.mark.parametrize("burst", [1, 7, 60, 200])
async def test_every_candle_is_told_when_it_is_closed_and_the_open_one_each_time(
    session: Session, interval: str, burst: int
) -> None:
    """However many bars are played in one turn, and however little is sent at a time."""
    limits = ConnectionLimits(batch_bytes=1)
    async with connected(session, limits=limits) as client:
        (present,) = await followed(client, "candle", coin="BTC", interval=interval)
        assert candles(session, interval)[-1] == present
        closed: list[Any] = []
        while session.world.engine.bar < 200:
            play(session, burst)
            *news, present = await client.take("candle")
            assert candles(session, interval)[-1] == present
            closed += news
        assert candles(session, interval)[:-1] == closed


async def test_candle_is_told_once_a_bar(session: Session) -> None:
    """An order changes no candle."""
    async with connected(session) as client:
        await followed(client, "candle", coin="BTC", interval="1m")
        await client.subscribe("clearinghouseState", user=session.world.accounts[0].address)
        session.streams.acted(0)
        session.world.move_money(0, 10**6, "deposit")
        assert [] == await client.take("candle")
        play(session, 1)
        closed, present = await client.take("candle")
        assert (START_MS, START_MS + MINUTE_MS) == (closed["t"], present["t"])


@pytest.mark.parametrize("burst", [1, 100])
async def test_every_trade_of_closed_bars_is_told_once(session: Session, burst: int) -> None:
    """The recent ones come first, the newest in front; then each bar's in its order."""
    play(session, 30)
    async with connected(session) as client:
        (recent,) = await followed(client, "trades", coin="BTC")
        assert session.queries.market.recent_trades("BTC") == recent
        told: list[Any] = []
        while session.world.engine.bar < 230:
            play(session, burst)
            told += [trade for data in await client.take("trades") for trade in data]
        expected = session.queries.market.trades_between(0, 30, session.world.engine.bar)
        assert expected == told
        assert not {trade["tid"] for trade in recent} & {trade["tid"] for trade in told}
        assert all(2 == len(trade["users"]) for trade in told)


async def test_nothing_is_told_of_a_market_without_trades(session: Session) -> None:
    """Not even an empty list: ccxt and the SDK look at its first row."""
    async with connected(session) as client:
        assert [] == await followed(client, "trades", coin="BTC")
        assert [] == await followed(client, "trades", coin="PURR/USDC")
        assert [] == await followed(client, "candle", coin="PURR/USDC", interval="1m")
        play(session, 3)
        channels = {m["channel"]: m["data"][0]["coin"] for m in await client.take()}
        assert {"trades": "BTC"} == channels


# states


async def test_burst_of_bars_is_one_message_of_each_state(session: Session) -> None:
    """The latest; a book's time never goes back."""
    async with connected(session) as client:
        (first,) = await followed(client, "l2Book", coin="BTC")
        await followed(client, "allMids")
        times = [first["time"]]
        for burst in (1, 50, 100, 1):
            play(session, burst)
            book, mids = await client.take()
            assert session.queries.market.book("BTC") == book["data"]
            assert session.queries.market.mids() == mids["data"]["mids"]
            times.append(book["data"]["time"])
        assert [START_MS + MINUTE_MS * bar for bar in (0, 1, 51, 151, 152)] == times


async def test_book_is_told_as_coarse_as_it_was_asked_for(session: Session) -> None:
    """Each coarseness is a subscription of its own."""
    async with connected(session) as client:
        (fine,) = await followed(client, "l2Book", coin="BTC")
        (coarse,) = await followed(client, "l2Book", coin="BTC", nSigFigs=5, mantissa=5)
        assert session.queries.market.book("BTC", 5, 5) == coarse
        assert [20, 20] == [len(side) for side in fine["levels"]]
        assert "spread" in coarse
        play(session, 1)
        assert 2 == len(await client.take("l2Book"))


async def test_best_prices_are_told_only_when_they_change() -> None:
    """Not when only time went on."""
    rows = [(100.0, 101.0, 99.0, 100.0)] * 5 + [(102.0, 103.0, 101.0, 102.0)] * 5
    session = open_memory_world(MemorySource({"SOL": path_bars(rows)}))
    async with connected(session) as client:
        (first,) = await followed(client, "bbo", coin="SOL")
        book = session.queries.market.book("SOL")
        assert book is not None
        assert {
            "coin": "SOL",
            "time": START_MS,
            "bbo": [book["levels"][0][0], book["levels"][1][0]],
        } == first
        told = []
        for _ in range(8):
            play(session, 1)
            told += await client.take("bbo")
        levels = [data["bbo"] for data in told]
        assert all(one != two for one, two in zip([first["bbo"], *levels], levels, strict=False))


async def test_market_without_a_bar_has_an_empty_book() -> None:
    """Null on both sides of the best prices, as on the venue; told once, not at each bar."""
    bars = path_bars([(100.0, 101.0, 99.0, 100.0)] * 10)
    kept = np.array([0, 1, 2, 6, 7, 8, 9])
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    gap = Bars(MINUTE_MS, bars.open_time_ms[kept], *(column[kept] for column in columns))
    session = open_memory_world(MemorySource({"SOL": gap, "BTC": bars}))
    async with connected(session) as client:
        await followed(client, "bbo", coin="SOL")
        play(session, 3)
        assert [None, None] == (await client.take("bbo"))[-1]["bbo"]
        play(session, 1)
        assert [] == await client.take("bbo")


async def test_contexts_are_those_of_info(session: Session) -> None:
    """Of one coin, of all, and of the spot pairs, which never change."""
    async with connected(session) as client:
        (one,) = await followed(client, "activeAssetCtx", coin="ETH")
        (every,) = await followed(client, "assetCtxs")
        (by_dex,) = await followed(client, "allDexsAssetCtxs")
        contexts = session.queries.market.contexts()
        assert {"coin": "ETH", "ctx": contexts[1]} == one
        assert {"dex": "", "ctxs": contexts} == every
        assert {"ctxs": [["", contexts]]} == by_dex
        ack, spot = await client.subscribe("activeAssetCtx", coin="@1")
        assert "activeAssetCtx" == ack["data"]["subscription"]["type"]
        assert ("activeSpotAssetCtx", "@1") == (spot["channel"], spot["data"]["coin"])
        (pairs,) = await followed(client, "spotAssetCtxs")
        assert spot["data"]["ctx"] in pairs
        play(session, 1)
        told = {m["channel"] for m in await client.take()}
        assert {"activeAssetCtx", "assetCtxs", "allDexsAssetCtxs"} == told


async def test_slow_client_gets_the_latest_state_and_every_row_of_a_log(session: Session) -> None:
    """Nothing is kept for it meanwhile; others are far ahead."""
    async with connected(session) as client, connected(session) as quick:
        for who in (client, quick):
            await followed(who, "l2Book", coin="BTC")
            await followed(who, "candle", coin="BTC", interval="1m")
        client.blocked = True
        for _ in range(100):
            play(session, 1)
            assert [] == await client.take()
            assert 3 == len(await quick.take())
        client.read_again()
        messages = await client.take()
        books = [m["data"]["time"] for m in messages if m["channel"] == "l2Book"]
        assert [START_MS + MINUTE_MS, START_MS + 100 * MINUTE_MS] == books
        opens = {m["data"]["t"] for m in messages if m["channel"] == "candle"}
        assert {START_MS + MINUTE_MS * bar for bar in range(101)} == opens

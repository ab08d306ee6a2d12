"""A collection put together: ccxt's own streaming, the journal, the store, the metrics."""

import asyncio
import random
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.support.binance_server import BinanceServer, binance, kline_frame
from tests.support.waiting import until
from tests.unit.data_collector.market import START_MS, make_bars

from data_collector.adapters.ccxt_stream import CcxtStream
from data_collector.collection import CollectionOptions, LiveCollection, _stream_of
from suite.bars import MINUTE_MS
from suite.errors import ConfigError, DataGap, StorageError
from suite.klines import Source, bars_equal
from suite.service.kline_store import KlineStore

MINUTES = 8


def collection(folder: Path, **options: object) -> LiveCollection:
    return LiveCollection(
        KlineStore(folder / "data"),
        folder / "var",
        CollectionOptions(**options),  # type: ignore[arg-type]
        now_ms=lambda: START_MS,
        chance=random.Random(1),
    )


async def test_candles_of_an_exchange_of_ccxt_are_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bars = make_bars(MINUTES)
    server = BinanceServer({"BTCUSDT": bars}, START_MS + MINUTES * MINUTE_MS)
    for row in server.klines("BTCUSDT", START_MS, START_MS + MINUTES * MINUTE_MS):
        for is_closed in (False, True):
            frame = kline_frame("BTCUSDT", row, is_closed=is_closed)
            server.frames["btcusdt@kline_1m"].append(frame)
    registry = CollectorRegistry()
    async with binance(server):
        live = collection(tmp_path, venue="binance", symbols=("BTC",), url=server.url)
        live.measure(registry)
        await live.open()
        task = asyncio.create_task(live.run())

        def known() -> int:
            try:
                return len(live.bars.read("BTC"))
            except DataGap:
                return 0

        await until(lambda: known() >= MINUTES - 2, 30)
        task.cancel()
        await asyncio.wait({task})
    stored = KlineStore(tmp_path / "data").read("BTC", source=Source("binance"))
    first = (int(stored.open_time_ms[0]) - START_MS) // MINUTE_MS
    assert bars_equal(bars.rows(first, first + len(stored)), stored)
    text = generate_latest(registry).decode()
    assert 'feed_connects_total{feed="klines-1"} 1.0' in text
    assert 'data_collector_rest_calls_total{reason="gap"} 0.0' in text


async def test_a_venue_that_nobody_knows_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no venue 'hyperlqd'"):
        collection(tmp_path, venue="hyperlqd")


@pytest.mark.parametrize(
    ("venue", "exchange"),
    [("hyperliquid/spot", "hyperliquid"), ("binance/spot", "binance"), ("binance", "binanceusdm")],
)
def test_stream_is_of_the_market_that_is_collected(venue: str, exchange: str) -> None:
    """Candles of perpetuals are no bars of a spot market."""
    make_stream, _ = _stream_of(CollectionOptions(venue=venue))
    stream = make_stream(("BTC",))
    assert isinstance(stream, CcxtStream)
    assert exchange == stream._api.id


async def test_store_that_cannot_be_written_is_told_before_anything_is_collected(
    tmp_path: Path,
) -> None:
    """Else it would look healthy, and keep nothing."""
    live = collection(tmp_path, venue="hyperliquid", symbols=("BTC",))
    (tmp_path / "data").write_text("a file where the folder would be")
    with pytest.raises(StorageError, match="cannot write to"):
        await live.open()
    assert [] == [key for key in live.collector.rest_calls if live.collector.rest_calls[key]]

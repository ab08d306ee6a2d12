"""The collector as an HTTP application in this process."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from data_collector.application.ports import BarReader
from data_collector.application.reading import Inventory, Ranges, recent_candles
from data_collector.application.snapshots import Snapshots
from data_collector.application.streaming import Hub
from data_collector.bootstrap import Container
from data_collector.domain.candles import MarketEvent
from data_collector.main import create_app
from data_collector.settings import Settings
from suite.errors import BadRequest, NotFound
from suite.klines import Source
from suite.service.kline_store import KlineStore

LIVE = Source("hyperliquid")
"""What `MemoryCollection` collects is stored as."""


class Client:
    """Asks an application without a socket."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.ask("GET", path, headers)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return asyncio.run(self._ask(method, path, headers))

    async def _ask(self, method: str, path: str, headers: dict[str, str] | None) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers=headers)


class MemoryCollection:
    """Collects what it is told to, from nowhere."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.listeners: list[Callable[[MarketEvent], None]] = []

    def start(self, coin: str, intervals: Sequence[str]) -> None:
        if coin == "NOPE":
            raise BadRequest("memory has no coin NOPE")
        for interval in intervals:
            about = {"coin": coin, "source": str(LIVE), "interval": interval}
            row = {**about, "state": "starting"}
            self.rows.setdefault((coin, interval), row)

    def stop(self, coin: str) -> None:
        if coin not in {row["coin"] for row in self.rows.values()}:
            raise NotFound(f"{coin} is not collected")
        self.rows = {key: row for key, row in self.rows.items() if key[0] != coin}

    def collects(self, coin: str) -> bool:
        return coin in {row["coin"] for row in self.rows.values()}

    def status(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.rows.values()]

    def listen(self, callback: Callable[[MarketEvent], None]) -> Callable[[], None]:
        self.listeners.append(callback)
        return lambda: self.listeners.remove(callback)

    def tell(self, *events: MarketEvent) -> None:
        for event in events:
            for callback in list(self.listeners):
                callback(event)


def parts_of(
    store: KlineStore,
    now_ms: Callable[[], int],
    *,
    now_s: Callable[[], float] | None = None,
    collection: MemoryCollection | None = None,
    bars: BarReader | None = None,
    covered_ms: Callable[[Source, str], int] = lambda *_: 0,
) -> Container:
    """The parts of a collector; unless told otherwise a second passes whenever somebody looks."""
    bars = bars or store

    def collects(source: Source, coin: str) -> bool:
        return collection is not None and source == LIVE and collection.collects(coin)

    now_s = now_s or itertools.count().__next__
    inventory = Inventory(bars, store, now_s, collects)
    return Container(
        inventory=inventory,
        ranges=Ranges(bars, store, inventory, now_ms),
        snapshots=Snapshots(bars, store, inventory, now_ms, now_s, covered_ms),
        hub=Hub(collection, lambda coin: recent_candles(bars, coin, None)),
        collection=collection,
    )


def client_of(container: Container, data: Path) -> Client:
    return Client(create_app(Settings(data=str(data), state_dir=data / "state"), container))

"""Markets out of the kline store."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

from suite.errors import StorageError
from virtual_exchange.application.market_building import STORED, CoinData, build_market
from virtual_exchange.application.ports import MarketQuery
from virtual_exchange.domain.market import Market

if TYPE_CHECKING:
    from suite.service.kline_store import KlineStore


class StoreMarkets:
    """Reads markets from a store.

    Args:
        root: of the store.
        isolated: read in a short-lived child process, so that a service that runs for weeks does
            not carry the Parquet library and its buffers (60 MB) for the sake of its start.
    """

    def __init__(self, root: Path, *, isolated: bool = False) -> None:
        self._root = root
        self._isolated = isolated
        self._begun: dict[MarketQuery, _Reading] = {}

    def begin(self, query: MarketQuery) -> None:
        """Start reading a market that will be loaded soon, beside whatever happens until then."""
        self._begun[query] = _Reading(self._root, query)

    def load(self, query: MarketQuery) -> Market:
        """Read and quantise the bars and funding of a range.

        Raises:
            DataGap: nothing, or not the whole range, is stored; says what is.
            StorageError: a file is damaged.
        """
        if not self._isolated:
            return build_market(query, read(self._root, query))
        reading = self._begun.pop(query, None) or _Reading(self._root, query)
        return build_market(query, reading.result())

    def close(self) -> None:
        """End the readings that nobody waited for."""
        while self._begun:
            self._begun.popitem()[1].close()


class _Reading:
    """A child process that reads one market."""

    def __init__(self, root: Path, query: MarketQuery) -> None:
        context = multiprocessing.get_context("spawn")
        self._root = root
        self._pool = ProcessPoolExecutor(max_workers=1, mp_context=context)
        self._future = self._pool.submit(read, root, query)

    def result(self) -> tuple[CoinData, ...]:
        """Wait for it, and end the process."""
        try:
            return self._future.result()
        except BrokenProcessPool:
            raise StorageError(f"reading {self._root} was interrupted") from None
        finally:
            self.close()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(cancel_futures=True)


def read(root: Path, query: MarketQuery) -> tuple[CoinData, ...]:
    """Read coins from the first stored bar to the end of the range."""
    from suite.service.kline_store import KlineStore

    store = KlineStore(root)
    return tuple(_read(store, coin, query) for coin in query.coins)


def _read(store: "KlineStore", coin: str, query: MarketQuery) -> CoinData:
    from suite.service.kline_store import instrument_of

    source = store.source_of(coin, STORED)
    bars = store.read(coin, STORED, source=source)
    if query.to_ms is not None and query.to_ms <= int(bars.open_time_ms[0]):
        # Nothing is stored before the end asked for; the builder says what is.
        digest = ""
    else:
        digest = store.content_hash(coin, None, query.to_ms, interval=STORED, source=source)
    times, rates = store.read_funding(coin, source=source)
    record = store.record(coin, source=source) or {}
    return CoinData(
        instrument=instrument_of(record, coin),
        bars=bars,
        funding_time_ms=times,
        funding_rate=rates,
        source=str(source),
        synthetic=bool(record.get("synthetic")),
        manifest={
            "store_files": store.file_count,
            "source": str(source),
            "content_sha256": digest,
            "margin_tiers": "imported" if record.get("leverage_brackets") else "venue",
        },
    )

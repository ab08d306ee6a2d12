"""Markets out of the kline store."""

import multiprocessing
import os
from collections.abc import Hashable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import Lock, Thread, Timer
from typing import TYPE_CHECKING, Final

from strategy_core.indicators import WINDOW
from suite.bars import DAY_MS, MINUTE_MS
from suite.errors import StorageError
from suite.klines import Coverage, empty_bars
from virtual_exchange.application.market.building import STORED, CoinData, build_market
from virtual_exchange.application.ports import MarketQuery
from virtual_exchange.domain.market import Market

if TYPE_CHECKING:
    from suite.service.kline_store import KlineStore

WARM_UP_MS: Final = WINDOW * DAY_MS
"""Bars before a range: the longest indicator sees so many days."""
_IDLE_S: Final = 20.0


class StoreMarkets:
    """Reads markets from a store.

    Args:
        root: of the store: a folder or an address.
        isolated: read in a child process that ends when it is idle, so that a service that runs for
            weeks does not carry the Parquet library and its buffers (60 MB) for the sake of its
            start.
    """

    def __init__(self, root: Path | str, *, isolated: bool = False) -> None:
        self._root = root
        self._reader = _Reader() if isolated else None
        self._begun: dict[MarketQuery, Future[tuple[CoinData, ...]]] = {}

    def begin(self, query: MarketQuery) -> None:
        """Start reading a market that will be loaded soon, beside whatever happens until then."""
        if self._reader is not None:
            self._begun[query] = self._reader.submit(self._root, query)

    def version(self, query: MarketQuery) -> Hashable:
        """Name the present state of the coins' files."""
        from suite.service.kline_store import KlineStore

        store = KlineStore(self._root)
        held = {(coin, str(source)): source for source, coin, _ in store.series()}
        return tuple(
            (coin, name, store.fingerprint(coin, STORED, source=source))
            for (coin, name), source in held.items()
            if coin in query.coins
        )

    def load(self, query: MarketQuery) -> Market:
        """Read and quantise the bars and funding of a range.

        Raises:
            BadRequest: that is more than the query allows.
            DataGap: nothing, or not the whole range, is stored; says what is.
            StorageError: a file is damaged.
        """
        if self._reader is None:
            return build_market(query, read(self._root, query))
        try:
            reading = self._begun.pop(query, None) or self._reader.submit(self._root, query)
            return build_market(query, reading.result())
        except BrokenProcessPool:
            self._reader.end()
            raise StorageError(f"reading {self._root} was interrupted") from None

    def close(self) -> None:
        """End the reading that nobody waited for."""
        if self._reader is not None:
            self._reader.end()


class _Reader:
    """A child process that reads markets, one after another; it ends when it has been idle."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._lock = Lock()
        self._idle: Timer | None = None

    def submit(self, root: Path | str, query: MarketQuery) -> "Future[tuple[CoinData, ...]]":
        """Read a market."""
        with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(
                    max_workers=1, mp_context=context, initializer=_end_with_parent
                )
            future = self._pool.submit(read, root, query)
            self._idle = Timer(_IDLE_S, self.end)
            self._idle.daemon = True
            self._idle.start()
        return future

    def end(self) -> None:
        """End the process; what it reads at the moment is still read."""
        with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Have this process end when the service is killed: nobody else would tell it to."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(0)

    Thread(target=watch, daemon=True).start()


def read(root: Path | str, query: MarketQuery) -> tuple[CoinData, ...]:
    """Read coins from as long before the range as indicators look back, to its end.

    Raises:
        BadRequest: that is more than the query allows; nothing was read.
        StorageError: a file is damaged.
    """
    from suite.service.kline_store import KlineStore

    store = KlineStore(root)
    stored = [
        store.coverage(coin, STORED, source=store.source_of(coin, STORED)) for coin in query.coins
    ]
    query.check_minutes(sum(_minutes(held, query) for held in stored))
    return tuple(
        _read(store, coin, held, query) for coin, held in zip(query.coins, stored, strict=True)
    )


def _first_ms(query: MarketQuery) -> int | None:
    """Where reading begins, None for the first that is stored."""
    return None if query.from_ms is None else query.from_ms // DAY_MS * DAY_MS - WARM_UP_MS


def _minutes(held: Coverage, query: MarketQuery) -> int:
    """How many stored minutes of a coin would be read, at most."""
    first_ms = max(held.first_open_ms, _first_ms(query) or 0)
    end_ms = held.end_ms if query.to_ms is None else min(held.end_ms, query.to_ms)
    return min(held.bars, max(0, end_ms - first_ms) // MINUTE_MS)


def _read(store: "KlineStore", coin: str, held: Coverage, query: MarketQuery) -> CoinData:
    from suite.service.kline_store import instrument_of

    source, from_ms = held.source, _first_ms(query)
    bars, digest = empty_bars(MINUTE_MS), ""
    if held.first_open_ms < (query.to_ms or held.end_ms) and (from_ms or 0) < held.end_ms:
        bars = store.read(coin, STORED, from_ms, query.to_ms, source=source)
        digest = store.content_hash(coin, from_ms, query.to_ms, interval=STORED, source=source)
    times, rates = store.read_funding(coin, source=source)
    record = store.record(coin, source=source) or {}
    return CoinData(
        instrument=instrument_of(record, coin),
        bars=bars,
        stored_ms=(held.first_open_ms, held.end_ms),
        funding_time_ms=times,
        funding_rate=rates,
        open_interest=store.read_open_interest(
            coin, from_ms, None if query.to_ms is None else query.to_ms + 1, source=source
        ),
        source=str(source),
        synthetic=bool(record.get("synthetic")),
        manifest={
            "store_files": store.file_count,
            "source": str(source),
            "content_sha256": digest,
            "margin_tiers": "imported" if record.get("leverage_brackets") else "venue",
        },
    )

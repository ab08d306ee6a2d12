"""A venue that is being collected: its parts put together."""

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from data_collector.adapters import hyperliquid_stream
from data_collector.adapters.bar_journal import BarJournal
from data_collector.adapters.ccxt_stream import CcxtStream
from data_collector.adapters.hyperliquid_stream import HyperliquidStream
from data_collector.adapters.market_feeds import KlineFeed, StreamMaker
from data_collector.application.collecting.collector import Collector, CollectorOptions
from data_collector.application.collecting.live_bars import LiveBars, Tail
from data_collector.domain.candles import MarketEvent
from data_collector.venues import open_exchange, open_venue
from suite.feeds import FeedListener
from suite.service.feed import FeedMetrics, MinuteBudget
from suite.service.kline_store import KlineStore

_CCXT_NAMES: Final = {("binance", "perp"): "binanceusdm"}
_CCXT_COINS: Final = 100
"""Coins of a connection of ccxt, which opens more below where the exchange wants it to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionOptions:
    """What to collect.

    Attributes:
        venue: as `backfill --venue` names it.
        symbols: coins to begin with.
        intervals: of them; 1m is collected, longer ones are made of it.
        url: another address than the venue's own.
        flush_s: how long closed bars stay in the journal before they go to the store.
        asks: the venue's history for bars that are missing.
    """

    venue: str
    symbols: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ("1m",)
    url: str | None = None
    flush_s: float = 300.0
    asks: bool = True


class LiveCollection:
    """A collector with its feeds, and what readers see of it.

    Args:
        store: where bars end up.
        state_dir: where the journal goes, and the bars where their store is no other place's.
        options: what to collect.
        now_ms: our clock.
        chance: of the jitter of reconnecting.

    Attributes:
        source: what is collected is stored as.
        collector: starts, stops, tells.
        bars: the store together with what is not in it yet.
        state_dir: where the journal is.
    """

    def __init__(
        self,
        store: KlineStore,
        state_dir: Path,
        options: CollectionOptions,
        *,
        now_ms: Callable[[], int],
        chance: random.Random,
    ) -> None:
        history = open_venue(options.venue, url=options.url).history
        source = history.source
        make_stream, coins = _stream_of(options)
        self._store = store
        self._chance = chance
        self._budget = MinuteBudget(hyperliquid_stream.CONNECTIONS_PER_MINUTE)
        self._make_stream = make_stream
        self._feeds: list[KlineFeed] = []
        self._metrics: FeedMetrics | None = None
        tail = Tail(source)
        self.source = source
        self.state_dir = state_dir
        self.bars = LiveBars(store, tail)
        self.collector = Collector(
            history,
            self._make_feed,
            reader=self.bars,
            store=store,
            journal=BarJournal(state_dir / "journal" / f"{source.venue}-{source.market}.journal"),
            tail=tail,
            now_ms=now_ms,
            options=CollectorOptions(
                coins_per_connection=coins, flush_s=options.flush_s, asks=options.asks
            ),
        )
        for symbol in options.symbols:
            self.collector.start(symbol, options.intervals)

    def measure(self, registry: CollectorRegistry) -> None:
        """Show feeds and requests to Prometheus."""
        self._metrics = FeedMetrics(registry)
        registry.register(_CollectorMetrics(self.collector))

    async def open(self) -> None:
        """Recover; to be called before anything is read.

        Raises:
            StorageError: the store cannot be written to, or what was acknowledged cannot be
                brought into it.
        """
        with self._store.files.exclusive():
            pass
        await self.collector.open()

    async def run(self) -> None:
        """Collect until cancelled, then bring everything into the store."""
        try:
            await self.collector.run()
        finally:
            await self.collector.close()

    def _make_feed(self, name: str, listener: FeedListener[MarketEvent]) -> KlineFeed:
        feed = KlineFeed(
            name, self._make_stream, listener, budget=self._budget, chance=self._chance
        )
        if self._metrics is not None:
            self._metrics.add(feed.feed)
        return feed


class _CollectorMetrics:
    """Shows what a collector counts."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterable[Metric]:
        """Make the metrics of this moment."""
        calls = CounterMetricFamily(
            "data_collector_rest_calls",
            "Questions to venues' histories; a long one takes a request for each page.",
            labels=["reason"],
        )
        for reason in ("gap", "funding", "instruments"):
            calls.add_metric([reason], self._collector.rest_calls.get(reason, 0))
        yield calls
        flaws = CounterMetricFamily(
            "data_collector_stream_flaws", "What was wrong with streams.", labels=["kind"]
        )
        for kind, count in self._collector.flaws.items():
            flaws.add_metric([kind], count)
        yield flaws
        rows = self._collector.status()
        live = GaugeMetricFamily("data_collector_series_live", "Series that are up to date.")
        live.add_metric([], sum(row["state"] in {"live", "unproven"} for row in rows))
        asked = GaugeMetricFamily("data_collector_series", "Series that are collected.")
        asked.add_metric([], len(rows))
        lag = GaugeMetricFamily(
            "data_collector_lag_seconds", "Since the last closed bar of the series furthest behind."
        )
        lags = [row["lag_ms"] for row in rows if row.get("lag_ms") is not None]
        if lags:
            lag.add_metric([], max(lags) / 1000)
        yield from (live, asked, lag)


def _stream_of(options: CollectionOptions) -> tuple[StreamMaker, int]:
    """Choose the stream of a venue, and how many coins a connection of it takes."""
    name, _, market = options.venue.partition("/")
    market = market or "perp"
    if (name, market) == ("hyperliquid", "perp"):
        url = hyperliquid_stream.MAINNET_URL
        if options.url is not None:
            url = f"ws{options.url.rstrip('/').removeprefix('http')}/ws"
        messages = MinuteBudget(hyperliquid_stream.MESSAGES_PER_MINUTE)
        return (
            lambda coins: HyperliquidStream(url, coins=coins, messages=messages),
            hyperliquid_stream.COINS_PER_CONNECTION,
        )

    def of_ccxt(coins: Collection[str]) -> CcxtStream:
        api = open_exchange(_CCXT_NAMES.get((name, market), name), url=options.url, live=True)
        return CcxtStream(api, market, coins)

    return of_ccxt, _CCXT_COINS

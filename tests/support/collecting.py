"""A collector over parts in memory, and stand-ins for a venue's past and present."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_collector.application.collecting.collector import Collector, CollectorOptions
from data_collector.application.collecting.live_bars import LiveBars, Tail
from data_collector.application.collecting.ports import FeedMaker, Journal
from data_collector.application.ports import History
from data_collector.domain.candles import Candle, MarketEvent
from suite.bars import F64, I64, INTERVAL_MS, MINUTE_MS, Bars
from suite.errors import DataGap
from suite.feeds import FeedListener
from suite.klines import Coverage, Gap, Source, WriteResult, empty_bars, gaps_of, merge_bars

SOURCE = Source("hyperliquid")
NO_FUNDING = np.zeros(0, np.int64), np.zeros(0)


class MemoryStore:
    """A kline store in memory, as far as collecting uses one; it counts."""

    def __init__(self) -> None:
        self.bars: dict[tuple[str, str], Bars] = {}
        self.result = WriteResult()
        self.reasons: list[tuple[str, Gap, str]] = []
        self.interest: dict[str, dict[int, float]] = {}
        self.funding: dict[str, tuple[I64, F64]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.writes = 0

    def append_bars(self, source: Source, coin: str, bars: Bars) -> WriteResult:
        interval = next(name for name, step in INTERVAL_MS.items() if step == bars.interval_ms)
        merge = merge_bars(self.bars.get((coin, interval), empty_bars(bars.interval_ms)), bars)
        self.bars[coin, interval] = merge.bars
        self.result += merge.result
        self.writes += 1
        return merge.result

    def write_open_interest(
        self, source: Source, coin: str, time_ms: I64, value: F64
    ) -> WriteResult:
        rows = dict(zip(time_ms.tolist(), value.tolist(), strict=True))
        self.interest.setdefault(coin, {}).update(rows)
        return WriteResult(added=len(rows))

    def write_funding(self, source: Source, coin: str, time_ms: I64, rate: F64) -> WriteResult:
        self.funding[coin] = (time_ms, rate)
        return WriteResult(added=len(time_ms))

    def write_record(self, source: Source, coin: str, fields: Mapping[str, Any]) -> None:
        self.records.setdefault(coin, {}).update(fields)

    def note_gap(
        self,
        source: Source,
        coin: str,
        interval: str,
        gap: Gap,
        reason: str,
        *,
        asked_ms: int | None = None,
    ) -> None:
        self.reasons.append((coin, gap, reason))

    def series(self) -> tuple[tuple[Source, str, str], ...]:
        return tuple((SOURCE, coin, interval) for coin, interval in sorted(self.bars))

    def coverage(
        self, coin: str, interval: str = "1m", *, source: Source | str | None = None
    ) -> Coverage:
        bars = self.read(coin, interval)
        return Coverage(
            source=SOURCE,
            interval=interval,
            first_open_ms=int(bars.open_time_ms[0]),
            end_ms=int(bars.open_time_ms[-1]) + bars.interval_ms,
            bars=len(bars),
            gaps=gaps_of(bars.open_time_ms, bars.interval_ms),
        )

    def read(
        self,
        coin: str,
        interval: str = "1m",
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> Bars:
        bars = self.bars.get((coin, interval), empty_bars(INTERVAL_MS[interval]))
        bars = bars.between(from_ms or 0, to_ms or 1 << 62)
        if len(bars) == 0:
            raise DataGap(f"no {coin}")
        return bars

    def read_funding(
        self,
        coin: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        source: Source | str | None = None,
    ) -> tuple[I64, F64]:
        self.read(coin)
        return self.funding.get(coin, NO_FUNDING)

    def fingerprint(self, coin: str, interval: str = "1m", *, source: Source) -> tuple[Any, ...]:
        return (self.writes,)


@dataclass
class MemoryJournal:
    """A journal that survives its collector, not its process."""

    items: list[tuple[Source, str, Bars]] = field(default_factory=list)
    appends: int = 0

    def append(self, items: Sequence[tuple[Source, str, Bars]]) -> None:
        self.items.extend(items)
        self.appends += 1

    def replay(self) -> Iterator[tuple[Source, str, Bars]]:
        yield from list(self.items)

    def forget(self) -> None:
        self.items.clear()


class Past:
    """A venue's history: what a test says the truth is; counts its requests."""

    source = SOURCE

    def __init__(self, truth: Mapping[str, Bars], absent: Collection[int] = ()) -> None:
        self.truth = truth
        self.absent = set(absent)
        self.asked: list[tuple[str, int, int]] = []
        self.failures: list[Exception] = []
        self.closed = False

    async def klines(
        self, coin: str, interval: str, from_ms: int, to_ms: int
    ) -> AsyncIterator[Bars]:
        self.asked.append((coin, from_ms, to_ms))
        if self.failures:
            raise self.failures.pop(0)
        bars = self.truth[coin].between(from_ms, to_ms)
        there = ~np.isin(bars.open_time_ms, list(self.absent))
        for first in range(0, len(bars), 500):
            page, mask = bars.rows(first, first + 500), there[first : first + 500]
            columns = (page.open_time_ms, page.open, page.high, page.low, page.close, page.volume)
            yield Bars(page.interval_ms, *(column[mask] for column in columns))  # type: ignore[arg-type]

    async def funding(self, coin: str, from_ms: int, to_ms: int) -> AsyncIterator[tuple[I64, F64]]:
        hours = np.arange(-(-from_ms // 3_600_000), -(-to_ms // 3_600_000), dtype=np.int64)
        if len(hours):
            yield hours * 3_600_000, np.full(len(hours), 1e-5)

    async def instruments(self) -> Mapping[str, Mapping[str, Any]]:
        return {coin: {"sz_decimals": 3} for coin in self.truth}

    async def close(self) -> None:
        self.closed = True


class Present:
    """A feed whose events the test makes."""

    def __init__(self, listener: FeedListener[MarketEvent]) -> None:
        self.listener = listener
        self.coins: Collection[str] = ()
        self.reconnects: list[str] = []

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def follow(self, coins: Collection[str]) -> None:
        self.coins = list(coins)

    def reconnect(self, reason: str) -> None:
        self.reconnects.append(reason)

    def tell(self, *events: MarketEvent) -> None:
        self.listener.received(events)


def told(bars: Bars, coin: str, row: int, **more: Any) -> Candle:
    """A bar as a venue tells it when it is done."""
    values: dict[str, Any] = {
        "open": float(bars.open[row]),
        "high": float(bars.high[row]),
        "low": float(bars.low[row]),
        "close": float(bars.close[row]),
        "volume": float(bars.volume[row]),
        "trades": 9,
        **more,
    }
    at_ms = int(bars.open_time_ms[row])
    return Candle(coin=coin, interval_ms=bars.interval_ms, open_time_ms=at_ms, **values)


@dataclass
class Collecting:
    """A collector that runs, with its parts."""

    collector: Collector
    store: Any
    journal: Any
    tail: Tail
    live: LiveBars
    feeds: list[Present]

    @property
    def feed(self) -> Present:
        return self.feeds[0]


@asynccontextmanager
async def collecting(
    history: History,
    *coins: str,
    store: Any = None,
    journal: Journal | None = None,
    make_feed: FeedMaker | None = None,
    now_ms: Callable[[], int] = lambda: 0,
    **options: Any,
) -> AsyncIterator[Collecting]:
    """Run a collector; when it is left, everything is in the store."""
    feeds: list[Present] = []

    def present(_name: str, listener: FeedListener[MarketEvent]) -> Present:
        feeds.append(Present(listener))
        return feeds[-1]

    store = MemoryStore() if store is None else store
    journal = MemoryJournal() if journal is None else journal
    tail = Tail(history.source, options.get("interval", "1m"))
    live = LiveBars(store, tail)
    collector = Collector(
        history,
        make_feed or present,
        reader=live,
        store=store,
        journal=journal,
        tail=tail,
        now_ms=now_ms,
        options=CollectorOptions(**{"settle_s": 0.0, **options}),
    )
    for coin in coins:
        collector.start(coin, ["1m"])
    await collector.open()
    task = asyncio.create_task(collector.run())
    try:
        yield Collecting(collector, store, journal, tail, live, feeds)
    finally:
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError), results
        await collector.close()


def minute(bars: Bars, row: int) -> int:
    return int(bars.open_time_ms[0]) + row * MINUTE_MS

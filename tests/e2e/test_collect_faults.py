"""A collector behind a proxy that does to frames what networks do, in front of a running venue."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.support.collecting import Collecting, collecting
from tests.support.fault_proxy import FaultProxy, Faults, fault_proxy
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.waiting import until

from data_collector.adapters.bar_journal import BarJournal
from data_collector.adapters.hyperliquid_history import HyperliquidHistory
from data_collector.adapters.hyperliquid_stream import HyperliquidStream
from data_collector.adapters.market_feeds import KlineFeed, PriceFeed
from data_collector.domain.candles import MarketEvent
from suite.feeds import FeedListener
from suite.klines import bars_equal
from suite.service.feed import FeedTimeouts, MinuteBudget
from suite.service.kline_store import KlineStore
from suite.service.upstream import WeightLimit

pytestmark = pytest.mark.process

COINS = ("BTC", "ETH", "SOL")
SILENCE_S = 1.0
TIMEOUTS = FeedTimeouts(
    tick_s=0.02, ping_s=0.1, silence_s=SILENCE_S, first_pause_s=0.01, longest_pause_s=0.1
)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("venue")
    with running_venue(folder, coins=COINS, speed=1000.0, minutes=20_000) as found:
        yield found


class Behind:
    """A collector behind a proxy.

    Attributes:
        proxy: in front of the venue.
        running: the collector and its parts.
        feed: its connection.
    """

    def __init__(self, proxy: FaultProxy, running: Collecting, feeds: list[KlineFeed]) -> None:
        self.proxy = proxy
        self.running = running
        self._feeds = feeds

    @property
    def feed(self) -> KlineFeed:
        return self._feeds[0]

    async def more(self, bars: int) -> None:
        """Wait until some more bars are closed."""
        assembly = self.running.collector._groups[0].coins["SOL"]
        wanted = (assembly.next_ms or 0) + bars * 60_000
        await until(lambda: (assembly.next_ms or 0) >= wanted, 60)

    async def settled(self) -> None:
        """Wait until the connection has been faithful and nothing is open."""
        group = self.running.collector._groups[0]
        await until(lambda: group.connection.faithful, 60)
        await self.more(3)
        coins = group.coins.values()
        doubts = group.connection.doubts
        last_ms = doubts[-1][1] if doubts else 0
        await until(lambda: all(item.confirmed_ms >= last_ms for item in coins), 60)
        await until(lambda: not any(item.missing or item._asking for item in coins), 60)
        await self.more(3)


@asynccontextmanager
async def behind(
    venue: VenueUnderTest, folder: Path, faults: Faults | None = None
) -> AsyncIterator[Behind]:
    feeds: list[KlineFeed] = []
    async with fault_proxy(venue.ws_url, faults) as proxy:

        def make(name: str, listener: FeedListener[MarketEvent]) -> KlineFeed:
            feed = KlineFeed(
                name,
                lambda coins: HyperliquidStream(proxy.url, coins=coins),
                listener,
                budget=MinuteBudget(1000),
                chance=random.Random(1),
                timeouts=TIMEOUTS,
            )
            feeds.append(feed)
            return feed

        history = HyperliquidHistory(venue.url, limit=WeightLimit(1_000_000))
        store = KlineStore(folder / "data")
        journal = BarJournal(folder / "journal")
        async with collecting(
            history, *COINS, store=store, journal=journal, make_feed=make, settle_s=0.02
        ) as running:
            await until(lambda: running.tail.version("SOL") >= 3, 30)
            yield Behind(proxy, running, feeds)


def assert_as_played(venue: VenueUnderTest, folder: Path) -> None:
    assert venue.folder is not None
    played, collected = KlineStore(venue.folder / "var" / "data"), KlineStore(folder / "data")
    for coin in COINS:
        bars = collected.read(coin)
        span = int(bars.open_time_ms[0]), int(bars.open_time_ms[-1]) + 60_000
        known = {gap for gap in collected.coverage(coin).gaps if gap.asked_ms is not None}
        assert known == set(collected.coverage(coin).gaps)
        missing = sum(gap.bars(60_000) for gap in known)
        expected = played.read(coin).between(*span)
        assert len(expected) == len(bars) + missing
        if not missing:
            wrong = np.flatnonzero(expected.volume != bars.volume)
            assert bars_equal(expected, bars), (coin, wrong, len(bars), bars.volume[wrong])


async def test_faults_of_every_kind_leave_the_bars_as_they_were_played(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    faults = Faults(drop=0.05, repeat=0.05, reorder=0.05, garble=0.01, split=0.05, reach=20)
    async with behind(venue, tmp_path, faults) as behind_proxy:
        await behind_proxy.more(120)
        behind_proxy.proxy.frames.faults = Faults()
        await behind_proxy.settled()
        assert {"dropped", "repeated", "malformed"} <= set(behind_proxy.running.collector.flaws)
        assert 1 == behind_proxy.feed.feed.counts.connects
    assert_as_played(venue, tmp_path)


async def test_an_oversize_frame_and_a_cut_cost_a_connection_each_and_no_bar(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    async with behind(venue, tmp_path) as behind_proxy:
        counts = behind_proxy.feed.feed.counts
        behind_proxy.proxy.frames.faults = Faults(oversize=1.0)
        await until(lambda: counts.oversize >= 1)
        behind_proxy.proxy.frames.faults = Faults()
        await behind_proxy.more(5)
        connects = counts.connects
        behind_proxy.proxy.cut()
        await until(lambda: counts.connects > connects)
        await behind_proxy.settled()
    assert_as_played(venue, tmp_path)


@pytest.mark.parametrize("way", ["silent", "pongs_only"])
async def test_a_connection_that_is_open_and_dead_is_found_within_the_limit(
    venue: VenueUnderTest, tmp_path: Path, way: str
) -> None:
    async with behind(venue, tmp_path) as behind_proxy:
        loop, counts = asyncio.get_running_loop(), behind_proxy.feed.feed.counts
        before = loop.time()
        setattr(behind_proxy.proxy, way, True)
        await until(lambda: counts.stalls == 1, 30)
        assert loop.time() - before < SILENCE_S + 5
        setattr(behind_proxy.proxy, way, False)
        await behind_proxy.settled()
    assert_as_played(venue, tmp_path)


async def test_a_symbol_that_freezes_on_a_living_stream_is_found_by_its_trades(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    async with behind(venue, tmp_path) as behind_proxy:
        await behind_proxy.more(12)
        counts = behind_proxy.feed.feed.counts
        behind_proxy.proxy.hides = lambda frame: b'"candle"' in frame[:40] and b'"ETH"' in frame
        await until(lambda: counts.connects >= 2, 30)
        behind_proxy.proxy.hides = lambda _: False
        await behind_proxy.settled()
        assert 0 == counts.stalls
    assert_as_played(venue, tmp_path)


async def test_prices_are_those_of_now_and_none_while_nobody_tells_them(
    venue: VenueUnderTest,
) -> None:
    async with fault_proxy(venue.ws_url) as proxy:
        prices = PriceFeed(
            lambda coins: HyperliquidStream(proxy.url, coins=coins),
            budget=MinuteBudget(1000),
            chance=random.Random(1),
            timeouts=TIMEOUTS,
        )
        task = asyncio.create_task(prices.feed.run())
        await until(lambda: set(COINS) <= set(prices.prices))
        proxy.silent = True
        await until(lambda: not prices.prices)
        proxy.silent = False
        await until(lambda: set(COINS) <= set(prices.prices))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

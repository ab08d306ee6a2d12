"""What collecting needs from outside."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from data_collector.application.ports import GapWriter, SeriesWriter
from data_collector.domain.candles import MarketEvent
from suite.bars import F64, I64, Bars
from suite.feeds import FeedListener
from suite.klines import Source, WriteResult


class LiveStore(SeriesWriter, GapWriter, Protocol):
    """Where collected data ends up; as `KlineStore`."""

    def append_bars(self, source: Source, coin: str, bars: Bars) -> WriteResult:
        """Add bars; those that are not newer than all stored ones are merged."""
        ...

    def write_open_interest(
        self, source: Source, coin: str, time_ms: I64, value: F64
    ) -> WriteResult:
        """Merge open interest with what is stored."""
        ...


class Journal(Protocol):
    """Where closed bars are safe before they are in the store."""

    def append(self, items: Sequence[tuple[Source, str, Bars]]) -> None:
        """Write bars, and return when they would survive a loss of power.

        Raises:
            StorageError: they would not.
        """
        ...

    def replay(self) -> Iterator[tuple[Source, str, Bars]]:
        """Read what was written and not forgotten, in its order."""
        ...

    def forget(self) -> None:
        """Drop everything: it is in the store."""
        ...


class LiveFeed(Protocol):
    """One connection to a venue, kept alive."""

    async def run(self) -> None:
        """Connect and read until cancelled."""
        ...

    async def follow(self, coins: Collection[str]) -> None:
        """Subscribe to exactly these coins from now on."""
        ...

    def reconnect(self, reason: str) -> None:
        """End the present connection and open another."""
        ...


FeedMaker = Callable[[str, FeedListener[MarketEvent]], LiveFeed]
"""Makes a feed of a name that tells a listener."""

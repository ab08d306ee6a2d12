"""The feeds of a market: one for what is collected, one for prices alone."""

import random
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from data_collector.domain.candles import MarketEvent, Mids
from suite.errors import SuiteError, one_line
from suite.feeds import FeedListener
from suite.service.feed import TIMEOUTS, FeedTimeouts, MinuteBudget, Stream, UnifiedWebSocketFeed

StreamMaker = Callable[[Collection[str]], Stream[MarketEvent]]
"""Makes a stream that will follow these coins once it is opened."""


@runtime_checkable
class _Changeable(Protocol):
    async def follow(self, coins: Collection[str]) -> None: ...


class KlineFeed:
    """Follows the candles, trades and contexts of some coins.

    Args:
        name: in logs and metrics.
        make_stream: speaks the venue's language.
        listener: is told everything.
        budget: of connections to the venue.
        chance: of the jitter.
        timeouts: the limits.

    Attributes:
        feed: what keeps the connection; for metrics.
    """

    def __init__(
        self,
        name: str,
        make_stream: StreamMaker,
        listener: FeedListener[MarketEvent],
        *,
        budget: MinuteBudget,
        chance: random.Random,
        timeouts: FeedTimeouts = TIMEOUTS,
    ) -> None:
        self._coins: Collection[str] = ()
        self.feed: UnifiedWebSocketFeed[MarketEvent] = UnifiedWebSocketFeed(
            name,
            lambda: make_stream(self._coins),
            listener,
            budget=budget,
            timeouts=timeouts,
            chance=chance,
        )
        self.feed.wanted.clear()

    async def run(self) -> None:
        """Connect while there is something to follow, and read until cancelled."""
        await self.feed.run()

    async def follow(self, coins: Collection[str]) -> None:
        """Subscribe to exactly these coins; where that cannot be changed, on a new connection."""
        self._coins = coins
        if not coins:
            self.feed.wanted.clear()
            self.feed.reconnect("nothing to follow")
            return
        self.feed.wanted.set()
        stream = self.feed.stream
        if stream is None:
            self.feed.reconnect("other coins")
        elif isinstance(stream, _Changeable):
            try:
                await stream.follow(coins)
            except SuiteError as error:
                self.feed.reconnect(one_line(str(error)))
        else:
            self.feed.reconnect("other coins")

    def reconnect(self, reason: str) -> None:
        """End the present connection and open another."""
        self.feed.reconnect(reason)


class PriceFeed:
    """The latest mid price of every coin, and nothing else.

    Args:
        make_stream: made without coins, so that mids are all that comes.
        budget: of connections to the venue.
        chance: of the jitter.
        timeouts: the limits.

    Attributes:
        prices: USD by coin; empty while there is no connection, since old prices are none.
        feed: what keeps the connection.
    """

    def __init__(
        self,
        make_stream: StreamMaker,
        *,
        budget: MinuteBudget,
        chance: random.Random,
        timeouts: FeedTimeouts = TIMEOUTS,
    ) -> None:
        self.prices: dict[str, float] = {}
        self.feed: UnifiedWebSocketFeed[MarketEvent] = UnifiedWebSocketFeed(
            "prices",
            lambda: make_stream(()),
            self,
            budget=budget,
            timeouts=timeouts,
            chance=chance,
        )

    def connected(self) -> None:
        """Wait for what comes."""

    def received(self, events: Sequence[MarketEvent]) -> None:
        """Take the prices."""
        for event in events:
            if isinstance(event, Mids):
                self.prices.update(event.prices)

    def flawed(self, reason: str) -> None:
        """The next message has all prices again."""

    def lost(self, reason: str) -> None:
        """Know nothing."""
        self.prices.clear()

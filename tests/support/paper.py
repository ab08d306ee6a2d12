"""A live market that says what a test makes it say, and paper worlds in it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.support.worlds import START_MS, random_bars

from suite.bars import MINUTE_MS, Bars
from suite.clock import ManualClock
from suite.contracts.world import AccountRequest, WorldRequest
from suite.feeds import FeedListener
from suite.instrument import default_instrument
from suite.klines import empty_bars
from virtual_exchange.application.paper.opening import open_paper_session
from virtual_exchange.application.paper.run import PaperRun
from virtual_exchange.application.ports import FeedCoin, FeedTime
from virtual_exchange.application.session import Session, open_session
from virtual_exchange.domain.live import LiveEvent, Minute, Print, Prints
from virtual_exchange.domain.market import Market

WARM_UP = 600
NOW_MS = START_MS + WARM_UP * MINUTE_MS
"""Where worlds begin: a full hour."""


class FakeFeed:
    """A live market without a network; a `LiveFeed`.

    Attributes:
        later: minutes that it has when it is asked for what was missed, by coin.
        rate: the last settled one.
        followed: set once somebody listens.
    """

    def __init__(self, *, speed: float = 1.0, wall_ms: int = 0, warm_up: int = WARM_UP) -> None:
        self.name = "a feed in memory"
        self.later: dict[str, Bars] = {}
        self.asked: list[tuple[str, int]] = []
        self.rate: float | None = None
        self.followed = asyncio.Event()
        self.listener: FeedListener[LiveEvent] | None = None
        self.time = FeedTime(now_ms=NOW_MS, wall_ms=wall_ms, speed=speed)
        self._warm_up = warm_up

    async def opening(self, coins: Sequence[str]) -> tuple[FeedTime, tuple[FeedCoin, ...]]:
        found = []
        for coin in coins:
            bars = random_bars(coin, WARM_UP).rows(WARM_UP - self._warm_up, WARM_UP)
            found.append(FeedCoin(instrument=default_instrument(coin, 2), bars=bars))
        return self.time, tuple(found)

    async def minutes(self, coin: str, from_ms: int) -> Bars:
        self.asked.append((coin, from_ms))
        return self.later.get(coin, empty_bars(MINUTE_MS)).between(from_ms, 1 << 60)

    async def hourly_rate(self, coin: str) -> float | None:
        return self.rate

    async def follow(self, coins: Sequence[str], listener: FeedListener[LiveEvent]) -> None:
        self.listener = listener
        self.followed.set()
        await asyncio.Event().wait()


class Paper:
    """A paper world whose seconds a test turns by hand.

    Args:
        session: the world.
        clock: wall time, which is the feed's own distance from its start.
    """

    def __init__(self, session: Session, clock: ManualClock, feed: FakeFeed) -> None:
        assert session.paper is not None
        self.session, self.clock, self.feed = session, clock, feed
        self.run: PaperRun = session.paper

    def tell(self, *events: LiveEvent) -> None:
        self.run.received(events)

    def trades(self, coin: str, *prices: float, size: float = 1.0) -> None:
        time_ms = self.feed.time.at(self.clock.now_ms())
        rows = (Print(time_ms=time_ms, price=price, size=size) for price in prices)
        self.tell(Prints(coin=coin, prints=tuple(rows)))

    def connect(self, **prices: float) -> None:
        """Connect, with the price at which each coin traded last; the bar that begins has it."""
        self.run.connected()
        for coin, price in prices.items():
            self.trades(coin, price)
        self.second()

    def second(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.advance_to(self.clock.now_ms() + 1000)
            self.run.tick()

    def mid(self, coin: str) -> str:
        return self.session.queries.market.mids()[coin]

    def act(self, action: Any, account: int = 0) -> Any:
        """Send an action, let its second end, and return the answer."""
        delivery = self.session.barrier.send(account, action)
        if not delivery.arrived:
            self.second()
        return delivery.answer.response


def minute(coin: str, open_time_ms: int, *values: float) -> Minute:
    """Open, high, low, close, volume."""
    names = ("open", "high", "low", "close", "volume")
    return Minute(coin=coin, open_time_ms=open_time_ms, **dict(zip(names, values, strict=True)))


async def open_paper(
    *symbols: str,
    feed: FakeFeed | None = None,
    accounts: tuple[str, ...] = ("alice",),
    **settings: Any,
) -> Paper:
    feed, clock = feed or FakeFeed(), ManualClock(0)
    request = WorldRequest(
        clock="paper",
        symbols=symbols or ("BTC",),
        accounts=tuple(AccountRequest(id=name) for name in accounts),
        **settings,
    )

    def open_it(request: WorldRequest, *, source: Market) -> Session:
        return open_session(request, source=source, clock=clock)

    return Paper(await open_paper_session(request, feed, clock, open_it), clock, feed)

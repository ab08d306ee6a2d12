"""An account at a venue process, kept by the agent's own parts."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from eth_utils.crypto import keccak
from tests.support.venue_process import VenueUnderTest

from strategy_agent.adapters.account_feed import AccountFeed
from strategy_agent.application.account_keeper import AccountKeeper, KeeperTimeouts
from suite.account.events import StatePush
from suite.account.state import AccountState, AccountStateCache, StateLimits
from suite.account.view import view_of
from suite.contracts.clock import AccountView
from suite.contracts.hyperliquid_info import ClearinghouseState, LedgerRow, OpenOrder, UserFill
from suite.service.clock import SystemClock
from suite.service.feed import FeedTimeouts, MinuteBudget

QUICK = FeedTimeouts(
    tick_s=0.01, ping_s=0.05, silence_s=1.0, first_pause_s=0.01, longest_pause_s=0.05
)
EXACT = StateLimits(cash_tolerance=Decimal(0), dwell_s=0.05)
HASTE = KeeperTimeouts(tick_s=0.02, first_pause_s=0.02, first_heal_s=0.5, longest_heal_s=2.0)


def address_of(name: str) -> str:
    """Address of an account that a venue was started with."""
    return "0x" + keccak(text=f"account:{name}")[-20:].hex()


class VenueReads:
    """The venue's own answers; `AccountReads` over HTTP."""

    def __init__(self, venue: VenueUnderTest, user: str) -> None:
        self.venue = venue
        self.user = user

    async def fetch_account(self) -> StatePush:
        return await asyncio.to_thread(self.account)

    async def fetch_fills(self, start_ms: int) -> tuple[UserFill, ...]:
        return await asyncio.to_thread(self.fills, start_ms)

    async def fetch_ledger(self, start_ms: int) -> tuple[LedgerRow, ...]:
        return await asyncio.to_thread(self.ledger, start_ms)

    def ledger(self, start_ms: int = 0) -> tuple[LedgerRow, ...]:
        rows = self.venue.info("userNonFundingLedgerUpdates", user=self.user, startTime=start_ms)
        assert len(rows) < 500, "a test that moves money so often reads page by page"
        return msgspec.convert(rows, tuple[LedgerRow, ...])

    def account(self) -> StatePush:
        told = self.venue.info("clearinghouseState", user=self.user)
        orders = self.venue.info("openOrders", user=self.user)
        state = msgspec.convert(told, ClearinghouseState)
        return StatePush(
            state=state,
            open_orders=msgspec.convert(orders, tuple[OpenOrder, ...]),
            server_ms=state.time,
        )

    def fills(self, start_ms: int = 0) -> tuple[UserFill, ...]:
        found: dict[tuple[int, str, int], UserFill] = {}
        while True:
            rows = self.venue.info("userFillsByTime", user=self.user, startTime=start_ms)
            page = msgspec.convert(rows, tuple[UserFill, ...])
            known = len(found)
            found.update({(fill.time, fill.coin, fill.tid): fill for fill in page})
            if len(found) == known:
                return tuple(found.values())
            start_ms = page[-1].time


@dataclass
class Kept:
    """An account that is kept."""

    cache: AccountStateCache
    keeper: AccountKeeper
    feed: AccountFeed
    reads: VenueReads

    @property
    def state(self) -> AccountState:
        return self.cache.state

    @property
    def well(self) -> bool:
        return not self.cache.trouble


@asynccontextmanager
async def keeping(
    venue: VenueUnderTest,
    user: str,
    *,
    url: str = "",
    timeouts: FeedTimeouts = QUICK,
    limits: StateLimits = EXACT,
    keeper_timeouts: KeeperTimeouts = HASTE,
    seed: int = 1,
) -> AsyncIterator[Kept]:
    """Keep an account for as long as the context lasts."""
    reads = VenueReads(venue, user)
    chance = random.Random(seed)
    cache = AccountStateCache(clock=SystemClock(), user=user, limits=limits)
    keeper = AccountKeeper(cache, reads, chance=chance, timeouts=keeper_timeouts)
    feed = AccountFeed(
        url or venue.ws_url,
        user,
        keeper,
        chance=chance,
        timeouts=timeouts,
        budget=MinuteBudget(1_000_000),
    )
    task = asyncio.create_task(keeper.run(feed))
    try:
        yield Kept(cache, keeper, feed, reads)
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(ended, asyncio.CancelledError):
            assert isinstance(ended, BaseException)
            raise ended


def read_of(push: StatePush) -> AccountView:
    """What a trader reads of what the venue answered."""
    return view_of(push.state, push.open_orders)


def facts_of(view: AccountView) -> dict[str, Any]:
    """What two pictures of an account must have in common."""
    return {
        "value": view.equity,
        "positions": {
            held.coin: (held.size, held.entry_px, held.unrealized_pnl) for held in view.positions
        },
        "orders": {
            order.oid: (order.coin, order.side, Decimal(order.limitPx), Decimal(order.sz))
            for order in view.open_orders
        },
    }

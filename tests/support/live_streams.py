"""The streams of the live venue, and what it watches, in front of a venue under test."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hyperliquid_exchange.adapters.hyperliquid_http import HyperliquidHttp
from hyperliquid_exchange.adapters.hyperliquid_ws import StreamLimits, VenueLines
from hyperliquid_exchange.application.account_watch import AccountWatch, WatchTimes
from hyperliquid_exchange.application.snapshots import SnapshotLimits
from hyperliquid_exchange.application.streams import Streams, VenueLimits
from hyperliquid_exchange.domain.accounts import LiveAccount, TraderLimits
from hyperliquid_exchange.domain.facts import AccountFacts
from hyperliquid_exchange.domain.safety import Cause, Level, level_of
from suite.addresses import account_address
from suite.fixed import Rate, Usd
from suite.ids import TraderId
from suite.service.clock import SystemClock

QUICK = StreamLimits(first_pause_s=0.01, longest_pause_s=0.05, per_minute=10_000)
SNAPSHOTS = SnapshotLimits(snapshot_s=0.3)
_LIMITS = TraderLimits(
    max_order_usd=Usd(10**12),
    max_position_usd=Usd(10**12),
    max_account_usd=Usd(10**12),
    max_leverage=10,
    max_open_orders=100,
    max_orders_per_s=100,
    max_orders_per_minute=1000,
    max_day_loss_usd=Usd(10**12),
    max_drawdown_usd=Usd(10**12),
    max_executions=1000,
    price_collar=Rate(10**8),
    duplicate_s=1.0,
    facts_age_s=20.0,
)


def live_account(name: str, *, address: str = "", master: str = "") -> LiveAccount:
    """A trader whose account the venue under test knows by its name."""
    address = address or account_address(name)
    return LiveAccount(
        trader_id=TraderId(name),
        address=address,
        master=master or address,
        signer="0x" + "ee" * 20,
        native="resign",
        client_signers=(),
        symbols=("BTC", "ETH"),
        limits=_LIMITS,
    )


@dataclass
class Ladder:
    """A kill ladder that only remembers."""

    set: list[Cause] = field(default_factory=list)

    def level(self, trader_id: TraderId) -> Level:
        return level_of(self.set, trader_id)

    def engage(self, cause: Cause) -> None:
        self.set.append(cause)

    def release(self, scope: str, by: str) -> None:
        self.set = [one for one in self.set if (one.scope, one.by) != (scope, by)]

    @property
    def causes(self) -> Sequence[Cause]:
        return self.set


@dataclass
class Watched:
    """What runs."""

    streams: Streams
    watch: AccountWatch
    upstream: HyperliquidHttp
    lines: VenueLines
    safety: Ladder

    def facts(self, name: str) -> AccountFacts:
        found = self.watch.facts(TraderId(name))
        assert found is not None
        return found

    def well(self, name: str) -> bool:
        """Whether all is known of a trader."""
        found = self.watch.facts(TraderId(name))
        return found is not None and not found.trouble


@asynccontextmanager
async def watching(
    url: str,
    ws_url: str,
    *names: str,
    limits: StreamLimits = QUICK,
    venue_limits: VenueLimits | None = None,
    times: WatchTimes | None = None,
) -> AsyncIterator[Watched]:
    """Follow accounts of a venue.

    Args:
        url: of its HTTP.
        ws_url: of its WebSocket, or of a proxy in front of that.
        names: of the accounts.
        limits: of lines.
        venue_limits: of what it allows.
        times: of the watch.
    """
    upstream = HyperliquidHttp(url)
    lines = VenueLines(ws_url, chance=random.Random(1), limits=limits)
    streams = Streams(lines, limits=venue_limits, snapshot_limits=SNAPSHOTS)
    safety = Ladder()
    watch = AccountWatch(
        {TraderId(name): live_account(name) for name in names},
        streams=streams,
        upstream=upstream,
        safety=safety,
        clock=SystemClock(),
        times=times or WatchTimes(retry_s=0.05, look_s=0.05),
    )
    tasks = [asyncio.create_task(streams.run()), asyncio.create_task(watch.run())]
    try:
        yield Watched(streams, watch, upstream, lines, safety)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await upstream.close()

"""The agent's connection over ccxt, at a venue of the suite or another local server."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount
from tests.support.venue_process import VenueUnderTest

from strategy_agent.adapters.ccxt_exchange.access import CcxtAccess
from strategy_agent.adapters.ccxt_exchange.calls import CcxtCalls
from strategy_agent.adapters.ccxt_exchange.connection import (
    PROOF_MS,
    CcxtExchange,
    open_connection,
)
from strategy_agent.adapters.ccxt_exchange.stream import CcxtAccountStream, StreamTimeouts
from strategy_agent.application.account_keeper import AccountKeeper
from suite.account.state import AccountStateCache
from suite.contracts.hyperliquid_info import OpenOrder
from suite.service.clock import SystemClock


def hyperliquid_access(venue: VenueUnderTest, wallet: LocalAccount) -> CcxtAccess:
    """What the settings say of a venue of the suite."""
    keys = {"walletAddress": wallet.address, "privateKey": "0x" + bytes(wallet.key).hex()}
    return CcxtAccess(exchange="hyperliquid", keys=keys, url=venue.url)


@asynccontextmanager
async def connected(
    access: CcxtAccess, *coins: str, proof_ms: int = PROOF_MS
) -> AsyncIterator[CcxtExchange]:
    """Connect, without the pauses for the rate limit of a real exchange."""
    wall = SystemClock()
    calls = CcxtCalls(access, wall)
    calls.api.enableRateLimit = False
    try:
        yield await open_connection(calls, wall, coins=coins, proof_ms=proof_ms)
    finally:
        await calls.close()


@dataclass
class Followed:
    """An account that is kept by what its exchange pushes."""

    keeper: AccountKeeper
    stream: CcxtAccountStream

    @property
    def cache(self) -> AccountStateCache:
        return self.keeper.cache

    @property
    def sizes(self) -> dict[str, str]:
        view = self.cache.state.view
        return {} if view is None else {held.coin: str(held.size) for held in view.positions}

    @property
    def orders(self) -> tuple[OpenOrder, ...]:
        view = self.cache.state.view
        return () if view is None else view.open_orders

    async def until(self, done: Callable[[], object], limit_s: float = 15.0) -> None:
        """Wait until it is so."""
        try:
            async with asyncio.timeout(limit_s):
                while not done():  # noqa: ASYNC110 - whatever is waited for
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{self.cache.trouble} {self.cache.state}") from None


@asynccontextmanager
async def followed(exchange: CcxtExchange, *coins: str) -> AsyncIterator[Followed]:
    """Keep the account for as long as the context lasts."""
    wall, chance = SystemClock(), random.Random(1)
    keeper = AccountKeeper(AccountStateCache(clock=wall), exchange, chance=chance)
    timeouts = StreamTimeouts(first_pause_s=0.05, longest_pause_s=0.2)
    stream = CcxtAccountStream(
        exchange, keeper, coins=coins, wall=wall, chance=chance, timeouts=timeouts
    )
    task = asyncio.create_task(keeper.run(stream))
    try:
        yield Followed(keeper, stream)
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended

"""ccxt, pointed at a venue by nothing but its addresses; its three forms behind one."""

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from eth_account.signers.local import LocalAccount
from tests.support.venue_process import VenueUnderTest

Form = Literal["sync", "async", "pro"]
ETH, BTC = "ETH/USDC:USDC", "BTC/USDC:USDC"


@dataclass
class Ccxt:
    """One user of ccxt.

    Attributes:
        api: the exchange object itself.
    """

    target: VenueUnderTest
    wallet: LocalAccount | None
    api: Any

    async def call(self, method: str, *args: Any, **params: Any) -> Any:
        """Call a method of any form: one that waits, or one that is awaited."""
        answer = getattr(self.api, method)(*args, **params)
        return await answer if inspect.isawaitable(answer) else answer

    def price(self, factor: float, symbol: str = ETH) -> float:
        return self.target.price(symbol.partition("/")[0], factor)

    async def rest(self, symbol: str = ETH, amount: float = 0.02, **params: Any) -> Any:
        """Place a bid far below the market."""
        price = self.price(0.8, symbol)
        return await self.call("create_order", symbol, "limit", "buy", amount, price, params)

    async def market(self, side: str, amount: float = 0.02, **params: Any) -> Any:
        """Buy or sell at the market; ccxt makes the worst price of the one it is given."""
        price = self.target.mid("ETH")
        return await self.call("create_order", ETH, "market", side, amount, price, params)


def options(target: VenueUnderTest, wallet: LocalAccount | None) -> dict[str, Any]:
    """What a user of ccxt writes down: where the venue is, who he is, and no pauses."""
    urls = {"api": {"public": target.url, "private": target.url, "ws": {"public": target.ws_url}}}
    chosen: dict[str, Any] = {"urls": urls, "enableRateLimit": False}
    if headers := target.headers(wallet):
        chosen["headers"] = headers
        chosen["options"] = {"ws": {"options": {"headers": headers}}}
    if wallet is not None:
        chosen["walletAddress"] = wallet.address
        chosen["privateKey"] = "0x" + bytes(wallet.key).hex()
    return chosen


@asynccontextmanager
async def ccxt_client(
    form: Form, target: VenueUnderTest, wallet: LocalAccount | None = None
) -> AsyncIterator[Ccxt]:
    """Open a client; without a wallet it only reads."""
    if form == "sync":
        from ccxt import hyperliquid
    elif form == "async":
        from ccxt.async_support import hyperliquid
    else:
        from ccxt.pro import hyperliquid
    api = hyperliquid(options(target, wallet))
    if target.name == "testnet":
        api.options["sandboxMode"] = True  # the source of its signatures, not its addresses
    try:
        yield Ccxt(target, wallet, api)
    finally:
        if form != "sync":
            await api.close()

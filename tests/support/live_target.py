"""The proxy as a venue for clients: one stack, and a trader with a token for every wallet.

A client's wallet is the master of its trader: it signs itself, as it would at the venue, and the
proxy checks what it sends. A trader `resign`s what the official client signs at an address that is
not mainnet's, and `forward`s what is signed for mainnet.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eth_account.signers.local import LocalAccount
from tests.support.live_stack import (
    LiveStack,
    LiveTrader,
    fetch,
    open_accounts,
    running_stack,
)
from tests.support.venue_process import SPEED, VenueUnderTest, eventually

GROUP = 8
"""Traders at a time: one address may follow the accounts of nine at the venue."""


@dataclass
class LiveTarget(VenueUnderTest):
    """The proxy under test.

    Attributes:
        stack: it, and the venue behind it.
        native: what the traders make of actions that clients have signed.
        free: traders whose wallet nobody has yet.
        taken: traders by their wallet's address.
    """

    stack: LiveStack | None = None
    native: str = "forward"
    free: list[LiveTrader] = field(default_factory=list)
    taken: dict[str, LiveTrader] = field(default_factory=dict)

    def wallet(self) -> LocalAccount:
        """The master of a trader that nobody has used; after eight the proxy gets eight others."""
        assert self.stack is not None
        if not self.free:
            self.stack.stop()
            self.free = group(self.native, len(self.taken))
            self.stack.traders = {trader.trader_id: trader for trader in self.free}
            open_accounts(self.stack.venue, self.free)
            self.stack.write_accounts()
            self.stack.start()
            await_accounts(self.stack)
        trader = self.free.pop(0)
        self.taken[trader.master.address] = trader
        return trader.master

    def trader(self, wallet: LocalAccount) -> LiveTrader:
        return self.taken[wallet.address]

    def headers(self, wallet: LocalAccount | None = None) -> dict[str, str]:
        """The token of a wallet's trader; without a wallet that of any, who reads the market."""
        assert self.stack is not None
        known = None if wallet is None else self.taken.get(wallet.address)
        trader = known or next(iter(self.stack.traders.values()))
        return self.stack.headers(trader.trader_id)


def group(native: str, first: int) -> list[LiveTrader]:
    """Make the next traders."""
    return [LiveTrader(f"{native}{first + number}", native=native) for number in range(GROUP)]


def await_accounts(stack: LiveStack) -> None:
    """Wait until the proxy knows every account and the prices: an order meets nothing then."""
    far = {"limit": {"tif": "Ioc"}}
    order = {"coin": "SOL", "is_buy": True, "sz": "1", "limit_px": "20", "order_type": far}

    def known() -> bool:
        return all(
            "statuses" in fetch(f"{stack.url}/exchange/order", order, stack.headers(name))[1]
            for name in stack.traders
        )

    eventually(known, limit_s=30.0)


@contextmanager
def live_target(folder: Path, *, native: str, speed: float = SPEED) -> Iterator[LiveTarget]:
    """Run the stack for as long as the context lasts."""
    traders = group(native, 0)
    with running_stack(folder, *traders, speed=speed) as stack:
        await_accounts(stack)
        yield LiveTarget(
            "hyperliquid-exchange",
            stack.url,
            stack.folder,
            stack=stack,
            native=native,
            free=traders,
        )

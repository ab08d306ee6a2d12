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
from tests.support.live_stack import LiveStack, LiveTrader, running_stack
from tests.support.venue_process import SPEED, VenueUnderTest

TRADERS = 48


@dataclass
class LiveTarget(VenueUnderTest):
    """The proxy under test.

    Attributes:
        stack: it, and the venue behind it.
        free: traders whose wallet nobody has yet.
        taken: traders by their wallet's address.
    """

    stack: LiveStack | None = None
    free: Iterator[LiveTrader] = field(default_factory=lambda: iter(()))
    taken: dict[str, LiveTrader] = field(default_factory=dict)

    def wallet(self) -> LocalAccount:
        """The master of a trader that nobody has used."""
        trader = next(self.free)
        self.taken[trader.master.address] = trader
        return trader.master

    def trader(self, wallet: LocalAccount) -> LiveTrader:
        return self.taken[wallet.address]

    def headers(self, wallet: LocalAccount | None = None) -> dict[str, str]:
        """The token of a wallet's trader; without a wallet the operator's, who reads the market."""
        assert self.stack is not None
        name = "operator" if wallet is None else self.taken[wallet.address].trader_id
        return self.stack.headers(name)


@contextmanager
def live_target(folder: Path, *, native: str, speed: float = SPEED) -> Iterator[LiveTarget]:
    """Run the stack for as long as the context lasts."""
    traders = [LiveTrader(f"{native}{number}", native=native) for number in range(TRADERS)]
    with running_stack(folder, *traders, speed=speed) as stack:
        yield LiveTarget(
            "hyperliquid-exchange",
            stack.url,
            stack.folder,
            stack=stack,
            free=iter(traders),
        )

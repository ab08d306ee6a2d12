"""What the drift report needs from outside: the journal, the venue's history, collected bars."""

from collections.abc import Sequence
from typing import Protocol

from hyperliquid_exchange.domain.live_orders import SentOrder, VenueFill, VenueOrder
from suite.bars import Bars
from suite.instrument import Instrument


class OrderJournal(Protocol):
    """The intents that were written down before they left."""

    def sent(self, since_ms: int) -> Sequence[SentOrder]:
        """List the orders that were decided since, oldest first, of all traders.

        Raises:
            StorageError: the journal cannot be read.
        """
        ...


class VenueHistory(Protocol):
    """What the venue keeps of accounts. Requests of a person, not polling."""

    async def universe(self) -> Sequence[Instrument]:
        """List what is traded, in the order of asset ids.

        Raises:
            SuiteError: it cannot be read.
        """
        ...

    async def orders(self, address: str) -> Sequence[VenueOrder]:
        """List the latest orders of an account, open ones included.

        Raises:
            SuiteError: they cannot be read.
        """
        ...

    async def fills(self, address: str, since_ms: int) -> Sequence[VenueFill]:
        """List the fills of an account since a time.

        Raises:
            SuiteError: they cannot be read.
        """
        ...


class CollectedBars(Protocol):
    """Minutes of the market, as a collector has them."""

    async def minutes(self, coin: str, from_ms: int, to_ms: int) -> Bars:
        """Read the minutes that opened in [from_ms, to_ms); none where none are stored.

        Raises:
            SuiteError: the collector does not answer.
        """
        ...

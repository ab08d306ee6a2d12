"""The port to what the venue says of accounts: evidence that no trader has to be alive for."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from suite.contracts.clock import ClockState
from suite.contracts.hyperliquid_info import ClearinghouseState, LedgerRow, UserFill


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingReceipt:
    """One funding payment of one account.

    Attributes:
        time_ms: the venue's time.
        received_usd: negative when paid.
    """

    time_ms: int
    coin: str
    received_usd: Decimal


class VenueReads(Protocol):
    """Reads a venue: accounts of all traders.

    Every call may raise `SuiteError`: the venue is away, too slow or answers something else.
    Ranges of time include both ends; whatever they hold is told, oldest first.
    """

    async def clock(self) -> ClockState:
        """Read the venue's time."""
        ...

    async def address(self, trader_id: str, account: str) -> str:
        """Find the address of a trader's account.

        Args:
            trader_id: whose token may be asked with; a real venue knows accounts by address alone.
            account: its name, or its address.

        Raises:
            Conflict: a real venue does not know it.
        """
        ...

    async def state(self, user: str) -> ClearinghouseState:
        """Read money and positions of an account; all zero where there is none."""
        ...

    async def fills(self, user: str, *, from_ms: int, to_ms: int) -> tuple[UserFill, ...]:
        """Read the fills of an account."""
        ...

    async def funding(self, user: str, *, from_ms: int, to_ms: int) -> tuple[FundingReceipt, ...]:
        """Read what an account paid and received as funding."""
        ...

    async def ledger(self, user: str, *, from_ms: int, to_ms: int) -> tuple[LedgerRow, ...]:
        """Read what else moved money of an account."""
        ...

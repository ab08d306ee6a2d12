"""What a venue pushes about one account, and about the prices beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

import msgspec

from suite.contracts.hyperliquid_info import ClearinghouseState, LedgerRow, OpenOrder, UserFill


class OrderChange(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `orderUpdates`.

    Attributes:
        order: as it is after the change; `sz` is what remains.
        status: the venue's word; `suite.enums.OrderStatus` has those that are known.
    """

    order: OpenOrder
    status: str
    statusTimestamp: int  # noqa: N815 - the wire's own name


class FundingPayment(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `userFundings`.

    Attributes:
        usdc: USD received; negative was paid.
        szi: signed position it was paid for.
    """

    time: int
    coin: str
    usdc: str
    szi: str
    fundingRate: str  # noqa: N815 - the wire's own name


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePush:
    """The whole account.

    Attributes:
        server_ms: the venue's time of it.
    """

    state: ClearinghouseState
    open_orders: tuple[OpenOrder, ...]
    server_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsPush:
    """Fills.

    Attributes:
        snapshot: they repeat what was before the connection.
    """

    fills: tuple[UserFill, ...]
    snapshot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersPush:
    """Changes of orders, oldest first."""

    changes: tuple[OrderChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingsPush:
    """Funding paid and received."""

    fundings: tuple[FundingPayment, ...]
    snapshot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPush:
    """Transfers, liquidations, and whatever else moved money."""

    rows: tuple[LedgerRow, ...]
    snapshot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MidsPush:
    """Mid prices of all coins, USD."""

    mids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Level:
    """The best price of a side, as the venue writes it.

    Attributes:
        px: USD.
        sz: offered there, units of the coin.
    """

    px: str
    sz: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BestPush:
    """Best prices of a coin; None where nobody offers."""

    coin: str
    bid: Level | None
    ask: Level | None


AccountEvent: TypeAlias = (
    StatePush | FillsPush | OrdersPush | FundingsPush | LedgerPush | MidsPush | BestPush
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What an event changed of an account, for those who wait for it.

    Attributes:
        fills: that happened since the account was first seen and were not known, oldest first.
        orders: changes of orders that were known, or are at their end.
    """

    fills: tuple[UserFill, ...] = ()
    orders: tuple[OrderChange, ...] = ()


def signed_size(fill: UserFill) -> Decimal:
    """Size that a fill added to the position, units of the coin; a sale is negative."""
    size = Decimal(fill.sz)
    return size if fill.side == "B" else -size

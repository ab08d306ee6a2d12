"""What can be read of a world: immutable snapshots, derived from the integers of its state."""

from dataclasses import dataclass

from suite.enums import OrderStatus, Side, Tif, Tpsl
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """Money of an account, micro-USD, positions at their marks.

    Attributes:
        position_margin_usd: initial margin of its positions.
        order_margin_usd: margin reserved by its open orders.
        maintenance_usd: margin below which it would be liquidated.
        notional_usd: sum of the absolute values of its positions.
    """

    cash_usd: Usd
    unrealized_usd: Usd
    position_margin_usd: Usd
    order_margin_usd: Usd
    maintenance_usd: Usd
    notional_usd: Usd

    @property
    def equity_usd(self) -> Usd:
        """Cash and unrealized profit."""
        return Usd(self.cash_usd + self.unrealized_usd)

    @property
    def available_usd(self) -> Usd:
        """Equity that backs neither a position nor an order; negative when over-committed."""
        return Usd(self.equity_usd - self.position_margin_usd - self.order_margin_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionState:
    """A position; size and cost basis are signed.

    Attributes:
        funding_all_usd, funding_open_usd: paid ever, and since it was opened; positive is cost.
        margin_usd: initial margin at the mark.
        realized_usd: profit booked ever in this symbol, before fees and funding.
    """

    size: Size
    cost_usd: Usd
    leverage: int
    funding_all_usd: Usd
    funding_open_usd: Usd
    margin_usd: Usd
    realized_usd: Usd
    unrealized_usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """An open order; prices are 0 where it has none.

    Attributes:
        tpsl: kind of a trigger order that has not fired yet.
        parent_oid: entry that it protects, 0 when none.
    """

    oid: Oid
    symbol: int
    side: Side
    size: Size
    original_size: Size
    limit_price: Price
    trigger_price: Price
    tpsl: Tpsl | None
    is_market: bool
    tif: Tif
    reduce_only: bool
    status: OrderStatus
    placed_ms: int
    held_usd: Usd
    parent_oid: Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Touch around the boundary's print; all 0 when the data has no bar here."""

    bid: Price
    ask: Price
    print: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingStamp:
    """A settled funding rate."""

    time_ms: int
    rate: Rate
    interval_ms: int

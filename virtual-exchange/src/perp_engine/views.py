"""What can be read of a world: immutable snapshots, derived from the integers of its state."""

from dataclasses import dataclass

import msgspec

from suite.enums import MarginMode, OrderStatus, Side, Tif, Tpsl
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import Cloid, Oid


class AccountState(msgspec.Struct, frozen=True, gc=False):
    """Money of an account, micro-USD, positions at their marks.

    Attributes:
        cash_usd: without what isolated positions hold.
        cross_unrealized_usd: profit of cross positions.
        position_margin_usd: initial margin of cross positions.
        order_margin_usd: margin reserved by open orders.
        maintenance_usd: margin below which the cross pool is liquidated.
        isolated_usd: margin in the buckets of isolated positions.
        isolated_unrealized_usd: their profit.
        notional_usd, cross_notional_usd: sums of the absolute values of positions.
    """

    cash_usd: Usd
    cross_unrealized_usd: Usd
    position_margin_usd: Usd
    order_margin_usd: Usd
    maintenance_usd: Usd
    isolated_usd: Usd
    isolated_unrealized_usd: Usd
    notional_usd: Usd
    cross_notional_usd: Usd

    @property
    def unrealized_usd(self) -> Usd:
        """Profit of all positions."""
        return Usd(self.cross_unrealized_usd + self.isolated_unrealized_usd)

    @property
    def equity_usd(self) -> Usd:
        """Everything the account is worth."""
        return Usd(self.cash_usd + self.isolated_usd + self.unrealized_usd)

    @property
    def cross_equity_usd(self) -> Usd:
        """What stands behind the cross positions."""
        return Usd(self.cash_usd + self.cross_unrealized_usd)

    @property
    def available_usd(self) -> Usd:
        """Cross equity that backs neither a position nor an order; negative when over-committed."""
        return Usd(self.cross_equity_usd - self.position_margin_usd - self.order_margin_usd)


class PositionState(msgspec.Struct, frozen=True, gc=False):
    """A position; size and cost basis are signed.

    Attributes:
        funding_all_usd, funding_open_usd: paid ever, and since it was opened; positive is cost.
        mode: what stands behind it.
        bucket_usd: margin of an isolated position, before its unrealized profit; 0 for cross.
        margin_usd: initial margin at the mark.
        maintenance_usd: maintenance margin at the mark.
        liquidation_price: first price that would liquidate it with every other mark as it is; None
            when no price would.
        realized_usd: profit booked ever in this symbol, before fees and funding.
    """

    size: Size
    cost_usd: Usd
    leverage: int
    mode: MarginMode
    bucket_usd: Usd
    funding_all_usd: Usd
    funding_open_usd: Usd
    margin_usd: Usd
    maintenance_usd: Usd
    liquidation_price: Price | None
    realized_usd: Usd
    unrealized_usd: Usd


class OrderState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An open order; prices are 0 where it has none.

    Attributes:
        tpsl: kind of a trigger order that has not fired yet.
        parent_oid: entry that it protects, or first leg of its group; 0 when none.
        follows_position: its size is that of the position.
        expires_ms: 0 is never.
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
    follows_position: bool
    expires_ms: int
    cloid: Cloid | None


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

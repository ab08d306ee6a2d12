"""What can happen. Every event carries world time and the account it concerns."""

from dataclasses import dataclass

from suite.enums import FillCause, MarginMode, OrderStatus, Side
from suite.errors import RejectReason
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOpened:
    """An order was accepted and lives on: it rests, or waits for its trigger or its parent's fill.

    Attributes:
        held_usd: margin reserved for it, micro-USD.
    """

    time_ms: int
    account: int
    symbol: int
    oid: Oid
    status: OrderStatus
    held_usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """An order of a batch was refused and left nothing behind.

    Attributes:
        index: its place in the batch.
    """

    time_ms: int
    account: int
    symbol: int
    index: int
    reason: RejectReason


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderClosed:
    """An order reached its end.

    Attributes:
        status: why; terminal.
        remaining: size that was not filled.
        refunded_usd: margin released with it, micro-USD.
    """

    time_ms: int
    account: int
    symbol: int
    oid: Oid
    status: OrderStatus
    remaining: Size
    refunded_usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """An open order changed: shrunk with its position or sibling, triggered, activated."""

    time_ms: int
    account: int
    symbol: int
    oid: Oid
    status: OrderStatus
    size: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A trade of one account against the market.

    Attributes:
        time_ms: boundary at which it happened, or the open time of the bar in whose path it did.
        size: positive, in size units.
        price: in price units.
        reference_price: the print or path price before modelled spread and slippage.
        start_position: signed position before it.
        realized_pnl_usd: booked profit before the fee, micro-USD.
        fee_usd: positive is paid.
        is_taker: it crossed on arrival or was triggered to the market.
        order_size_left: size of the order that is still open after it.
        cause: an order, or the venue acting on the account.
    """

    time_ms: int
    account: int
    symbol: int
    oid: Oid
    tid: int
    side: Side
    size: Size
    price: Price
    reference_price: Price
    start_position: Size
    realized_pnl_usd: Usd
    fee_usd: Usd
    is_taker: bool
    order_size_left: Size
    cause: FillCause = FillCause.ORDER


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPaid:
    """A funding transfer as the account sees it.

    Attributes:
        usd: negative when the account pays, micro-USD.
        rate: of the whole interval, units of 10^-9.
    """

    time_ms: int
    account: int
    symbol: int
    size: Size
    rate: Rate
    usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageSet:
    """Leverage or margin mode of an account in a symbol changed."""

    time_ms: int
    account: int
    symbol: int
    leverage: int
    mode: MarginMode = MarginMode.CROSS


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginMoved:
    """Cash went into the bucket of an isolated position, or back when negative."""

    time_ms: int
    account: int
    symbol: int
    usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidated:
    """A pool fell below its maintenance margin; the fills that follow it are its liquidation.

    Attributes:
        symbol: the coin whose price did it.
        mode: the account's cross pool, or the isolated position in the symbol.
        mark: of the symbol, at which it did.
        equity_usd, maintenance_usd: of the pool, at that instant.
    """

    time_ms: int
    account: int
    symbol: int
    mode: MarginMode
    mark: Price
    equity_usd: Usd
    maintenance_usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class InsuranceMoved:
    """The venue's insurance paid what an account lacked, or kept what was left when negative."""

    time_ms: int
    account: int
    symbol: int
    usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelScheduled:
    """A time was set at which every order of the account is canceled; None when it was cleared."""

    time_ms: int
    account: int
    cancel_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeesSet:
    """An account moved to another fee tier; rates in 10^-9."""

    time_ms: int
    account: int
    taker: Rate
    maker: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSent:
    """An action on orders is on its way: it is carried out at the boundary of `arrives_ms`."""

    time_ms: int
    account: int
    arrives_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited:
    """Money came from outside, or left when negative."""

    time_ms: int
    account: int
    usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRejected:
    """A cancel, modify, leverage change or transfer was refused; nothing changed."""

    time_ms: int
    account: int
    reason: RejectReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """Time moved: the last event of every advance.

    Attributes:
        time_ms: world time now.
        bar: index of the next bar to play; equals the number of bars when finished.
        watches_met: indices of the price watches that were reached.
    """

    time_ms: int
    bar: int
    watches_met: tuple[int, ...]


Event = (
    OrderOpened
    | OrderRejected
    | OrderClosed
    | OrderChanged
    | Fill
    | FundingPaid
    | LeverageSet
    | MarginMoved
    | Liquidated
    | InsuranceMoved
    | CancelScheduled
    | FeesSet
    | ActionSent
    | Deposited
    | ActionRejected
    | Advanced
)

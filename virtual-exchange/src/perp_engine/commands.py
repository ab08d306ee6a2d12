"""What may be asked of the engine. Accounts and symbols are indices into its tables."""

from dataclasses import dataclass

from suite.enums import Grouping, MarginMode, Side, Tif, Tpsl
from suite.fixed import Price, Size, Usd
from suite.ids import Cloid, Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Condition of a dormant order, on the mark price.

    Attributes:
        price: trigger price, in the symbol's price units.
        tpsl: stop or take-profit.
        is_market: fills at the market when it fires; otherwise rests at the order's limit price.
    """

    price: Price
    tpsl: Tpsl
    is_market: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order as sent.

    Attributes:
        symbol: index of the instrument.
        side: buy or sell.
        size: positive, in the symbol's size units; 0 in `POSITION_TPSL` is the whole position.
        limit_price: worst price; 0 for a market order, which fills at whatever the book shows.
        tif: ignored for a trigger order.
        trigger: makes it a stop or take-profit.
        expires_ms: canceled at the first boundary at or after it; 0 is never.
    """

    symbol: int
    side: Side
    size: Size
    limit_price: Price = Price(0)
    tif: Tif = Tif.GTC
    trigger: Trigger | None = None
    reduce_only: bool = False
    cloid: Cloid | None = None
    expires_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrders:
    """Place orders of one account; with `NORMAL_TPSL` the first is the parent of the rest.

    Attributes:
        expires_after_ms: refused when decision latency makes it arrive later; 0 is never.
    """

    account: int
    orders: tuple[NewOrder, ...]
    grouping: Grouping = Grouping.NONE
    expires_after_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Cancel an open order."""

    account: int
    symbol: int
    oid: Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelByCloid:
    """Cancel the open order that carries a client order id."""

    account: int
    symbol: int
    cloid: Cloid


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAll:
    """Cancel every open order of an account."""

    account: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleCancel:
    """Cancel every open order at a time, unless it is moved before; None clears it."""

    account: int
    time_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyOrder:
    """Cancel an open order and place another in its stead, under a new oid."""

    account: int
    oid: Oid
    order: NewOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLeverage:
    """Choose leverage and margin mode of an account in a symbol."""

    account: int
    symbol: int
    leverage: int
    mode: MarginMode = MarginMode.CROSS


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustMargin:
    """Add cash to the margin of an isolated position; negative removes."""

    account: int
    symbol: int
    usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Money from outside; negative withdraws."""

    account: int
    usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWatch:
    """Stop an advance at the end of the bar whose path reaches a price."""

    symbol: int
    price: Price
    above: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Play bars until a bar boundary, or until something happens.

    Attributes:
        until_bar: bar boundary at which to stop at the latest (index of the next bar to play).
        stop_on_fill: accounts whose fill ends the advance at the end of its bar.
        stop_on_order: accounts any of whose order changes ends it.
        watches: prices that end it.
    """

    until_bar: int
    stop_on_fill: frozenset[int] = frozenset()
    stop_on_order: frozenset[int] = frozenset()
    watches: tuple[PriceWatch, ...] = ()


Command = (
    PlaceOrders
    | CancelOrder
    | CancelByCloid
    | CancelAll
    | ScheduleCancel
    | ModifyOrder
    | SetLeverage
    | AdjustMargin
    | Deposit
    | Advance
)

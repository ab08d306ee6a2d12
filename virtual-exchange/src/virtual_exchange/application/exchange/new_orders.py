"""From the orders an account asks for to those of the engine: their static form."""

from decimal import Decimal
from typing import Final

from perp_engine.commands import NewOrder, Trigger
from suite.contracts.hyperliquid_exchange import OrderItem
from suite.contracts.venue import Leg, ModifyOrder, OrderType, PlaceOrder
from suite.enums import Side, Tif, Tpsl
from suite.errors import RejectReason
from suite.fixed import Price, Size
from suite.ids import parse_cloid
from suite.instrument import Instrument
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.world import World

LARGEST: Final = 1 << 53
"""Prices and sizes beyond it are refused before they reach the engine's 64 bits."""


class Refused(Exception):
    """An order that cannot be sent to the engine at all."""

    def __init__(self, reason: RejectReason) -> None:
        super().__init__(reason)
        self.reason = reason


def new_orders(
    instrument: Instrument, symbol: int, action: PlaceOrder, book: AccountBook
) -> tuple[NewOrder, ...]:
    """Check the static form of an action's orders; none is sent unless all pass.

    Rejects:
        ZERO_SIZE, INVALID_SIZE, INVALID_PRICE, PRICE_TOO_FAR, DUPLICATE_CLOID, as `Refused`.
    """
    entry = new_order(instrument, symbol, action, cloid=action.cloid)
    if entry.cloid is not None and book.live_oid(entry.cloid) is not None:
        raise Refused(RejectReason.DUPLICATE_CLOID)
    legs = ((Tpsl.TAKE_PROFIT, action.take_profit), (Tpsl.STOP_LOSS, action.stop_loss))
    return (entry, *(_leg(instrument, entry, tpsl, leg) for tpsl, leg in legs if leg))


def new_order(
    instrument: Instrument, symbol: int, action: PlaceOrder | ModifyOrder, *, cloid: str | None
) -> NewOrder:
    """Check the static form of one order.

    Args:
        instrument: its lattice.
        symbol: its index.
        action: what is asked for.
        cloid: the client's id of the new order.

    Rejects:
        ZERO_SIZE, INVALID_SIZE, INVALID_PRICE, PRICE_TOO_FAR, as `Refused`.
    """
    kind: OrderType = action.order_type
    size = _size(instrument, action.sz)
    limit = Price(0) if action.limit_px.is_zero() else _price(instrument, action.limit_px)
    trigger = None
    if kind.trigger is not None:
        trigger = Trigger(
            price=_price(instrument, kind.trigger.triggerPx),
            tpsl=kind.trigger.tpsl,
            is_market=kind.trigger.isMarket,
        )
    tif = kind.limit.tif if kind.limit is not None and limit else Tif.IOC
    return NewOrder(
        symbol=symbol,
        side=Side.BUY if action.is_buy else Side.SELL,
        size=size,
        limit_price=limit,
        tif=Tif.GTC if trigger else tif,
        trigger=trigger,
        reduce_only=action.reduce_only,
        cloid=None if cloid is None else parse_cloid(cloid),
    )


def wire_order(world: World, item: OrderItem, *, whole: bool) -> NewOrder:
    """Check the static form of one native order on a listed asset.

    Args:
        world: that lists it.
        item: as sent.
        whole: size 0 stands for the whole position.

    Rejects:
        ZERO_SIZE, INVALID_SIZE, INVALID_PRICE, PRICE_TOO_FAR, as `Refused`.
    """
    instrument, asked = world.market.instruments[item.a], item.t.trigger
    size = Size(0) if whole and item.s == "0" else _size(instrument, item.s)
    limit = _price(instrument, item.p)
    trigger = None
    if asked is not None:
        price = _price(instrument, asked.triggerPx)
        trigger = Trigger(price=price, tpsl=Tpsl(asked.tpsl), is_market=asked.isMarket)
    tif = Tif.GTC
    if item.t.limit is not None:
        tif = Tif.IOC if item.t.limit.tif == "FrontendMarket" else Tif(item.t.limit.tif)
    return NewOrder(
        symbol=item.a,
        side=Side.BUY if item.b else Side.SELL,
        size=size,
        limit_price=limit,
        tif=tif,
        trigger=trigger,
        reduce_only=item.r,
        cloid=None if item.c is None else parse_cloid(item.c),
    )


def _leg(instrument: Instrument, entry: NewOrder, tpsl: Tpsl, leg: Leg) -> NewOrder:
    """Make the protective order of an entry: opposite side, same size, reduce-only, at market."""
    return NewOrder(
        symbol=entry.symbol,
        side=Side.SELL if entry.side is Side.BUY else Side.BUY,
        size=entry.size,
        trigger=Trigger(price=_price(instrument, leg.price), tpsl=tpsl, is_market=True),
        reduce_only=True,
    )


def _size(instrument: Instrument, value: Decimal | str) -> Size:
    try:
        size = instrument.parse_size(value)
    except ValueError:
        raise Refused(RejectReason.INVALID_SIZE) from None
    if size == 0:
        raise Refused(RejectReason.ZERO_SIZE)
    if not 0 < size < LARGEST:
        raise Refused(RejectReason.INVALID_SIZE)
    return size


def _price(instrument: Instrument, value: Decimal | str) -> Price:
    try:
        price = instrument.parse_price(value)
    except ValueError:
        number = Decimal(value)
        too_far = number.is_finite() and number >= LARGEST
        reason = RejectReason.PRICE_TOO_FAR if too_far else RejectReason.INVALID_PRICE
        raise Refused(reason) from None
    if price >= LARGEST:
        raise Refused(RejectReason.PRICE_TOO_FAR)
    if not instrument.price_is_valid(price):
        raise Refused(RejectReason.INVALID_PRICE)
    return price

"""From a share of equity to market orders that the venue's lattice allows."""

from decimal import Decimal
from typing import NamedTuple

from strategy_core.lattice import round_size_down
from strategy_core.port import ZERO
from suite.contracts.venue import Leg, LimitType, OrderType, PlaceOrder
from suite.enums import Tif
from suite.instrument import Instrument

MIN_NOTIONAL = Decimal(10)
"""Smallest order that opens or adds, USD. Source: venue documentation, "Error responses"."""

MARKET = OrderType(limit=LimitType(tif=Tif.IOC))
"""Type of a market order, whose `limit_px` is 0."""


class Plan(NamedTuple):
    """Orders that bring a position to its target, and a note for the journal."""

    orders: tuple[PlaceOrder, ...]
    note: str


def size_for(instrument: Instrument, *, notional: Decimal, price: Decimal) -> Decimal:
    """Largest size on the lattice worth no more than a notional.

    Args:
        instrument: of the coin.
        notional: USD; negative for a short.
        price: USD, positive.

    Returns:
        Signed size, units of the coin.
    """
    return round_size_down(instrument, notional / price)


def market_order(
    coin: str, size: Decimal, *, reduce_only: bool = False, protection: "Protection | None" = None
) -> PlaceOrder:
    """Make a market order for a signed size."""
    return PlaceOrder(
        coin=coin,
        is_buy=size > 0,
        sz=abs(size),
        order_type=MARKET,
        reduce_only=reduce_only,
        stop_loss=protection.stop_loss if protection else None,
        take_profit=protection.take_profit if protection else None,
    )


class Protection(NamedTuple):
    """Protective orders attached to an entry."""

    stop_loss: Leg | None
    take_profit: Leg | None


def plan_target(instrument: Instrument, *, held: Decimal, target: Decimal, price: Decimal) -> Plan:
    """Plan the market order that moves a position to a target size.

    Reducing is never too small to be sent: it goes out as reduce-only. Opening or adding less than
    `MIN_NOTIONAL` is left out.

    Args:
        instrument: of the coin.
        held: signed size now.
        target: signed size wanted, any precision; rounded towards zero.
        price: USD, to judge the notional.

    Returns:
        No order or one; a flip is one order through zero.
    """
    coin = instrument.coin
    wanted = round_size_down(instrument, target)
    change = wanted - held
    if not change:
        return Plan((), f"{coin} stays at {held}")
    reduces = held * change < 0 and abs(change) <= abs(held)
    opened = abs(change) if held * change >= 0 else abs(change) - abs(held)
    if not reduces and opened * price < MIN_NOTIONAL:
        if held * change >= 0:
            return Plan((), f"{coin} skipped: {opened} is worth less than {MIN_NOTIONAL} USD")
        # The far side of the flip is too small to exist: close only.
        return Plan((market_order(coin, -held, reduce_only=True),), f"{coin} closes {held}")
    order = market_order(coin, change, reduce_only=reduces)
    return Plan((order,), f"{coin} {held.normalize() + ZERO:f} -> {wanted.normalize() + ZERO:f}")

"""The orders of an action as the gate reads them: on the lattice.

A number finer than the lattice is rounded up here: the venue refuses it anyway, and in its own
words, so the gate only makes sure that it judges nothing as smaller than it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hyperliquid_exchange.domain.actions import Allowed, OrderLeg, legs_of
from suite.fixed import Price, Size
from suite.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedOrder:
    """An order that an action places.

    Attributes:
        asset: index in the universe.
        is_buy: its side.
        price: limit price, rounded up, in the instrument's units.
        size: rounded up, in the instrument's units; 0 where the asset is not listed.
        reduce_only: it can only make a position smaller.
        rests: it may stay at the venue.
        trigger: `tp` or `sl`; None for a limit order.
        trigger_price: of a trigger order, rounded up.
        cloid: the client's id, lower case.
        replaces: oid or cloid of the order that it takes the place of; None for a new one.
    """

    asset: int
    is_buy: bool
    price: Price
    size: Size
    reduce_only: bool
    rests: bool
    trigger: Literal["tp", "sl"] | None = None
    trigger_price: Price | None = None
    cloid: str | None = None
    replaces: int | str | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What makes two orders equal, whatever their names."""
        return (
            self.asset,
            self.is_buy,
            self.price,
            self.size,
            self.reduce_only,
            self.trigger,
            self.trigger_price,
        )


def wanted_orders(action: Allowed, universe: Sequence[Instrument]) -> tuple[WantedOrder, ...]:
    """List the orders that an action places, those that replace others included."""
    return tuple(_read(leg, universe) for leg in legs_of(action))


def coin_name(asset: int, universe: Sequence[Instrument]) -> str:
    """Name an asset; `asset 7` where it is not listed."""
    return universe[asset].coin if asset < len(universe) else f"asset {asset}"


def _read(leg: OrderLeg, universe: Sequence[Instrument]) -> WantedOrder:
    one = universe[leg.asset] if leg.asset < len(universe) else None
    trigger_price = leg.trigger_price
    return WantedOrder(
        asset=leg.asset,
        is_buy=leg.is_buy,
        price=Price(units_ceil(leg.price, one.price_decimals) if one else 0),
        size=Size(units_ceil(leg.size, one.sz_decimals) if one else 0),
        reduce_only=leg.reduce_only,
        rests=not leg.takes,
        trigger=leg.trigger,
        trigger_price=(
            None
            if trigger_price is None
            else Price(units_ceil(trigger_price, one.price_decimals) if one else 0)
        ),
        cloid=leg.cloid,
        replaces=leg.replaces,
    )


def units_ceil(text: str, decimals: int) -> int:
    """Read a plain, positive decimal in units of 10^-decimals, rounded up.

    Args:
        text: digits, perhaps a point and more digits.
        decimals: digits after the point that the unit has.
    """
    whole, _, part = text.partition(".")
    kept, rest = part[:decimals], part[decimals:]
    units = int(whole + kept.ljust(decimals, "0"))
    return units + bool(rest.strip("0"))

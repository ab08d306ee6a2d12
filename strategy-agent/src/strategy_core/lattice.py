"""Prices and sizes on a coin's lattice, each rounded in a direction that is named.

Decimal throughout; what is on the lattice already stays as it is.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from functools import lru_cache

from suite.instrument import Instrument


@lru_cache(maxsize=1024, typed=True)  # a configuration's numbers are asked for in every turn
def exact(number: float) -> Decimal:
    """Decimal of a configured or published number, as it is written."""
    return Decimal(repr(number))


@lru_cache(maxsize=32)
def unit(decimals: int) -> Decimal:
    """Smallest number with so many digits after the point."""
    return Decimal(1).scaleb(-decimals)


def round_size_down(instrument: Instrument, size: Decimal) -> Decimal:
    """Bring a size onto the lattice, towards zero; the sign is kept."""
    return size.quantize(unit(instrument.sz_decimals), rounding=ROUND_DOWN)


def round_price_down(instrument: Instrument, price: Decimal) -> Decimal:
    """Largest valid order price at or below one; 0 below the smallest."""
    units = _units(instrument, price, ROUND_FLOOR)
    return _price(instrument, max(0, units - units % instrument.tick(units)))


def round_price_up(instrument: Instrument, price: Decimal) -> Decimal:
    """Smallest valid order price at or above one."""
    units = _units(instrument, price, ROUND_CEILING)
    return _price(instrument, units + -units % instrument.tick(units))


def round_price(instrument: Instrument, price: Decimal, *, up: bool) -> Decimal:
    """Nearest valid order price in a direction.

    What waits rounds away from the other side, so a bid goes down (`up=not is_buy`); what takes
    rounds towards it (`up=is_buy`); a stop rounds towards the market: that of a long goes up.
    """
    return (round_price_up if up else round_price_down)(instrument, price)


def tick_at(instrument: Instrument, price: Decimal) -> Decimal:
    """Distance between valid prices around a price, USD."""
    return _price(instrument, instrument.tick(_units(instrument, price, ROUND_DOWN)))


def _units(instrument: Instrument, price: Decimal, rounding: str) -> int:
    return int(price.scaleb(instrument.price_decimals).to_integral_value(rounding))


def _price(instrument: Instrument, units: int) -> Decimal:
    return Decimal(units).scaleb(-instrument.price_decimals)

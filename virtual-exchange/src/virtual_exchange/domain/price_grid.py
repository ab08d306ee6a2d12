"""The grid of prices that orders may carry, and that the venue shows."""

from suite.fixed import div_half_even
from suite.instrument import Instrument


def at_or_below(instrument: Instrument, price: int) -> int:
    """Highest valid price that is not above a positive one, price units."""
    return price // instrument.tick(price) * instrument.tick(price)


def at_or_above(instrument: Instrument, price: int) -> int:
    """Lowest valid price that is not below a positive one, price units."""
    return -(-price // instrument.tick(price)) * instrument.tick(price)


def nearest(instrument: Instrument, price: int) -> int:
    """Valid price next to a positive one, price units; halves to the even tick."""
    tick = instrument.tick(price)
    return div_half_even(price, tick) * tick

"""Named values as words of the kernel's buffer: the counterpart of `decoding`."""

from perp_engine.commands import NewOrder
from perp_engine.kernel import layout
from suite.enums import Tif, Tpsl
from suite.ids import Cloid

TIFS = (Tif.GTC, Tif.IOC, Tif.ALO)
NUMBER_LIMIT = 2 * 10**17
"""Numbers are brought down to this: beyond every bound, refused for their size all the same."""


def encode(order: NewOrder) -> tuple[int, ...]:
    """Words of a request, in the order of the kernel's layout."""
    trigger = order.trigger
    kind, is_market, trigger_price = layout.LIMIT, False, 0
    if trigger is not None:
        kind = layout.STOP if trigger.tpsl is Tpsl.STOP_LOSS else layout.TAKE
        is_market, trigger_price = trigger.is_market, bounded(trigger.price)
    high, low = (0, 0) if order.cloid is None else encode_cloid(order.cloid)
    return (
        order.symbol,
        order.side,
        bounded(order.size),
        bounded(order.limit_price),
        trigger_price,
        kind,
        is_market,
        TIFS.index(order.tif),
        order.reduce_only,
        bounded(order.expires_ms),
        order.cloid is not None,
        high,
        low,
    )


def encode_cloid(cloid: Cloid) -> tuple[int, int]:
    """A client order id as two signed words."""
    number = int(cloid, 16)
    return _signed(number >> 64), _signed(number & (1 << 64) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def bounded(number: int) -> int:
    """Keep a number in 64 bits; what lies beyond the limit is refused by the rules anyway."""
    if -NUMBER_LIMIT < number < NUMBER_LIMIT:
        return int(number)
    return NUMBER_LIMIT if number > 0 else -NUMBER_LIMIT

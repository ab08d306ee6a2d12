"""Values as the venue writes them, the same in every read."""

import hashlib
from decimal import Decimal
from functools import lru_cache
from typing import Final

from suite.enums import OrderStatus
from suite.fixed import USD_DECIMALS, format_fixed

_DIGITS: Final = 10
"""That the venue shows after the point at most."""
NO_HASH: Final = "0x" + "0" * 64
"""Transaction hash of what the venue does by itself."""
_UNITS: Final = tuple(Decimal(1).scaleb(-decimals) for decimals in range(USD_DECIMALS + 1))
"""Of fixed-point numbers, by their digits after the point."""
_WORDS: Final = {
    OrderStatus.EXPIRED: OrderStatus.CANCELED,
    OrderStatus.WAITING_FOR_FILL: OrderStatus.OPEN,
    OrderStatus.WAITING_FOR_TRIGGER: OrderStatus.OPEN,
}
"""What only the engine tells apart; the words of the wire are closed."""


def usd(value: int) -> str:
    """Write micro-USD as the venue writes dollars."""
    return format_fixed(value, USD_DECIMALS)


def amount(value: int, decimals: int) -> Decimal:
    """Make the number that the venue writes of a fixed-point one, to its digits after the point.

    The same number has then the same digits wherever it is written, read or reckoned with.
    """
    if value % 10 and decimals:
        return Decimal(value) * _UNITS[decimals]  # as it nearly always is: no zero to leave out
    return _without_zeros(value, decimals)


@lru_cache(maxsize=16_384)  # sizes and entries stay as they are for hours
def _without_zeros(value: int, decimals: int) -> Decimal:
    return Decimal(format_fixed(value, decimals))


def made_hash(*parts: str | int) -> str:
    """Make the transaction hash of something that has none: a hash of its name."""
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()


def plain(value: float) -> str:
    """Write a published number without an exponent, always with a fraction, at most ten digits."""
    text = repr(value)
    if "e" not in text and len(text) - text.index(".") <= _DIGITS + 1:
        return text
    text = format(Decimal(repr(round(value, _DIGITS))), "f")
    return text if "." in text else f"{text}.0"


def status_word(status: OrderStatus) -> str:
    """Write the status of an order in the wire's words."""
    return str(_WORDS.get(status, status))

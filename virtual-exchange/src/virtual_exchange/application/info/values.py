"""Values as the venue writes them, the same in every read."""

import hashlib
from decimal import Decimal
from typing import Final

from suite.enums import OrderStatus
from suite.fixed import USD_DECIMALS, format_fixed

_DIGITS: Final = 10
"""That the venue shows after the point at most."""
NO_HASH: Final = "0x" + "0" * 64
"""Transaction hash of what the venue does by itself."""
_WORDS: Final = {
    OrderStatus.EXPIRED: OrderStatus.CANCELED,
    OrderStatus.WAITING_FOR_FILL: OrderStatus.OPEN,
    OrderStatus.WAITING_FOR_TRIGGER: OrderStatus.OPEN,
}
"""What only the engine tells apart; the words of the wire are closed."""


def usd(value: int) -> str:
    """Write micro-USD as the venue writes dollars."""
    return format_fixed(value, USD_DECIMALS)


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

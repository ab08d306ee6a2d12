"""JSON that is equal byte by byte wherever it is written: what a report's hash is taken of."""

import hashlib
from decimal import Decimal
from typing import Any, Final

import msgspec

SIGNIFICANT_DIGITS: Final = 10
_encode = msgspec.json.Encoder(order="sorted").encode


def canonical_bytes(result: dict[str, Any]) -> bytes:
    """The bytes that are hashed: sorted keys, no floats, one newline at the end."""
    return bytes(_encode(result)) + b"\n"


def canonical_sha256(result: dict[str, Any]) -> str:
    """Hash them."""
    return hashlib.sha256(canonical_bytes(result)).hexdigest()


def without_floats(value: Any) -> Any:
    """JSON without floats."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return {str(key): without_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_floats(item) for item in value]
    return value


def number(value: float | None) -> str | None:
    """A metric as a decimal string of 10 significant digits; None stays None."""
    if value is None:
        return None
    rounded = Decimal(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")
    return f"{rounded.normalize() + 0:f}"

"""Which decimals can be reckoned with: finite, of a magnitude a market has, and kept exactly."""

from decimal import (
    Context,
    Decimal,
    DecimalException,
    InvalidOperation,
    Overflow,
    Rounded,
    Subnormal,
)
from typing import Final

from suite.fixed import DIGITS_MAX

EXACT_DIGITS: Final = 28
"""Digits of a number up to which decimal arithmetic rounds nothing."""
_within = Context(
    prec=EXACT_DIGITS,
    Emin=1 - EXACT_DIGITS,
    Emax=DIGITS_MAX - 1,
    traps=[Rounded, Overflow, Subnormal, InvalidOperation],
).plus
"""Takes a number as it is; raises where it is too long, too large or too small, passes none."""


def is_number(value: object) -> bool:
    """Whether a number is finite and of a magnitude and length that anything here can have."""
    if not (isinstance(value, Decimal) and value.is_finite()):
        return False
    try:
        _within(value)
    except DecimalException:
        return False
    return True


def check_number(value: Decimal) -> None:
    """Look whether `is_number` holds.

    Raises:
        ArithmeticError: it does not.
    """
    if not value.is_finite():
        raise ArithmeticError(f"not a finite number: {value}")
    _within(value)

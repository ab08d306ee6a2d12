"""Exact arithmetic: quotients of integers, rounded once, in a named direction."""

from fractions import Fraction
from math import ceil, floor

RATE = 10**9


def up(value: Fraction) -> int:
    """Toward plus infinity."""
    return ceil(value)


def down(value: Fraction) -> int:
    """Toward minus infinity."""
    return floor(value)


def half_even(value: Fraction) -> int:
    """To the nearest integer, a half to the even one."""
    return round(value)


def share(rate: int) -> Fraction:
    """A rate of 10^-9 as a fraction."""
    return Fraction(rate, RATE)


def sign(value: int) -> int:
    return (value > 0) - (value < 0)

"""Fixed-point money: the only arithmetic that touches it.

For an instrument with `sz_decimals`, a size counts units of 10^-sz_decimals and a price units of
10^-(6 - sz_decimals) USD, so `price * size` is exactly micro-USD, the venue's own money. Rates
count units of 10^-9. All four are plain integers told apart by type.

The functions are plain Python; the engine's kernel compiles these very functions, so there is one
arithmetic. Bounds that keep it inside 64 bits (checked where orders are admitted): `price * size`
below 2^62, multipliers and divisors (rate scale, size) below 3e9. `//` and `%` floor in both.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import NewType

Price = NewType("Price", int)
"""Units of 10^-(6 - sz_decimals) USD."""
Size = NewType("Size", int)
"""Units of 10^-sz_decimals of the coin; signed for a position."""
Usd = NewType("Usd", int)
"""Micro-USD."""
Rate = NewType("Rate", int)
"""Units of 10^-9."""

USD_DECIMALS = 6
USD_ONE = 1_000_000
RATE_ONE = 1_000_000_000
RATE_DECIMALS = 9
PRODUCT_LIMIT = 1 << 62
FACTOR_LIMIT = 3_000_000_000
DIGITS_MAX = 18
"""Digits before the point that a number may have."""
CHARACTERS_MAX = 64
"""Characters, or digits, of a number."""
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def mul_div_floor(a: int, b: int, c: int) -> int:
    """`a * b / c`, rounded down, without a product beyond 64 bits.

    Splitting `a` by `c` keeps every product small: with 0 <= a % c < c and b, c below 3e9 the
    second product stays below 2^63, and the first overflows only when the result itself would.

    Args:
        a: any sign.
        b: 0 to 3e9.
        c: 1 to 3e9.
    """
    return a // c * b + a % c * b // c


def mul_div_ceil(a: int, b: int, c: int) -> int:
    """`a * b / c`, rounded up; arguments as in `mul_div_floor`."""
    return a // c * b - (-(a % c * b) // c)


def mul_div_half_even(a: int, b: int, c: int) -> int:
    """`a * b / c`, rounded to the nearest, halves to even; arguments as in `mul_div_floor`."""
    part = a % c * b
    low = part // c
    twice = 2 * (part - low * c)
    whole = a // c * b + low
    if twice > c or (twice == c and whole & 1):
        whole += 1
    return whole


def div_half_even(a: int, c: int) -> int:
    """`a / c` for c > 0, rounded to the nearest, halves to even."""
    low = a // c
    twice = 2 * (a - low * c)
    if twice > c or (twice == c and low & 1):
        low += 1
    return low


def is_decimal(text: str) -> bool:
    """Whether a text is a number in ASCII decimals: sign, digits, point, exponent.

    Python's own `int`, `float` and `Decimal` take more: `1_0`, digits of every script, blanks,
    `nan`. No other program reads those alike, so nothing from outside may use them.
    """
    return _DECIMAL.fullmatch(text) is not None


def parse_decimal(text: str) -> Decimal:
    """Read a decimal number as others write it.

    Raises:
        ValueError: not a finite number in ASCII decimals.
    """
    if not is_decimal(text):
        raise ValueError(f"not a number: {text[:40]!r}")
    return Decimal(text)


def parse_fixed(value: str | int | Decimal, decimals: int) -> int:
    """Read a decimal number exactly.

    Args:
        value: text, integer or Decimal; never a float.
        decimals: digits after the point that the unit has.

    Returns:
        The number in units of 10^-decimals.

    Raises:
        ValueError: not a finite number in ASCII decimals, or finer than the unit: nothing is ever
            rounded here.
    """
    if isinstance(value, str) and len(value) > CHARACTERS_MAX:
        raise ValueError("number too long")
    number = parse_decimal(value) if isinstance(value, str) else Decimal(value)
    if not number.is_finite():
        raise ValueError("not a finite number")
    # a ratio of many digits takes seconds: its time grows with their square
    if len(number.as_tuple().digits) > CHARACTERS_MAX:
        raise ValueError("number too long")
    if number and not -2 * DIGITS_MAX < number.adjusted() < DIGITS_MAX:
        raise ValueError("number out of range")
    # not `scaleb`: it rounds to the digits of the decimal context
    numerator, denominator = number.as_integer_ratio()
    scale: int = 10**decimals
    units, rest = divmod(numerator * scale, denominator)
    if rest:
        raise ValueError(f"finer than {decimals} decimals")
    return units


@lru_cache(maxsize=8192)  # an answer repeats itself: zeros, equity, the price of now
def format_fixed(value: int, decimals: int) -> str:
    """Write a fixed-point number as the venue does.

    Plain notation, no superfluous trailing zeros, always at least one digit after the point.
    """
    if decimals == 0:
        return f"{value}.0"
    digits = str(abs(value)).zfill(decimals + 1)
    part = digits[-decimals:].rstrip("0") or "0"
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{part}"


def quantize_half_even(value: float, decimals: int) -> int:
    """Bring an outside number (a published bar, a model's output) onto the lattice.

    Args:
        value: finite float.
        decimals: digits after the point that the unit has.

    Returns:
        The nearest unit; halves of the float's shortest decimal form go to even.
    """
    return int(Decimal(repr(value)).scaleb(decimals).to_integral_value())

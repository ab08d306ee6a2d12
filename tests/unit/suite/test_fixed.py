"""Fixed-point arithmetic against exact rationals."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_engine.kernel import fixed as compiled
from suite import fixed

A = st.integers(-(1 << 61), (1 << 61))
B = st.integers(0, fixed.FACTOR_LIMIT - 1)
C = st.integers(1, fixed.FACTOR_LIMIT - 1)
INT64 = 1 << 63


@pytest.mark.parametrize("module", [fixed, compiled], ids=["python", "kernel"])
@given(A, B, C)
def test_products_and_quotients_are_exact(module: object, a: int, b: int, c: int) -> None:
    """Each rounding is that of the exact rational, interpreted and compiled."""
    exact = Fraction(a * b, c)
    if abs(exact) >= INT64 // 2:
        return
    assert floor(exact) == module.mul_div_floor(a, b, c)  # type: ignore[attr-defined]
    assert ceil(exact) == module.mul_div_ceil(a, b, c)  # type: ignore[attr-defined]
    assert round(exact) == module.mul_div_half_even(a, b, c)  # type: ignore[attr-defined]
    assert round(Fraction(a, c)) == module.div_half_even(a, c)  # type: ignore[attr-defined]


@given(st.integers(-(10**15), 10**15), st.integers(0, 9))
def test_text_survives_a_round_trip(value: int, decimals: int) -> None:
    """What is written reads back as the same units, in the venue's notation."""
    text = fixed.format_fixed(value, decimals)
    assert value == fixed.parse_fixed(text, decimals)
    assert "." in text
    assert "e" not in text.lower()
    part = text.split(".")[1]
    assert part == "0" or not part.endswith("0")


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(3_000_000_000, 6, "3000.0"), (0, 4, "0.0"), (150, 6, "0.00015"), (-7, 0, "-7.0")],
)
def test_numbers_look_as_the_venue_writes_them(value: int, decimals: int, text: str) -> None:
    """Plain notation, at least one digit after the point, no superfluous zeros."""
    assert text == fixed.format_fixed(value, decimals)


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "-Infinity", "abc", "", "1e400", "1e-400", "0.0001", "1." + "0" * 40 + "1"),
        *("1_0", "_1", "1_", "1e1_0", " 1", "1 ", "1\n", "0x1", "1,5", "--1", ".", "e5", "1e"),
        *("\u0661\u0662", "\uff11", "1.\u0665", "1e\u0662", "²", "\u20031", "\u22121"),
    ],
)
def test_what_is_not_a_number_of_the_unit_is_refused(text: str) -> None:
    """Nothing is rounded, and nothing odd gets through."""
    with pytest.raises(ValueError, match=r"number|decimals"):
        fixed.parse_fixed(text, 3)


def test_padding_zeros_and_exponents_read_as_what_they_mean() -> None:
    """Trailing zeros and exponent notation are only notation."""
    assert fixed.parse_fixed("1.2300", 2) == 123
    assert fixed.parse_fixed(Decimal("1.5e3"), 1) == 15000
    assert fixed.parse_fixed("-1.5E+3", 1) == -15000
    assert fixed.parse_fixed("+.5", 1) == 5
    assert fixed.parse_fixed("5.", 1) == 50
    assert fixed.parse_fixed(7, 1) == 70


@pytest.mark.parametrize("text", ["1_0", "\u0661\u0662", "NaN", "", "1 ", "Infinity"])
def test_decimals_of_others_are_read_in_one_notation(text: str) -> None:
    """Digits of ASCII, a sign, a point, an exponent; nothing else that Python would take."""
    assert Decimal("-1.50e2") == fixed.parse_decimal("-1.50e2")
    with pytest.raises(ValueError, match="not a number"):
        fixed.parse_decimal(text)


def test_outside_numbers_come_onto_the_lattice_by_the_rule_named() -> None:
    """Half to even, from the float's shortest decimal form."""
    assert fixed.quantize_half_even(0.25, 1) == 2
    assert fixed.quantize_half_even(0.35, 1) == 4
    assert fixed.quantize_half_even(104321.37, 1) == 1043214

"""Numbers that can be reckoned with, and those that only look like some."""

from decimal import Decimal, DivisionByZero, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_core.numbers import check_number, is_number

ODD = ["NaN", "sNaN", "Infinity", "-Infinity", "1e18", "-1e400", "1e-28", "1e-400", "1" * 29]


@pytest.mark.parametrize("text", ["0", "-0", "0e90", "0e-90", "1", "-9e17", "1e-27", "1" * 18])
def test_what_a_market_may_say_is_a_number(text: str) -> None:
    assert is_number(Decimal(text))
    check_number(Decimal(text))


@pytest.mark.parametrize("text", ODD)
def test_what_is_not_finite_or_too_long_large_or_small_is_none(text: str) -> None:
    assert not is_number(Decimal(text))
    with pytest.raises(ArithmeticError):
        check_number(Decimal(text))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=34), st.integers(-60, 25))
def test_a_number_has_at_most_28_digits_and_a_market_s_magnitude(
    digits: list[int], exponent: int
) -> None:
    value = Decimal((1, tuple(digits), exponent))
    fits = len(value.as_tuple().digits) <= 28 and (not value or -28 < value.adjusted() < 18)
    assert fits == is_number(value) == is_number(value.copy_negate())


def test_whoever_calls_is_left_with_the_context_it_has() -> None:
    """A look at a number raises nothing of another's arithmetic, and changes no flag of it."""
    with localcontext() as context:
        context.clear_flags()
        assert not is_number(Decimal("1e400"))
        assert not any(context.flags.values())
        assert context.traps[DivisionByZero]

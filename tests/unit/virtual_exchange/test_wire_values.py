"""How values are written on the wire."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.enums import OrderStatus
from suite.fixed import format_fixed
from virtual_exchange.application.info.values import amount, made_hash, plain, status_word, usd


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (94321.07, "94321.07"),
        (1e-7, "0.0000001"),
        (1.23456789012e-5, "0.0000123457"),
        (1e16, "10000000000000000.0"),
        (1.5e22, "15000000000000000000000.0"),
        (0.1 + 0.2, "0.3"),
        (918872955.7912, "918872955.7912"),
    ],
)
def test_published_number_has_a_fraction_and_no_exponent(value: float, text: str) -> None:
    assert text == plain(value)


def test_money_is_written_in_dollars() -> None:
    assert ["0.0", "-0.000001", "12.5"] == [usd(micro) for micro in (0, -1, 12_500_000)]


def test_words_of_the_engine_alone_are_not_told() -> None:
    """What waits is open, what expired is canceled."""
    words = {status_word(status) for status in OrderStatus}
    assert {"waitingForFill", "waitingForTrigger", "expired"}.isdisjoint(words)
    assert "open" == status_word(OrderStatus.WAITING_FOR_TRIGGER)


def test_hash_is_that_of_its_name() -> None:
    """As long as one of the venue's, and the same each time."""
    assert made_hash("a", 1) == made_hash("a", 1) != made_hash("a", 2)
    assert 66 == len(made_hash("a", 1))


@given(st.integers(-(10**18), 10**18), st.integers(0, 6))
def test_a_number_has_the_digits_that_are_written_of_it(value: int, decimals: int) -> None:
    """So nothing that is reckoned with it is written otherwise."""
    for units in (value, value * 10, value // 10**9 * 10**6):
        made, written = amount(units, decimals), Decimal(format_fixed(units, decimals))
        assert written.as_tuple() == made.as_tuple()

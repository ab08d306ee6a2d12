"""Rounding onto a coin's lattice: the direction that is named, and never further than needed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_core.lattice import (
    exact,
    round_price,
    round_price_down,
    round_price_up,
    round_size_down,
    tick_at,
)
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

TIERS = (MarginTier(lower_bound_usd=Usd(0), max_leverage=10),)
lattices = st.builds(
    lambda decimals: Instrument(coin="X", sz_decimals=decimals, tiers=TIERS), st.integers(0, 5)
)
amounts = st.decimals("0.000001", "999999", allow_nan=False, places=9)


def is_valid(instrument: Instrument, price: Decimal) -> bool:
    return instrument.price_is_valid(instrument.parse_price(price))


@given(lattices, amounts)
def test_a_price_lies_between_the_valid_ones_beside_it(
    instrument: Instrument, price: Decimal
) -> None:
    """Both are valid, no further apart than a tick, and the same where it is valid itself."""
    below, above = round_price_down(instrument, price), round_price_up(instrument, price)
    assert below <= price <= above
    assert is_valid(instrument, above)
    assert not below or is_valid(instrument, below)
    assert above - below <= tick_at(instrument, above)
    assert (below == price) == (above == price)


@given(instrument=lattices, price=amounts, up=st.booleans())
def test_rounding_twice_changes_nothing_and_the_direction_is_kept(
    instrument: Instrument, price: Decimal, *, up: bool
) -> None:
    once = round_price(instrument, price, up=up)
    assert (once >= price) if up else (once <= price)
    assert once == round_price(instrument, once, up=up)
    assert not once or once == round_price(instrument, once, up=not up)


@given(instrument=lattices, size=amounts, is_long=st.booleans())
def test_a_size_only_shrinks_and_keeps_its_sign(
    instrument: Instrument, size: Decimal, *, is_long: bool
) -> None:
    signed = size if is_long else -size
    rounded = round_size_down(instrument, signed)
    assert abs(rounded) <= size < abs(rounded) + Decimal(1).scaleb(-instrument.sz_decimals)
    assert rounded * signed >= 0
    assert rounded == round_size_down(instrument, rounded)


@pytest.mark.parametrize(
    ("decimals", "price", "below", "above", "tick"),
    [
        (5, "104321.37", "104321", "104322", "1"),
        (4, "2950.55", "2950.5", "2950.6", "0.1"),
        (0, "0.173456", "0.17345", "0.17346", "0.00001"),
        (0, "0.0000014", "0.000001", "0.000002", "0.000001"),
        (5, "0.04", "0", "0.1", "0.1"),
    ],
)
def test_five_figures_the_coins_decimals_and_whole_dollars(
    decimals: int, price: str, below: str, above: str, tick: str
) -> None:
    instrument = Instrument(coin="X", sz_decimals=decimals, tiers=TIERS)
    found = (
        round_price_down(instrument, Decimal(price)),
        round_price_up(instrument, Decimal(price)),
        tick_at(instrument, Decimal(price)),
    )
    assert (Decimal(below), Decimal(above), Decimal(tick)) == found


def test_a_number_is_taken_as_it_is_written() -> None:
    """No binary fraction reaches a price, and a whole number brings no digit of its own."""
    assert ["0.1", "1.0", "1"] == [str(exact(0.1)), str(exact(1.0)), str(exact(1))]

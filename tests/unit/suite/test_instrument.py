"""Lattices of prices and sizes, and one name per coin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_engine.kernel.orders import tick_of
from suite.fixed import RATE_ONE, USD_ONE
from suite.instrument import coin_of, default_instrument


@pytest.mark.parametrize(
    ("coin", "price", "valid"),
    [
        ("ETH", "2950.5", True),
        ("ETH", "2950.55", False),
        ("ETH", "99.55", True),
        ("ETH", "123456", True),
        ("ETH", "12345.6", False),
        ("BTC", "1234.5", True),
        ("BTC", "100001", True),
        ("BTC", "100001.5", False),
        ("XRP", "2.1234", True),
        ("XRP", "2.12345", False),
    ],
)
def test_prices_have_five_significant_figures_and_integers_are_always_valid(
    coin: str, price: str, *, valid: bool
) -> None:
    """The venue's own examples."""
    instrument = default_instrument(coin, 2)
    assert valid is instrument.price_is_valid(instrument.parse_price(price))


@pytest.mark.parametrize("price", ["99.555", "1.00001"])
def test_a_price_finer_than_the_lattice_is_refused_not_rounded(price: str) -> None:
    """ETH has two digits after the point."""
    with pytest.raises(ValueError, match="decimals"):
        default_instrument("ETH", 2).parse_price(price)


@given(st.integers(1, 10**12))
def test_the_kernel_has_the_same_tick(price: int) -> None:
    """The compiled grid is the instrument's."""
    instrument = default_instrument("ETH", 2)
    assert instrument.tick(price) == tick_of(price, 10**instrument.price_decimals)


@pytest.mark.parametrize(
    ("symbol", "coin"),
    [
        ("BTC", "BTC"),
        ("BTCUSDT", "BTC"),
        ("btcusdt", "BTC"),
        ("BTC/USDT:USDT", "BTC"),
        ("BTC/USDC:USDC", "BTC"),
        ("BTC-PERP", "BTC"),
        ("ETH-USD", "ETH"),
        ("1000PEPEUSDT", "kPEPE"),
        ("kPEPE", "kPEPE"),
        ("UNITTEST_BTC", None),
        ("", None),
        ("../etc", None),
    ],
)
def test_every_name_of_a_coin_is_one_name(symbol: str, coin: str | None) -> None:
    """Symbols of data venues resolve to the venue's coin; what is none is refused."""
    if coin is None:
        with pytest.raises(ValueError, match="not a symbol"):
            coin_of(symbol)
    else:
        assert coin == coin_of(symbol)


def test_an_unknown_coin_gets_its_lattice_from_its_prices() -> None:
    """Size decimals are what the seen price decimals leave of six, within 0 and 5."""
    assert default_instrument("NEW", 4).sz_decimals == 2
    assert default_instrument("NEW", 9).sz_decimals == 0
    assert default_instrument("NEW", 0).sz_decimals == 5


@pytest.mark.parametrize(
    ("coin", "expected"),
    [
        ("BTC", [(0, 40), (150_000_000, 20)]),
        ("ETH", [(0, 25), (100_000_000, 15)]),
        ("SOL", [(0, 20), (70_000_000, 10)]),
        ("DOGE", [(0, 10)]),
        ("NEW", [(0, 5)]),
    ],
)
def test_default_tiers_are_the_venues(coin: str, expected: list[tuple[int, int]]) -> None:
    """Notional in USD and leverage; maintenance is half of the margin at the highest leverage."""
    tiers = default_instrument(coin, 2).tiers
    assert expected == [(tier.lower_bound_usd // USD_ONE, tier.max_leverage) for tier in tiers]
    assert [RATE_ONE // (2 * tier.max_leverage) for tier in tiers] == [
        tier.maintenance for tier in tiers
    ]

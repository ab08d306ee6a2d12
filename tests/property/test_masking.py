"""Masks over random markets: what goes in comes out again, and nothing is lost on the way."""

import os
from decimal import Decimal

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.worlds import START_MS, MemorySource, random_bars

from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.world import MaskRequest, WorldRequest
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.market.masking import WEEK_MS
from virtual_exchange.domain.market import Market
from virtual_exchange.domain.masking import Mask

MORE = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "chaos" else 1
COINS = ("BTC", "DOGE", "ETH", "LAYER", "SOL", "kPEPE")

masks = st.builds(
    MaskRequest,
    seed=st.integers(0, 10**9),
    scale=st.none() | st.sampled_from(["0.01", "0.1", "1", "10", "0.37", "2.5"]).map(Decimal),
    shift_weeks=st.none() | st.integers(-2000, 4000),
    rename=st.dictionaries(st.sampled_from(COINS[:2]), st.sampled_from(["A", "B"]), max_size=1),
)


def pair(coins: list[str], minutes: int, start: int, mask: MaskRequest) -> tuple[Market, Market]:
    """A recorded market and its masked double; the first minutes are before the range."""
    named = {coin: shown for coin, shown in mask.rename.items() if coin in coins}
    mask = msgspec.structs.replace(mask, rename=named)
    source = MemorySource({coin: random_bars(coin, minutes) for coin in coins})
    stamps = START_MS + HOUR_MS * np.arange(minutes // 60 + 1)
    for place, coin in enumerate(coins):
        source.funding[coin] = (stamps, 1e-5 * (place - 1) * np.arange(len(stamps)))
    markets = Markets(source)
    request = WorldRequest(
        symbols=tuple(coins), accounts=(), from_=START_MS + start * MINUTE_MS, mask=mask
    )
    plain = WorldRequest(symbols=tuple(coins), accounts=(), from_=request.from_)
    return markets.of(plain, now_ms=0), markets.of(request, now_ms=0)


@settings(max_examples=100 * MORE)
@given(
    coins=st.lists(st.sampled_from(COINS), min_size=1, max_size=6, unique=True),
    minutes=st.integers(3, 200),
    mask=masks,
    data=st.data(),
)
def test_unmasking_finds_names_times_rates_and_prices_again(
    coins: list[str], minutes: int, mask: MaskRequest, data: st.DataObject
) -> None:
    """Names and times exactly, prices and sizes to the rounding of a unit."""
    start = data.draw(st.integers(0, minutes - 2), label="start")
    plain, shown = pair(coins, minutes, start, mask)
    found = shown.mask
    assert found is not None
    assert sorted(plain.coins) == sorted(found.names)
    assert sorted(shown.coins) == sorted(found.names.values())
    assert not set(shown.coins) & set(plain.coins)
    assert 0 == found.shift_ms % WEEK_MS
    assert plain.tape.start_ms == found.true_ms(shown.tape.start_ms)
    for symbol, name in enumerate(shown.coins):
        true = found.true_symbol(symbol)
        assert plain.coins[true] == found.coins[symbol].true.coin
        assert name == found.names[plain.coins[true]]
        times = shown.history[symbol].open_time_ms - found.shift_ms
        assert plain.history[true].open_time_ms.tolist() == times.tolist()
        stamps = shown.tape.funding[symbol] - [found.shift_ms, 0]
        assert plain.tape.funding[true].tolist() == stamps.tolist()
    check_prices(plain, shown, found)


def check_prices(plain: Market, shown: Market, mask: Mask) -> None:
    """A shown price written as the recorded coin's is the recorded price; history is the tape."""
    for symbol, coin in enumerate(mask.coins):
        instrument, true = coin.unmasked(), plain.tape.bars[coin.symbol]
        row, history = shown.tape.bars[symbol], shown.history[symbol]
        tolerance = max(1.0, float(coin.price_scale))
        back = np.array([float(instrument.format_price(int(price))) for price in row[3]])
        off = np.abs(back * 10.0**coin.true.price_decimals - true[3])
        assert off.max() <= tolerance
        if coin.keeps_units:
            assert true.tolist() == row.tolist()
        opens = history.open[-row.shape[1] :] * 10.0**coin.shown.price_decimals
        assert np.abs(opens - row[0]).max() < 1e-3
        money = float(coin.price_scale * coin.size_scale)
        assert abs(money - 1.0) < 1e-12


@settings(max_examples=30 * MORE)
@given(mask=masks, coins=st.permutations(COINS[:4]))
def test_equal_seeds_make_equal_markets_in_whatever_order_coins_are_named(
    mask: MaskRequest, coins: list[str]
) -> None:
    """The draw belongs to the coin and not to its place in the request."""
    _, one = pair(list(COINS[:4]), 30, 0, mask)
    _, other = pair(coins, 30, 0, mask)
    assert one.coins == other.coins
    assert (one.tape.bars == other.tape.bars).all()
    assert one.tape.start_ms == other.tape.start_ms

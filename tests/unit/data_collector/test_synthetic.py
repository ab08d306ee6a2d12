"""The generated market has what real ones have, and is the same for the same seed."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from data_collector.application.generating import SOURCE, Recipe, coins_named, generate_market
from data_collector.domain.cleaning import decimals_of, is_not_positive, ohlc_is_broken
from data_collector.domain.synthetic import SyntheticCoin, draw_shared, generate
from suite.bars import DAY_MS, F64, HOUR_MS, MINUTE_MS
from suite.errors import BadRequest, Conflict
from suite.klines import bars_equal
from suite.service.kline_store import KlineStore, instrument_of

END_MS = 1_748_736_000_000
DAYS = 60
COINS = ("BTC", "ETH", "SOL")
RECIPE = Recipe(seed=7, days=3, end_ms=END_MS)


@cache
def market(seed: int = 7, days: int = DAYS) -> dict[str, SyntheticCoin]:
    shared = draw_shared(seed, start_ms=END_MS - days * DAY_MS, end_ms=END_MS)
    return {coin: generate(coin, seed, shared) for coin in (*COINS, "ZZZ")}


def returns(coin: str) -> F64:
    moves: F64 = np.diff(np.log(market()[coin].bars.close))
    return moves


def correlation(left: F64, right: F64) -> float:
    return float(np.corrcoef(left, right)[0, 1])


@pytest.mark.parametrize("coin", [*COINS, "ZZZ"])
def test_every_bar_is_possible(coin: str) -> None:
    """No gap, no broken bar, every price on the coin's lattice, every volume at least a lot."""
    made = market()[coin]
    bars = made.bars
    assert DAYS * 24 * 60 == len(bars)
    assert (np.diff(bars.open_time_ms) == MINUTE_MS).all()
    assert not ohlc_is_broken(bars).any()
    assert not is_not_positive(bars).any()
    lattice = instrument_of(None, coin).price_decimals if coin in COINS else 6
    assert decimals_of(bars.high) <= made.profile.price_decimals <= lattice
    assert (bars.volume > 0).all()
    assert decimals_of(bars.volume) <= made.profile.sz_decimals
    assert (bars.open[1:] == bars.close[:-1]).all()


@pytest.mark.parametrize("coin", COINS)
def test_returns_have_fat_tails_and_no_memory(coin: str) -> None:
    """Kurtosis well above the normal 3; no trend to be traded."""
    moves = returns(coin)
    centered = moves - moves.mean()
    assert (centered**4).mean() / moves.var() ** 2 > 6
    assert abs(correlation(moves[1:], moves[:-1])) < 0.05


@pytest.mark.parametrize("coin", COINS)
def test_volatility_clusters(coin: str) -> None:
    """Large moves follow large ones, less so the longer ago."""
    size = np.abs(returns(coin))
    near, far = (correlation(size[lag:], size[:-lag]) for lag in (1, 600))
    assert near > 0.12
    assert near > far > 0


@pytest.mark.parametrize(("coin", "level"), [("BTC", 0.5), ("ETH", 0.7), ("SOL", 0.9)])
def test_volatility_has_the_coins_level(coin: str, level: float) -> None:
    """Yearly, within a third over two months."""
    yearly = float(returns(coin).std()) * np.sqrt(365 * 24 * 60)
    assert 2 / 3 < yearly / level < 4 / 3


def test_coins_move_together() -> None:
    """BTC with ETH and SOL, an unknown coin less so."""
    assert correlation(returns("BTC"), returns("ETH")) > 0.5
    assert correlation(returns("BTC"), returns("SOL")) > 0.4
    assert 0.2 < correlation(returns("BTC"), returns("ZZZ")) < 0.6


@pytest.mark.parametrize("coin", COINS)
def test_day_has_its_hours(coin: str) -> None:
    """Both volume and moves are larger at the US opening than before Asia's morning."""
    bars = market()[coin].bars
    hour = bars.open_time_ms % DAY_MS // HOUR_MS
    size = np.abs(np.append(0.0, returns(coin)))
    for values in (bars.volume, size):
        assert np.median(values[hour == 14]) > 1.3 * np.median(values[hour == 5])


def test_volume_goes_with_the_move() -> None:
    """Within one hour of the day too."""
    bars = market()["BTC"].bars
    size = np.abs(np.append(0.0, returns("BTC")))
    chosen = bars.open_time_ms % DAY_MS // HOUR_MS == 10
    assert correlation(bars.volume[chosen], size[chosen]) > 0.2


def test_weekends_are_quieter() -> None:
    """Saturday and Sunday trade less."""
    bars = market()["BTC"].bars
    weekend = (bars.open_time_ms // DAY_MS + 3) % 7 >= 5
    assert np.median(bars.volume[weekend]) < 0.8 * np.median(bars.volume[~weekend])


def test_prices_jump() -> None:
    """A move beyond ten usual ones happens."""
    moves = returns("SOL")
    assert np.abs(moves).max() > 10 * moves.std()


def test_funding_leans_with_the_trend() -> None:
    """Every eight hours, near 0.01 %, higher after a rise, known from earlier prices alone."""
    made = market()["BTC"]
    stamps, rates = made.funding_time_ms, made.funding_rate
    assert (stamps % (8 * HOUR_MS) == 0).all()
    assert 3 * DAYS == len(stamps)
    assert 0.00002 < np.median(rates) < 0.0003
    row = (stamps - made.bars.open_time_ms[0]) // MINUTE_MS
    later = row > 24 * 60
    close = np.log(made.bars.close)
    trend = close[row[later] - 1] - close[row[later] - 1 - 24 * 60]
    assert correlation(trend, rates[later]) > 0.7


def test_same_seed_gives_the_same_coin_whatever_else_is_asked_for(tmp_path: Path) -> None:
    """To the last byte of every file, in any order, and not for another seed."""
    digests = []
    for name, coins, seed in (("a", "BTC,ETH,SOL", 7), ("b", "SOL,BTC", 7), ("c", "BTC", 8)):
        store = KlineStore(tmp_path / name)
        recipe = Recipe(seed=seed, days=3, end_ms=END_MS)
        list(generate_market(store, coins_named(coins), recipe, replace=False))
        files = sorted(path for path in store.root.rglob("symbol=BTC*/**/*") if path.is_file())
        files += store.root.glob("instruments/**/symbol=BTC.json")
        digest = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        assert 4 <= len(digest)
        digests.append(digest)
    assert digests[0] == digests[1] != digests[2]


def test_generated_data_is_labelled(tmp_path: Path) -> None:
    """Venue, record and source all say synthetic."""
    store = KlineStore(tmp_path)
    list(generate_market(store, ["BTC"], RECIPE, replace=False))
    record = store.record("BTC")
    assert record is not None
    assert record["synthetic"] is True
    assert "synthetic" in record["source"]
    assert "synthetic" == store.source_of("BTC").venue


def test_same_recipe_again_changes_nothing(tmp_path: Path) -> None:
    """Generating is idempotent."""
    store = KlineStore(tmp_path)
    list(generate_market(store, ["BTC"], RECIPE, replace=False))
    ((_, _, result),) = generate_market(store, ["BTC"], RECIPE, replace=False)
    assert (0, 0) == (result.added, result.revised)


def test_another_recipe_never_mixes_with_what_is_stored(tmp_path: Path) -> None:
    """It is refused before anything is written, or replaces all of it when told so."""
    store = KlineStore(tmp_path)
    list(generate_market(store, ["BTC"], RECIPE, replace=False))
    before = store.read("BTC")
    other = Recipe(seed=8, days=2, end_ms=END_MS)
    with pytest.raises(Conflict, match="--replace"):
        list(generate_market(store, ["ETH", "BTC"], other, replace=False))
    assert ("BTC",) == store.coins()
    assert bars_equal(before, store.read("BTC"))
    list(generate_market(store, ["BTC"], other, replace=True))
    assert 2 * 24 * 60 == len(store.read("BTC"))
    assert not list(tmp_path.glob("revisions/**/*.parquet"))
    assert SOURCE == store.source_of("BTC")


@pytest.mark.parametrize("text", ["", "BTC,BTC", "BTC,BTCUSDT", "B/T/C", ","])
def test_list_of_symbols_must_make_sense(text: str) -> None:
    """One clear line."""
    with pytest.raises(BadRequest, match="symbol"):
        coins_named(text)

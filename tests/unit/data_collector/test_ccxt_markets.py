"""What ccxt says of markets, in our words."""

from typing import Any

from data_collector.domain.brackets import read_brackets
from data_collector.domain.ccxt_markets import (
    DECIMAL_PLACES,
    TICK_SIZE,
    brackets_document,
    markets_of,
    record_of,
    redirected,
)


def market(symbol: str, **more: Any) -> dict[str, Any]:
    base, _, quote = symbol.partition(":")[0].partition("/")
    is_swap = ":" in symbol
    kind = {"swap": is_swap, "spot": not is_swap, "linear": True if is_swap else None}
    return {"symbol": symbol, "base": base, "quote": quote, "active": True, **kind, **more}


def test_one_market_a_coin_is_chosen() -> None:
    """Traded ones first, then by quote; of the kind asked for; what is no coin is left out."""
    markets = [
        market("BTC/USDC:USDC"),
        market("BTC/USDT:USDT"),
        market("BTC/USDT"),
        market("BTC/USD:BTC", linear=False),
        market("ETH/USDT:USDT", active=False),
        market("ETH/USDC:USDC"),
        market("1000PEPE/USDT:USDT"),
        market("KBONK/USDC:USDC", baseName="kBONK"),
        market("SOL/EUR:EUR"),
        market("XYZ-GOLD/USDC:USDC"),
    ]
    by_symbol = {item["symbol"]: item for item in markets}
    perps = {coin: item["symbol"] for coin, item in markets_of(by_symbol, "perp").items()}
    assert {
        "BTC": "BTC/USDT:USDT",
        "ETH": "ETH/USDC:USDC",
        "kPEPE": "1000PEPE/USDT:USDT",
        "kBONK": "KBONK/USDC:USDC",
    } == perps
    assert ["BTC"] == list(markets_of(by_symbol, "spot"))


def test_digits_are_read_from_either_form() -> None:
    """A step, or a count of digits; nothing where it is neither."""
    step = market("BTC/USDT:USDT", precision={"price": 0.1, "amount": 1e-05})
    step["limits"] = {"leverage": {"max": 125.0}}
    assert {
        "source_symbol": "BTC/USDT:USDT",
        "price_decimals": 1,
        "size_step": "0.00001",
        "max_leverage": 125,
    } == record_of(step, TICK_SIZE)
    digits = market("BTC/USDT", precision={"price": 8, "amount": 4})
    assert {"source_symbol": "BTC/USDT", "price_decimals": 8} == record_of(digits, DECIMAL_PLACES)
    assert {"source_symbol": "BTC/USDT"} == record_of(digits, 3)
    assert 0 == record_of(market("A/USDT", precision={"price": 10.0}), TICK_SIZE)["price_decimals"]


def test_leverage_tiers_are_brackets() -> None:
    """Floats go back to the text they were read from."""
    first = {"minNotional": 0.0, "maintenanceMarginRate": 0.004, "maxLeverage": 125.0}
    second = {"minNotional": 50000.0, "maintenanceMarginRate": 0.005, "maxLeverage": 100.0}
    document = brackets_document({"BTC/USDT:USDT": [first, second]})
    tiers = read_brackets(document).tiers["BTC"]
    assert [(0, 4_000_000, 125), (50_000_000_000, 5_000_000, 100)] == [
        (tier.lower_bound_usd, tier.maintenance_rate, tier.max_leverage) for tier in tiers
    ]


def test_addresses_keep_their_paths() -> None:
    """Only host and scheme change."""
    urls = {"a": "https://x.com/fapi/v1", "ws": {"b": "wss://{hostname}/ws", "c": None}}
    assert {"a": "http://h:1/fapi/v1", "ws": {"b": "ws://h:1/ws", "c": None}} == redirected(
        urls, "http://h:1"
    )

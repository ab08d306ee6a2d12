"""Markets as ccxt describes those of any exchange."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from suite.instrument import coin_of

QUOTES: Final = ("USDT", "USDC", "USD")
"""Currencies that prices may be in, the preferred first."""
SAME_VENUE: Final = {"binanceusdm": "binance"}
"""Exchanges of ccxt that are a venue we know by another name."""
TICK_SIZE, DECIMAL_PLACES = 4, 2
"""How an exchange states precision: as the step itself, or as digits after the point."""

_ADDRESS = re.compile(r"(https?|wss?)://[^/]*")


def markets_of(markets: Mapping[str, Any], kind: str) -> dict[str, Mapping[str, Any]]:
    """Choose one market a coin.

    Args:
        markets: as `load_markets` returns them.
        kind: `perp` or `spot`.

    Returns:
        By coin; where there are several, one that is traded now, by the order of `QUOTES`.
    """
    chosen: dict[str, Mapping[str, Any]] = {}
    for market in sorted(markets.values(), key=_rank):
        fits = bool(market.get("swap") and market.get("linear"))
        if market.get("quote") in QUOTES and (fits if kind == "perp" else market.get("spot")):
            try:
                chosen.setdefault(coin_of(market.get("baseName") or market["base"]), market)
            except ValueError:
                continue
    return chosen


def record_of(market: Mapping[str, Any], precision_mode: int) -> dict[str, Any]:
    """Write what a coin's record holds of a market.

    The step of sizes is kept for people; it makes no `sz_decimals`, as with other venues than
    Hyperliquid: the lattice of the simulated venue follows from the prices.
    """
    precision = market.get("precision") or {}
    leverage = ((market.get("limits") or {}).get("leverage") or {}).get("max")
    record = {
        "source_symbol": market["symbol"],
        "price_decimals": _digits(precision.get("price"), precision_mode),
        "size_step": None,
        "max_leverage": int(leverage) if leverage and leverage >= 1 else None,
    }
    if precision_mode == TICK_SIZE and precision.get("amount"):
        record["size_step"] = f"{Decimal(repr(precision['amount'])):f}"
    return {name: value for name, value in record.items() if value is not None}


def brackets_document(tiers: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Turn leverage tiers of ccxt into a document of brackets; its floats back into their text."""
    return {
        symbol: [
            {
                "minNotional": Decimal(repr(tier["minNotional"])),
                "maintenanceMarginRate": Decimal(repr(tier["maintenanceMarginRate"])),
                "maxLeverage": Decimal(repr(tier["maxLeverage"])),
            }
            for tier in rows
        ]
        for symbol, rows in tiers.items()
    }


def redirected(urls: Any, base: str) -> Any:
    """Put another host into all addresses of an exchange; paths stay.

    Args:
        urls: text, or mappings of it as deep as they are.
        base: `http://127.0.0.1:8100`; of sockets the scheme becomes `ws`, or `wss`.
    """
    if isinstance(urls, Mapping):
        return {name: redirected(value, base) for name, value in urls.items()}
    if not isinstance(urls, str):
        return urls
    socket = "ws" + base.removeprefix("http")
    return _ADDRESS.sub(lambda found: socket if found[1][0] == "w" else base, urls)


def _rank(market: Mapping[str, Any]) -> tuple[bool, int, str]:
    quote = market.get("quote")
    return (
        market.get("active") is False,
        QUOTES.index(quote) if quote in QUOTES else len(QUOTES),
        str(market["symbol"]),
    )


def _digits(precision: Any, mode: int) -> int | None:
    """Digits after the point of a precision; None where an exchange states significant figures."""
    if precision is None or mode not in {TICK_SIZE, DECIMAL_PLACES}:
        return None
    if mode == DECIMAL_PLACES:
        return int(precision)
    exponent = Decimal(repr(precision)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else None

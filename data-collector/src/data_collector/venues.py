"""Venues by name: how their past is reached, and what to say about what they lack."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from data_collector.adapters import binance_history, ccxt_history, hyperliquid_history
from data_collector.adapters.import_files import MarketFiles
from data_collector.application.ports import History
from data_collector.domain.ccxt_markets import redirected
from suite.errors import ConfigError
from suite.service.clock import SystemClock
from suite.service.http import is_base_url, shown

_OURS: Final = ("hyperliquid", "binance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """One venue, opened.

    Attributes:
        history: its past.
        lacks: what to say, and to do, about bars that it does not have.
    """

    history: History
    lacks: str


def open_venue(name: str, *, url: str | None = None) -> Venue:
    """Find a venue; nothing is asked yet.

    Args:
        name: `hyperliquid`, `binance`, or an exchange of ccxt; behind a slash the market, `perp`
            or `spot`. Of the first two the perpetuals are read natively, the rest through ccxt.
        url: another address than the venue's own, of all its services.

    Raises:
        ConfigError: there is no such venue, or no such market.
    """
    name, _, market = name.partition("/")
    market = market or "perp"
    if market not in {"perp", "spot"}:
        raise ConfigError(f"no market {market[:20]!r}; there are perp and spot")
    if url is not None and not is_base_url(url):
        raise ConfigError(f"--url {shown(url)[:60]!r} is no address; write http://host:port")
    if (name, market) == ("hyperliquid", "perp"):
        found = hyperliquid_history.HyperliquidHistory(url or hyperliquid_history.MAINNET)
        return Venue(history=found, lacks=hyperliquid_history.LACKS)
    if (name, market) == ("binance", "perp"):
        files = binance_history.BinanceHistory(
            lambda path, kind: MarketFiles().rows(path, kind).columns,
            _cache() / "binance",
            SystemClock().now_ms,
            bulk_url=url or binance_history.BULK,
            rest_url=url or binance_history.REST,
        )
        return Venue(history=files, lacks=binance_history.LACKS)
    api = open_exchange(name, url=url)
    past = ccxt_history.CcxtHistory(api, market, SystemClock().now_ms)
    return Venue(history=past, lacks=ccxt_history.LACKS)


def open_exchange(name: str, *, url: str | None = None, live: bool = False) -> Any:
    """Make an exchange object of ccxt, its asynchronous form.

    Args:
        name: as ccxt names it.
        url: another address for all its services.
        live: with its streams.

    Raises:
        ConfigError: ccxt has no such exchange, or no candles of it.
    """
    import ccxt.async_support
    import ccxt.pro

    library = ccxt.pro if live else ccxt.async_support
    if name not in library.exchanges:
        near = difflib.get_close_matches(name, list(dict.fromkeys([*_OURS, *library.exchanges])), 3)
        hint = f"; near are {', '.join(near)}" if near else ""
        raise ConfigError(f"no venue {name[:40]!r}: neither {', '.join(_OURS)} nor of ccxt{hint}")
    api = getattr(library, name)()
    # without trades a minute that was lost could not be told from one in which nothing happened
    for needed in ("watchOHLCV", "watchTrades") if live else ("fetchOHLCV",):
        if not api.has.get(needed):
            raise ConfigError(f"ccxt has no {needed} of {name}")
    if url is not None:
        api.urls["api"] = redirected(api.urls["api"], url.rstrip("/"))
    return api


def _cache() -> Path:
    """Where parts of files wait for the rest of them."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "autocryptotrader" / "downloads"

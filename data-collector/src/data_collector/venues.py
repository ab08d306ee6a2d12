"""Venues by name: how their past is reached, and what to say about what they lack."""

import os
from dataclasses import dataclass
from pathlib import Path

from data_collector.adapters import binance_history, hyperliquid_history
from data_collector.adapters.import_files import MarketFiles
from data_collector.application.ports import History
from suite.errors import ConfigError
from suite.service.clock import SystemClock


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
        name: `hyperliquid`, `binance`.
        url: another address than the venue's own; of Binance, of both its services.

    Raises:
        ConfigError: there is no such venue.
    """
    if name == "hyperliquid":
        found = hyperliquid_history.HyperliquidHistory(url or hyperliquid_history.MAINNET)
        return Venue(history=found, lacks=hyperliquid_history.LACKS)
    if name == "binance":
        files = binance_history.BinanceHistory(
            MarketFiles().rows,
            _cache() / "binance",
            SystemClock().now_ms,
            bulk_url=url or binance_history.BULK,
            rest_url=url or binance_history.REST,
        )
        return Venue(history=files, lacks=binance_history.LACKS)
    raise ConfigError(f"no venue {name[:40]!r}; there are hyperliquid and binance")


def _cache() -> Path:
    """Where parts of files wait for the rest of them."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "autocryptotrader" / "downloads"

"""Venues by name: how their past is reached, and what to say about what they lack."""

from dataclasses import dataclass

from data_collector.adapters.hyperliquid_history import LACKS, MAINNET, HyperliquidHistory
from data_collector.application.ports import History
from suite.errors import ConfigError


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
        name: `hyperliquid`.
        url: another address than the venue's own.

    Raises:
        ConfigError: there is no such venue.
    """
    if name == "hyperliquid":
        return Venue(history=HyperliquidHistory(url or MAINNET), lacks=LACKS)
    raise ConfigError(f"no venue {name[:40]!r}; there is hyperliquid")

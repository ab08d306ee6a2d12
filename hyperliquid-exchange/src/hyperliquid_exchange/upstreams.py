"""Which venue an address is."""

from typing import Final
from urllib.parse import urlsplit

from hyperliquid_exchange.application.venue_time import StandInClock, VenueTime
from hyperliquid_exchange.domain.accounts import Network
from hyperliquid_exchange.settings import Settings
from suite.clock import Clock
from suite.errors import ConfigError
from suite.service.settings import ServiceSettings

HOSTS: Final[dict[str, Network]] = {
    "api.hyperliquid.xyz": "mainnet",
    "api.hyperliquid-testnet.xyz": "testnet",
}
"""Hyperliquid's own."""


def is_stand_in(settings: Settings) -> bool:
    """Tell whether what is traded at is no Hyperliquid, so that example keys may sign there.

    Raises:
        ConfigError: no venue is named, it is that of the other network, or it is neither
            Hyperliquid's nor on this machine.
    """
    url = settings.upstream_url
    if url is None:
        raise ConfigError(
            "HYPERLIQUID_EXCHANGE_UPSTREAM_URL is not set: the venue's address, as "
            "https://api.hyperliquid-testnet.xyz"
        )
    parts = urlsplit(url)
    network = HOSTS.get((parts.hostname or "").rstrip("."))
    if network is not None:
        if network != settings.network:
            raise ConfigError(
                f"HYPERLIQUID_EXCHANGE_UPSTREAM_URL is {network}, HYPERLIQUID_EXCHANGE_NETWORK is "
                f"{settings.network}; both must name the network that is meant"
            )
        if parts.scheme != "https":
            raise ConfigError(f"HYPERLIQUID_EXCHANGE_UPSTREAM_URL must be https://{parts.hostname}")
        return False
    here = ServiceSettings.model_construct(host=parts.hostname or "")
    if not here.is_loopback and not settings.trusted_network:
        raise ConfigError(
            "HYPERLIQUID_EXCHANGE_UPSTREAM_URL is neither Hyperliquid's nor on this machine; a "
            "stand-in elsewhere needs TRUSTED_NETWORK=true"
        )
    return True


def time_at(upstream: StandInClock, settings: Settings, clock: Clock) -> VenueTime:
    """Tell time as the venue has it: a stand-in may own its time."""
    return VenueTime(clock, upstream if is_stand_in(settings) else None)

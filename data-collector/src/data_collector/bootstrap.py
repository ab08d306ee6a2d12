"""Putting the parts of the service together."""

from dataclasses import dataclass

from data_collector.application.reading import Klines, Snapshots
from data_collector.settings import Settings
from suite.errors import ConfigError
from suite.service.clock import SystemClock
from suite.service.kline_store import KlineStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the routes work with."""

    store: KlineStore
    klines: Klines
    snapshots: Snapshots


def build(settings: Settings) -> Container:
    """Put the service together; opens nothing.

    Raises:
        ConfigError: the store's folder does not exist.
    """
    if not settings.data.is_dir():
        raise ConfigError(f"no folder {settings.data}; data-collector import or generate makes one")
    store, clock = KlineStore(settings.data), SystemClock()
    return Container(
        store=store, klines=Klines(store, clock.now_ms), snapshots=Snapshots(store, clock.now_ms)
    )

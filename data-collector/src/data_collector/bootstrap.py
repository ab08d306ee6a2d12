"""Putting the parts of the service together."""

import time
from dataclasses import dataclass

from data_collector.application.ports import Collection
from data_collector.application.reading import Inventory, Ranges
from data_collector.application.snapshots import Snapshots
from data_collector.settings import Settings
from suite.errors import ConfigError
from suite.service.clock import SystemClock
from suite.service.kline_store import KlineStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the routes work with.

    Attributes:
        collection: None where nothing is collected.
    """

    inventory: Inventory
    ranges: Ranges
    snapshots: Snapshots
    collection: Collection | None = None


def build(settings: Settings) -> Container:
    """Put the service together; opens nothing.

    Raises:
        ConfigError: the store's folder does not exist.
    """
    if not settings.data.is_dir():
        raise ConfigError(f"no folder {settings.data}; data-collector import or generate makes one")
    store, clock = KlineStore(settings.data), SystemClock()
    inventory = Inventory(store, store, time.monotonic)
    return Container(
        inventory=inventory,
        ranges=Ranges(store, inventory, clock.now_ms),
        snapshots=Snapshots(store, inventory, clock.now_ms, time.monotonic),
    )

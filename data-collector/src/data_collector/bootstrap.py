"""Putting the parts of the service together."""

import random
import secrets
import time
from dataclasses import dataclass

from data_collector.application.ports import Collection
from data_collector.application.reading import Inventory, Ranges
from data_collector.application.snapshots import Snapshots
from data_collector.collection import CollectionOptions, LiveCollection
from data_collector.settings import Settings
from suite.errors import ConfigError
from suite.service.clock import SystemClock
from suite.service.kline_store import KlineStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the routes work with.

    Attributes:
        collection: None where nothing is collected.
        live: the same, to be run.
    """

    inventory: Inventory
    ranges: Ranges
    snapshots: Snapshots
    collection: Collection | None = None
    live: LiveCollection | None = None


def build(settings: Settings) -> Container:
    """Put the service together; opens nothing.

    Raises:
        ConfigError: the store's folder does not exist, or the venue is unknown.
    """
    if not settings.data.is_dir() and not settings.collect:
        raise ConfigError(f"no folder {settings.data}; data-collector import or generate makes one")
    store, clock = KlineStore(settings.data), SystemClock()
    live = None
    if settings.collect:
        options = CollectionOptions(
            venue=settings.collect,
            symbols=settings.symbols,
            intervals=settings.intervals,
            url=settings.url,
            flush_s=settings.flush_s,
        )
        # Unpredictable on purpose: collectors that start together must not reconnect together.
        chance = random.Random(secrets.randbits(64))  # noqa: S311 - jitter
        live = LiveCollection(
            store, settings.state_dir, options, now_ms=clock.now_ms, chance=chance
        )
    bars = live.bars if live else store
    inventory = Inventory(bars, store, time.monotonic)
    return Container(
        inventory=inventory,
        ranges=Ranges(bars, inventory, clock.now_ms),
        snapshots=Snapshots(bars, inventory, clock.now_ms, time.monotonic),
        collection=live.collector if live else None,
        live=live,
    )

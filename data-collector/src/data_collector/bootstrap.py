"""Putting the parts of the service together."""

import hashlib
import random
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from data_collector.application.ports import Collection
from data_collector.application.reading import Inventory, Ranges, recent_candles
from data_collector.application.snapshots import Snapshots
from data_collector.application.streaming import Hub
from data_collector.collection import CollectionOptions, LiveCollection
from data_collector.domain.candles import Candle, MarketEvent
from data_collector.settings import Settings
from suite.errors import ConfigError
from suite.klines import Source
from suite.service.caching import Cache
from suite.service.clock import SystemClock
from suite.service.kline_store import KlineStore, open_store
from suite.service.redis_tier import RedisTier, encrypted


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the routes work with.

    Attributes:
        hub: of the WebSocket.
        collection: None where nothing is collected.
        live: the same, to be run.
        cache: of pages of bars.
        redis: where other collectors find them too; None where there is none.
    """

    inventory: Inventory
    ranges: Ranges
    snapshots: Snapshots
    hub: Hub
    collection: Collection | None = None
    live: LiveCollection | None = None
    cache: Cache = field(default_factory=Cache)
    redis: RedisTier | None = None


def build(settings: Settings) -> Container:
    """Put the service together; opens nothing.

    Raises:
        ConfigError: the store's folder does not exist, or the venue is unknown.
    """
    store, clock = open_store(settings.data), SystemClock()
    if not store.files.exists() and not settings.collect:
        place = store.files.place
        raise ConfigError(f"no folder {place}; data-collector import or generate makes one")
    if settings.symbols and not settings.collect:
        raise ConfigError("--symbols are what is collected; name a venue with --collect")
    live = None
    if settings.collect and not settings.disable_websocket:
        options = CollectionOptions(
            venue=settings.collect,
            symbols=settings.symbols,
            intervals=settings.intervals,
            url=settings.url,
            flush_s=settings.flush_s,
            asks=not settings.disable_rest_fallback,
        )
        # Unpredictable on purpose: collectors that start together must not reconnect together.
        chance = random.Random(secrets.randbits(64))  # noqa: S311 - jitter
        live = LiveCollection(
            store, _state_dir(store, settings), options, now_ms=clock.now_ms, chance=chance
        )
    bars = live.bars if live else store
    source = live.source if live else None

    def collects(held: Source, coin: str) -> bool:
        return live is not None and held == source and live.collector.collects(coin)

    def covered_ms(held: Source, coin: str) -> int:
        return live.collector.covered_ms(coin) if live is not None and held == source else 0

    inventory = Inventory(bars, store, time.monotonic, collects)
    snapshots = Snapshots(bars, store, inventory, clock.now_ms, time.monotonic, covered_ms)
    if live is not None:
        live.collector.listen(lambda event: _touch(snapshots, event))
    redis = _redis(settings, store)
    return Container(
        cache=Cache(redis),
        redis=redis,
        inventory=inventory,
        ranges=Ranges(bars, store, inventory, clock.now_ms),
        snapshots=snapshots,
        hub=Hub(live.collector if live else None, lambda coin: recent_candles(bars, coin, source)),
        collection=live.collector if live else None,
        live=live,
    )


def _redis(settings: Settings, store: KlineStore) -> RedisTier | None:
    """What collectors of one store share, where a Redis is named."""
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    # Files of a folder differ from all others by their inodes; those of a bucket by its name.
    place = store.files.place if "://" in settings.data else ""
    name = "/".join(("data-collector", hashlib.sha256(place.encode()).hexdigest()[:16]))
    return RedisTier(encrypted(url, trusted_network=settings.trusted_network), name)


def _touch(snapshots: Snapshots, event: MarketEvent) -> None:
    """Have a bar in the snapshots as soon as it is safe."""
    if isinstance(event, Candle) and event.closed:
        snapshots.touch(event.coin)


def _state_dir(store: KlineStore, settings: Settings) -> Path:
    """Where bars wait for this store and no other: in it, or here where it is elsewhere."""
    if "://" not in settings.data:
        return store.root
    return settings.state_dir / hashlib.sha256(store.files.place.encode()).hexdigest()[:16]

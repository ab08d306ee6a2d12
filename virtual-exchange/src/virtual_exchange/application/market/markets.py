"""The markets of a process: worlds over the same data share one."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import replace
from threading import Lock
from weakref import WeakValueDictionary

import numpy as np

from suite.bars import Bars
from suite.contracts.world import WorldRequest
from virtual_exchange.application.market.building import query_of
from virtual_exchange.application.market.drawing import MaskPlan
from virtual_exchange.application.market.masking import masked, plan_of
from virtual_exchange.application.ports import MarketQuery, MarketSource
from virtual_exchange.domain.market import Market

_Key = tuple[MarketQuery, Hashable, MaskPlan | None]
_KEPT_MINUTES = 1_000_000
_COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume")


class Markets:
    """Loads each market once while anybody uses it.

    Markets of other ranges share their stored bars too, as far as these are the same.

    Args:
        source: of what is recorded.
        minutes_max: of one market, as of `MarketQuery`.
        kept_minutes: how much is held although no world uses it, the latest markets first; 88 bytes
            a minute and coin.
    """

    def __init__(
        self,
        source: MarketSource,
        *,
        minutes_max: int | None = None,
        kept_minutes: int = _KEPT_MINUTES,
    ) -> None:
        self._source = source
        self._minutes_max = minutes_max
        self._kept_minutes = kept_minutes
        self._kept: OrderedDict[_Key, Market] = OrderedDict()
        self._alive: WeakValueDictionary[_Key, Market] = WeakValueDictionary()
        self._lock = Lock()

    def of(self, request: WorldRequest, *, now_ms: int) -> Market:
        """Load the market that a request describes, behind its mask.

        Args:
            request: of the world.
            now_ms: wall time.

        Raises:
            BadRequest: something in the request cannot be.
            DataGap: the market is not stored.
            StorageError: a stored file is damaged.
        """
        query = query_of(request, self._minutes_max)
        with self._lock:
            version = self._source.version(query)
            recorded = self._recorded((query, version, None))
            plan = plan_of(request, start_ms=recorded.tape.start_ms, now_ms=now_ms)
            if plan is None:
                return recorded
            key = (query, version, plan)
            market = self._alive.get(key)
            return self._keep(key, masked(recorded, plan) if market is None else market)

    def _recorded(self, key: _Key) -> Market:
        query, market = key[0], self._alive.get(key)
        if market is None:
            market = self._sharing(self._source.load(query))
        return self._keep(key, market)

    def _keep(self, key: _Key, market: Market) -> Market:
        self._alive[key] = market
        self._kept[key] = market
        self._kept.move_to_end(key)
        while sum(map(_minutes, self._kept.values())) > self._kept_minutes and self._kept:
            self._kept.popitem(last=False)
        return market

    def _sharing(self, market: Market) -> Market:
        """Take the stored bars of markets that are there already, where they are the same."""
        history = tuple(
            next((same for held in self._held(coin) if (same := _common(held, own))), own)
            for coin, own in zip(market.coins, market.history, strict=True)
        )
        return replace(market, history=history)

    def _held(self, coin: str) -> Iterator[Bars]:
        for (_, _, plan), market in list(self._alive.items()):
            if plan is None and coin in market.coins:
                yield market.history[market.coins.index(coin)]


def _minutes(market: Market) -> int:
    return sum(map(len, market.history))


def _common(held: Bars, own: Bars) -> Bars | None:
    """The first rows of what is held, if they are exactly the new bars."""
    if held.interval_ms != own.interval_ms or len(held) < len(own):
        return None
    first = held.rows(0, len(own))
    same = all(np.array_equal(getattr(first, name), getattr(own, name)) for name in _COLUMNS)
    return first if same else None

"""Small markets in memory, and worlds made of them."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from suite.bars import MINUTE_MS, Bars
from suite.clock import ManualClock
from suite.contracts.world import AccountRequest, WorldRequest
from suite.instrument import coin_of, default_instrument
from virtual_exchange.application.market.building import CoinData, build_market
from virtual_exchange.application.ports import MarketQuery
from virtual_exchange.application.session import Session, open_session
from virtual_exchange.domain.market import Market

START_MS = 1_746_403_200_000
"""2025-05-05, a midnight."""
FIRST_PRICE = {"BTC": 94_000.0, "ETH": 1_800.0, "SOL": 145.0}


def random_bars(coin: str, count: int, *, seed: int = 1, start_ms: int = START_MS) -> Bars:
    """A random walk on the coin's lattice."""
    instrument = default_instrument(coin, 2)
    generator = np.random.default_rng([seed, *coin.encode()])
    step = generator.normal(0, 5e-4, (count, 4))
    decimals = min(instrument.price_decimals, 2)
    closes = FIRST_PRICE.get(coin, 10.0) * np.exp(np.cumsum(step[:, 0]))
    opens = np.concatenate([[FIRST_PRICE.get(coin, 10.0)], closes[:-1]]) * (1 + step[:, 1] / 10)
    opens, closes = opens.round(decimals), closes.round(decimals)
    highs = (np.maximum(opens, closes) * (1 + np.abs(step[:, 2]))).round(decimals)
    lows = (np.minimum(opens, closes) * (1 - np.abs(step[:, 3]))).round(decimals)
    highs, lows = (
        np.maximum(highs, np.maximum(opens, closes)),
        np.minimum(lows, np.minimum(opens, closes)),
    )
    volume = generator.gamma(2.0, 20.0, count).round(instrument.sz_decimals)
    times = start_ms + MINUTE_MS * np.arange(count, dtype=np.int64)
    return Bars(MINUTE_MS, times, opens, highs, lows, closes, volume)


def path_bars(rows: list[tuple[float, float, float, float]], *, volume: float = 100.0) -> Bars:
    """Bars as written: open, high, low, close."""
    table = np.array(rows, np.float64)
    times = START_MS + MINUTE_MS * np.arange(len(rows), dtype=np.int64)
    opens, highs, lows, closes = (np.ascontiguousarray(table[:, i]) for i in range(4))
    return Bars(MINUTE_MS, times, opens, highs, lows, closes, np.full(len(rows), volume))


@dataclass
class MemorySource:
    """A market source over bars in memory."""

    bars: dict[str, Bars]
    funding: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    open_interest: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def version(self, query: MarketQuery) -> Hashable:
        return tuple(id(self.bars.get(coin)) for coin in query.coins)

    def load(self, query: MarketQuery) -> Market:
        coins = []
        for name in query.coins:
            coin = coin_of(name)
            nothing = np.zeros(0, np.int64), np.zeros(0)
            times, rates = self.funding.get(coin, nothing)
            coins.append(
                CoinData(
                    instrument=default_instrument(coin, 2),
                    bars=self.bars[coin],
                    funding_time_ms=times,
                    funding_rate=rates,
                    open_interest=self.open_interest.get(coin, nothing),
                    source="memory",
                    synthetic=True,
                    manifest={"content_sha256": "0" * 64},
                )
            )
        return build_market(query, tuple(coins))


def random_source(*coins: str, count: int = 600, seed: int = 1) -> MemorySource:
    return MemorySource({coin: random_bars(coin, count, seed=seed) for coin in coins})


def open_memory_world(
    source: MemorySource,
    *,
    accounts: tuple[str, ...] = ("alice",),
    clock: ManualClock | None = None,
    encoded: bool = False,
    pace: Literal["lockstep", "paced"] = "lockstep",
    **settings: Any,
) -> Session:
    request = WorldRequest(
        clock=pace,
        symbols=settings.pop("symbols", tuple(source.bars)),
        accounts=tuple(AccountRequest(id=name) for name in accounts),
        **settings,
    )
    return open_session(request, source=source, clock=clock or ManualClock(0), encoded=encoded)


def expire(session: Session) -> None:
    """Act on those who are silent for too long, as what looks after a world does each second."""
    session.barrier.tell_missing()
    session.barrier.drop_silent(session.barrier.silent())

"""What is stored of traders, read once and gone on with, as a leaderboard needs it.

Rows of the store never change, and those of one trader are stored in the order of their time, so
what was read stays true: a further look reads what is new only. One that comes late all the same
(rows of one round that were saved in two parts) has that trader read from its beginning again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np

from suite.bars import I64
from suite.fixed import USD_ONE
from suite.ids import TraderId, WorldId
from trader_manager.application.ports import BoardReader
from trader_manager.domain.records import EMPTY_SERIES, EquitySeries, News, Reached
from trader_manager.domain.round_trips import RoundTrips

_COLUMNS: Final = tuple(one.name for one in fields(EquitySeries))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """One trader, as it was at some time.

    Attributes:
        series: its samples.
        filled_ms, traded_usd: shape (fills,), times of fills, and their notional summed up,
            micro-USD.
        closed_ms, closed_net_usd: shape (trades,), of its closed trades, micro-USD.
    """

    series: EquitySeries
    filled_ms: I64
    traded_usd: I64
    closed_ms: I64
    closed_net_usd: I64

    def until(self, since_ms: int | None, until_ms: int | None) -> "Told":
        """Cut samples to a range, and what was done to what was known at its end."""
        begin = 0 if since_ms is None else int(np.searchsorted(self.series.time_ms, since_ms))
        end = _before(self.series.time_ms, until_ms)
        fills, closed = _before(self.filled_ms, until_ms), _before(self.closed_ms, until_ms)
        return Told(
            series=EquitySeries(
                **{name: getattr(self.series, name)[begin:end] for name in _COLUMNS}
            ),
            filled_ms=self.filled_ms[:fills],
            traded_usd=self.traded_usd[:fills],
            closed_ms=self.closed_ms[:closed],
            closed_net_usd=self.closed_net_usd[:closed],
        )


_NOTHING: Final = np.zeros(0, dtype=np.int64)
UNTOLD: Final = Told(
    series=EMPTY_SERIES,
    filled_ms=_NOTHING,
    traded_usd=_NOTHING,
    closed_ms=_NOTHING,
    closed_net_usd=_NOTHING,
)
"""Of a trader of which nothing is recorded."""


class _Grown:
    """A column that grows at its end."""

    def __init__(self) -> None:
        self._kept = np.zeros(64, dtype=np.int64)
        self._length = 0

    def add(self, values: I64) -> None:
        needed = self._length + len(values)
        if needed > len(self._kept):
            # What was given away before stays as it is: it is of the old array.
            self._kept = np.concatenate(
                [self._kept[: self._length], np.zeros(max(needed, 64), dtype=np.int64)]
            )
        self._kept[self._length : needed] = values
        self._length = needed

    def view(self) -> I64:
        return self._kept[: self._length]


@dataclass(slots=True)
class _Kept:
    """What was read of one trader."""

    reached: Reached = field(default_factory=Reached)
    tids: set[int] = field(default_factory=set)
    coins: set[str] = field(default_factory=set)
    trips: RoundTrips = field(default_factory=RoundTrips)
    columns: dict[str, _Grown] = field(
        default_factory=lambda: {name: _Grown() for name in _COLUMNS}
    )
    filled_ms: _Grown = field(default_factory=_Grown)
    traded_usd: _Grown = field(default_factory=_Grown)
    closed_ms: _Grown = field(default_factory=_Grown)
    closed_net_usd: _Grown = field(default_factory=_Grown)

    def take(self, news: News) -> bool:
        """Take in what is new; False where some of it is of before what was read."""
        trades = [one for one in news.trades if one.tid not in self.tids]
        funding = [
            one
            for one in news.funding
            if one.time_ms > self.reached.funding_ms or one.coin not in self.coins
        ]
        if funding and funding[0].time_ms <= self.reached.trade_ms:
            return False
        closed = self.trips.add(trades, funding)
        self._take_series(news.series)
        summed = int(self.traded_usd.view()[-1]) if len(self.traded_usd.view()) else 0
        values = np.array([micro(one.price * one.size) for one in trades], dtype=np.int64)
        self.filled_ms.add(np.array([one.time_ms for one in trades], dtype=np.int64))
        self.traded_usd.add(np.cumsum(values) + summed)
        self.closed_ms.add(np.array([one.closed_ms for one in closed], dtype=np.int64))
        self.closed_net_usd.add(np.array([micro(one.net_usd) for one in closed], dtype=np.int64))
        trade_ms, funding_ms = self.reached.trade_ms, self.reached.funding_ms
        for trade in trades:
            if trade.time_ms > trade_ms:
                trade_ms, self.tids = trade.time_ms, set()
            self.tids.add(trade.tid)
        for payment in funding:
            if payment.time_ms > funding_ms:
                funding_ms, self.coins = payment.time_ms, set()
            self.coins.add(payment.coin)
        times = self.columns["time_ms"].view()
        self.reached = Reached(
            equity_ms=int(times[-1]) if len(times) else -1,
            trade_ms=trade_ms,
            funding_ms=funding_ms,
        )
        return True

    def _take_series(self, series: EquitySeries) -> None:
        for name in _COLUMNS:
            self.columns[name].add(getattr(series, name))

    def told(self) -> Told:
        return Told(
            series=EquitySeries(**{name: self.columns[name].view() for name in _COLUMNS}),
            filled_ms=self.filled_ms.view(),
            traded_usd=self.traded_usd.view(),
            closed_ms=self.closed_ms.view(),
            closed_net_usd=self.closed_net_usd.view(),
        )


class Histories:
    """Keeps what is stored of the traders of one world.

    Args:
        store: of the records.
    """

    def __init__(self, store: BoardReader) -> None:
        self._store = store
        self._world: WorldId | None = None
        self._kept: dict[TraderId, _Kept] = {}
        self._reading = asyncio.Lock()

    async def read(self, world: WorldId) -> Mapping[TraderId, Told]:
        """Tell all traders of which something is recorded in a world.

        Raises:
            SuiteError: the database is away.
        """
        async with self._reading:
            if world != self._world:
                self._world, self._kept = world, {}
            late: set[TraderId] = set()
            for _ in range(2):
                after = {name: one.reached for name, one in self._kept.items()}
                for name, news in (await self._store.read_on(world, after)).items():
                    if not self._kept.setdefault(name, _Kept()).take(news):
                        late.add(name)
                        del self._kept[name]
                if not late:
                    break
            return {name: one.told() for name, one in self._kept.items()}


def micro(usd: Decimal) -> int:
    """Write USD in whole micro-USD."""
    return int((usd * USD_ONE).to_integral_value(ROUND_HALF_EVEN))


def _before(times_ms: I64, until_ms: int | None) -> int:
    return len(times_ms) if until_ms is None else int(np.searchsorted(times_ms, until_ms))

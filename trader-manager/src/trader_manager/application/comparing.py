"""Who does how well, from what is stored: the leaderboard, the best of it, and histories.

    comparison = Comparison(store)
    board = await comparison.compare_performance(world, now_ms=clock.now_ms)

Source: `docs/leaderboard.md`.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, Protocol, get_args

import numpy as np

from suite.bars import I64
from suite.contracts.leaderboard import Baseline, Leaderboard, LeaderboardRow
from suite.fixed import USD_ONE
from suite.ids import TraderId, WorldId
from suite.leaderboard import BoardRules, build_leaderboard, step_of
from suite.trader_history import TraderHistory
from trader_manager.application.ports import BoardReader, RecordReader, TraderStore
from trader_manager.domain.records import EquitySeries, Trade
from trader_manager.domain.round_trips import round_trips

_AT_ONCE: Final = 4
_FLAT: Final = "flat"
"""The id of the baseline that every board has."""
_BASELINES: Final[Mapping[str, Baseline]] = {kind: kind for kind in get_args(Baseline)}
_NO_SAMPLES: Final = EquitySeries(
    **dict.fromkeys(EquitySeries.__slots__, np.zeros(0, dtype=np.int64))
)


class ComparedStore(TraderStore, RecordReader, BoardReader, Protocol):
    """Who is compared, and what is stored of them."""


class Comparison:
    """Compares the traders of a world by what is stored of them.

    Args:
        store: of the traders and their records.
    """

    def __init__(self, store: ComparedStore) -> None:
        self._store = store

    async def compare_performance(
        self,
        world: WorldId,
        *,
        now_ms: int,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> Leaderboard:
        """Compare all traders of a world over the window that they share.

        Traders that were removed are compared for as long as they are not stale, and those of which
        there is no sample are on the board too: unknown.

        Args:
            world: of them.
            now_ms: the venue's time; who has no sample of late is stale.
            since_ms: samples from then on only.
            until_ms: samples before that only; the board is then of that time.
        """
        series = await self._store.get_equity_series(world, since_ms=since_ms, until_ms=until_ms)
        traders = await self._store.list_traders(with_removed=True)
        specs = {one.trader_id: one.spec for one in traders}
        wanted = {one.trader_id for one in traders if one.removed_ms is None}
        names = sorted(series.keys() | wanted)
        trades = await self._trades(world, names, until_ms)
        groups = _groups({name: specs.get(name, {}) for name in names})
        histories = [
            _history(
                name,
                series.get(name, _NO_SAMPLES),
                trades[name],
                group=groups.get(name),
                spec=specs.get(name, {}),
            )
            for name in names
        ]
        at_ms = now_ms if until_ms is None else min(now_ms, until_ms)
        first_ms = min((int(one.time_ms[0]) for one in series.values()), default=at_ms)
        return build_leaderboard(
            histories,
            BoardRules(
                now_ms=at_ms,
                step_ms=step_of(max(0, at_ms - first_ms)),
                with_flat=TraderId(_FLAT) not in names,
            ),
        )

    async def get_best_performer(self, world: WorldId, *, now_ms: int) -> LeaderboardRow | None:
        """Find the first competitor of the board; `tied_with` says who may be as good.

        Args:
            world: of the traders.
            now_ms: the venue's time.

        Returns:
            None where nobody is ranked that is no baseline.
        """
        board = await self.compare_performance(world, now_ms=now_ms)
        ranked = (row for row in board.rows if row.standing == "ranked" and row.baseline is None)
        return next(ranked, None)

    async def get_history(
        self,
        world: WorldId,
        trader_id: TraderId,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> EquitySeries:
        """Read the samples of one trader; `since_ms` is included, `until_ms` is not."""
        found = await self._store.get_equity_series(
            world, trader_id=trader_id, since_ms=since_ms, until_ms=until_ms
        )
        return found.get(trader_id, _NO_SAMPLES)

    async def _trades(
        self, world: WorldId, names: Sequence[TraderId], until_ms: int | None
    ) -> Mapping[TraderId, tuple[Trade, ...]]:
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(name: TraderId) -> tuple[Trade, ...]:
            async with places:
                return await self._store.get_trades(world, name, until_ms=until_ms)

        found = await asyncio.gather(*(one(name) for name in names))
        return dict(zip(names, found, strict=True))


def _history(
    name: TraderId,
    series: EquitySeries,
    trades: Sequence[Trade],
    *,
    group: str | None,
    spec: Mapping[str, Any],
) -> TraderHistory:
    strategy = spec.get("strategy", {})
    seed = strategy.get("params", {}).get("seed")
    closed = round_trips(trades)
    return TraderHistory(
        trader_id=name,
        time_ms=series.time_ms,
        equity_usd=series.equity_usd,
        deposits_usd=series.net_deposits_usd,
        costs_usd=series.llm_cost_usd,
        notional_usd=series.notional_usd,
        traded_usd=_traded(trades, series.time_ms),
        tokens=series.llm_tokens,
        closed_time_ms=np.array([trip.closed_ms for trip in closed], dtype=np.int64),
        closed_net_usd=np.array([_micro(trip.net_usd) for trip in closed], dtype=np.int64),
        group=group,
        seed=seed if isinstance(seed, int) else None,
        baseline=_BASELINES.get(strategy.get("kind", "")),
    )


def _traded(trades: Sequence[Trade], times_ms: I64) -> I64:
    """Notional of all fills up to each of some times, micro-USD."""
    filled_ms = np.array([trade.time_ms for trade in trades], dtype=np.int64)
    values = [0, *(_micro(trade.price * trade.size) for trade in trades)]
    summed = np.cumsum(np.array(values, dtype=np.int64))
    found: I64 = summed[np.searchsorted(filled_ms, times_ms, side="right")]
    return found


def _groups(specs: Mapping[TraderId, Mapping[str, Any]]) -> Mapping[TraderId, str]:
    """Find what two or more traders have in common: their model, else their name."""
    shared: dict[TraderId, str] = {}
    for name, spec in specs.items():
        model = spec.get("strategy", {}).get("params", {}).get("model")
        called = model if isinstance(model, str) and model else spec.get("name", "")
        if called:
            shared[name] = called
    counts = Counter(shared.values())
    return {name: group for name, group in shared.items() if counts[group] > 1}


def _micro(usd: Decimal) -> int:
    return int((usd * USD_ONE).to_integral_value(ROUND_HALF_EVEN))

"""Who does how well, from what is stored: the leaderboard, the best of it, and histories.

    comparison = Comparison(store)
    board = await comparison.compare_performance(world, now_ms=clock.now_ms)

Source: `docs/leaderboard.md`.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol, get_args

import msgspec
import numpy as np

from strategy_core.llm.cutoff import memory_of
from suite.bars import I64
from suite.contracts.leaderboard import Baseline, Leaderboard, LeaderboardRow, Memory
from suite.ids import TraderId, WorldId
from suite.leaderboard import BoardRules, build_leaderboard, step_of
from suite.trader_history import TraderHistory
from trader_manager.application.histories import UNTOLD, Histories, Told
from trader_manager.application.ports import BoardReader, RecordReader, TraderStore
from trader_manager.domain.records import EMPTY_SERIES, EquitySeries

_FLAT: Final = "flat"
"""The id of the baseline that every board has."""
_BASELINES: Final[Mapping[str, Baseline]] = {kind: kind for kind in get_args(Baseline)}


class ComparedStore(TraderStore, RecordReader, BoardReader, Protocol):
    """Who is compared, and what is stored of them."""


class Comparison:
    """Compares the traders of a world by what is stored of them.

    Args:
        store: of the traders and their records.
    """

    def __init__(self, store: ComparedStore) -> None:
        self._store = store
        self._histories = Histories(store)

    async def compare_performance(
        self,
        world: WorldId,
        *,
        now_ms: int,
        since_ms: int | None = None,
        until_ms: int | None = None,
        trader_ids: Collection[TraderId] | None = None,
    ) -> Leaderboard:
        """Compare traders of a world over the window that they share.

        Traders that were removed are compared for as long as they are not stale, or where they are
        named; those of which there is no sample are on the board too: unknown.

        Args:
            world: of them.
            now_ms: the venue's time; who has no sample of late is stale.
            since_ms: samples from then on only.
            until_ms: samples before that only; the board is then of that time.
            trader_ids: who is compared; all when not given.
        """
        told = await self._histories.read(world)
        cut = {name: one.until(since_ms, until_ms) for name, one in told.items()}
        traders = await self._store.list_traders(with_removed=True)
        specs = {one.trader_id: one.spec for one in traders}
        wanted = {one.trader_id for one in traders if one.removed_ms is None}
        known = {name for name, one in cut.items() if len(one.series.time_ms)}
        removed = specs.keys() - wanted
        # A removed trader of the baseline's name is no other than the baseline.
        everybody = (known | wanted) - (removed & {TraderId(_FLAT)})
        names = sorted(everybody if trader_ids is None else set(trader_ids))
        groups = _groups({name: specs.get(name, {}) for name in names})
        histories = [
            replace(
                _history(name, cut.get(name), group=groups.get(name), spec=specs.get(name, {})),
                removed=name in removed,
            )
            for name in names
        ]
        at_ms = now_ms if until_ms is None else min(now_ms, until_ms)
        sampled = [one.time_ms for one in histories if len(one.time_ms)]
        first_ms = min((int(times[0]) for times in sampled), default=at_ms)
        board = await asyncio.to_thread(
            build_leaderboard,
            histories,
            BoardRules(
                now_ms=at_ms,
                step_ms=step_of(max(0, at_ms - first_ms)),
                with_flat=TraderId(_FLAT) not in names,
                with_removed=trader_ids is not None,
            ),
        )
        return await self._with_models(world, board, specs)

    async def _with_models(
        self, world: WorldId, board: Leaderboard, specs: Mapping[TraderId, Mapping[str, Any]]
    ) -> Leaderboard:
        """Say of traders that ask a language model what it may remember, and whose bill it was."""
        remembered = {
            row.trader_id: memory
            for row in board.rows
            if (memory := _memory(row, specs.get(TraderId(row.trader_id), {}))) is not None
        }
        if not remembered:
            return board
        replaying = await self._store.replaying(world, [TraderId(name) for name in remembered])
        rows = tuple(
            msgspec.structs.replace(
                row,
                memory=remembered.get(row.trader_id),
                is_replayed=TraderId(row.trader_id) in replaying,
            )
            for row in board.rows
        )
        return msgspec.structs.replace(board, rows=rows)

    async def get_best_performer(self, world: WorldId, *, now_ms: int) -> LeaderboardRow | None:
        """Find the first competitor of the board; `tied_with` says who may be as good.

        Args:
            world: of the traders.
            now_ms: the venue's time.

        Returns:
            None where nobody is ranked that is no baseline.
        """
        return best_of(await self.compare_performance(world, now_ms=now_ms))

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
        return found.get(trader_id, EMPTY_SERIES)


def best_of(board: Leaderboard) -> LeaderboardRow | None:
    """Find the first competitor of a board; None where nobody is ranked that is no baseline."""
    ranked = (row for row in board.rows if row.standing == "ranked" and row.baseline is None)
    return next(ranked, None)


def _memory(row: LeaderboardRow, spec: Mapping[str, Any]) -> Memory | None:
    """Judge by the venue's dates: whether a market is generated or masked, no trader is told."""
    if row.own_from_ms is None:
        return None
    return memory_of(spec.get("strategy", {}), row.own_from_ms)


def _history(
    name: TraderId, told: Told | None, *, group: str | None, spec: Mapping[str, Any]
) -> TraderHistory:
    strategy = spec.get("strategy", {})
    seed = strategy.get("params", {}).get("seed")
    one = told or UNTOLD
    return TraderHistory(
        trader_id=name,
        time_ms=one.series.time_ms,
        equity_usd=one.series.equity_usd,
        deposits_usd=one.series.net_deposits_usd,
        costs_usd=one.series.llm_cost_usd,
        notional_usd=one.series.notional_usd,
        traded_usd=_traded(one),
        tokens=one.series.llm_tokens,
        closed_time_ms=one.closed_ms,
        closed_net_usd=one.closed_net_usd,
        group=group,
        seed=seed if isinstance(seed, int) else None,
        baseline=_BASELINES.get(strategy.get("kind", "")),
    )


def _traded(one: Told) -> I64:
    """Notional of all fills up to each sample, micro-USD."""
    summed = np.concatenate([np.zeros(1, dtype=np.int64), one.traded_usd])
    found: I64 = summed[np.searchsorted(one.filled_ms, one.series.time_ms, side="right")]
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

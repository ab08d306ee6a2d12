"""What a leaderboard and a restart need of a whole world."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Final

import numpy as np

from suite.fixed import Usd
from suite.ids import TraderId, WorldId
from suite.service.sql import Row
from trader_manager.adapters.postgres.layouts import TRADES
from trader_manager.adapters.postgres.records import payment_of, trade_of
from trader_manager.adapters.postgres.tables import Tables
from trader_manager.domain.records import (
    EMPTY_SERIES,
    EquitySample,
    EquitySeries,
    News,
    Progress,
    Reached,
    TraderPerformance,
    TradeTotals,
)

_BIGINT_MAX: Final = (1 << 63) - 1
_MONEY: Final = ("equity", "net_deposits", "fees", "funding", "llm_cost", "notional")
_TOTALS: Final = """
SELECT trader_id, count(*) AS trades,
    count(*) FILTER (WHERE closed_pnl > 0) AS winning,
    count(*) FILTER (WHERE closed_pnl < 0) AS losing,
    sum(px * sz) AS volume_usd,
    coalesce(sum(closed_pnl) FILTER (WHERE closed_pnl > 0), 0) AS gross_profit_usd,
    coalesce(sum(closed_pnl) FILTER (WHERE closed_pnl < 0), 0) AS gross_loss_usd,
    sum(fee) AS fees_usd, min(time_ms) AS first_ms, max(time_ms) AS last_ms
FROM trader_trades WHERE world = $1 AND ($2::text IS NULL OR trader_id = $2) GROUP BY trader_id
"""


def _end(order: str, *, of: str = "$2::text") -> str:
    """Write the query for the first or last sample of each trader.

    One look into the index for each trader, not one for each sample.

    Args:
        order: `ASC` for the first, `DESC` for the last.
        of: a single trader; of all where it is null.
    """
    return f"""
WITH RECURSIVE sampled AS (
    SELECT min(trader_id) AS trader_id FROM equity
    WHERE world = $1 AND ({of} IS NULL OR trader_id = {of})
    UNION ALL
    SELECT (SELECT min(e.trader_id) FROM equity e
            WHERE e.world = $1 AND e.trader_id > s.trader_id AND {of} IS NULL)
    FROM sampled s WHERE s.trader_id IS NOT NULL
)
SELECT e.* FROM sampled s CROSS JOIN LATERAL (
    SELECT * FROM equity WHERE world = $1 AND trader_id = s.trader_id
    ORDER BY time_ms {order} LIMIT 1
) AS e"""


_PROGRESS: Final = f"""
SELECT trader_id, sum(trades)::bigint AS trades, sum(decisions)::bigint AS decisions,
    max(last_trade_ms) AS last_trade_ms, max(last_equity_ms) AS last_equity_ms,
    max(last_decision) AS last_decision
FROM (
    SELECT trader_id, count(*) AS trades, 0 AS decisions, max(time_ms) AS last_trade_ms,
        NULL::bigint AS last_equity_ms, NULL::bigint AS last_decision
    FROM trader_trades WHERE world = $1 GROUP BY trader_id
    UNION ALL
    SELECT trader_id, 0, 0, NULL, time_ms, NULL FROM (
        {_end("DESC", of="NULL::text")}
    ) AS ends
    UNION ALL
    SELECT trader_id, 0, count(*), NULL, NULL, max(number)
    FROM decisions WHERE world = $1 GROUP BY trader_id
) AS parts GROUP BY trader_id ORDER BY trader_id
"""


_SAMPLED: Final = """
WITH RECURSIVE sampled AS (
    SELECT min(trader_id) AS trader_id FROM equity WHERE world = $1
    UNION ALL
    SELECT (SELECT min(e.trader_id) FROM equity e WHERE e.world = $1 AND e.trader_id > s.trader_id)
    FROM sampled s WHERE s.trader_id IS NOT NULL
)
SELECT trader_id FROM sampled WHERE trader_id IS NOT NULL
"""


def _since(table: str, columns: str, order: str, *, comparison: str) -> str:
    """Write the query for rows of each trader since some time of its own: a look into the index."""
    return (
        f"SELECT r.trader_id, {columns} FROM unnest($2::text[], $3::bigint[]) AS w(name, since)"
        f" CROSS JOIN LATERAL (SELECT * FROM {table} WHERE world = $1 AND trader_id = w.name"
        f" AND time_ms {comparison} w.since) AS r {order}"
    )


_REPLAYING: Final = """
SELECT r.trader_id
FROM unnest($2::text[]) AS r(trader_id)
JOIN LATERAL (
    SELECT d.body->'llm'->>'source' AS source FROM decisions AS d
    WHERE d.world = $1 AND d.trader_id = r.trader_id AND d.body->'llm' ? 'source'
    ORDER BY d.number DESC LIMIT 1
) AS latest ON latest.source = 'replay'
"""


class BoardTables(Tables):
    """Sums and series over the records."""

    async def get_trader_performance(
        self, world: WorldId, trader_id: TraderId
    ) -> TraderPerformance:
        """Sum up one trader."""
        found = await self._performance(world, trader_id)
        nothing = TraderPerformance(
            trader_id=trader_id, first=None, last=None, totals=TradeTotals()
        )
        return found.get(trader_id, nothing)

    async def list_performance(self, world: WorldId) -> Mapping[TraderId, TraderPerformance]:
        """Sum up all traders of which something is recorded in the world."""
        return await self._performance(world, None)

    async def get_equity_series(
        self,
        world: WorldId,
        *,
        trader_id: TraderId | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> Mapping[TraderId, EquitySeries]:
        """Read the samples of all traders, or of one."""
        columns = ("time_ms", *_MONEY, "llm_tokens")
        packed = ", ".join(f"array_agg({name} ORDER BY time_ms) AS {name}" for name in columns)
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                f"SELECT trader_id, {packed} FROM equity WHERE world = $1"
                " AND time_ms >= $2 AND time_ms < $3 AND ($4::text IS NULL OR trader_id = $4)"
                " GROUP BY trader_id ORDER BY trader_id",
                world,
                since_ms if since_ms is not None else -_BIGINT_MAX,
                until_ms if until_ms is not None else _BIGINT_MAX,
                trader_id,
            )
        return {TraderId(row["trader_id"]): _series_of(row, columns) for row in rows}

    async def read_on(
        self, world: WorldId, after: Mapping[TraderId, Reached]
    ) -> Mapping[TraderId, News]:
        """Read all traders of a world on from where they were read."""
        columns = ("time_ms", *_MONEY, "llm_tokens")
        packed = ", ".join(f"array_agg({name} ORDER BY time_ms) AS {name}" for name in columns)
        trades = ", ".join(f"r.{name}" for name, _ in TRADES.columns if name != "trader_id")
        async with self._database.transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = [TraderId(row["trader_id"]) for row in await connection.fetch(_SAMPLED, world)]
            names = sorted({*found, *after})
            since = [after.get(name, Reached()) for name in names]
            series = await connection.fetch(
                _since("equity", packed, "GROUP BY r.trader_id", comparison=">"),
                *(world, names, [one.equity_ms for one in since]),
            )
            filled = await connection.fetch(
                _since("trader_trades", trades, "ORDER BY r.time_ms, r.tid", comparison=">="),
                *(world, names, [one.trade_ms for one in since]),
            )
            paid = await connection.fetch(
                _since(
                    "trader_funding",
                    "r.time_ms, r.coin, r.received",
                    "ORDER BY r.time_ms, r.coin",
                    comparison=">=",
                ),
                *(world, names, [one.funding_ms for one in since]),
            )
        samples = {TraderId(row["trader_id"]): _series_of(row, columns) for row in series}
        fills, payments = _grouped(filled), _grouped(paid)
        return {
            name: News(
                series=samples.get(name, EMPTY_SERIES),
                trades=tuple(map(trade_of, fills.get(name, ()))),
                funding=tuple(payment_of(row, world) for row in payments.get(name, ())),
            )
            for name in names
        }

    async def get_progress(self, world: WorldId) -> Mapping[TraderId, Progress]:
        """Read how far each trader is recorded."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_PROGRESS, world)
        return {
            TraderId(row["trader_id"]): Progress(
                trades=row["trades"],
                decisions=row["decisions"],
                last_trade_ms=row["last_trade_ms"],
                last_equity_ms=row["last_equity_ms"],
                last_decision=row["last_decision"],
            )
            for row in rows
        }

    async def replaying(self, world: WorldId, names: Sequence[TraderId]) -> frozenset[TraderId]:
        """Find those of some traders whose latest answer of a model came from a cassette."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_REPLAYING, world, list(names))
        return frozenset(TraderId(row["trader_id"]) for row in rows)

    async def _performance(
        self, world: WorldId, trader_id: TraderId | None
    ) -> dict[TraderId, TraderPerformance]:
        async with self._database.transaction() as connection:
            # One picture: rows that come meanwhile are in all three answers or in none.
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            totals = _by_trader(await connection.fetch(_TOTALS, world, trader_id))
            first = _by_trader(await connection.fetch(_end("ASC"), world, trader_id))
            last = _by_trader(await connection.fetch(_end("DESC"), world, trader_id))
        return {
            name: TraderPerformance(
                trader_id=name,
                first=_sample_of(first[name]) if name in first else None,
                last=_sample_of(last[name]) if name in last else None,
                totals=_totals_of(totals[name]) if name in totals else TradeTotals(),
            )
            for name in sorted(totals.keys() | last.keys())
        }


def _grouped(rows: Sequence[Row]) -> dict[TraderId, list[Row]]:
    grouped: dict[TraderId, list[Row]] = {}
    for row in rows:
        grouped.setdefault(TraderId(row["trader_id"]), []).append(row)
    return grouped


def _by_trader(rows: Sequence[Row]) -> dict[TraderId, Row]:
    return {TraderId(row["trader_id"]): row for row in rows}


def _series_of(row: Row, columns: Sequence[str]) -> EquitySeries:
    arrays = [np.array(row[name], dtype=np.int64) for name in columns]
    return EquitySeries(
        **{field.name: array for field, array in zip(fields(EquitySeries), arrays, strict=True)}
    )


def _sample_of(row: Row) -> EquitySample:
    return EquitySample(
        world=WorldId(row["world"]),
        trader_id=TraderId(row["trader_id"]),
        time_ms=row["time_ms"],
        equity_usd=Usd(row["equity"]),
        net_deposits_usd=Usd(row["net_deposits"]),
        fees_usd=Usd(row["fees"]),
        funding_usd=Usd(row["funding"]),
        llm_cost_usd=Usd(row["llm_cost"]),
        notional_usd=Usd(row["notional"]),
        llm_tokens=row["llm_tokens"],
    )


def _totals_of(row: Row) -> TradeTotals:
    return TradeTotals(**{field.name: row[field.name] for field in fields(TradeTotals)})

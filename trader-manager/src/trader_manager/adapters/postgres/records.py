"""What traders did, written and read row by row.

A row that is there already is compared with the one given: an equal one is left alone, one that
differs is told and the whole batch refused. So any batch may be sent again.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from suite.enums import Side
from suite.errors import BadRequest, Conflict
from suite.fixed import USD_ONE, Usd
from suite.ids import Cloid, Oid, TraderId, WorldId
from suite.service.sql import Connection, Row
from trader_manager.adapters.postgres.layouts import (
    DECISIONS,
    EQUITY,
    FUNDING,
    TRADES,
    Layout,
)
from trader_manager.adapters.postgres.leases import hold
from trader_manager.adapters.postgres.tables import Tables, refuse_no_json
from trader_manager.domain.records import (
    NO_BILL,
    Batch,
    Decision,
    EquitySample,
    FundingPayment,
    ModelBill,
    OpenPosition,
    Positions,
    Trade,
)
from trader_manager.domain.traders import Lease

_BIGINT_MAX: Final = (1 << 63) - 1
_Stored: TypeAlias = Trade | FundingPayment | EquitySample | Decision


_PUT_POSITIONS: Final = """
INSERT INTO trader_positions AS p (world, trader_id, time_ms, positions) VALUES ($1, $2, $3, $4)
ON CONFLICT (world, trader_id) DO UPDATE
SET time_ms = excluded.time_ms, positions = excluded.positions
WHERE p.time_ms < excluded.time_ms
   OR (p.time_ms = excluded.time_ms AND p.positions <> excluded.positions)
"""

_BILL: Final = r"""
SELECT
    coalesce(sum(CASE WHEN body->'llm'->>'llm_cost_usd' ~ '^\d{1,12}(\.\d{1,18})?$'
        THEN (body->'llm'->>'llm_cost_usd')::numeric ELSE 0 END), 0) AS usd,
    coalesce(sum(CASE WHEN body->'llm'->>'tokens' ~ '^\d{1,12}$'
        THEN (body->'llm'->>'tokens')::numeric ELSE 0 END), 0) AS tokens
FROM decisions
WHERE world = $1 AND trader_id = $2 AND jsonb_typeof(body->'llm') = 'object'
"""
"""What a trader's process tells may be anything: only numbers count."""


class RecordTables(Tables):
    """The tables of what traders did: fills, funding, positions, equity and decisions."""

    async def save_records(self, batch: Batch, *, lease: Lease | None = None) -> int:
        """Store rows together or not at all."""
        rows: list[tuple[Layout, Sequence[_Stored]]] = [
            (TRADES, batch.trades),
            (FUNDING, batch.funding),
            (EQUITY, batch.equity),
            (DECISIONS, batch.decisions),
        ]
        everything = [row for _, some in rows for row in some] + list(batch.positions)
        if lease is not None:
            for row in everything:
                if row.trader_id != lease.trader_id:
                    raise BadRequest(
                        f"a row of trader {row.trader_id} came under the lease of {lease.trader_id}"
                    )
        for decision in batch.decisions:
            refuse_no_json(decision.body, f"decision {decision.number} of {decision.trader_id}")
        added = 0
        async with self._database.transaction() as connection:
            if lease is not None:
                await hold(connection, lease)
            for layout, some in rows:
                added += await _add(connection, layout, some)
            for positions in sorted(batch.positions, key=lambda p: (p.world, p.trader_id)):
                put = await connection.execute(
                    _PUT_POSITIONS,
                    positions.world,
                    positions.trader_id,
                    positions.time_ms,
                    msgspec.to_builtins(positions.positions),
                )
                added += _count(put)
        return added

    async def save_trade(self, trade: Trade, *, lease: Lease | None = None) -> int:
        """Store one fill."""
        return await self.save_records(Batch(trades=(trade,)), lease=lease)

    async def get_trades(
        self,
        world: WorldId,
        trader_id: TraderId,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> tuple[Trade, ...]:
        """Read fills by time and `tid`."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                f"SELECT {TRADES.names} FROM trader_trades WHERE world = $1 AND trader_id = $2"
                " AND time_ms >= $3 AND time_ms < $4 ORDER BY time_ms, tid",
                world,
                trader_id,
                since_ms if since_ms is not None else -_BIGINT_MAX,
                until_ms if until_ms is not None else _BIGINT_MAX,
            )
        return tuple(trade_of(row) for row in rows)

    async def get_funding(
        self,
        world: WorldId,
        trader_id: TraderId,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> tuple[FundingPayment, ...]:
        """Read funding payments by time and coin."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                "SELECT trader_id, time_ms, coin, received FROM trader_funding WHERE world = $1"
                " AND trader_id = $2 AND time_ms >= $3 AND time_ms < $4 ORDER BY time_ms, coin",
                world,
                trader_id,
                since_ms if since_ms is not None else -_BIGINT_MAX,
                until_ms if until_ms is not None else _BIGINT_MAX,
            )
        return tuple(payment_of(row, world) for row in rows)

    async def get_positions(self, world: WorldId) -> Mapping[TraderId, Positions]:
        """Read the latest positions of all traders of a world."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                "SELECT trader_id, time_ms, positions FROM trader_positions"
                " WHERE world = $1 ORDER BY trader_id",
                world,
            )
        return {
            TraderId(row["trader_id"]): Positions(
                world=world,
                trader_id=TraderId(row["trader_id"]),
                time_ms=row["time_ms"],
                positions=msgspec.convert(row["positions"], tuple[OpenPosition, ...]),
            )
            for row in rows
        }

    async def get_decisions(
        self, world: WorldId, trader_id: TraderId, *, after: int = -1, limit: int = 1000
    ) -> tuple[Decision, ...]:
        """Read decisions with a number above `after`, in order."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                "SELECT number, time_ms, body FROM decisions WHERE world = $1 AND trader_id = $2"
                " AND number > $3 ORDER BY number LIMIT $4",
                world,
                trader_id,
                after,
                limit,
            )
        return tuple(
            Decision(
                world=world,
                trader_id=trader_id,
                number=row["number"],
                time_ms=row["time_ms"],
                body=row["body"],
            )
            for row in rows
        )

    async def get_model_bill(self, world: WorldId, trader_id: TraderId) -> ModelBill:
        """Sum up what its recorded decisions cost at language models."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_BILL, world, trader_id)
        if row is None:
            return NO_BILL
        return ModelBill(usd=Usd(int(row["usd"] * USD_ONE)), tokens=int(row["tokens"]))


async def _add(connection: Connection, layout: Layout, rows: Sequence[_Stored]) -> int:
    """Add the rows that are not there.

    Raises:
        Conflict: one is there and differs.
    """
    if not rows:
        return 0
    columns = [list(column) for column in zip(*map(layout.values, rows), strict=True)]
    added = _count(await connection.execute(layout.insert, *columns))
    if added < len(rows):
        differing = await connection.fetchrow(layout.differing, *columns)
        if differing is not None:
            key = ", ".join(f"{name} {value}" for name, value in differing.items())
            raise Conflict(f"{layout.table} has another row of {key}")
    return added


def _count(status: str) -> int:
    """Read how many rows a statement touched."""
    return int(status.rpartition(" ")[2])


def payment_of(row: Row, world: WorldId) -> FundingPayment:
    """Read a row of `trader_funding`."""
    return FundingPayment(
        world=world,
        trader_id=TraderId(row["trader_id"]),
        time_ms=row["time_ms"],
        coin=row["coin"],
        received_usd=row["received"],
    )


def trade_of(row: Row) -> Trade:
    """Read a row of `trader_trades`."""

    def exact(name: str) -> Decimal:
        value: Decimal = row[name]
        return value

    return Trade(
        world=WorldId(row["world"]),
        trader_id=TraderId(row["trader_id"]),
        tid=row["tid"],
        oid=Oid(row["oid"]),
        time_ms=row["time_ms"],
        coin=row["coin"],
        side=Side(row["side"]),
        price=exact("px"),
        size=exact("sz"),
        start_position=exact("start_position"),
        closed_pnl_usd=exact("closed_pnl"),
        fee_usd=exact("fee"),
        is_taker=row["is_taker"],
        direction=row["direction"],
        cloid=None if row["cloid"] is None else Cloid(row["cloid"]),
    )

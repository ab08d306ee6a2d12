"""What traders did, written and read row by row.

A row that is there already is compared with the one given: an equal one is left alone, one that
differs is told and the whole batch refused. So any batch may be sent again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from suite.enums import Side
from suite.errors import BadRequest, Conflict
from suite.ids import Cloid, Oid, TraderId, WorldId
from suite.service.sql import Connection, Row
from trader_manager.adapters.postgres.leases import hold
from trader_manager.adapters.postgres.tables import Tables, refuse_no_json
from trader_manager.domain.records import (
    Batch,
    Decision,
    EquitySample,
    OpenPosition,
    Positions,
    Trade,
)
from trader_manager.domain.traders import Lease

_BIGINT_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one kind of row is stored.

    Attributes:
        table: its name.
        key: how many of the columns, the first ones, tell rows apart.
        columns: name and type of each.
        values: of a row, in that order.
    """

    table: str
    key: int
    columns: tuple[tuple[str, str], ...]
    values: Callable[[Any], tuple[object, ...]]

    @property
    def names(self) -> str:
        """The columns, as SQL lists them."""
        return ", ".join(name for name, _ in self.columns)

    @property
    def given(self) -> str:
        """Rows from one array a column, as a table `g`."""
        # An array of jsonb would need a codec of its own: it comes as text.
        arrays = ", ".join(
            f"${index}::{'text' if kind == 'jsonb' else kind}[]"
            for index, (_, kind) in enumerate(self.columns, 1)
        )
        cast = ", ".join(f"{name}::{kind}" for name, kind in self.columns)
        return f"(SELECT {cast} FROM unnest({arrays}) AS u ({self.names})) AS g"

    @property
    def insert(self) -> str:
        """Add the rows that are not there."""
        return (
            f"INSERT INTO {self.table} ({self.names}) SELECT {self.names} FROM {self.given}"
            f" ORDER BY {self._numbers} ON CONFLICT DO NOTHING"
        )

    @property
    def differing(self) -> str:
        """Find the key of a row that is there and differs."""
        key = [name for name, _ in self.columns[: self.key]]
        rest = [name for name, _ in self.columns[self.key :]]
        return (
            f"SELECT {', '.join(key)} FROM {self.given} JOIN {self.table} t"
            f" USING ({', '.join(key)})"
            f" WHERE ({', '.join(f'g.{name}' for name in rest)})"
            f" IS DISTINCT FROM ({', '.join(f't.{name}' for name in rest)})"
            f" ORDER BY {self._numbers} LIMIT 1"
        )

    @property
    def _numbers(self) -> str:
        """The key's columns by number: writers who lock in one order never wait in a circle."""
        return ", ".join(str(number) for number in range(1, self.key + 1))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


TRADES: Final = Layout(
    table="trader_trades",
    key=3,
    columns=(
        ("world", "text"),
        ("trader_id", "text"),
        ("tid", "bigint"),
        ("oid", "bigint"),
        ("time_ms", "bigint"),
        ("coin", "text"),
        ("side", "smallint"),
        ("px", "numeric"),
        ("sz", "numeric"),
        ("start_position", "numeric"),
        ("closed_pnl", "numeric"),
        ("fee", "numeric"),
        ("is_taker", "boolean"),
        ("direction", "text"),
        ("cloid", "text"),
    ),
    values=lambda row: (
        row.world,
        row.trader_id,
        row.tid,
        row.oid,
        row.time_ms,
        row.coin,
        row.side.value,
        row.price,
        row.size,
        row.start_position,
        row.closed_pnl_usd,
        row.fee_usd,
        row.is_taker,
        row.direction,
        row.cloid,
    ),
)
EQUITY: Final = Layout(
    table="equity",
    key=3,
    columns=(
        ("world", "text"),
        ("trader_id", "text"),
        ("time_ms", "bigint"),
        ("equity", "bigint"),
        ("net_deposits", "bigint"),
        ("fees", "bigint"),
        ("funding", "bigint"),
        ("llm_cost", "bigint"),
        ("notional", "bigint"),
        ("llm_tokens", "bigint"),
    ),
    values=lambda row: (
        row.world,
        row.trader_id,
        row.time_ms,
        row.equity_usd,
        row.net_deposits_usd,
        row.fees_usd,
        row.funding_usd,
        row.llm_cost_usd,
        row.notional_usd,
        row.llm_tokens,
    ),
)
DECISIONS: Final = Layout(
    table="decisions",
    key=3,
    columns=(
        ("world", "text"),
        ("trader_id", "text"),
        ("number", "bigint"),
        ("time_ms", "bigint"),
        ("body", "jsonb"),
    ),
    values=lambda row: (row.world, row.trader_id, row.number, row.time_ms, _json(row.body)),
)
_PUT_POSITIONS: Final = """
INSERT INTO trader_positions AS p (world, trader_id, time_ms, positions) VALUES ($1, $2, $3, $4)
ON CONFLICT (world, trader_id) DO UPDATE
SET time_ms = excluded.time_ms, positions = excluded.positions
WHERE p.time_ms < excluded.time_ms
   OR (p.time_ms = excluded.time_ms AND p.positions <> excluded.positions)
"""


class RecordTables(Tables):
    """The tables `trader_trades`, `trader_positions`, `equity` and `decisions`."""

    async def save_records(self, batch: Batch, *, lease: Lease | None = None) -> int:
        """Store rows together or not at all."""
        rows: list[tuple[Layout, Sequence[Trade | EquitySample | Decision]]] = [
            (TRADES, batch.trades),
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
        return tuple(_trade_of(row) for row in rows)

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


async def _add(
    connection: Connection, layout: Layout, rows: Sequence[Trade | EquitySample | Decision]
) -> int:
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


def _trade_of(row: Row) -> Trade:
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

"""How rows of what traders did are stored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec


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
FUNDING: Final = Layout(
    table="trader_funding",
    key=4,
    columns=(
        ("world", "text"),
        ("trader_id", "text"),
        ("time_ms", "bigint"),
        ("coin", "text"),
        ("received", "numeric"),
    ),
    values=lambda row: (row.world, row.trader_id, row.time_ms, row.coin, row.received_usd),
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

"""Rows of traders as files: CSV for people and spreadsheets, Parquet for programs."""

import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from portfolio_service.application.answers import TraderRow

_EXACT: Final = pa.decimal128(24, 6)
_TEXTS: Final = ("id", "name", "kind", "account", "status", "reason", "source")
_MONEY: Final = (
    *("pnl", "realized_usd", "unrealized_usd", "fees_usd", "funding_usd", "llm_cost_usd"),
    *("difference_usd", "equity_usd", "net_deposits_usd", "notional_usd", "allocation"),
)
_NUMBERS: Final = ("roi", "sharpe", "drawdown", "max_drawdown", "health")
_COUNTS: Final = ("fills", "wins", "losses", "sampled_ms", "seen_ms")
_COLUMNS: Final[Mapping[str, pa.DataType]] = {
    **dict.fromkeys(_TEXTS, pa.string()),
    **dict.fromkeys(_MONEY, _EXACT),
    **dict.fromkeys(_NUMBERS, pa.float64()),
    **dict.fromkeys(_COUNTS, pa.int64()),
}
_SCHEMA: Final = pa.schema(_COLUMNS)


class PortfolioExports:
    """A `PortfolioFiles`; money is in USD, exact."""

    def write(self, rows: Sequence[TraderRow], form: str) -> bytes:
        """Write all of them."""
        table = pa.Table.from_pylist([_row(one) for one in rows], schema=_SCHEMA)
        file = io.BytesIO()
        if form == "parquet":
            pyarrow.parquet.write_table(table, file, compression="zstd")
        else:
            pyarrow.csv.write_csv(_plain(table), file)
        return file.getvalue()


def _row(one: TraderRow) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _SCHEMA.names}


def _plain(table: pa.Table) -> pa.Table:
    """Make texts of exact numbers: the library writes some of them with an exponent."""
    columns = [
        pa.array([_digits(value) for value in column.to_pylist()], pa.string())
        if pa.types.is_decimal(column.type)
        else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _digits(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"

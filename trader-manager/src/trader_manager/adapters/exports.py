"""What is stored of a world as files: CSV for people and spreadsheets, Parquet for programs."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from suite.ids import TraderId, WorldId
from trader_manager.application.exporting import Form, Kind
from trader_manager.application.ports import BoardReader, RecordReader
from trader_manager.domain.records import Decision, EquitySeries, Trade

_PAGE: Final = 1000
_ROWS: Final = 10_000
"""Fills that are written at a time."""
_MONEY: Final = (
    *("equity_usd", "net_deposits_usd", "fees_usd"),
    *("funding_usd", "llm_cost_usd", "notional_usd"),
)
_EXACT: Final = pa.decimal128(38, 10)
_TRADES: Final[Mapping[str, pa.DataType]] = {
    "trader_id": pa.string(),
    "time_ms": pa.int64(),
    "tid": pa.int64(),
    "oid": pa.int64(),
    "coin": pa.string(),
    "side": pa.string(),
    "price": _EXACT,
    "size": _EXACT,
    "start_position": _EXACT,
    "closed_pnl_usd": _EXACT,
    "fee_usd": _EXACT,
    "is_taker": pa.bool_(),
    "direction": pa.string(),
    "cloid": pa.string(),
}
_DECISIONS: Final[Mapping[str, pa.DataType]] = {
    "trader_id": pa.string(),
    "number": pa.int64(),
    "time_ms": pa.int64(),
    "body": pa.string(),
}
_SAMPLES: Final[Mapping[str, pa.DataType]] = {
    "trader_id": pa.string(),
    "time_ms": pa.int64(),
    **{name.removesuffix("usd") + "micro_usd": pa.int64() for name in _MONEY},
    "llm_tokens": pa.int64(),
}
_SCHEMAS: Final[Mapping[Kind, pa.Schema]] = {
    "equity": pa.schema(_SAMPLES),
    "trades": pa.schema(_TRADES),
    "decisions": pa.schema(_DECISIONS),
}


class ExportedStore(RecordReader, BoardReader, Protocol):
    """What is written to files."""


class Exports:
    """A `RecordFiles`.

    Money of samples is in whole micro-USD (`..._micro_usd`), that of fills in USD, ten digits
    after the point in Parquet and as many as there are in CSV; times are epoch ms of the world.

    Args:
        store: of the records.
    """

    def __init__(self, store: ExportedStore) -> None:
        self._store = store

    async def export(
        self, world: WorldId, trader_ids: Sequence[TraderId], kind: Kind, form: Form
    ) -> AsyncIterator[bytes]:
        """Write a file, piece by piece: a few rows of one trader after the other.

        Raises:
            SuiteError: the database is away; what was written then is no whole file.
        """
        file = _Pieces()
        schema = _SCHEMAS[kind]
        writer = _writer(file, schema if form == "parquet" else _plain_schema(schema), form)
        try:
            async for table in self._tables(world, trader_ids, kind):
                rows = table if form == "parquet" else await asyncio.to_thread(_plain, table)
                await asyncio.to_thread(writer.write_table, rows)
                if piece := file.take():
                    yield piece
        except BaseException:
            with suppress(Exception):
                writer.close()
            raise
        await asyncio.to_thread(writer.close)
        yield file.take()

    async def _tables(
        self, world: WorldId, trader_ids: Sequence[TraderId], kind: Kind
    ) -> AsyncIterator[pa.Table]:
        for name in trader_ids:
            match kind:
                case "equity":
                    series = await self._store.get_equity_series(world, trader_id=name)
                    if name in series:
                        yield await asyncio.to_thread(_equity, name, series[name])
                case "trades":
                    trades = await self._store.get_trades(world, name)
                    for begin in range(0, len(trades), _ROWS):
                        rows = trades[begin : begin + _ROWS]
                        yield await asyncio.to_thread(_table, [*map(_trade, rows)], _TRADES)
                case "decisions":
                    async for page in self._decisions(world, name):
                        yield await asyncio.to_thread(_table, [*map(_decision, page)], _DECISIONS)

    async def _decisions(
        self, world: WorldId, name: TraderId
    ) -> AsyncIterator[tuple[Decision, ...]]:
        after = -1
        while page := await self._store.get_decisions(world, name, after=after, limit=_PAGE):
            yield page
            after = page[-1].number
            if len(page) < _PAGE:
                return


class _Pieces(io.RawIOBase):
    """A file that is taken away as it grows."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        """Take what was written since the last time."""
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


def _writer(file: _Pieces, schema: pa.Schema, form: Form) -> Any:
    sink: Any = pa.PythonFile(file, mode="w")
    if form == "csv":
        return pyarrow.csv.CSVWriter(sink, schema)
    return pyarrow.parquet.ParquetWriter(sink, schema, compression="zstd")


def _table(rows: list[dict[str, object]], columns: Mapping[str, pa.DataType]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    """Make texts of exact numbers: the library writes some of them as 0E-10."""
    return pa.schema(
        [
            pa.field(one.name, pa.string() if pa.types.is_decimal(one.type) else one.type)
            for one in schema
        ]
    )


def _plain(table: pa.Table) -> pa.Table:
    """Write exact numbers without an exponent, and with no more digits than they have."""
    columns = [
        pa.array(map(_digits, column.to_pylist()), pa.string())
        if pa.types.is_decimal(column.type)
        else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=_plain_schema(table.schema))


def _digits(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _equity(name: TraderId, series: EquitySeries) -> pa.Table:
    whole = [getattr(series, column) for column in ("time_ms", *_MONEY, "llm_tokens")]
    names = pa.array([name] * len(series.time_ms), pa.string())
    return pa.Table.from_arrays([names, *map(pa.array, whole)], schema=_SCHEMAS["equity"])


def _trade(row: Trade) -> dict[str, object]:
    side = row.side.name.lower()
    return {name: getattr(row, name) for name in _TRADES} | {"side": side}


def _decision(row: Decision) -> dict[str, object]:
    body = msgspec.json.encode(row.body).decode()
    return {"trader_id": row.trader_id, "number": row.number, "time_ms": row.time_ms, "body": body}

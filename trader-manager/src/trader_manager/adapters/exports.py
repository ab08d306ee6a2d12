"""What is stored of a world as files: CSV for people and spreadsheets, Parquet for programs."""

import io
from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from suite.ids import TraderId, WorldId
from trader_manager.application.ports import BoardReader, RecordReader
from trader_manager.domain.records import Decision, EquitySeries, Trade

Kind: TypeAlias = Literal["equity", "trades", "decisions"]
Form: TypeAlias = Literal["csv", "parquet"]

_PAGE: Final = 1000
_EQUITY: Final = (
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


class ExportedStore(RecordReader, BoardReader, Protocol):
    """What is written to files."""


class Exports:
    """Writes what is stored of traders.

    Money of samples is in whole micro-USD (`..._micro_usd`), that of fills in USD with ten digits
    after the point; times are epoch ms of the world.

    Args:
        store: of the records.
    """

    def __init__(self, store: ExportedStore) -> None:
        self._store = store

    async def export(
        self, world: WorldId, trader_ids: Sequence[TraderId], kind: Kind, form: Form
    ) -> bytes:
        """Write a file.

        Args:
            world: of the traders.
            trader_ids: whose rows; in this order.
            kind: what of them.
            form: of the file.

        Raises:
            SuiteError: the database is away.
        """
        match kind:
            case "equity":
                series = await self._store.get_equity_series(world)
                table = _equity({name: series[name] for name in trader_ids if name in series})
            case "trades":
                trades = [
                    trade
                    for name in trader_ids
                    for trade in await self._store.get_trades(world, name)
                ]
                table = pa.Table.from_pylist(
                    [_trade(row) for row in trades], schema=pa.schema(_TRADES)
                )
            case "decisions":
                found = [row for name in trader_ids for row in await self._decisions(world, name)]
                table = pa.Table.from_pylist(
                    [_decision(row) for row in found], schema=pa.schema(_DECISIONS)
                )
        file = io.BytesIO()
        if form == "csv":
            pyarrow.csv.write_csv(table, file)
        else:
            pyarrow.parquet.write_table(table, file, compression="zstd")
        return file.getvalue()

    async def _decisions(self, world: WorldId, name: TraderId) -> list[Decision]:
        found: list[Decision] = []
        while True:
            after = found[-1].number if found else -1
            page = await self._store.get_decisions(world, name, after=after, limit=_PAGE)
            found += page
            if len(page) < _PAGE:
                return found


def _equity(series: Mapping[TraderId, EquitySeries]) -> pa.Table:
    def column(name: str) -> list[int]:
        return [value for one in series.values() for value in getattr(one, name).tolist()]

    names = [name for name, one in series.items() for _ in range(len(one.time_ms))]
    whole = {
        "time_ms": column("time_ms"),
        **{name.removesuffix("usd") + "micro_usd": column(name) for name in _EQUITY},
        "llm_tokens": column("llm_tokens"),
    }
    columns = {name: pa.array(values, pa.int64()) for name, values in whole.items()}
    return pa.table({"trader_id": pa.array(names, pa.string()), **columns})


def _trade(row: Trade) -> dict[str, object]:
    side = row.side.name.lower()
    return {name: getattr(row, name) for name in _TRADES} | {"side": side}


def _decision(row: Decision) -> dict[str, object]:
    body = msgspec.json.encode(row.body).decode()
    return {"trader_id": row.trader_id, "number": row.number, "time_ms": row.time_ms, "body": body}

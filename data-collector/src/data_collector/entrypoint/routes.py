"""The data contract, `GET /gpt-latest/{symbol}` and `GET /klines/{symbol}`, and what is stored.

All of it reads public market data and is open, as the same routes of the virtual exchange are.
"""

from typing import Any, Protocol

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from data_collector.application.ports import BarReader, Records
from data_collector.application.reading import Klines, Snapshots, coverage_rows
from suite.bars import Bars
from suite.contracts.market_data import ARROW, JSON
from suite.errors import BadRequest
from suite.klines import COLUMNS
from suite.moments import parse_moment, parse_timestamp
from suite.service.kline_files import array_of


class Store(BarReader, Records, Protocol):
    """Where coverage is looked up."""


def make_router(store: Store, klines: Klines, snapshots: Snapshots) -> APIRouter:
    """Make the routes.

    Args:
        store: where coverage is looked up.
        klines: bars by range.
        snapshots: the market at a moment.
    """
    router = APIRouter()

    @router.get("/coverage", summary="What is stored: from, to, bars, gaps, where it came from")
    def get_coverage() -> Response:
        return _json(coverage_rows(store, store))

    @router.get("/klines/{symbol:path}", summary="Closed bars, at most the last 5000 of the range")
    def get_klines(
        request: Request,
        symbol: str,
        interval: str = "1m",
        start: str | None = None,
        end: str | None = None,
    ) -> Response:
        bars = klines.read(symbol, interval, _moment(start), _moment(end))
        if ARROW in request.headers.get("accept", ""):
            return Response(_arrow(bars), media_type=ARROW)
        return _json(_rows(bars))

    @router.get("/gpt-latest/{symbol:path}", summary="One coin's market at a moment")
    def get_latest(symbol: str, timestamp: str | None = None) -> Response:
        try:
            as_of_ms = None if timestamp is None else parse_timestamp(timestamp)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        return _json(snapshots.build(symbol, as_of_ms))

    return router


def _moment(text: str | None) -> int | None:
    try:
        return None if text is None else parse_moment(text)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)


def _rows(bars: Bars) -> list[dict[str, Any]]:
    columns = (getattr(bars, name).tolist() for name in COLUMNS)
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]


def _arrow(bars: Bars) -> bytes:
    """Encode bars as an Arrow IPC stream."""
    import pyarrow as pa

    arrays = [array_of(getattr(bars, name)) for name in COLUMNS]
    table = pa.Table.from_arrays(arrays, names=list(COLUMNS))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()

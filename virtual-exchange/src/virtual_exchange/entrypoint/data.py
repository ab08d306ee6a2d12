"""The data contract: `GET /gpt-latest/{symbol}` and `GET /klines/{symbol}`."""

from collections.abc import Mapping
from typing import Any

import msgspec
from numpy.typing import NDArray

from suite.contracts.market_data import ARROW, JSON, Kline, MarketSnapshot
from suite.errors import BadRequest
from suite.klines import COLUMNS
from suite.moments import parse_range, parse_timestamp
from suite.service.requests import prefers
from virtual_exchange.entrypoint.asgi import Answer, Call, Doc, Route, answer


async def gpt_latest(call: Call) -> Answer:
    """`GET /gpt-latest/{symbol}`."""
    timestamp = call.query().get("timestamp")
    try:
        as_of_ms = None if timestamp is None else parse_timestamp(timestamp)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return answer(call.session.data.snapshot(call.path("symbol"), as_of_ms))


async def klines(call: Call) -> Answer:
    """`GET /klines/{symbol}`, as JSON or, when asked for in `Accept`, as an Arrow stream."""
    query = call.query()
    try:
        start, end = parse_range(query.get("start"), query.get("end"))
    except ValueError as error:
        raise BadRequest(str(error)) from None
    bars, complete = call.session.data.klines(
        call.path("symbol"), query.get("interval", "1m"), start, end
    )
    accept = next((v for n, v in call.scope["headers"] if n == b"accept"), b"")
    columns = {name: getattr(bars, name) for name in COLUMNS} | {"complete": complete}
    if prefers(accept.decode("latin-1"), ARROW, JSON):
        return Answer(body=_arrow(columns), media_type=ARROW.encode())
    cells = (column.tolist() for column in columns.values())
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]
    return Answer(body=msgspec.json.encode(rows))


def _arrow(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode columns as an Arrow IPC stream."""
    import pyarrow as pa

    arrays = [pa.array(column) for column in columns.values()]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


ROUTES = (
    Route(
        method="GET",
        path="/gpt-latest/{symbol}",
        handler=gpt_latest,
        doc=Doc(
            summary="One coin's market: ticker, book, funding, indicators and bars by interval",
            response=MarketSnapshot,
            query={"timestamp": "seconds, or ms above 1e11; never in the future; default now"},
        ),
    ),
    Route(
        method="GET",
        path="/klines/{symbol}",
        handler=klines,
        doc=Doc(
            summary="Closed bars, at most the last 5000 of the range",
            response=list[Kline],
            query={
                "interval": "1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h, 1d; default 1m",
                "start": "first open time, ms or ISO date",
                "end": "exclusive, ms or ISO date; never in the future; default now",
            },
        ),
    ),
)

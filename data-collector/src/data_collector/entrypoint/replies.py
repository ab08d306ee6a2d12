"""Answers with a name: whoever has one already is told so instead of being sent it again."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from data_collector.application.reading import Rows
from suite.bodies import Encoded
from suite.contracts.market_data import ARROW, JSON
from suite.klines import Source
from suite.service.kline_files import array_of
from suite.service.requests import prefers

NOT_MODIFIED: Final = 304
SOURCE: Final = "x-source"
"""Header that names where rows are from, `venue/market`."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def tagged(
    request: Request,
    answer: Encoded,
    *,
    media_type: str = JSON,
    headers: Mapping[str, str] = _NOTHING,
) -> Response:
    """Answer with a strong ETag, or with 304 where the caller has that very body.

    Args:
        request: what is answered.
        answer: the body and its name.
        media_type: of the body.
        headers: others than those of every answer.
    """
    tag = f'"{answer.digest}"'
    headers = {"etag": tag, "cache-control": "no-cache", **headers}
    if has_it(request.headers.get("if-none-match"), tag):
        return Response(status_code=NOT_MODIFIED, headers=headers)
    return Response(answer.body, media_type=media_type, headers=headers)


def json_reply(request: Request, value: object) -> Response:
    """Answer with JSON."""
    return tagged(request, Encoded.of(msgspec.json.encode(value)))


def rows_reply(request: Request, rows: Rows) -> Response:
    """Answer with the rows of a table: as JSON, or as an Arrow stream where that is accepted."""
    form = form_of(request)
    return tagged(request, encoded(rows, form), media_type=form, headers=headers_of(rows.source))


def headers_of(source: Source) -> dict[str, str]:
    """What an answer with rows says besides."""
    return {SOURCE: str(source), "vary": "accept"}


def form_of(request: Request) -> str:
    """Choose the media type of rows."""
    return ARROW if prefers(request.headers.get("accept", ""), ARROW, JSON) else JSON


def encoded(rows: Rows, form: str) -> Encoded:
    """Encode rows in the form that was chosen."""
    columns = rows.columns
    if form == ARROW:
        return Encoded.of(_arrow(columns))
    names, cells = tuple(columns), (column.tolist() for column in columns.values())
    objects = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
    return Encoded.of(msgspec.json.encode(objects))


def has_it(if_none_match: str | None, tag: str) -> bool:
    """Say whether a caller that sent `If-None-Match` has what the tag names."""
    if if_none_match is None:
        return False
    known = (item.strip().removeprefix("W/") for item in if_none_match.split(","))
    return any(item in {tag, "*"} for item in known)


def _arrow(columns: Mapping[str, NDArray[Any]]) -> bytes:
    import pyarrow as pa

    arrays = [
        pa.array(c.tolist()) if c.dtype == np.bool_ else array_of(c) for c in columns.values()
    ]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()

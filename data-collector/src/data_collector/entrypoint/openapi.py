"""The API description: FastAPI's, with the shapes and examples of the answers put in."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from data_collector.entrypoint.examples import EXAMPLES
from suite.contracts.market_data import (
    ARROW,
    JSON,
    Collected,
    CollectionResult,
    CollectionStarted,
    FundingRate,
    Kline,
    MarketSnapshot,
    OpenInterest,
    StoredDays,
    StoredSeries,
    Symbol,
)

_BAD: Final = {"400": "something in the request cannot be, or has not happened yet"}
_MISSING: Final = {"404": "no such symbol, or nothing stored for that time"}
_DAMAGED: Final = {"500": "a stored file is damaged; the text names it"}
_READ: Final = _BAD | _MISSING | _DAMAGED
_CONTROL: Final = {
    "401": "no token, or an unknown one",
    "403": "the token does not cover this",
    "409": "this service collects nothing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doc:
    """What the description says of a route besides its parameters.

    Attributes:
        answer: type of the body.
        errors: status to meaning.
        arrow: the rows are an Arrow stream too.
        guarded: needs the operator's token.
        query: meaning of query parameters.
    """

    answer: Any
    errors: dict[str, str]
    arrow: bool = False
    guarded: bool = False
    query: dict[str, str] = field(default_factory=dict)


_RANGE: Final = {
    "start": "first moment, ms or ISO date; never in the future",
    "end": "exclusive, ms or ISO date; never in the future",
}
_INTERVALS: Final = "1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h, 1d"
DOCS: Final[dict[tuple[str, str], Doc]] = {
    ("GET", "/coverage"): Doc(answer=list[StoredSeries], errors=_DAMAGED),
    ("GET", "/coverage/{symbol}"): Doc(answer=list[StoredDays], errors=_MISSING | _DAMAGED),
    ("GET", "/symbols"): Doc(answer=list[Symbol], errors=_DAMAGED),
    ("GET", "/klines/{symbol}"): Doc(
        answer=list[Kline],
        errors=_READ,
        arrow=True,
        query={"interval": _INTERVALS, **_RANGE},
    ),
    ("GET", "/funding/{symbol}"): Doc(
        answer=list[FundingRate], errors=_READ, arrow=True, query=_RANGE
    ),
    ("GET", "/open-interest/{symbol}"): Doc(
        answer=list[OpenInterest], errors=_READ, arrow=True, query=_RANGE
    ),
    ("GET", "/gpt-latest/{symbol}"): Doc(
        answer=MarketSnapshot,
        errors=_READ,
        query={"timestamp": "seconds, or ms above 1e11; never in the future; default the newest"},
    ),
    ("GET", "/collection"): Doc(answer=list[Collected], errors={}),
    ("POST", "/collection/{symbol}"): Doc(
        answer=list[Collected],
        errors=_BAD | _MISSING | _CONTROL,
        guarded=True,
        query={"intervals": f"of {_INTERVALS}, separated by commas"},
    ),
    ("DELETE", "/collection/{symbol}"): Doc(
        answer=list[Collected], errors=_MISSING | _CONTROL, guarded=True
    ),
    ("GET", "/start-collection/{symbol}"): Doc(
        answer=CollectionStarted,
        errors=_BAD | _MISSING | _CONTROL,
        guarded=True,
        query={"intervals": "minutes, separated by commas"},
    ),
    ("GET", "/task-result/{task_id}"): Doc(
        answer=CollectionResult, errors={"404": "no such task", "409": _CONTROL["409"]}
    ),
}
"""Every route; a test holds this to the routes there are."""


def describe_with(app: FastAPI) -> None:
    """Have the application describe itself."""

    def openapi() -> dict[str, Any]:
        described = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemas, components = msgspec.json.schema_components(
            [doc.answer for doc in DOCS.values()],
            schema_hook=lambda _: {"description": "any JSON value"},
            ref_template="#/components/schemas/{name}",
        )
        for (key, doc), schema in zip(DOCS.items(), schemas, strict=True):
            method, path = key
            _fill(described["paths"][path][method.lower()], doc, schema, EXAMPLES[key])
        described["components"] = {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        }
        return described

    app.openapi = openapi  # type: ignore[method-assign]


def _fill(operation: dict[str, Any], doc: Doc, schema: dict[str, Any], example: Any) -> None:
    content: dict[str, Any] = {JSON: {"schema": schema, "example": example}}
    headers: dict[str, Any] = {"ETag": {"schema": {"type": "string"}}}
    if doc.arrow:
        headers["X-Source"] = {"schema": {"type": "string"}, "description": "`venue/market`"}
        content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    text = {"text/plain": {"schema": {"type": "string"}}}
    operation["responses"] = {
        "200": {
            "description": "the answer",
            "headers": headers,
            "content": content,
        },
        **({} if doc.guarded else {"304": {"description": "If-None-Match names the answer"}}),
        **{status: {"description": why, "content": text} for status, why in doc.errors.items()},
    }
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in doc.query:
            parameter["description"] = doc.query[parameter["name"]]
    if doc.guarded:
        operation["security"] = [{"token": []}]
        operation["description"] = "Needs the operator's token."

"""What a caller is told when a request fails: one place, one clear line of plain text.

Texts of malformed bodies are Hyperliquid's own. Plain text is on purpose: the venue answers so, and
its SDK breaks on JSON error bodies that lack two certain keys. The stable machine-readable name of
a fault is in the header `x-error-code`, a wait in `retry-after` (seconds).
"""

import math
import re
from typing import Final, TypeVar

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from suite.contracts.choices import with_choices
from suite.contracts.decimals import odd_decimal
from suite.errors import SuiteError, Unauthorized, one_line
from suite.service.statuses import status_of

NOT_JSON: Final = "Failed to parse the request body as JSON"
WRONG_SHAPE: Final = "Failed to deserialize the JSON body into the target type"
WRONG_QUERY: Final = "Failed to deserialize query string"
WRONG_PATH: Final = "Invalid URL"
NOT_DECLARED_JSON: Final = "Expected request with `Content-Type: application/json`"
TOO_LARGE: Final = "the request body is larger than {limit} bytes"

_MAYBE_ODD: Final = re.compile(rb'"[0-9eE+.-]*[_\\\s\x80-\xff]')
"""Found in every body with a number in odd notation, and seldom in another."""

T = TypeVar("T")


def fault_response(fault: SuiteError) -> Response:
    """Render a fault as a reply."""
    headers = {"x-error-code": fault.code}
    if fault.retry_after_ms is not None:
        headers["retry-after"] = str(math.ceil(fault.retry_after_ms / 1000))
    if isinstance(fault, Unauthorized):
        headers["www-authenticate"] = "Bearer"
    return PlainTextResponse(one_line(str(fault)), status_of(fault), headers)


def decode_body(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a JSON body with msgspec; for routes without FastAPI's own decoding.

    Raises:
        HTTPException: 400 when it is not JSON, 422 when it has another shape.
    """
    try:
        value = decoder.decode(body)
        odd = _MAYBE_ODD.search(body) and odd_decimal(value, msgspec.json.decode(body))
    except msgspec.ValidationError as error:
        text = f"{WRONG_SHAPE}: {with_choices(str(error), decoder.type)}"
        raise HTTPException(422, one_line(text)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HTTPException(400, NOT_JSON) from None
    if odd:
        raise HTTPException(422, one_line(f"{WRONG_SHAPE}: Invalid decimal string - at `{odd}`"))
    return value


async def on_fault(_request: Request, error: Exception) -> Response:
    """Handle a fault that a route raised."""
    if not isinstance(error, SuiteError):
        raise error
    return fault_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Handle an HTTP status that a route or the router raised."""
    if not isinstance(error, HTTPException):
        raise error
    detail = str(error.detail)
    if error.status_code == 404 and detail == "Not Found":
        detail = f"no such route: {request.method} {request.url.path}"
    elif error.status_code == 405:
        detail = f"{request.method} is not allowed on {request.url.path}"
    return PlainTextResponse(one_line(detail), error.status_code, error.headers)


async def on_invalid_request(_request: Request, error: Exception) -> Response:
    """Handle a request that does not fit a route's declared types."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return PlainTextResponse(NOT_JSON, 400)
    where, *path = (str(part) for part in first["loc"])
    if where == "query" and first["type"] == "missing":
        lacking = f"the query names no {path[0]}: write ?{path[0]}=..."
        return PlainTextResponse(one_line(lacking), 422)
    text = {"query": WRONG_QUERY, "path": WRONG_PATH}.get(where, WRONG_SHAPE)
    name = f" at {'.'.join(path)}" if path else ""
    return PlainTextResponse(one_line(f"{text}: {first['msg']}{name}"), 422)

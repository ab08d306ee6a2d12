"""The API description, made from the table of routes."""

from collections.abc import Iterable
from typing import Any

from suite.service import raw_openapi
from virtual_exchange.entrypoint.asgi import Route
from virtual_exchange.entrypoint.examples import EXAMPLES

_MADE = {
    ("POST", "/worlds"): "201",
    ("POST", "/worlds/{id}/accounts"): "201",
    ("POST", "/backtest/run"): "202",
}
"""Status of what answers otherwise than with 200."""
_ERRORS = {
    "400": "not JSON, or something in it cannot be",
    "401": "no token, or an unknown one",
    "403": "the token does not cover this",
    "404": "no such world, symbol or job",
    "409": "the present state does not allow it",
    "413": "the body is larger than the limit",
    "422": "JSON of another shape",
    "429": "too much at once",
}
_TEXT = (
    "Routes of a market are served for the default world at the root, and for every other world "
    "below `/w/{world_id}`."
)


def describe(routes: Iterable[Route], *, title: str, version: str) -> dict[str, Any]:
    """Write an OpenAPI document.

    Args:
        routes: all of them; those of a world are described once, at the root.
        title, version: of the service.
    """
    info = {"title": title, "version": version, "description": _TEXT}
    return raw_openapi.describe(routes, info=info, examples=EXAMPLES, errors=_ERRORS, made=_MADE)

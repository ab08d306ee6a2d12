"""The API description, made from the table of routes."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from virtual_exchange.entrypoint.asgi import JSON, OPEN, SIGNED, Route
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


def describe(routes: Iterable[Route], *, title: str, version: str) -> dict[str, Any]:
    """Write an OpenAPI document.

    Args:
        routes: all of them; those of a world are described once, at the root.
        title, version: of the service.
    """
    routes = tuple(routes)
    types = [t for r in routes for t in (r.doc.request, r.doc.response) if t is not None]
    schemas, components = msgspec.json.schema_components(
        types, schema_hook=_anything, ref_template="#/components/schemas/{name}"
    )
    schema_of = {id(t): schema for t, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": "Routes of a market are served for the default world at the root, and "
            "for every other world below `/w/{world_id}`.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _anything(_type: type) -> dict[str, Any]:
    """Schema of a field that may hold any JSON value."""
    return {"description": "any JSON value"}


def _operation(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    doc, example = route.doc, EXAMPLES[route.method, route.path]
    names = re.findall(r"{(\w+)}", route.path)
    ok: dict[str, Any] = {"description": "the answer"}
    if doc.response is not None:
        content = {"schema": schema_of[id(doc.response)], "example": example.response}
        ok["content"] = {JSON.decode(): content}
    operation: dict[str, Any] = {
        "summary": doc.summary,
        "operationId": f"{route.method.lower()}_{re.sub('[^a-z]+', '_', route.path.lower())}",
        "parameters": [
            *(
                {"name": n, "in": "path", "required": True, "schema": {"type": "string"}}
                for n in names
            ),
            *(
                {"name": n, "in": "query", "description": text, "schema": {"type": "string"}}
                for n, text in doc.query.items()
            ),
            *(
                {"name": n, "in": "header", "description": text, "schema": {"type": "string"}}
                for n, text in doc.headers.items()
            ),
        ],
        "responses": {
            _MADE.get((route.method, route.path), "200"): ok,
            **{code: {"description": text} for code, text in _ERRORS.items()},
        },
    }
    if doc.request is not None:
        content = {"schema": schema_of[id(doc.request)], "example": example.request}
        operation["requestBody"] = {"required": True, "content": {JSON.decode(): content}}
    if route.scope not in {OPEN, SIGNED}:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs a token that covers `{route.scope}`."
    return operation

"""The API description of raw routes, made from their table."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from suite.service.raw_routes import JSON, OPEN, SIGNED, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Bodies of one call as JSON values; None where there is none."""

    request: Any = None
    response: Any = None


def describe(
    routes: Iterable[Route[Any]],
    *,
    info: Mapping[str, str],
    examples: Mapping[tuple[str, str], Example],
    errors: Mapping[str, str],
    made: Mapping[tuple[str, str], str] | None = None,
) -> dict[str, Any]:
    """Write an OpenAPI document.

    Args:
        routes: all of them.
        info: title, version and description of the service.
        examples: of every route, by method and path.
        errors: what each status of a failure means.
        made: status of what answers otherwise than with 200.
    """
    routes = tuple(routes)
    types = [t for r in routes for t in (r.doc.request, r.doc.response) if t is not None]
    schemas, components = msgspec.json.schema_components(
        types, schema_hook=_anything, ref_template="#/components/schemas/{name}"
    )
    schema_of = {id(t): schema for t, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        name = route.method, route.path
        operation = _operation(route, schema_of, examples[name])
        operation["responses"] = {
            (made or {}).get(name, "200"): operation["responses"],
            **{code: {"description": text} for code, text in errors.items()},
        }
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": dict(info),
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _anything(_type: type) -> dict[str, Any]:
    """Schema of a field that may hold any JSON value."""
    return {"description": "any JSON value"}


def _operation(route: Route[Any], schema_of: dict[int, Any], example: Example) -> dict[str, Any]:
    doc = route.doc
    names = re.findall(r"{(\w+)}", route.path)
    ok: dict[str, Any] = {"description": "the answer"}
    if doc.response is not None:
        content = {"schema": schema_of[id(doc.response)], "example": example.response}
        ok["content"] = {JSON.decode(): content}
    operation: dict[str, Any] = {
        "summary": doc.summary,
        "operationId": f"{route.method.lower()}_{re.sub('[^a-z]+', '_', route.path.lower())}",
        "parameters": [
            *(_parameter(n, "path") | {"required": True} for n in names),
            *(_parameter(n, "query") | {"description": text} for n, text in doc.query.items()),
            *(_parameter(n, "header") | {"description": text} for n, text in doc.headers.items()),
        ],
        "responses": ok,
    }
    if doc.request is not None:
        content = {"schema": schema_of[id(doc.request)], "example": example.request}
        operation["requestBody"] = {"required": True, "content": {JSON.decode(): content}}
    if route.scope not in {OPEN, SIGNED}:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs a token that covers `{route.scope}`."
    return operation


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": {"type": "string"}}

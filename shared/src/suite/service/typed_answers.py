"""The API description of routes that answer with msgspec's types, which FastAPI does not know."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

Operation: TypeAlias = Mapping[str, Any]
Refusals: TypeAlias = Callable[[str, str, Operation], Mapping[str, str]]
"""What each status means that an operation refuses with: of its method and its path."""

_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}


def describe_with(
    app: FastAPI,
    answers: Mapping[tuple[str, str], Any],
    refusals: Refusals,
    *,
    exact_as_numbers: bool = False,
) -> None:
    """Have the application describe itself.

    Args:
        app: with all its routes.
        answers: types of answers that FastAPI does not know, by method and path.
        refusals: FastAPI knows what it refuses itself only.
        exact_as_numbers: decimals of answers are numbers, not texts.
    """

    def openapi() -> dict[str, Any]:
        described = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemas, components = msgspec.json.schema_components(
            list(answers.values()), ref_template="#/components/schemas/{name}"
        )
        if exact_as_numbers:
            schemas, components = _numbers(schemas), _numbers(components)
        for (method, path), schema in zip(answers, schemas, strict=True):
            operation = described["paths"][path][method.lower()]
            content = {"application/json": {"schema": schema}}
            operation["responses"]["200"] = {"description": "the answer", "content": content}
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                _add_refusals(operation, refusals(method, path, operation))
        kept = described.setdefault("components", {})
        kept["schemas"] = {**kept.get("schemas", {}), **components}
        kept["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
        return described

    app.openapi = openapi  # type: ignore[method-assign]


def _numbers(schema: Any) -> Any:
    """Describe decimals as numbers."""
    match schema:
        case {"type": "string", "format": "decimal", **rest}:
            return {**rest, "type": "number"}
        case dict():
            return {name: _numbers(value) for name, value in schema.items()}
        case list() | tuple():
            return [_numbers(value) for value in schema]
    return schema


def _add_refusals(operation: dict[str, Any], refusals: Mapping[str, str]) -> None:
    told = {
        status: {"description": meaning, "content": _TEXT} for status, meaning in refusals.items()
    }
    if "422" in operation["responses"]:
        told["422"] = {"description": "a value of another type", "content": _TEXT}
    operation["responses"] = {**operation["responses"], **told}

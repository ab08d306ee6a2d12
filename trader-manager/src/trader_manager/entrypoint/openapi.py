"""The API description: FastAPI's, with the shapes of the answers put in."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_ALWAYS = {
    "401": "no token, or an unknown one",
    "403": "the token does not cover this",
    "503": "the venue, the database or a trader's process is away",
}
_OF_WORDS = {"400": "something in the request cannot be"}
_OF_NAMES = {"404": "there is no such trader"}
_OF_WRITES = {"409": "the present state does not allow it"}
_OF_COMMANDS = {"504": "the trader did not answer in time: it may have been done"}


def describe_with(app: FastAPI, answers: Mapping[tuple[str, str], Any]) -> None:
    """Have the application describe itself.

    Args:
        app: with all its routes.
        answers: types of answers that FastAPI does not know, by method and path.
    """

    def openapi() -> dict[str, Any]:
        described = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemas, components = msgspec.json.schema_components(
            list(answers.values()), ref_template="#/components/schemas/{name}"
        )
        for (method, path), schema in zip(answers, schemas, strict=True):
            operation = described["paths"][path][method.lower()]
            content = {"application/json": {"schema": schema}}
            operation["responses"]["200"] = {"description": "the answer", "content": content}
        _add_refusals(described["paths"])
        kept = described.setdefault("components", {})
        kept["schemas"] = {**kept.get("schemas", {}), **components}
        kept["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
        return described

    app.openapi = openapi  # type: ignore[method-assign]


def _add_refusals(paths: Mapping[str, Any]) -> None:
    """Say with which statuses each route refuses; FastAPI knows what it refuses itself only."""
    for path, operations in paths.items():
        for method, operation in operations.items():
            refusals = dict(_ALWAYS)
            if "parameters" in operation or "requestBody" in operation:
                refusals |= _OF_WORDS
            if any("trader" in one["name"] for one in operation.get("parameters", ())):
                refusals |= _OF_NAMES
            if method != "get":
                refusals |= _OF_WRITES
            if method == "post" and "{trader_id}" in path:
                refusals |= _OF_COMMANDS
            told = {
                status: {"description": meaning, "content": _TEXT}
                for status, meaning in refusals.items()
            }
            if "422" in operation["responses"]:
                told["422"] = {"description": "a value of another type", "content": _TEXT}
            operation["responses"] = {**operation["responses"], **told}

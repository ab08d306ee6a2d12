"""The API description: the raw routes by their table, the others as FastAPI knows them."""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI

from hyperliquid_exchange.entrypoint.asgi import Route
from hyperliquid_exchange.entrypoint.examples import EXAMPLES
from suite.service import raw_openapi

_ERRORS: Final = {
    "400": "not JSON, or something in it cannot be",
    "401": "no token, or an unknown one",
    "403": "the token does not cover this, or it is of another account",
    "404": "there is no such trader or coin",
    "409": "the present state does not allow it, or the key was used for another request",
    "413": "the body is larger than the limit",
    "422": "JSON of another shape",
    "429": "the budget of this address is used up, but for what reduces risk",
    "502": "the venue is away, or its answer is none",
    "503": "the service starts or stops, or cannot write down what it would send",
    "504": "what became of it is not known yet: ask again with the same key",
}
_TEXT: Final = (
    "Trades at Hyperliquid for agents, and holds the keys. A request acts at most once by its "
    "`Idempotency-Key`; what the gate refuses is an answer, `status` is `err` and the text begins "
    "with the rule. Failures are plain text, and `x-error-code` names them."
)


def describe_with(app: FastAPI, routes: Iterable[Route]) -> None:
    """Have the application describe itself.

    Args:
        app: with all its routes.
        routes: those that FastAPI does not know.
    """
    table = tuple(routes)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app, table)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _described(app: FastAPI, routes: tuple[Route, ...]) -> dict[str, Any]:
    info = {"title": app.title, "version": app.version, "description": _TEXT}
    told = raw_openapi.describe(routes, info=info, examples=EXAMPLES, errors=_ERRORS)
    known = FastAPI.openapi(app)
    for path, operations in known["paths"].items():
        for operation in operations.values():
            operation["security"] = [{"token": []}]
            refusals = {code: {"description": text} for code, text in _ERRORS.items()}
            operation["responses"] = {"200": operation["responses"]["200"], **refusals}
        told["paths"].setdefault(path, {}).update(operations)
    schemas = known.get("components", {}).get("schemas", {})
    told["components"]["schemas"] = schemas | told["components"]["schemas"]
    return told

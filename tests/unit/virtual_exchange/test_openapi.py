"""The API description: complete, with examples that are true."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.served import served

from virtual_exchange.entrypoint.asgi import Route
from virtual_exchange.entrypoint.examples import EXAMPLES
from virtual_exchange.entrypoint.routes import ROUTES

CALLED = (
    "/exchange/order",
    "/exchange/leverage",
    "/clock/join",
    "/transfers",
    "/faucet",
    "/info",
)
"""Routes whose example request is sent as it is, after alice and bob were given accounts."""


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_every_route_has_an_example_and_no_other() -> None:
    """A new route is not finished without one."""
    assert {(route.method, route.path) for route in ROUTES} == set(EXAMPLES)


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_example_has_the_shape_of_its_route(route: Route) -> None:
    """It is read by the very types that read requests and write answers."""
    example = EXAMPLES[route.method, route.path]
    for kind, value in (
        (route.doc.request, example.request),
        (route.doc.response, example.response),
    ):
        if kind is not None:
            msgspec.json.decode(msgspec.json.encode(value), type=kind)
    assert (route.doc.request is None) == (example.request is None)


@pytest.mark.parametrize("path", CALLED)
async def test_example_request_works(tmp_path: Path, path: str) -> None:
    """As it is printed."""
    operator = path in {"/transfers", "/faucet"}
    async with served(tmp_path) as running:
        reply = await running.post(
            path, EXAMPLES["POST", path].request, "operator" if operator else "alice"
        )
    body: Any = reply.json()
    assert reply.status_code == 200, reply.text
    assert "error" not in str(body)

"""The whole table of routes, put into an application."""

from typing import Any

from fastapi import FastAPI

from virtual_exchange.entrypoint import (
    backtest,
    clock,
    data,
    hyperliquid,
    money,
    simple_rest,
    worlds,
)
from virtual_exchange.entrypoint.asgi import Endpoint, Route
from virtual_exchange.entrypoint.openapi import describe
from virtual_exchange.entrypoint.services import Services
from virtual_exchange.entrypoint.ws import add_sockets

ROUTES: tuple[Route, ...] = (
    *clock.ROUTES,  # the routes of a step first: they are looked for most often
    *simple_rest.ROUTES,
    *hyperliquid.ROUTES,
    *data.ROUTES,
    *worlds.ROUTES,
    *money.ROUTES,
    *backtest.ROUTES,
)


def add_routes(app: FastAPI, services: Services) -> None:
    """Serve every route, those of a market for each world, and their description."""
    for prefix in ("/w/{world_id}", ""):
        for route in ROUTES:
            if route.in_world or not prefix:
                app.add_route(
                    prefix + route.path,
                    Endpoint(route, services),  # type: ignore[arg-type]
                    methods=[route.method],
                    include_in_schema=False,
                )

    add_sockets(app, services)

    def openapi() -> dict[str, Any]:
        return describe(ROUTES, title=app.title, version=app.version)

    app.openapi = openapi  # type: ignore[method-assign]

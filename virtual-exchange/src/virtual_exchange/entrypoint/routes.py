"""The whole table of routes, put into an application."""

from typing import Any

from fastapi import FastAPI

from suite.service import raw_routes
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

ROUTES: tuple[Route, ...] = (
    *clock.ROUTES,
    *simple_rest.ROUTES,
    *hyperliquid.ROUTES,
    *data.ROUTES,
    *worlds.ROUTES,
    *money.ROUTES,
    *backtest.ROUTES,
)
_WORLD = "/w/"


class Shortcut(raw_routes.Shortcut):
    """Finds routes without parameters by their path, at the root and in a world."""

    def __init__(self) -> None:
        super().__init__()
        self._world: dict[tuple[str, str], raw_routes.Endpoint[Any]] = {}

    def add(self, route: raw_routes.Route[Any], endpoint: raw_routes.Endpoint[Any]) -> None:
        """Take a route in, if its path is fixed."""
        super().add(route, endpoint)
        if "{" not in route.path and isinstance(route, Route) and route.in_world:
            self._world[route.method, route.path] = endpoint

    def find(
        self, method: str, path: str
    ) -> tuple[raw_routes.Endpoint[Any] | None, dict[str, str]]:
        """Look a path up, also below a world's address."""
        endpoint, parameters = super().find(method, path)
        if endpoint is None and path.startswith(_WORLD):
            world_id, slash, rest = path[len(_WORLD) :].partition("/")
            return self._world.get((method, slash + rest)), {"world_id": world_id}
        return endpoint, parameters


def add_routes(app: FastAPI, services: Services) -> None:
    """Serve every route, those of a market for each world, and their description."""
    shortcut = Shortcut()
    app.router.routes.insert(0, shortcut)
    for route in ROUTES:
        endpoint = Endpoint(route, services)
        prefixes = ("/w/{world_id}", "") if route.in_world else ("",)
        raw_routes.mount(app, shortcut, route, endpoint, *prefixes)

    def openapi() -> dict[str, Any]:
        return describe(ROUTES, title=app.title, version=app.version)

    app.openapi = openapi  # type: ignore[method-assign]

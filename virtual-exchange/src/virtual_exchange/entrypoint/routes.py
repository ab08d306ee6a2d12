"""The whole table of routes, put into an application."""

from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

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


class Shortcut(BaseRoute):
    """Finds routes without parameters by their path, at the root and in a world.

    The framework tries one pattern after the other, which costs more than an order does. Every
    route is in its table too; this one stands before it.

    Attributes:
        endpoint: itself, for the check that every write declares what it needs.
        suite_scope: nothing of its own; each endpoint behind it declares and checks what it needs.
    """

    suite_scope = "open: the endpoints behind it check"

    def __init__(self) -> None:
        self.endpoint = self
        self._root: dict[tuple[str, str], Endpoint] = {}
        self._world: dict[tuple[str, str], Endpoint] = {}

    def add(self, route: Route, endpoint: Endpoint) -> None:
        """Take a route in, if its path is fixed."""
        if "{" not in route.path:
            self._root[route.method, route.path] = endpoint
            if route.in_world:
                self._world[route.method, route.path] = endpoint

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Look the path up."""
        if scope["type"] != "http":
            return Match.NONE, {}
        method, path, parameters = scope["method"], scope["path"], {}
        endpoint = self._root.get((method, path))
        if endpoint is None and path.startswith(_WORLD):
            world_id, slash, rest = path[len(_WORLD) :].partition("/")
            endpoint, parameters = self._world.get((method, slash + rest)), {"world_id": world_id}
        if endpoint is None or scope.get("root_path"):
            return Match.NONE, {}
        return Match.FULL, {"endpoint": endpoint, "path_params": parameters}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what was found."""
        await scope["endpoint"](scope, receive, send)


def add_routes(app: FastAPI, services: Services) -> None:
    """Serve every route, those of a market for each world, and their description."""
    shortcut = Shortcut()
    app.router.routes.insert(0, shortcut)
    for route in ROUTES:
        endpoint = Endpoint(route, services)
        shortcut.add(route, endpoint)
        for prefix in ("/w/{world_id}", "") if route.in_world else ("",):
            app.add_route(
                prefix + route.path,
                endpoint,  # type: ignore[arg-type]
                methods=[route.method],
                include_in_schema=False,
            )

    def openapi() -> dict[str, Any]:
        return describe(ROUTES, title=app.title, version=app.version)

    app.openapi = openapi  # type: ignore[method-assign]

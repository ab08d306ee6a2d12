"""The whole table of routes, put into an application."""

from collections.abc import Callable, Iterable

from fastapi import FastAPI

from hyperliquid_exchange.entrypoint import clock, exchange, info, simple_rest
from hyperliquid_exchange.entrypoint.asgi import Call, Route
from hyperliquid_exchange.entrypoint.services import Services
from suite.service.raw_routes import Endpoint, Shortcut, mount
from suite.service.tokens import TokenStore

ROUTES: tuple[Route, ...] = (
    *simple_rest.ROUTES,
    *exchange.ROUTES,
    *info.ROUTES,
    *clock.ROUTES,
)


def add_routes(
    app: FastAPI,
    tokens: TokenStore,
    services: Callable[[], Services],
    routes: Iterable[Route] = ROUTES,
) -> None:
    """Serve every route; the parts behind them are asked for with each request."""
    shortcut = Shortcut()
    app.router.routes.insert(0, shortcut)
    for route in routes:
        endpoint = Endpoint(
            route,
            tokens,
            lambda scope, body, grant, receive: Call(scope, services(), body, grant, receive),
        )
        mount(app, shortcut, route, endpoint, "")

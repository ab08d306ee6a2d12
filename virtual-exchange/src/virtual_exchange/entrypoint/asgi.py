"""The routes of this service: what a request to a world may name and spend.

A backtest over HTTP is nothing but round trips, so the routes of a step are plain ASGI. All other
routes have the same form, and one table documents them all (`openapi.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from suite.errors import Forbidden
from suite.ids import AccountId
from suite.service import raw_routes
from suite.service.raw_routes import (
    EVENTS,
    JSON,
    OPEN,
    SIGNED,
    Answer,
    Doc,
    Method,
    answer,
    parse_query,
    unprocessable,
)
from virtual_exchange.application.session import Session
from virtual_exchange.application.world import DEFAULT_NAME
from virtual_exchange.application.worlds import DEFAULT
from virtual_exchange.entrypoint.services import Services

__all__ = [
    "EVENTS",
    "JSON",
    "OPEN",
    "SIGNED",
    "Answer",
    "Call",
    "Doc",
    "Endpoint",
    "Handler",
    "Method",
    "Route",
    "answer",
    "parse_query",
    "unprocessable",
]


@dataclass(slots=True)
class Call(raw_routes.Call[Services]):
    """One request as a handler sees it."""

    @property
    def world_id(self) -> str:
        """World in the path, empty for the default one."""
        return str(self.scope["path_params"].get("world_id", ""))

    @property
    def session(self) -> Session:
        """The world addressed.

        Raises:
            NotFound: there is none.
        """
        return self.services.worlds.get(self.world_id)

    def spend(self, weight: int) -> bool:
        """Take weight from what the caller's IP address has; say whether it was there."""
        weights = self.services.weights
        return weights is None or weights.allow(self.ip, weight, self.services.clock.now_ms())

    def charge(self, weight: int) -> None:
        """Take weight that is only known afterwards."""
        if self.services.weights is not None and weight:
            self.services.weights.charge(self.ip, weight, self.services.clock.now_ms())

    def account(self, session: Session) -> int:
        """Index of the account the caller acts for.

        Raises:
            Forbidden: its token names none of this world.
        """
        name = self.grant.account if self.grant else ""
        account = session.world.by_id.get(AccountId(name))
        if account is None:
            raise Forbidden("this token acts for no account of this world")
        return account.index


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True)
class Route(raw_routes.Route[Call]):
    """One route.

    Attributes:
        in_world: it exists below `/w/{world_id}` too.
        named: parameter of the path that names the world whose token is needed, on routes that are
            not in a world themselves; with none it is the service's own.
    """

    in_world: bool = True
    named: str | None = None

    def realm(self, path_params: Mapping[str, Any]) -> str:
        """World whose token a request needs, empty for the default one and the service itself."""
        name = str(path_params.get("world_id" if self.in_world else self.named or "", ""))
        return DEFAULT if name == DEFAULT_NAME and not self.in_world else name


class Endpoint(raw_routes.Endpoint[Call]):
    """A route as an ASGI application."""

    def __init__(self, route: Route, services: Services) -> None:
        super().__init__(
            route,
            services.tokens,
            lambda scope, body, grant, receive: Call(scope, services, body, grant, receive),
        )

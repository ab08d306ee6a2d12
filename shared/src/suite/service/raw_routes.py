"""Routes without a framework in between: bytes in, msgspec, bytes out.

Where a request takes less time than the layers around it, its route is plain ASGI. A service has
one table of such routes; the table says what each needs and documents it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from suite.errors import BadRequest
from suite.service.faults import decode_body
from suite.service.requests import refuse_unknown_query
from suite.service.tokens import Grant, TokenStore

JSON: Final = b"application/json"
EVENTS: Final = b"text/event-stream"
OPEN: Final = "open"
SIGNED: Final = "signed"
"""No token: the body carries a signature."""

S = TypeVar("S")
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, kw_only=True)
class Answer:
    """A reply: a body at once, or a stream of pieces."""

    body: bytes = b""
    status: int = 200
    media_type: bytes = JSON
    stream: AsyncIterator[bytes] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Call(Generic[S]):
    """One request as a handler sees it.

    Attributes:
        services: the parts behind the routes.
        grant: what the caller's token allows; None on open routes without a token.
        receive: what the caller says next.
    """

    scope: Scope
    services: S
    body: bytes
    grant: Grant | None
    receive: Receive

    def path(self, name: str) -> str:
        """A parameter of the path."""
        return str(self.scope["path_params"][name])

    def query(self) -> dict[str, str]:
        """The query string; of a repeated name the last."""
        return parse_query(self.scope)

    def header(self, name: bytes) -> str | None:
        """A header, by its name in lower case; None when it was not sent.

        Raises:
            BadRequest: it was sent more than once.
        """
        found = [value for key, value in self.scope["headers"] if key == name]
        if len(found) > 1:
            raise BadRequest(f"{name.decode()}: sent more than once")
        return str(found[0].decode("latin-1")) if found else None

    def decode(self, decoder: "msgspec.json.Decoder[T]") -> T:
        """Read the body.

        Raises:
            HTTPException: 400 when it is not JSON, 422 when it has another shape.
        """
        return decode_body(decoder, self.body)

    async def left(self) -> None:
        """Wait until the caller has gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    @property
    def ip(self) -> str:
        """Address the request came from; empty when it is not known."""
        return str((self.scope.get("client") or ("",))[0])


C = TypeVar("C", bound=Call[Any])
Method = Literal["GET", "POST", "DELETE"]


@dataclass(frozen=True, kw_only=True)
class Doc:
    """What the API description says of a route.

    Attributes:
        request, response: types of the bodies, None where there is none.
        query, headers: names of query parameters and headers, with their meaning.
    """

    summary: str
    request: Any = None
    response: Any = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Route(Generic[C]):
    """One route.

    Attributes:
        scope: what the caller's token must cover; `open` or `signed` where none is needed.
        optional_scope: what a token must cover that an open route is called with.
    """

    method: Method
    path: str
    handler: Callable[[C], Awaitable[Answer]]
    doc: Doc
    scope: str = OPEN
    optional_scope: str | None = None

    def realm(self, path_params: Mapping[str, Any]) -> str:
        """Where a token must be valid that the route is called with; empty for the service."""
        del path_params
        return ""


class Endpoint(Generic[C]):
    """A route as an ASGI application.

    Args:
        route: what it serves.
        tokens: accepted.
        make: puts a call together from scope, body, grant and what comes next.

    Attributes:
        suite_scope: what it needs, for the check that every write declares it.
    """

    def __init__(
        self,
        route: Route[C],
        tokens: TokenStore,
        make: Callable[[Scope, bytes, Grant | None, Receive], C],
    ) -> None:
        self._route = route
        self._tokens = tokens
        self._make = make
        reasons = {OPEN: "open: it reads what is public", SIGNED: "open: its signature says who"}
        self.suite_scope = reasons.get(route.scope, route.scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authorize, read the body, handle, answer."""
        grant = self._authorize(scope)
        if scope["query_string"] and scope["method"] == "GET":
            refuse_unknown_query(parse_query(scope), self._route.doc.query)
        body = await _read(receive) if scope["method"] == "POST" else b""
        answer = await self._route.handler(self._make(scope, body, grant, receive))
        headers = [(b"content-type", answer.media_type), *answer.headers]
        if answer.stream is None:
            headers.append((b"content-length", b"%d" % len(answer.body)))
        else:
            headers.append((b"cache-control", b"no-store"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if answer.stream is not None:
            async for piece in answer.stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": answer.body})

    def _authorize(self, scope: Scope) -> Grant | None:
        realm = self._route.realm(scope["path_params"])
        if self._route.scope == SIGNED:
            return None
        if self._route.scope != OPEN:
            return self._tokens.authorize(scope, self._route.scope, realm=realm)
        optional = self._route.optional_scope
        if optional and any(name == b"authorization" for name, _ in scope["headers"]):
            return self._tokens.authorize(scope, optional, realm=realm)
        return None


class Shortcut(BaseRoute):
    """Finds routes without parameters by their path.

    The framework tries one pattern after the other, which costs more than an order does. Every
    route is in its table too; this one stands before it.

    Attributes:
        endpoint: itself, for the check that every write declares what it needs.
        suite_scope: nothing of its own; each endpoint behind it declares and checks what it needs.
    """

    suite_scope = "open: the endpoints behind it check"

    def __init__(self) -> None:
        self.endpoint = self
        self._root: dict[tuple[str, str], Endpoint[Any]] = {}

    def add(self, route: Route[Any], endpoint: Endpoint[Any]) -> None:
        """Take a route in, if its path is fixed."""
        if "{" not in route.path:
            self._root[route.method, route.path] = endpoint

    def find(self, method: str, path: str) -> tuple[Endpoint[Any] | None, dict[str, str]]:
        """Look a path up: its endpoint, and the parameters that the path has."""
        return self._root.get((method, path)), {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Look the path up."""
        if scope["type"] != "http" or scope.get("root_path"):
            return Match.NONE, {}
        endpoint, parameters = self.find(scope["method"], scope["path"])
        if endpoint is None:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": endpoint, "path_params": parameters}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what was found."""
        await scope["endpoint"](scope, receive, send)


def mount(
    app: FastAPI, shortcut: Shortcut, route: Route[Any], endpoint: Endpoint[Any], *prefixes: str
) -> None:
    """Serve a route at its path, below each prefix; the empty one is the root."""
    shortcut.add(route, endpoint)
    for prefix in prefixes:
        app.add_route(
            prefix + route.path,
            endpoint,  # type: ignore[arg-type]
            methods=[route.method],
            include_in_schema=False,
        )


def answer(value: Any, *, status: int = 200) -> Answer:
    """Encode a reply."""
    return Answer(body=_encode(value), status=status)


def unprocessable(text: str) -> HTTPException:
    """Refuse a body of the wrong shape."""
    return HTTPException(422, text)


def parse_query(scope: Scope) -> dict[str, str]:
    """Read a query string; of a repeated name the last."""
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


async def _read(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    pieces = [body]
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "the request was not finished")
        pieces.append(message.get("body", b""))
    return b"".join(pieces)

"""Routes without a framework in between: bytes in, msgspec, bytes out.

A backtest over HTTP is nothing but round trips, so the routes of a step are plain ASGI. All other
routes have the same form, and one table documents them all (`openapi.py`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from suite.errors import BadRequest, Forbidden
from suite.ids import AccountId
from suite.service.faults import decode_body
from suite.service.requests import refuse_unknown_query
from suite.service.tokens import Grant
from virtual_exchange.application.session import Session
from virtual_exchange.application.world import DEFAULT_NAME
from virtual_exchange.application.worlds import DEFAULT
from virtual_exchange.entrypoint.services import Services

JSON: Final = b"application/json"
EVENTS: Final = b"text/event-stream"
OPEN: Final = "open"
SIGNED: Final = "signed"
"""No token: the body carries a signature."""

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
class Call:
    """One request as a handler sees it.

    Attributes:
        grant: what the caller's token allows; None on open routes without a token.
        receive: what the caller says next.
    """

    scope: Scope
    services: Services
    body: bytes
    grant: Grant | None
    receive: Receive

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

    def spend(self, weight: int) -> bool:
        """Take weight from what the caller's IP address has; say whether it was there."""
        weights = self.services.weights
        return weights is None or weights.allow(self._ip, weight, self.services.clock.now_ms())

    def charge(self, weight: int) -> None:
        """Take weight that is only known afterwards."""
        if self.services.weights is not None and weight:
            self.services.weights.charge(self._ip, weight, self.services.clock.now_ms())

    @property
    def _ip(self) -> str:
        return str((self.scope.get("client") or ("",))[0])

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


Method = Literal["GET", "POST", "DELETE"]
Handler = Callable[[Call], Awaitable[Answer]]


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
class Route:
    """One route.

    Attributes:
        scope: what the caller's token must cover; `open` or `signed` where none is needed.
        optional_scope: what a token must cover that an open route is called with.
        in_world: it exists below `/w/{world_id}` too.
        named: parameter of the path that names the world whose token is needed, on routes that are
            not in a world themselves; with none it is the service's own.
    """

    method: Method
    path: str
    handler: Handler
    doc: Doc
    scope: str = OPEN
    optional_scope: str | None = None
    in_world: bool = True
    named: str | None = None

    def realm(self, path_params: Mapping[str, Any]) -> str:
        """World whose token a request needs, empty for the default one and the service itself."""
        name = str(path_params.get("world_id" if self.in_world else self.named or "", ""))
        return DEFAULT if name == DEFAULT_NAME and not self.in_world else name


class Endpoint:
    """A route as an ASGI application.

    Attributes:
        suite_scope: what it needs, for the check that every write declares it.
    """

    def __init__(self, route: Route, services: Services) -> None:
        self._route = route
        self._services = services
        reasons = {OPEN: "open: it reads what is public", SIGNED: "open: its signature says who"}
        self.suite_scope = reasons.get(route.scope, route.scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authorize, read the body, handle, answer."""
        grant = self._authorize(scope)
        if scope["query_string"] and scope["method"] == "GET":
            refuse_unknown_query(parse_query(scope), self._route.doc.query)
        body = await _read(receive) if scope["method"] == "POST" else b""
        answer = await self._route.handler(Call(scope, self._services, body, grant, receive))
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
            return self._services.tokens.authorize(scope, self._route.scope, realm=realm)
        optional = self._route.optional_scope
        if optional and any(name == b"authorization" for name, _ in scope["headers"]):
            return self._services.tokens.authorize(scope, optional, realm=realm)
        return None


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

"""What happens to every request before and after its route, in one pure ASGI layer.

One layer and no `BaseHTTPMiddleware`: a step of a backtest is one request of some 100 us, and each
generic layer costs a tenth of that. Order: request id, Host, Origin, content type, body limit,
peer, depth, route, audit, metrics, log.
"""

import itertools
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suite import tracing
from suite.checks import InvariantViolated
from suite.service.audit import AuditLog, Hashed
from suite.service.faults import NOT_DECLARED_JSON, TOO_LARGE
from suite.service.guarding import Guard, secured, shallow
from suite.service.logging import traceback_of
from suite.service.metrics import HttpMetrics

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRules:
    """What is let in.

    Attributes:
        hosts: names allowed in `Host`, without port; None lets any in (a trusted network whose
            names the operator did not list).
        origins: browser origins allowed besides the service's own.
        body_limit_bytes: largest request body.
    """

    hosts: frozenset[str] | None = LOOPBACK_NAMES
    origins: frozenset[str] = frozenset()
    body_limit_bytes: int = 1 << 20


@dataclass(slots=True)
class _Headers:
    """The headers the edge looks at."""

    host: bytes | None = None
    origin: bytes | None = None
    request_id: bytes | None = None
    trace: bytes | None = None
    content_type: bytes | None = None
    content_length: bytes | None = None
    is_chunked: bool = False


class Edge:
    """The layer.

    Args:
        app: what is behind it.
        rules: what is let in.
        metrics: where requests are counted.
        route_of: names the path template of a routed request.
        on_bug: stops the process.
        guard: refuses by who asks and how often.
        audit: takes down what is changed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rules: EdgeRules,
        metrics: HttpMetrics,
        route_of: Callable[[Scope], str],
        on_bug: Callable[[BaseException], None],
        guard: Guard,
        audit: AuditLog,
    ) -> None:
        self._app = app
        self._rules = rules
        self._metrics = metrics
        self._route_of = route_of
        self._on_bug = on_bug
        self._guard = guard
        self._audit = audit
        self._id_prefix = secrets.token_hex(4)
        self._id_counter = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass a lifespan through."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = _read(scope)
        request_id = self._request_id(headers)
        status = 0
        body: Hashed | None = None

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                marked = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                secured(marked)
                message["headers"] = marked
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        span = tracing.incoming(headers.trace, "request")
        try:
            refusal = self._refusal(scope, headers) or self._guard.refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send_marked)
            else:
                inner = receive if headers.content_length else self._limited(receive)
                if scope["method"] in _WITH_BODY:
                    inner = shallow(inner)
                if self._audit.covers(scope):
                    inner = body = Hashed(inner)
                with tracing.at(span):
                    await self._app(scope, inner, send_marked)
        except Exception as error:  # noqa: BLE001  the last handler: the caller gets one line, we the rest
            await self._unexpected(error, scope, receive, send_marked, answered=status != 0)
            status = status or 500
        finally:
            self._guard.answered(scope, status)
            seconds, route = time.perf_counter() - started, self._route_of(scope)
            if body is not None:
                self._audit.write(scope, route=route, status=status, request=body.digest)
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._metrics.observe(method, route, status, seconds)
            if span is not None:
                span.name(f"{method} {route}", status=status)
                span.end()
            structlog.contextvars.unbind_contextvars("request_id")

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _read(scope)
        if self._foreign(scope, headers) is not None:
            # Closing before accepting makes the server answer the handshake with 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "foreign origin"})
            return
        structlog.contextvars.bind_contextvars(request_id=self._request_id(headers))
        try:
            await self._app(scope, receive, send)
        except InvariantViolated as bug:
            _log.critical("invariant_violated", exception=traceback_of(bug))
            self._on_bug(bug)
            raise

    def _request_id(self, headers: _Headers) -> str:
        """Take the caller's id where it is a harmless word, else count on from a random start."""
        if headers.request_id is not None and _REQUEST_ID.fullmatch(headers.request_id):
            return headers.request_id.decode()
        return f"{self._id_prefix}-{next(self._id_counter):x}"

    def _refusal(self, scope: Scope, headers: _Headers) -> PlainTextResponse | None:
        """Find what forbids the request before any route sees it."""
        foreign = self._foreign(scope, headers)
        if foreign is not None:
            return foreign
        length = headers.content_length
        has_body = headers.is_chunked or (length is not None and length != b"0")
        if has_body and scope["method"] in _WITH_BODY and not _is_json(headers.content_type):
            return PlainTextResponse(NOT_DECLARED_JSON, 415)
        if length is not None and (not length.isdigit() or len(length) > 18):
            return PlainTextResponse("Content-Length is not a number", 400)
        if length is not None and int(length) > self._rules.body_limit_bytes:
            return PlainTextResponse(TOO_LARGE.format(limit=self._rules.body_limit_bytes), 413)
        return None

    def _foreign(self, scope: Scope, headers: _Headers) -> PlainTextResponse | None:
        """Refuse pages of other sites: a name made to resolve to us, or a foreign script."""
        if headers.host is not None and self._rules.hosts is not None:
            name = headers.host.decode("latin-1").lower()
            if _without_port(name) not in self._rules.hosts:
                return PlainTextResponse(f"this service does not answer for host {name!r}", 403)
        if headers.origin is not None:
            origin = headers.origin.decode("latin-1").lower()
            secure = scope["scheme"] in {"https", "wss"}
            own = f"{'https' if secure else 'http'}://{(headers.host or b'').decode('latin-1')}"
            if origin != own.lower() and origin not in self._rules.origins:
                return PlainTextResponse(f"origin {origin!r} is not allowed", 403)
        return None

    def _limited(self, receive: Receive) -> Receive:
        """Count a body whose length was not announced."""
        limit = self._rules.body_limit_bytes
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                # Of this type, FastAPI and Starlette hand it on to our handler untouched.
                raise HTTPException(413, TOO_LARGE.format(limit=limit))
            return message

        return counting

    async def _unexpected(
        self, error: Exception, scope: Scope, receive: Receive, send: Send, *, answered: bool
    ) -> None:
        """Log a bug, tell the caller one line, and stop the process if a promise is broken."""
        if isinstance(error, InvariantViolated):
            _log.critical("invariant_violated", path=scope["path"], exception=traceback_of(error))
            self._on_bug(error)
        else:
            _log.error("unhandled_error", path=scope["path"], exception=traceback_of(error))
        if answered:
            raise error
        await PlainTextResponse("internal error", 500)(scope, receive, send)


def _read(scope: Scope) -> _Headers:
    found = _Headers()
    for name, value in scope["headers"]:
        if name == b"host":
            found.host = value
        elif name == b"content-length":
            found.content_length = value
        elif name == b"content-type":
            found.content_type = value
        elif name == b"x-request-id":
            found.request_id = value
        elif name == b"traceparent":
            found.trace = value
        elif name == b"origin":
            found.origin = value
        elif name == b"transfer-encoding":
            found.is_chunked = True
    return found


def _is_json(content_type: bytes | None) -> bool:
    if content_type is None:
        return False
    kind = content_type.split(b";", 1)[0].strip().lower()
    return kind == b"application/json" or (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]

"""`WS /ws` in the venue's own dialect, for who has a token.

The token is in the `Authorization` header of the handshake, or in the first message, within five
seconds; never in the address, which ends up in logs:

    {"method": "auth", "token": "act_..."}  ->  {"channel": "auth", "data": {"account": "..."}}

From there on it is the venue's own language: `subscribe`, `unsubscribe`, `ping`, `post`. Where the
connection to the venue is lost the client is closed with 1012: what would have come is unknown, so
it must begin anew, with fresh snapshots, as it would have to with the venue itself.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
import structlog
from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from hyperliquid_exchange.application.listener import ClientLimits, Listener, written
from hyperliquid_exchange.application.native import Malformed as MalformedAction
from hyperliquid_exchange.application.reads import Malformed
from hyperliquid_exchange.domain.reading import Reader
from hyperliquid_exchange.entrypoint.services import Services
from suite.contracts import hyperliquid_ws as ws
from suite.errors import BadRequest, Forbidden, SuiteError, Unauthorized, one_line
from suite.service.conversation import Conversation, SocketTimeouts, refuse, wire_of
from suite.service.faults import NOT_JSON, WRONG_SHAPE
from suite.service.statuses import status_of
from suite.service.tokens import Grant, TokenStore, scoped
from suite.service.websocket import TRY_AGAIN_LATER

_log = structlog.get_logger(__name__)

AUTH_S: Final = 5.0
"""How long a client may take to say who it is."""
SERVICE_RESTART: Final = 1012
POLICY: Final = 1008
SCOPE: Final = "read:account"
_PONG: Final = b'{"channel":"pong"}'
_SHOWN: Final = 8192
"""How much of a malformed frame is echoed, characters."""
_REASON: Final = 100
"""Characters of a reason in a close frame."""
_TEXTS: Final = {429: "429 Too Many Requests", 500: "500 Internal Server Error"}


class Auth(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="auth"):
    """What a client says first that has shown no token."""

    token: str


_auth: Final = msgspec.json.Decoder(Auth)


class SocketEndpoint:
    """`/ws` as an ASGI application.

    Args:
        services: tells the parts behind it, with each connection.
        tokens: accepted.
        limits: of each client.
        timeouts: with each connection.
        auth_s: how long a client may take to show its token.
    """

    def __init__(
        self,
        services: Callable[[], Services],
        tokens: TokenStore,
        *,
        limits: ClientLimits | None = None,
        timeouts: SocketTimeouts | None = None,
        auth_s: float = AUTH_S,
    ) -> None:
        self._services = services
        self._tokens = tokens
        self._limits = limits
        self._timeouts = timeouts or SocketTimeouts()
        self._auth_s = auth_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection until either side ends it."""
        await receive()
        grant: Grant | None = None
        try:
            services = self._services()
            if scope["query_string"]:
                raise BadRequest("/ws takes nothing in its address: addresses end up in logs")
            if any(name == b"authorization" for name, _ in scope["headers"]):
                grant = self._tokens.authorize(scope, SCOPE)
                services.reader(grant)
        except SuiteError as fault:
            text = one_line(str(fault))
            await refuse(scope, send, status=status_of(fault), code=fault.code, text=text)
            return
        await send({"type": "websocket.accept"})
        conversation = Conversation(
            wire_of(scope, send),
            self._timeouts,
            on_stall=lambda: _log.warning("ws_dropped", reason="stalled"),
        )
        talk = _Talk(services, self._tokens, conversation, self._limits)
        if grant is not None:
            talk.begin(grant)
        timer = asyncio.get_running_loop().call_later(self._auth_s, talk.too_late)
        try:
            await conversation.serve(receive, talk)
        finally:
            timer.cancel()
            talk.close()


def add_sockets(app: FastAPI, endpoint: SocketEndpoint) -> None:
    """Serve `/ws`."""
    app.router.routes.append(WebSocketRoute("/ws", scoped(SCOPE)(endpoint)))


class _Talk:
    """What one connection is about."""

    def __init__(
        self,
        services: Services,
        tokens: TokenStore,
        conversation: Conversation,
        limits: ClientLimits | None,
    ) -> None:
        self._services = services
        self._tokens = tokens
        self._conversation = conversation
        self._limits = limits
        self._listener: Listener | None = None
        self._reader: Reader | None = None
        self._grant: Grant | None = None
        self._farewell: list[bytes] = []
        self._work: set[asyncio.Task[None]] = set()

    def begin(self, grant: Grant) -> None:
        """Take in who it is.

        Raises:
            Forbidden: the token is of no trader here.
        """
        reader = self._services.reader(grant)
        self._grant, self._reader = grant, reader
        self._listener = Listener(
            self._services.streams,
            reader,
            self._conversation,
            on_lost=self._lost,
            on_slow=self._slow,
            limits=self._limits,
        )

    def too_late(self) -> None:
        """End a connection of which nobody knows whose it is."""
        if self._listener is None:
            self._leave(f"no token within {AUTH_S:g} s")

    def close(self) -> None:
        """Forget everything."""
        for task in self._work:
            task.cancel()
        if self._listener is not None:
            self._listener.close()

    # a `Talk`

    @property
    def full(self) -> bool:
        """So much waits that nothing more is listened to."""
        listener = self._listener
        return listener is not None and (listener.full or len(self._work) >= _posts(self._limits))

    def batch(self) -> list[bytes]:
        """Take what is sent next."""
        if self._farewell:
            farewell, self._farewell = self._farewell, []
            return farewell
        return [] if self._listener is None else self._listener.batch()

    def hear(self, text: str | None, binary: bytes | None, now_s: float) -> None:
        """Answer a frame; one that means nothing is answered too."""
        listener = self._listener
        if listener is None:
            self._show(text)
            return
        if listener.heard(now_s):
            return
        frame = None if text is None else ws.decode_frame(text)
        match frame:
            case ws.Subscribe():
                listener.subscribe(frame.subscription)
            case ws.Unsubscribe():
                listener.unsubscribe(frame.subscription)
            case ws.Ping():
                listener.reply(_PONG)
            case ws.Post() if listener.begin_post():
                self._begin_post(listener, frame)
            case ws.Post():
                listener.error(ws.TOO_MANY_POSTS.format(id=frame.id))
            case None:
                shown = (binary or b"")[:_SHOWN].decode(errors="replace") if text is None else text
                listener.error(ws.MALFORMED.format(text=shown[:_SHOWN]))

    # how

    def _show(self, text: str | None) -> None:
        """Take the token of a first message, or end the connection."""
        try:
            token = _auth.decode(text or "").token
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            self._leave('a token is required first: {"method":"auth","token":"..."}')
            return
        try:
            grant = self._verified(token)
            self.begin(grant)
        except (Unauthorized, Forbidden) as fault:
            self._leave(one_line(str(fault)))
            return
        if self._listener is not None:
            self._listener.reply(written("auth", {"account": grant.account}))

    def _verified(self, token: str) -> Grant:
        grant = self._tokens.verify(token)
        if not grant.covers(SCOPE):
            raise Forbidden(f"the token of {grant.name} does not cover {SCOPE}")
        return grant

    def _leave(self, why: str) -> None:
        self._farewell.append(written("error", why))
        self._conversation.end(why[:_REASON], POLICY)

    def _lost(self, reason: str) -> None:
        _log.warning("ws_closed", reason="upstream_lost", detail=reason)
        self._conversation.end("the connection to the venue was lost", SERVICE_RESTART)

    def _slow(self, reason: str) -> None:
        _log.warning("ws_dropped", reason="slow", detail=reason)
        self._conversation.end(reason[:_REASON], TRY_AGAIN_LATER)

    def _begin_post(self, listener: Listener, frame: ws.Post) -> None:
        task = asyncio.create_task(self._post(listener, frame.id, frame.request))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _post(self, listener: Listener, number: int, request: ws.PostRequest) -> None:
        body = bytes(request.payload)
        try:
            response = await self._response(request.type, body)
        except SuiteError as fault:
            response = _failed(str(fault))
        answer = written("post", {"id": number, "response": response})
        listener.reply(answer, post=True)

    async def _response(self, kind: Literal["info", "action"], body: bytes) -> dict[str, Any]:
        if kind == "info":
            return await self._info(body)
        grant = self._grant
        if grant is None or not grant.covers("trade"):
            return _failed("this token does not cover trade")
        try:
            told = await self._services.native.post(self._services.account(grant), body)
        except MalformedAction as error:
            return _failed(f"{WRONG_SHAPE}: {error}" if error.is_json else NOT_JSON)
        return {"type": "action", "payload": told}

    async def _info(self, body: bytes) -> dict[str, Any]:
        if self._reader is None:
            return _failed("nobody asks")
        try:
            told = await self._services.reads.info(self._reader, body)
        except Malformed as error:
            return _failed(f"{WRONG_SHAPE}: {error}" if error.is_json else NOT_JSON)
        if told.status != 200:
            shown = told.body[:_SHOWN].decode(errors="replace")
            return _failed(_TEXTS.get(told.status, f"{told.status} {shown}"))
        try:
            data = msgspec.json.decode(told.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _failed("the venue answered with something else than JSON")
        return {"type": "info", "payload": {"type": told.kind, "data": data}}


def _posts(limits: ClientLimits | None) -> int:
    return (limits or ClientLimits()).posts


def _failed(text: str) -> dict[str, Any]:
    return {"type": "error", "payload": one_line(text)}

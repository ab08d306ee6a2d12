"""`WS /ws` in the venue's own dialect: the connections."""

import structlog
from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from suite.errors import NotFound
from suite.service.conversation import Conversation, SocketTimeouts, refuse, wire_of
from suite.service.tokens import open_to_all
from virtual_exchange.application.session import Session
from virtual_exchange.application.stream.subscriber import ConnectionLimits, Subscriber
from virtual_exchange.entrypoint.asgi import Call
from virtual_exchange.entrypoint.services import Services
from virtual_exchange.entrypoint.ws_requests import Requests

_log = structlog.get_logger(__name__)


class SocketEndpoint:
    """`/ws` as an ASGI application; it asks for no token, as the venue's own does not.

    Args:
        services: of this process.
        limits: of each connection.
        timeouts: with each connection.
    """

    def __init__(
        self,
        services: Services,
        *,
        limits: ConnectionLimits | None = None,
        timeouts: SocketTimeouts | None = None,
    ) -> None:
        self._services = services
        self._limits = limits or ConnectionLimits()
        self._timeouts = timeouts or SocketTimeouts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection until either side ends it."""
        await receive()
        call = Call(scope, self._services, b"", None, receive)
        try:
            session = call.session
        except NotFound:
            await refuse(scope, send, status=404, code=NotFound.code, text="no such world")
            return
        await send({"type": "websocket.accept"})
        name = session.world.name
        conversation = Conversation(
            wire_of(scope, send),
            self._timeouts,
            on_stall=lambda: _log.warning("ws_dropped", reason="stalled", world=name),
        )
        talk = _Talk(call, session, conversation, self._limits)
        session.streams.open(conversation)
        try:
            await conversation.serve(receive, talk)
        finally:
            session.streams.leave(conversation)
            talk.close()


def add_sockets(app: FastAPI, services: Services, timeouts: SocketTimeouts) -> None:
    """Serve `/ws` of the default world, and of each world below its path."""
    endpoint = SocketEndpoint(services, timeouts=timeouts)
    mark = open_to_all("like /info it reads what is public; its actions carry a signature")
    for prefix in ("/w/{world_id}", ""):
        app.router.routes.append(WebSocketRoute(f"{prefix}/ws", mark(endpoint)))


class _Talk:
    """What one connection is about."""

    def __init__(
        self, call: Call, session: Session, conversation: Conversation, limits: ConnectionLimits
    ) -> None:
        subscriber = Subscriber(session.streams, wake=conversation.wake, limits=limits)
        self._subscriber = subscriber
        self._requests = Requests(call, session, subscriber)
        self.batch = subscriber.batch
        self.close = subscriber.close

    def hear(self, text: str | None, binary: bytes | None, now_s: float) -> None:
        """Answer a frame, unless it is one too many."""
        if not self._subscriber.heard(now_s):
            self._requests.handle(text, binary)

    @property
    def full(self) -> bool:
        """So much waits that nothing more is listened to."""
        return self._subscriber.full

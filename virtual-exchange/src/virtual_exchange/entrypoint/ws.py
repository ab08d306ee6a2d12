"""`WS /ws` in the venue's own dialect: the connections."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from suite.errors import NotFound
from suite.service.tokens import open_to_all
from suite.service.websocket import (
    GOING_AWAY,
    NORMAL,
    TRY_AGAIN_LATER,
    WIRE,
    Gone,
    Stalled,
    Wire,
)
from virtual_exchange.application.session import Session
from virtual_exchange.application.stream.subscriber import ConnectionLimits, Subscriber
from virtual_exchange.entrypoint.asgi import Call
from virtual_exchange.entrypoint.services import Services
from virtual_exchange.entrypoint.ws_requests import Requests

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketTimeouts:
    """How long a connection may be still.

    Attributes:
        stall_s: without taking what it was sent, before it is dropped.
        silence_s: without being sent anything, before it is closed as the venue does; None is for
            ever.
    """

    stall_s: float = 10.0
    silence_s: float | None = None


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
            await _refuse(scope, send)
            return
        await send({"type": "websocket.accept"})
        wire: Wire = scope["extensions"].get(WIRE) or _AsgiWire(send)
        await _Connection(call, session, wire, self._limits, self._timeouts).serve(receive)


def add_sockets(app: FastAPI, services: Services, timeouts: SocketTimeouts) -> None:
    """Serve `/ws` of the default world, and of each world below its path."""
    endpoint = SocketEndpoint(services, timeouts=timeouts)
    mark = open_to_all("like /info it reads what is public; its actions carry a signature")
    for prefix in ("/w/{world_id}", ""):
        app.router.routes.append(WebSocketRoute(f"{prefix}/ws", mark(endpoint)))


class _Connection:
    """One connection: a loop that listens, and one that sends."""

    def __init__(
        self,
        call: Call,
        session: Session,
        wire: Wire,
        limits: ConnectionLimits,
        timeouts: SocketTimeouts,
    ) -> None:
        self._wire = wire
        self._timeouts = timeouts
        self._now_s = asyncio.get_running_loop().time
        self._sent_s = self._now_s()
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._end: str | None = None
        self._world_id = session.world.name
        self._streams = session.streams
        self._subscriber = Subscriber(session.streams, wake=self._something.set, limits=limits)
        self._requests = Requests(call, session, self._subscriber)

    async def serve(self, receive: Receive) -> None:
        """Listen and send until either has come to its end."""
        self._streams.open(self)
        loops = {asyncio.create_task(self._listen(receive)), asyncio.create_task(self._send())}
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            self._streams.leave(self)
            self._subscriber.close()
        for task in done:
            task.result()

    def end(self, reason: str) -> None:
        """Close: the world is no more."""
        self._end = reason
        self._something.set()

    async def _listen(self, receive: Receive) -> None:
        while True:
            said = await receive()
            if said["type"] == "websocket.disconnect":
                return
            if not self._subscriber.heard(self._now_s()):
                self._requests.handle(said.get("text"), said.get("bytes"))
            # Whoever says much at once must not keep the others waiting.
            await asyncio.sleep(0)
            while self._subscriber.full:
                self._room.clear()
                await self._room.wait()

    async def _send(self) -> None:
        wire, timeouts = self._wire, self._timeouts
        try:
            while await self._woken():
                while messages := self._subscriber.batch():
                    await wire.carry(messages, limit_s=timeouts.stall_s)
                    self._sent_s = self._now_s()
                    self._room.set()
                    await asyncio.sleep(0)
        except Gone:
            return
        except Stalled:
            _log.warning("ws_dropped", reason="stalled", world=self._world_id)
            limit = f"{timeouts.stall_s:g} s"
            wire.end(TRY_AGAIN_LATER, f"too slow: nothing was taken for {limit}")

    async def _woken(self) -> bool:
        """Wait for something to send; say whether the connection goes on."""
        silence_s = self._timeouts.silence_s
        try:
            async with asyncio.timeout_at(None if silence_s is None else self._sent_s + silence_s):
                await self._something.wait()
        except TimeoutError:
            self._wire.end(NORMAL, "Inactive")
            return False
        self._something.clear()
        if self._end is not None:
            self._wire.end(GOING_AWAY, self._end)
            return False
        return True


class _AsgiWire:
    """The way to the peer on a server that offers no more than ASGI."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._closing: asyncio.Future[None] | None = None

    async def carry(self, messages: Sequence[bytes], *, limit_s: float) -> None:
        """Send messages one by one."""
        try:
            async with asyncio.timeout(limit_s):
                for message in messages:
                    await self._send({"type": "websocket.send", "text": message.decode()})
        except TimeoutError:
            raise Stalled from None
        except (OSError, RuntimeError):
            raise Gone from None

    def end(self, code: int, reason: str) -> None:
        """Close without waiting for it."""
        close = self._send({"type": "websocket.close", "code": code, "reason": reason})
        self._closing = asyncio.ensure_future(close)


async def _refuse(scope: Scope, send: Send) -> None:
    """Answer the handshake for a world that does not exist."""
    if "websocket.http.response" not in scope["extensions"]:
        await send({"type": "websocket.close", "code": 1008, "reason": "no such world"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-error-code", b"not_found")]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"no such world"})

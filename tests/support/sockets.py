"""A client of the WebSocket without a network: the endpoint is fed and read by hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from suite.clock import ManualClock
from suite.service.conversation import SocketTimeouts
from suite.service.websocket import WIRE, Gone, Stalled
from virtual_exchange.application.session import Session
from virtual_exchange.application.stream.subscriber import ConnectionLimits
from virtual_exchange.domain.rate_limits import WeightLimits
from virtual_exchange.entrypoint.ws import SocketEndpoint

TURNS = 50
"""Turns of the event loop after which nothing more happens by itself."""


class Socket:
    """One connection: both its client and the wire to it.

    Attributes:
        said: messages that came, decoded.
        closed: code and reason, once it was closed.
        blocked: the client reads nothing any more.
        ended: set with `closed`.
    """

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.closed: tuple[int, str] | None = None
        self.blocked = False
        self.ended = asyncio.Event()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self._blocked = asyncio.Event()

    # the wire

    async def carry(self, messages: Sequence[bytes], *, limit_s: float) -> None:
        if self.closed is not None:
            raise Gone
        if self.blocked:
            try:
                async with asyncio.timeout(limit_s):
                    await self._blocked.wait()
            except TimeoutError:
                raise Stalled from None
        self.said.extend(msgspec.json.decode(message) for message in messages)

    def end(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.ended.set()

    async def asgi(self, message: Any) -> None:
        """Take what goes the common way."""
        if message["type"] == "websocket.send":
            self.said.append(msgspec.json.decode(message["text"]))
        elif message["type"] == "websocket.close":
            self.end(message["code"], message["reason"])

    def read_again(self) -> None:
        self.blocked = False
        self._blocked.set()

    # the client

    def send(self, *said: Any) -> None:
        for item in said:
            text = item if isinstance(item, str) else msgspec.json.encode(item).decode()
            self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    def send_binary(self, data: bytes) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    def hang_up(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def ask(self, *said: Any) -> list[Any]:
        """Send, and take all that comes of it."""
        self.send(*said)
        return await self.take()

    async def subscribe(self, kind: str, **params: Any) -> list[Any]:
        return await self.ask({"method": "subscribe", "subscription": {"type": kind, **params}})

    async def unsubscribe(self, kind: str, **params: Any) -> list[Any]:
        return await self.ask({"method": "unsubscribe", "subscription": {"type": kind, **params}})

    async def take(self, channel: str | None = None) -> list[Any]:
        """Everything that has come since the last time; of a channel only its data."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        taken, self.said = self.said, []
        if channel is None:
            return taken
        return [item["data"] for item in taken if item["channel"] == channel]


class OneWorld:
    """Services with a single world."""

    def __init__(self, session: Session, weights: WeightLimits | None) -> None:
        self.worlds = self
        self.weights = weights
        self.clock = ManualClock(0)
        self._session = session

    def get(self, _world_id: str) -> Session:
        return self._session


@asynccontextmanager
async def connected(
    session: Session,
    *,
    limits: ConnectionLimits | None = None,
    timeouts: SocketTimeouts | None = None,
    weights: WeightLimits | None = None,
    plain: bool = False,
) -> AsyncIterator[Socket]:
    """Connect to a world; fail if the connection ended with an error."""
    endpoint = SocketEndpoint(OneWorld(session, weights), limits=limits, timeouts=timeouts)  # type: ignore[arg-type]
    socket = Socket()
    extensions = {} if plain else {WIRE: socket}
    scope = {"type": "websocket", "path_params": {}, "extensions": extensions}
    task = asyncio.create_task(endpoint(scope, socket._incoming.get, socket.asgi))
    try:
        yield socket
    finally:
        socket.hang_up()
        await task

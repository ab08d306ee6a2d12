"""One WebSocket connection of a server: a loop that listens, and one that sends.

What is said is not known here; a `Talk` takes what the peer says, and has what it is to be told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Receive, Scope, Send

from suite.service.websocket import (
    GOING_AWAY,
    NORMAL,
    TRY_AGAIN_LATER,
    WIRE,
    Gone,
    Stalled,
    Wire,
)


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


class Talk(Protocol):
    """What a connection is about."""

    def hear(self, text: str | None, binary: bytes | None, now_s: float) -> None:
        """Take in what the peer says.

        Args:
            text: of a text frame.
            binary: of a binary one.
            now_s: seconds of a clock that runs evenly.
        """
        ...

    @property
    def full(self) -> bool:
        """So much waits for the peer that it is listened to no further."""
        ...

    def batch(self) -> list[bytes]:
        """Take what is sent next; empty when there is nothing."""
        ...


class Conversation:
    """One connection, from its handshake to its end.

    Args:
        wire: the way to the peer.
        timeouts: see there.
        on_stall: called when a peer is dropped because it takes nothing.
    """

    def __init__(
        self,
        wire: Wire,
        timeouts: SocketTimeouts,
        *,
        on_stall: Callable[[], None] = lambda: None,
    ) -> None:
        self._wire = wire
        self._timeouts = timeouts
        self._on_stall = on_stall
        self._now_s = asyncio.get_running_loop().time
        self._sent_s = self._now_s()
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._end: tuple[int, str] | None = None
        self._carrying = False

    @property
    def stuck(self) -> bool:
        """The peer has not taken yet what it was sent last."""
        return self._carrying

    def wake(self) -> None:
        """Look for what is to be sent."""
        self._something.set()

    def end(self, reason: str, code: int = GOING_AWAY) -> None:
        """Close, once what waits has been sent; at once where the peer takes nothing."""
        if self._end is None:
            self._end = (code, reason)
            if self._carrying:
                self._wire.end(code, reason)
        self._something.set()
        self._room.set()

    async def serve(self, receive: Receive, talk: Talk) -> None:
        """Listen and send until either has come to its end."""
        await _first_of(self._listen(receive, talk), self._send(talk))

    async def _listen(self, receive: Receive, talk: Talk) -> None:
        while True:
            said = await receive()
            if said["type"] == "websocket.disconnect":
                return
            if self._end is None:
                talk.hear(said.get("text"), said.get("bytes"), self._now_s())
            # Whoever says much at once must not keep the others waiting.
            await asyncio.sleep(0)
            while talk.full and self._end is None:
                self._room.clear()
                await self._room.wait()

    async def _send(self, talk: Talk) -> None:
        timeouts = self._timeouts
        try:
            while await self._woken():
                while messages := talk.batch():
                    await self._carry(messages)
                    await asyncio.sleep(0)
                if self._end is not None:
                    self._wire.end(*self._end)
                    return
        except Gone:
            return
        except Stalled:
            self._on_stall()
            limit = f"{timeouts.stall_s:g} s"
            self._wire.end(TRY_AGAIN_LATER, f"too slow: nothing was taken for {limit}")

    async def _carry(self, messages: Sequence[bytes]) -> None:
        self._carrying = True
        try:
            await self._wire.carry(messages, limit_s=self._timeouts.stall_s)
        finally:
            self._carrying = False
        self._sent_s = self._now_s()
        self._room.set()

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
        return True


def wire_of(scope: Scope, send: Send) -> Wire:
    """Find the way to the peer that the server offers."""
    wire: Wire = scope["extensions"].get(WIRE) or _AsgiWire(send)
    return wire


async def refuse(scope: Scope, send: Send, *, status: int, code: str, text: str) -> None:
    """Answer a handshake with a status instead of a connection.

    Args:
        scope: of the connection.
        send: to the peer.
        status: of HTTP.
        code: stable name of the fault.
        text: in one line.
    """
    if "websocket.http.response" not in scope["extensions"]:
        await send({"type": "websocket.close", "code": 1008, "reason": text})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-error-code", code.encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": text.encode()})


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


async def _first_of(*work: Awaitable[None]) -> None:
    """Run until the first ends, and end the others."""
    loops = {asyncio.ensure_future(one) for one in work}
    try:
        done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    for task in done:
        task.result()

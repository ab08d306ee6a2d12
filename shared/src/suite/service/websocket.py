"""The server's WebSocket protocol: uvicorn's, with a direct way to the wire.

ASGI's `send` makes a frame, a write and a look at the connection of every single message, and an
application that has only ASGI can neither see whether a peer takes what it is sent nor end a
connection that takes nothing. So the protocol hands itself to the application as an extension:

    wire = scope["extensions"][WIRE]
    await wire.carry(messages, limit_s=10)

It also closes three ways in which a peer that does not read could hold memory for ever: pongs that
nobody takes, a close that waits for buffered bytes, and the kernel's send buffer.
"""

import asyncio
import socket
import struct
from asyncio.transports import BaseTransport
from collections.abc import Sequence
from typing import Any, Final, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

WIRE: Final = "suite.wire"
"""Name of the extension."""
NORMAL: Final = 1000
GOING_AWAY: Final = 1001
TRY_AGAIN_LATER: Final = 1013
"""Codes of a close frame, RFC 6455 and its registry."""
SEND_BUFFER_BYTES: Final = 1 << 18
CLOSE_LIMIT_S: Final = 2.0
"""How long a peer may take to answer a close."""
_SWITCHING: Final = 101
_SHORT, _MEDIUM = 126, 1 << 16


class Gone(Exception):
    """The peer is no longer there."""


class Stalled(Exception):
    """The peer has not taken what it was sent."""


class Wire(Protocol):
    """The way to the peer: `WebSocketProtocol`, or what an application has in its place."""

    async def carry(self, messages: Sequence[bytes], *, limit_s: float) -> None:
        """Send text messages, and wait until there is room for more.

        Args:
            messages: UTF-8.
            limit_s: how long there may be no room.

        Raises:
            Gone: the connection has ended.
            Stalled: there was no room for so long.
        """
        ...

    def end(self, code: int, reason: str) -> None:
        """Close.

        Args:
            code: of the close frame.
            reason: in it, at most 123 bytes.
        """
        ...


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound what the kernel holds for a peer that does not read."""
        super().connection_made(transport)
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        """Offer the extension."""
        super().handle_connect(event)
        if self.response.status_code == _SWITCHING:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[WIRE] = self

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what refers back to here, so that all of it is freed at once.

        Connections come and go by thousands, and what is left to the collector of cycles stays
        until there is as much of it as a quarter of the process.
        """
        super().connection_lost(exc)
        self.conn.parser.close()
        if hasattr(self, "scope"):  # it is made when the handshake is accepted
            self.scope["extensions"].pop(WIRE, None)

    async def carry(self, messages: Sequence[bytes], *, limit_s: float) -> None:
        """Send text messages in one write, and wait until there is room for more."""
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise Gone
        self.transport.write(frames(messages))
        if not self.writable.is_set():
            try:
                async with asyncio.timeout(limit_s):
                    await self.writable.wait()
            except TimeoutError:
                raise Stalled from None

    def end(self, code: int, reason: str) -> None:
        """Close; a peer that does not answer within the limit is cut off."""
        if self.disconnected or self.close_sent or self.transport.is_closing():
            self.cut()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_LIMIT_S, self.cut)

    def cut(self) -> None:
        """End the connection at once, and have the kernel forget what was not taken."""
        connection: socket.socket | None = self.transport.get_extra_info("socket")
        if connection is not None and connection.fileno() >= 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def handle_ping(self) -> None:
        """Answer, but not a peer that takes no answers: pongs would pile up."""
        pong = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pong))

    def keepalive_timeout(self) -> None:
        """Cut off a peer that has vanished; what it did not take is not waited for."""
        super().keepalive_timeout()
        self.cut()

    def shutdown(self) -> None:
        """Say goodbye, and do not wait long for who does not listen."""
        super().shutdown()
        self.loop.call_later(CLOSE_LIMIT_S, self.cut)


def frames(messages: Sequence[bytes]) -> bytes:
    """Write unmasked text frames, one a message."""
    pieces: list[bytes] = []
    for payload in messages:
        length = len(payload)
        if length < _SHORT:
            pieces.append(bytes((0x81, length)))
        elif length < _MEDIUM:
            pieces.append(b"\x81\x7e" + length.to_bytes(2))
        else:
            pieces.append(b"\x81\x7f" + length.to_bytes(8))
        pieces.append(payload)
    return b"".join(pieces)

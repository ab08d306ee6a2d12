"""A client's WebSocket with the faults of the suite: what every native stream is built on."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from suite.errors import UpstreamTimeout, UpstreamUnavailable, one_line
from suite.service.feed import FRAME_LIMIT, MalformedFrame, OversizeFrame
from suite.service.http import shown

if TYPE_CHECKING:
    import aiohttp

_TOO_BIG: Final = 1009
_CLOSE_S: Final = 1.0


class FeedSocket:
    """One connection that sends and receives JSON.

    Args:
        url: `wss://...`.
        frame_limit: bytes of the longest message taken.
        headers: of the handshake.
    """

    def __init__(
        self, url: str, *, frame_limit: int = FRAME_LIMIT, headers: dict[str, str] | None = None
    ) -> None:
        self._url = url
        self._shown = shown(url)
        self._frame_limit = frame_limit
        self._headers = headers or {}
        self._session: aiohttp.ClientSession | None = None
        self._socket: Any = None

    async def open(self) -> None:
        """Connect.

        Raises:
            UpstreamUnavailable: nobody answers, or not with a WebSocket.
            UpstreamTimeout: not in time.
        """
        import aiohttp

        self._session = aiohttp.ClientSession(trust_env=False)
        try:
            self._socket = await self._session.ws_connect(
                self._url,
                headers=self._headers,
                max_msg_size=self._frame_limit,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                decode_text=False,
            )
        except TimeoutError:
            raise UpstreamTimeout(f"no connection to {self._shown} in time") from None
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            raise UpstreamUnavailable(
                one_line(f"no connection to {self._shown}: {str(error) or type(error).__name__}")
            ) from None

    async def send(self, message: Any) -> None:
        """Send a message.

        Raises:
            UpstreamUnavailable: the connection has ended.
        """
        import aiohttp

        try:
            await self._socket.send_str(msgspec.json.encode(message).decode())
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise UpstreamUnavailable(
                one_line(f"the connection to {self._shown} has ended: {error}")
            ) from None

    async def receive(self) -> bytes:
        """Wait for the next message, as it came.

        Raises:
            UpstreamUnavailable: the connection has ended.
            OversizeFrame: a message is longer than the limit, which ends the connection.
            MalformedFrame: a message is not text.
        """
        from aiohttp import WSMsgType

        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            data: bytes = message.data
            return data
        if message.type is WSMsgType.BINARY:
            raise MalformedFrame("a binary message")
        if message.type is WSMsgType.ERROR and getattr(message.data, "code", 0) == _TOO_BIG:
            raise OversizeFrame(
                f"{self._shown} sent a message of more than {self._frame_limit} bytes"
            )
        code = self._socket.close_code
        raise UpstreamUnavailable(f"{self._shown} has ended the connection, code {code}")

    async def close(self) -> None:
        """End it; nothing is waited for longer than a second."""
        if self._socket is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._socket.close()
        if self._session is not None:
            await self._session.close()

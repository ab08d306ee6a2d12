"""`WS /ws` in the dialect of Hyperliquid: candles, mids and trades as they are collected."""

import asyncio
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from data_collector.application.streaming import Hub, Limits, Subscriber
from suite.contracts import hyperliquid_ws as ws
from suite.service.tokens import open_to_all
from suite.service.websocket import TRY_AGAIN_LATER, WIRE, Gone, Stalled, Wire

CONNECTIONS: Final = 1000
_PONG: Final = b'{"channel":"pong"}'
_SHOWN: Final = 8192
"""How much of a malformed frame is echoed, characters."""
_log = structlog.get_logger(__name__)


class SocketEndpoint:
    """`/ws` as an ASGI application; it reads what is public and asks for no token.

    Args:
        hub: what there is to subscribe to.
        limits: of each connection.
        stall_s: how long a client may take nothing of what it is sent.
        connections: open at a time.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        limits: Limits | None = None,
        stall_s: float = 10.0,
        connections: int = CONNECTIONS,
    ) -> None:
        self._hub = hub
        self._limits = limits or Limits()
        self._stall_s = stall_s
        self._room = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection until either side ends it."""
        await receive()
        if self._room <= 0 or WIRE not in scope["extensions"]:
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "no room"})
            return
        await send({"type": "websocket.accept"})
        self._room -= 1
        try:
            wire: Wire = scope["extensions"][WIRE]
            await _Connection(self._hub, wire, self._limits, self._stall_s).serve(receive)
        finally:
            self._room += 1


def add_socket(app: FastAPI, hub: Hub) -> None:
    """Serve `/ws`."""
    mark = open_to_all("it reads what is public")
    app.router.routes.append(WebSocketRoute("/ws", mark(SocketEndpoint(hub))))


class _Connection:
    """One connection: a loop that listens, and one that sends."""

    def __init__(self, hub: Hub, wire: Wire, limits: Limits, stall_s: float) -> None:
        self._hub = hub
        self._wire = wire
        self._stall_s = stall_s
        self._something = asyncio.Event()
        self._subscriber = Subscriber(hub, wake=self._something.set, limits=limits)

    async def serve(self, receive: Receive) -> None:
        """Listen and send until either has come to its end."""
        loops = {asyncio.create_task(self._listen(receive)), asyncio.create_task(self._send())}
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            self._subscriber.close()
        for task in done:
            task.result()

    async def _listen(self, receive: Receive) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            said = await receive()
            if said["type"] == "websocket.disconnect":
                return
            if not self._subscriber.heard(now_s()):
                self._answer(said.get("text"), said.get("bytes"))
            # Whoever says much at once must not keep the others waiting.
            await asyncio.sleep(0)

    def _answer(self, text: str | None, binary: bytes | None) -> None:
        frame = None if text is None else ws.decode_frame(text)
        match frame:
            case ws.Subscribe():
                self._subscriber.subscribe(frame.subscription)
            case ws.Unsubscribe():
                self._subscriber.unsubscribe(frame.subscription)
            case ws.Ping():
                self._subscriber.put(_PONG)
            case _:
                shown = (binary or b"")[:_SHOWN].decode(errors="replace") if text is None else text
                self._subscriber.error(ws.MALFORMED.format(text=shown[:_SHOWN]))

    async def _send(self) -> None:
        subscriber, wire = self._subscriber, self._wire
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                while messages := subscriber.batch():
                    await wire.carry(messages, limit_s=self._stall_s)
                    await asyncio.sleep(0)
                    if subscriber.overflowed:
                        self._drop("too slow: too much is waiting")
                        return
        except Gone:
            return
        except Stalled:
            self._drop(f"too slow: nothing was taken for {self._stall_s:g} s")

    def _drop(self, reason: str) -> None:
        _log.warning("ws_dropped", reason=reason)
        self._wire.end(TRY_AGAIN_LATER, reason)

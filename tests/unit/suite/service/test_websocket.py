"""The server's WebSocket protocol over real sockets: frames, room, and peers that do not read."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from suite.service import websocket
from suite.service.websocket import WIRE, Gone, Stalled, WebSocketProtocol, frames

App = Callable[[Scope, Receive, Send], Awaitable[None]]
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
HIGH_WATER = 1 << 16
MESSAGE = b"x" * 10_000


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers; says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def running(app: App, **config: Any) -> AsyncIterator[tuple[_Server, int]]:
    """Serve an application on a port of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        settings = {"lifespan": "off", "log_config": None, "ws": WebSocketProtocol, **config}
        server = _Server(uvicorn.Config(app, **settings))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.up.wait()
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


class Peer:
    """An application that hands the test what it has."""

    def __init__(self) -> None:
        self.wires: asyncio.Queue[WebSocketProtocol] = asyncio.Queue()
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.ended: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.wires.put_nowait(scope["extensions"][WIRE])
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.ended.put_nowait(dict(message))
                return
            self.heard.put_nowait(dict(message))


@contextlib.asynccontextmanager
async def deaf(port: int) -> AsyncIterator[tuple[Any, Any]]:
    """A client that shakes hands, and after that reads nothing by itself."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    writer.write(HANDSHAKE)
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def flood(wire: WebSocketProtocol) -> None:
    """Send more than any buffer on the way holds."""
    for _ in range(1000):
        await wire.carry([MESSAGE], limit_s=0.05)


async def until_empty(server: _Server) -> None:
    """Wait until no connection is left."""
    async with asyncio.timeout(10):
        while server.server_state.connections:  # noqa: ASYNC110 - uvicorn's own set tells nobody
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSE_LIMIT_S", 0.1)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 1 << 20])
async def test_messages_of_every_length_arrive_in_their_order(length: int) -> None:
    """The length of a frame has three notations."""
    peer = Peer()
    sent = [b"first", b"x" * length, "\u20ac".encode()]
    async with running(peer) as (_, port), connect(f"ws://127.0.0.1:{port}") as client:
        wire = await peer.wires.get()
        carrying = asyncio.create_task(wire.carry(sent, limit_s=5))
        assert [m.decode() for m in sent] == [await client.recv() for _ in sent]
        await carrying


def test_many_messages_are_one_write() -> None:
    assert b"\x81\x01a\x81\x02bc" == frames([b"a", b"bc"])
    assert b"" == frames([])


async def test_connection_is_closed_with_its_code_and_reason() -> None:
    """And what was sent before arrives before."""
    peer = Peer()
    async with running(peer) as (server, port), connect(f"ws://127.0.0.1:{port}") as client:
        wire = await peer.wires.get()
        await wire.carry([b"last"], limit_s=5)
        wire.end(1013, "too slow")
        assert "last" == await client.recv()
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert (1013, "too slow") == (closed.value.rcvd.code, closed.value.rcvd.reason)  # type: ignore[union-attr]
        assert 1013 == (await peer.ended.get())["code"]
        await until_empty(server)
        with pytest.raises(Gone):
            await wire.carry([b"more"], limit_s=5)


async def test_peer_that_has_left_is_gone() -> None:
    peer = Peer()
    async with running(peer) as (_, port):
        client: ClientConnection = await connect(f"ws://127.0.0.1:{port}")
        wire = await peer.wires.get()
        await client.close()
        await peer.ended.get()
        with pytest.raises(Gone):
            await wire.carry([b"hello"], limit_s=5)
        wire.end(1000, "")


async def test_peer_that_reads_nothing_stalls_and_is_cut_off() -> None:
    """The server keeps what it has given to the connection, never more; then nothing."""
    peer = Peer()
    async with running(peer) as (server, port), deaf(port):
        wire = await peer.wires.get()
        with pytest.raises(Stalled):
            await flood(wire)
        assert wire.transport.get_write_buffer_size() <= HIGH_WATER + len(MESSAGE) + 4
        wire.end(1013, "too slow")
        await until_empty(server)


async def test_pongs_that_nobody_reads_do_not_pile_up() -> None:
    """A client may ping without end; what it does not take is not kept for it."""
    peer = Peer()
    pings, text = 500 * (b"\x89\xfd" + bytes(4) + b"p" * 125), b"\x81\x81" + bytes(4) + b"t"
    async with running(peer) as (_, port), deaf(port) as (_, writer):
        wire = await peer.wires.get()
        for _ in range(100):
            writer.write(pings + text)
            await peer.heard.get()
        assert not wire.writable.is_set()
        assert wire.transport.get_write_buffer_size() <= HIGH_WATER + len(pings)


async def test_vanished_peer_is_noticed_and_freed_even_with_unsent_bytes() -> None:
    """It answers no ping; the bytes it never took do not keep the connection."""
    peer = Peer()
    quick = {"ws_ping_interval": 0.3, "ws_ping_timeout": 0.3}
    async with running(peer, **quick) as (server, port), deaf(port):
        wire = await peer.wires.get()
        with pytest.raises(Stalled):
            await flood(wire)
        assert wire.transport.get_write_buffer_size() > 0
        await until_empty(server)
        assert "websocket.disconnect" == (await peer.ended.get())["type"]


async def test_server_stops_soon_whoever_does_not_listen() -> None:
    """A stop waits for no client that takes nothing."""
    peer = Peer()
    async with contextlib.AsyncExitStack() as stack:
        server, port = await stack.enter_async_context(running(peer))
        await stack.enter_async_context(deaf(port))
        wire = await peer.wires.get()
        with pytest.raises(Stalled):
            await flood(wire)
        server.should_exit = True
        await until_empty(server)

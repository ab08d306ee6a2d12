"""A door to a PostgreSQL server: open, shut, or open with answers to COMMIT that are lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

_COMMIT = b"COMMIT;"
_PIECE = 1 << 16


class DatabaseGate:
    """Passes bytes on between clients and a server.

    Args:
        socket: of the server.

    Attributes:
        url: for clients.
        lost: how many more COMMITs are carried out whose answer does not come back.
        refused: connections that found it shut.
    """

    def __init__(self, socket: str) -> None:
        self.url = ""
        self.lost = 0
        self.refused = 0
        self._socket = socket
        self._is_open = True
        self._clients: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.get_running_loop()

    def shut(self) -> None:
        """Cut all connections, and take no other; from whichever thread."""
        self._is_open = False
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for client in self._clients:
            client.transport.abort()

    def open(self) -> None:
        """Take connections again."""
        self._is_open = True

    async def carry(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Carry one connection until an end closes it."""
        if not self._is_open:
            self.refused += 1
            client.transport.abort()
            return
        from_server, server = await asyncio.open_unix_connection(self._socket)
        self._clients.add(client)
        committing = asyncio.Event()
        ways = [
            asyncio.ensure_future(self._up(reader, server, committing)),
            asyncio.ensure_future(self._down(from_server, client, committing)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._clients.discard(client)
            client.transport.abort()
            server.transport.abort()

    async def _up(
        self,
        reader: asyncio.StreamReader,
        server: asyncio.StreamWriter,
        committing: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                if self.lost and _COMMIT in data:
                    self.lost -= 1
                    committing.set()
                server.write(data)
                await server.drain()

    async def _down(
        self,
        from_server: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        committing: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while data := await from_server.read(_PIECE):
                if committing.is_set():
                    return  # it is done, and nobody is told
                client.write(data)
                await client.drain()


@asynccontextmanager
async def gate_to(server_url: str) -> AsyncIterator[DatabaseGate]:
    """Open a door to a server that listens on a socket in a folder."""
    options = parse_qs(urlsplit(server_url).query)
    gate = DatabaseGate(f"{options['host'][0]}/.s.PGSQL.{options['port'][0]}")
    listening = await asyncio.start_server(gate.carry, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    gate.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        yield gate
    finally:
        gate.shut()
        listening.close()

"""What lies between the proxy and its venue: it tells the venue's time, and notes what leaves."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.http_faults import HttpFaults, Reply, Request, key_of, served

_JSON = {"content-type": "application/json"}


class WayToVenue(HttpFaults):
    """Passes everything on; a venue of another time answers with the time of life here.

    Attributes:
        nonces: of what the proxy sent, in its order.
        is_severed: nothing passes, and nobody gets in.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream, random.Random(1), {}, late_s=0, hold_s=0, name_of=key_of)
        self.nonces: list[int] = []
        self.is_severed = False
        self._loop = asyncio.get_running_loop()

    def sever(self) -> None:
        """Cut all connections, and take no other; from whichever thread."""
        self.is_severed = True
        self._loop.call_soon_threadsafe(self.cut)

    def mend(self) -> None:
        """Take connections again."""
        self.is_severed = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, where the way is open."""
        if self.is_severed:
            writer.transport.abort()
        else:
            await super().handle(reader, writer)

    async def forward(self, request: Request) -> Reply:
        """Bring a request to the venue, but for the question what time it is there."""
        if request.path == "/clock":
            return Reply(404, _JSON, b"{}")
        if request.path == "/info" and b'"exchangeStatus"' in request.body:
            told = {"time": time.time_ns() // 1_000_000, "specialStatuses": None}
            return Reply(200, _JSON, json.dumps(told).encode())
        if request.path == "/exchange":
            self.nonces.append(json.loads(request.body)["nonce"])
        return await super().forward(request)


@asynccontextmanager
async def way_to(upstream: str) -> AsyncIterator[WayToVenue]:
    """Open the way to a venue."""
    way = WayToVenue(upstream)
    async with served(way):
        yield way

"""Which client library a step should use, and whether a Unix socket pays: `make bench`.

One request in flight against an empty POST of our own server stack, since that is what a step of an
agent is; server and client on a core each.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import httpx
from tests.bench import bench_wire

ROUNDS, REQUESTS = 5, 2000
URL = "http://127.0.0.1"
OVER_UNIX_SOCKET = bench_wire.EMPTY_SERVER.replace(
    "serve(app, settings)",
    "import uvicorn\nprint('ready on unix:0', flush=True)\n"
    "uvicorn.run(app, uds='empty.sock', log_config=None, access_log=False)",
)
Post = Callable[[], Awaitable[None]]


async def with_aiohttp(
    port: int, path: str | None, measure: Callable[[Post], Awaitable[float]]
) -> float:
    """Microseconds a request with aiohttp."""
    connector = aiohttp.UnixConnector(path) if path else aiohttp.TCPConnector()
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post() -> None:
            headers = {"content-type": "application/json"}
            async with session.post(f"{URL}:{port}/empty", data=b"{}", headers=headers) as reply:
                await reply.read()

        return await measure(post)


async def with_httpx(
    port: int, path: str | None, measure: Callable[[Post], Awaitable[float]]
) -> float:
    """Microseconds a request with httpx."""
    transport = httpx.AsyncHTTPTransport(uds=path)
    async with httpx.AsyncClient(transport=transport) as client:

        async def post() -> None:
            headers = {"content-type": "application/json"}
            await client.post(f"{URL}:{port}/empty", content=b"{}", headers=headers)

        return await measure(post)


async def measured(post: Post) -> float:
    """Median microseconds of a request."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(REQUESTS):
            await post()
        taken.append((time.perf_counter() - start) / REQUESTS * 1e6)
    return statistics.median(taken)


def main() -> None:
    """Print the table."""
    os.sched_setaffinity(0, {1})
    print("clients: one empty POST at a time, microseconds")
    for name, source in (("TCP", bench_wire.EMPTY_SERVER), ("Unix socket", OVER_UNIX_SOCKET)):
        with (
            tempfile.TemporaryDirectory() as folder,
            bench_wire.Server(Path(folder), sys.executable, "-c", source) as server,
        ):
            path = f"{folder}/empty.sock" if name != "TCP" else None
            while path is not None and not Path(path).exists():
                time.sleep(0.1)
            for client in (with_aiohttp, with_httpx):
                taken = asyncio.run(client(server.port or 80, path, measured))
                print(f"  {client.__name__[5:]:<10}{name:<14}{taken:6.0f}")


if __name__ == "__main__":
    main()

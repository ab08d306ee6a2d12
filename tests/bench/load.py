"""Load on a local HTTP server: keep-alive connections with one request in flight each."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class Result:
    """What a load has shown.

    Attributes:
        rate: answers a second.
        latencies_s: of each request from its due time on, sorted.
        size: bytes of the last answer's body.
        refused: answers with another status than 200.
    """

    rate: float
    latencies_s: list[float]
    size: int
    refused: int

    def percentile_ms(self, share: float) -> float:
        """Latency below which a share of the answers came."""
        return 1000 * self.latencies_s[int(share * (len(self.latencies_s) - 1))]


class _Connection(asyncio.Protocol):
    """One connection; an answer is complete when its announced length is there, 0 if none is."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, split, rest = self._buffer.partition(b"\r\n\r\n")
        if not split:
            return
        _, announced, value = head.lower().partition(b"content-length:")
        length = int(value.split(b"\r\n", 1)[0]) if announced else 0
        if len(rest) < length:
            return
        body, self._buffer = rest[:length], rest[length:]
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result((int(head[9:12]), body))

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Send a request; the future holds status and body of its answer."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


def request(path: str, body: bytes, token: str = "") -> bytes:
    """One POST."""
    authorization = f"authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{authorization}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(
    port: int, requests: Iterator[bytes], *, connections: int, per_second: float | None = None
) -> Result:
    """Send requests until there are no more.

    Args:
        port: on 127.0.0.1.
        requests: taken in turn by the connections.
        connections: how many there are.
        per_second: paced at this rate; as fast as answers come when None.
    """
    with contextlib.closing(_loop()) as loop:
        return loop.run_until_complete(_run(port, requests, connections, per_second))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


async def _run(
    port: int, requests: Iterator[bytes], connections: int, per_second: float | None
) -> Result:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    size = refused = sent = 0
    start = time.perf_counter()

    async def work(connection: _Connection) -> None:
        nonlocal size, refused, sent
        for request_ in requests:
            due = time.perf_counter()
            if per_second is not None:
                due = start + sent / per_second
            sent += 1
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            status, body = await connection.ask(request_)
            latencies.append(time.perf_counter() - due)
            size = len(body)
            refused += status != 200

    pairs = [
        await loop.create_connection(_Connection, "127.0.0.1", port) for _ in range(connections)
    ]
    await asyncio.gather(*(work(connection) for _, connection in pairs))
    seconds = time.perf_counter() - start
    for _, connection in pairs:
        connection.close()
    return Result(len(latencies) / seconds, sorted(latencies), size, refused)

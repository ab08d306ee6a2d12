"""An HTTP proxy that does to requests and answers what networks, gateways and venues do.

A process-local server in front of a venue. What is not about orders passes untouched, and so do
WebSockets.
"""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Self

import aiohttp

_ORDERS: Final = "/exchange"
_DROPPED: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "date"})
_NO_LINGER: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def head(self, length: int | None = None) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Told"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"content-length: {len(self.body) if length is None else length}")
        return "\r\n".join([*lines, "", ""]).encode()


def key_of(request: Request) -> str:
    """The key that a request carries."""
    return request.headers.get("idempotency-key", "")


def _plain(status: int, text: str = "", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"content-type": "text/html", **named}, text.encode())


_PAGE: Final = "<html><body>Bad gateway</body></html>"
_BODIES: Final[dict[str, bytes]] = {
    "empty 200": b"",
    "HTML 200": _PAGE.encode(),
    "garbage 200": bytes(range(256)),
    "wrong schema 200": b'{"status":"ok","response":{"type":"order","data":{"statuses":{}}}}',
    "other type 200": b'{"status":"ok","response":{"type":"twapCancel","data":{"status":"x"}}}',
    "NaN 200": b'{"status":"ok","response":NaN}',
    "null 200": b"null",
    "huge 200": b'{"status":"ok","response":"' + b"x" * (1 << 20) + b'"}',
}


class HttpFaults:
    """One proxy.

    Args:
        upstream: the venue's address, without a slash at the end.
        chance: of everything.
        shares: how often what is done to a request about orders, 0 to 1, by the names of `FAULTS`.
        late_s: longest time by which a request comes later than its sender was told that it failed.
        hold_s: how long an answer that never comes is kept back, at most.
        name_of: by which a request is known in `hit`.

    Attributes:
        url: where it listens.
        done: how often what was done.
        hit: keys of the requests to which it was done.
        outage: everything fails, most of it after it was carried out or before it is.
    """

    def __init__(
        self,
        upstream: str,
        chance: random.Random,
        shares: Mapping[str, float],
        *,
        late_s: float,
        hold_s: float,
        name_of: Callable[[Request], str],
    ) -> None:
        self.url = ""
        self.done: Counter[str] = Counter()
        self.hit: dict[str, set[str]] = {}
        self.outage = False
        self.shares = dict(shares)
        self._upstream = upstream
        self._chance = chance
        self._late_s = late_s
        self._hold_s = hold_s
        self._name_of = name_of
        self._session: aiohttp.ClientSession | None = None
        self._late: set[asyncio.Task[object]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._before: Reply | None = None
        self._passed = asyncio.Event()

    def cut(self) -> None:
        """End all connections without a word."""
        for writer in self._writers:
            writer.transport.abort()

    @property
    def under_way(self) -> int:
        """Requests that the venue will still get."""
        return len(self._late)

    def heal(self) -> None:
        """Do nothing any more to what comes from now on."""
        self.shares, self.outage = {}, False

    async def settle(self) -> None:
        """Wait until everything that was kept back has reached the venue."""
        while self._late:
            await asyncio.wait(set(self._late))

    # connections

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self._writers.add(writer)
        try:
            while (request := await _read(reader)) is not None:
                if not await self._serve(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; say whether the connection goes on."""
        if "upgrade" in request.headers:
            return await self._tunnel(request, reader, writer)
        name = self._chosen(request)
        if name is None:
            reply = await self.forward(request)
            self._before = reply
            return await _write(writer, reply)
        self.done[name] += 1
        self.hit.setdefault(name, set()).add(self._name_of(request))
        return await FAULTS[name](self, request, writer)

    async def _tunnel(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Carry a WebSocket byte for byte until an end closes."""
        host, _, port = self._upstream.rpartition("/")[2].partition(":")
        from_venue, to_venue = await asyncio.open_connection(host, int(port))
        self._writers.add(to_venue)
        lines = [f"{request.method} {request.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        to_venue.write("\r\n".join([*lines, "", ""]).encode())
        ways = [
            asyncio.ensure_future(_carry(reader, to_venue)),
            asyncio.ensure_future(_carry(from_venue, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._writers.discard(to_venue)
            to_venue.close()
        return False

    def _chosen(self, request: Request) -> str | None:
        if not request.path.startswith(_ORDERS):
            return None
        if self.outage:
            return self._chance.choice(IN_AN_OUTAGE)
        throw = self._chance.random()
        for name, share in self.shares.items():
            throw -= share
            if throw < 0:
                return name
        return None

    # the venue

    async def forward(self, request: Request) -> Reply:
        """Bring a request to the venue."""
        assert self._session is not None
        headers = {k: v for k, v in request.headers.items() if k not in _DROPPED}
        async with self._session.request(
            request.method, f"{self._upstream}{request.path}", data=request.body, headers=headers
        ) as answer:
            body = await answer.read()
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _DROPPED}
            self._passed.set()
            return Reply(answer.status, kept, body)

    def later(self, request: Request) -> None:
        """Bring it to the venue long after its sender was told something else."""
        delay_s = self._late_s * self._chance.random() ** 2

        async def bring() -> None:
            await asyncio.sleep(delay_s)
            await self.forward(request)

        task = asyncio.ensure_future(bring())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def slowly(self, request: Request) -> Reply:
        """Bring it to the venue after a while, even where its sender is gone by then."""

        async def bring() -> Reply:
            await self.hold()
            return await self.forward(request)

        task = asyncio.ensure_future(bring())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return await asyncio.shield(task)

    async def next_passed(self) -> None:
        """Wait until another request has reached the venue, or for a moment."""
        self._passed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._passed.wait(), 0.2)

    def before(self) -> Reply | None:
        """The last answer that was passed on to anybody."""
        return self._before

    async def hold(self) -> None:
        """Keep an answer back for longer than anybody waits."""
        await asyncio.sleep(self._hold_s)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._late:
            task.cancel()
        self.cut()
        assert self._session is not None
        await self._session.close()


Fault = Callable[[HttpFaults, Request, asyncio.StreamWriter], Awaitable[bool]]


def _reset(writer: asyncio.StreamWriter) -> bool:
    with suppress(OSError):  # the client may have gone
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
    return False


async def _write(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    writer.write(reply.head() + reply.body)
    await writer.drain()
    return True


async def _reset_before(
    _proxy: HttpFaults, _request: Request, writer: asyncio.StreamWriter
) -> bool:
    return _reset(writer)


async def _reset_after(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    await proxy.forward(request)
    return _reset(writer)


async def _silent_before(proxy: HttpFaults, _: Request, writer: asyncio.StreamWriter) -> bool:
    await proxy.hold()
    return _reset(writer)


async def _silent_after(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    await proxy.forward(request)
    await proxy.hold()
    return _reset(writer)


async def _slow(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    return await _write(writer, await proxy.slowly(request))


async def _head_alone(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    reply = await proxy.forward(request)
    writer.write(reply.head())
    await proxy.hold()
    return _reset(writer)


async def _cut(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    reply = await proxy.forward(request)
    writer.write(reply.head() + reply.body[: len(reply.body) // 2])
    await writer.drain()
    writer.close()
    return False


async def _sliced(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    reply = await proxy.forward(request)
    data = reply.head() + reply.body
    for at in range(0, len(data), 7):
        writer.write(data[at : at + 7])
        await writer.drain()
        await asyncio.sleep(0)
    return True


async def _truncated(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    reply = await proxy.forward(request)
    return await _write(writer, Reply(200, reply.headers, reply.body[:-9]))


async def _twice(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    """The network repeats it; the first answer, or the second, is passed on."""
    first, second = await asyncio.gather(proxy.forward(request), proxy.forward(request))
    return await _write(writer, second if second.body else first)


async def _twice_later(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    proxy.later(request)
    return await _write(writer, await proxy.forward(request))


async def _overtaken(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    await proxy.next_passed()
    return await _write(writer, await proxy.forward(request))


async def _others(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    """The answer to another request, headers and all."""
    other = proxy.before()
    reply = await proxy.forward(request)
    return await _write(writer, other or reply)


async def _late_reset(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
    proxy.later(request)
    return _reset(writer)


def _before(reply: Reply) -> Fault:
    async def fail(_proxy: HttpFaults, _: Request, writer: asyncio.StreamWriter) -> bool:
        return await _write(writer, reply)

    return fail


def _after(reply: Reply) -> Fault:
    async def fail(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
        await proxy.forward(request)
        return await _write(writer, reply)

    return fail


def _later(reply: Reply) -> Fault:
    async def fail(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
        proxy.later(request)
        return await _write(writer, reply)

    return fail


def _mangled(body: bytes) -> Fault:
    """Another body below the venue's own headers."""

    async def fail(proxy: HttpFaults, request: Request, writer: asyncio.StreamWriter) -> bool:
        reply = await proxy.forward(request)
        return await _write(writer, Reply(200, reply.headers, body))

    return fail


FAULTS: Final[dict[str, Fault]] = {
    "reset before the venue": _reset_before,
    "reset after the venue": _reset_after,
    "half-open, never arrived": _silent_before,
    "timeout after accept": _silent_after,
    "slow": _slow,
    "headers without a body": _head_alone,
    "cut within the body": _cut,
    "one answer in slices": _sliced,
    "429 before": _before(_plain(429, "slow down")),
    "429 with Retry-After before": _before(_plain(429, "slow down", retry_after="0")),
    "429 after executing": _after(_plain(429, "slow down")),
    "400 before": _before(_plain(400, _PAGE)),
    "403 after executing": _after(_plain(403, _PAGE)),
    "500 before": _before(_plain(500, _PAGE)),
    "500 after executing": _after(_plain(500, _PAGE)),
    "502 after executing": _after(_plain(502, _PAGE)),
    "503 before": _before(_plain(503, _PAGE, retry_after="0")),
    "504 after executing": _after(_plain(504, _PAGE)),
    "302 after executing": _after(_plain(302, "", location="/login")),
    "503, executed later": _later(_plain(503, _PAGE)),
    "504, executed later": _later(_plain(504, _PAGE)),
    "reset, executed later": _late_reset,
    "delivered twice": _twice,
    "delivered again later": _twice_later,
    "overtaken by another": _overtaken,
    "answer of another request": _others,
    "truncated 200": _truncated,
    "bare HTML 200": _after(_plain(200, _PAGE)),
    **{name: _mangled(body) for name, body in _BODIES.items()},
}
IN_AN_OUTAGE: Final = (
    "503, executed later",
    "504, executed later",
    "500 after executing",
    "502 after executing",
    "timeout after accept",
    "503 before",
)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = b""
    with suppress(asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
    if not head:
        return None
    first, *rows = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (row.partition(":") for row in rows if row)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


@asynccontextmanager
async def http_faults(
    upstream: str,
    shares: Mapping[str, float],
    *,
    seed: int = 1,
    late_s: float = 4.0,
    hold_s: float = 2.0,
    name_of: Callable[[Request], str] = key_of,
) -> AsyncIterator[HttpFaults]:
    """Run a proxy."""
    chance = random.Random(seed)
    proxy = HttpFaults(upstream, chance, shares, late_s=late_s, hold_s=hold_s, name_of=name_of)
    async with served(proxy):
        yield proxy


@asynccontextmanager
async def served(proxy: HttpFaults) -> AsyncIterator[None]:
    """Let a proxy listen."""
    async with proxy:
        server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        proxy.url = f"http://127.0.0.1:{port}"
        try:
            yield
        finally:
            server.close()

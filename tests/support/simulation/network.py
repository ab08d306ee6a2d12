"""The network between simulated processes: HTTP and WebSockets that lose, repeat and delay.

Servers are ASGI applications and clients the services' own; only the connection between them is
simulated. Everything that arrives anywhere is hashed: the trace of a history.
"""

import asyncio
import hashlib
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from multidict import CIMultiDict
from tests.support.simulation.machine import Process, SimulatedLoop, current

from suite.errors import UpstreamUnavailable

App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Weather:
    """Shares of requests to which something is done.

    Attributes:
        lost: they do not arrive.
        answer_lost: they arrive, and their answer does not.
        repeated: of those that act, a copy comes again up to half a minute later.
        error: an answer with an error, whatever is done, at once, later or never.
        broken: connections of streams that end, of each message.
        delay_s: mean, one way.
    """

    lost: float = 0.0
    answer_lost: float = 0.0
    repeated: float = 0.0
    error: float = 0.0
    broken: float = 0.0
    delay_s: float = 0.01


@dataclass(slots=True)
class Site:
    """Where a name leads.

    Attributes:
        process: that serves; None while nobody does.
    """

    process: Process | None = None
    app: App | None = None
    sockets: dict["Line", None] = field(default_factory=dict)


class Network:
    """All connections of one history.

    Args:
        loop: of it.
        chance: of what the weather does.

    Attributes:
        weather: see there.
        parted: pairs of names between which nothing gets through.
        erring: names that answer errors at present, whatever they do.
        done: what was done to messages.
        under_way: what still comes.
        left: told of each request that leaves: from, to, path, body.
        heard: told of each request that arrives: from, to, path, body.
        answered: told of each answer: from, to, path, body of the request, status, answer.
    """

    def __init__(self, loop: SimulatedLoop, chance: random.Random) -> None:
        self.loop = loop
        self.weather = Weather()
        self.parted: set[frozenset[str]] = set()
        self.erring: set[str] = set()
        self.done: Counter[str] = Counter()
        self.under_way: set[asyncio.Future[Any]] = set()
        self.heard: list[Callable[[str, str, str, bytes], None]] = []
        self.left: list[Callable[[str, str, str, bytes], None]] = []
        self.answered: list[Callable[[str, str, str, bytes, int, bytes], None]] = []
        self.log: list[str] | None = None
        self.folder = ""
        self._chance = chance
        self._sites: dict[str, Site] = {}
        self._trace = hashlib.sha256()

    @property
    def trace(self) -> str:
        """A digest of all that has arrived so far, and when."""
        return self._trace.hexdigest()

    def site(self, name: str) -> Site:
        """Find where a name leads."""
        return self._sites.setdefault(name, Site())

    def serve(self, name: str, process: Process, app: App) -> None:
        """Have a process answer under a name until it dies."""
        site = self.site(name)
        site.process, site.app = process, app

        def died() -> None:
            if site.process is process:
                site.process = site.app = None
            for line in tuple(site.sockets):
                line.end()

        process.on_death.append(died)

    def note(self, *told: object) -> None:
        """Take a line into the trace."""
        line = f"{self.loop.time():.6f} {' '.join(map(str, told))}"
        if self.folder:
            line = line.replace(self.folder, "")
        self._trace.update(line.encode() + b"\n")
        if self.log is not None:
            self.log.append(line)

    def digest(self, data: bytes) -> str:
        """Shorten what was said, without the name of the real folder that errors tell."""
        return hashlib.sha256(data.replace(self.folder.encode() or b" ", b"")).hexdigest()[:12]

    def is_parted(self, one: str, other: str) -> bool:
        """Whether nothing gets from one to the other."""
        return frozenset((one, other)) in self.parted

    # requests

    async def request(
        self,
        source: str,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: bytes,
        limit_s: float | None,
    ) -> tuple[int, CIMultiDict[str], bytes]:
        """Ask, and wait for the answer.

        Raises:
            TimeoutError: none came in time.
            aiohttp.ClientError: nobody is there, or the connection was reset.
        """
        try:
            async with asyncio.timeout(limit_s):
                return await self._request(source, url, method, headers, body)
        except TimeoutError:
            self.done["timed out"] += 1
            raise

    async def _request(
        self, source: str, url: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, CIMultiDict[str], bytes]:
        parts, chance, weather = urlsplit(url), self._chance, self.weather
        target = parts.hostname or ""
        acts = method == "POST" and "/exchange" in parts.path

        for told in self.left:
            told(source, target, parts.path, body)

        def come() -> Awaitable[tuple[int, CIMultiDict[str], bytes]]:
            return self._at(source, target, url, method, headers, body)

        what = f"{source} {target} {parts.path}"
        if acts and chance.random() < weather.repeated:
            self.done["repeated"] += 1
            _ = self._later(what, come, 30 * chance.random())
        if target in self.erring or chance.random() < weather.error:
            await self._err(what, come)
            return 502, CIMultiDict(), b"bad gateway"
        if self.is_parted(source, target) or chance.random() < weather.lost:
            self.done["lost"] += 1
            await self._fail()
        coming = self._later(what, come, chance.expovariate(1 / weather.delay_s))
        answer: tuple[int, CIMultiDict[str], bytes] = await asyncio.shield(coming)
        if self.is_parted(source, target) or chance.random() < weather.answer_lost:
            self.done["answer lost"] += 1
            await self._fail()
        await asyncio.sleep(chance.expovariate(1 / weather.delay_s))
        return answer

    async def _fail(self) -> None:
        """Reset the connection, or never answer."""
        if self._chance.random() < 0.5:
            raise aiohttp.ClientConnectionError("connection reset")
        await asyncio.sleep(3600)
        raise aiohttp.ClientConnectionError("nothing came")

    async def _err(self, what: str, come: Callable[[], Awaitable[Any]]) -> None:
        """Carry a request out now, later or never; its client is told the same."""
        self.done["error"] += 1
        throw = self._chance.random()
        if throw < 0.3:
            _ = self._later(what, come, 20 * self._chance.random())
        elif throw < 0.7:
            _ = self._later(what, come, 0.0)
        await asyncio.sleep(0.02)

    def _later(
        self, what: str, come: Callable[[], Awaitable[Any]], delay_s: float
    ) -> "asyncio.Future[Any]":
        """Let something arrive, whoever still waits for it; the wire is no part of a process."""

        async def bring() -> Any:
            await asyncio.sleep(delay_s)
            return await come()

        task = asyncio.Task(bring(), loop=self.loop, name=what, context=_nowhere())
        self.under_way.add(task)
        task.add_done_callback(self._over, context=_nowhere())
        return task

    def _over(self, task: "asyncio.Future[Any]") -> None:
        self.under_way.discard(task)
        if not task.cancelled():
            task.exception()

    async def _at(
        self,
        source: str,
        target: str,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, CIMultiDict[str], bytes]:
        site, parts = self.site(target), urlsplit(url)
        process, app = site.process, site.app
        if process is None or app is None:
            raise aiohttp.ClientConnectionError("connection refused")
        self.note(source, target, method, parts.path, self.digest(body))
        for told in self.heard:
            told(source, target, parts.path, body)
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(parts.path),
            "query_string": parts.query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "client": (source, 0),
            "extensions": {},
        }
        done = self.loop.create_future()
        work = process.start(_served(app, scope, body, done))
        reset = process.on_death

        def died() -> None:
            if not done.done():
                done.set_exception(aiohttp.ServerDisconnectedError())

        reset.append(died)
        try:
            status, told_headers, content = await done
        finally:
            if died in reset:
                reset.remove(died)
            del work
        for hears in self.answered:
            hears(source, target, parts.path, body, status, content)
        self.note(target, source, status, self.digest(content))
        return status, told_headers, content

    # streams

    async def connect(self, source: str, url: str, headers: Mapping[str, str]) -> "Line":
        """Open a WebSocket.

        Raises:
            UpstreamUnavailable: nobody answers.
        """
        parts = urlsplit(url)
        target = parts.hostname or ""
        await asyncio.sleep(self._chance.expovariate(1 / self.weather.delay_s))
        site = self.site(target)
        if site.process is None or site.app is None or target in self.erring:
            raise UpstreamUnavailable("connection refused")
        if self.is_parted(source, target):
            await asyncio.sleep(3600)
        line = Line(self, source, target, site)
        scope = {
            "type": "websocket",
            "path": parts.path,
            "query_string": b"",
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "client": (source, 0),
            "extensions": {},
        }
        _ = site.process.start(line.serve(site.app, scope))
        if (here := current()) is not None:
            here.on_death.append(line.end)
        await line.opened
        return line


class Line:
    """One WebSocket: what is said either way comes in order, or not at all and nothing after it."""

    def __init__(self, network: Network, source: str, target: str, site: Site) -> None:
        self.opened: asyncio.Future[None] = network.loop.create_future()
        self._network = network
        self._ends = source, target
        self._site = site
        self._up: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._down: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._free_s = [0.0, 0.0]
        self._coming: tuple[deque[Any], deque[Any]] = (deque(), deque())
        self._ended = False
        site.sockets[self] = None
        self._up.put_nowait({"type": "websocket.connect"})

    async def serve(self, app: App, scope: dict[str, Any]) -> None:
        """Let the server talk."""
        try:
            await app(scope, self._up.get, self._said)
        finally:
            self.end()

    async def _said(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "websocket.accept":
                if not self.opened.done():
                    self.opened.set_result(None)
            case "websocket.send":
                self._carry(1, self._down, message["text"].encode())
            case _:
                self.end()

    def _carry(self, way: int, queue: "asyncio.Queue[Any]", message: Any) -> None:
        network, loop = self._network, self._network.loop
        if self._ended:
            return
        if network.is_parted(*self._ends):
            network.done["stream stalled"] += 1
            self._free_s[way] = float("inf")  # and nothing after it
        elif network._chance.random() < network.weather.broken:
            network.done["stream broken"] += 1
            self.end()
            return
        if self._free_s[way] == float("inf"):
            return
        delay_s = network._chance.expovariate(1 / network.weather.delay_s)
        at_s = max(self._free_s[way], loop.time() + delay_s)
        self._free_s[way] = at_s
        self._coming[way].append(message)
        loop.call_at(at_s, self._arrive, way, queue, context=_nowhere())

    def _arrive(self, way: int, queue: "asyncio.Queue[Any]") -> None:
        """Let the next one arrive, whichever timer of the same moment comes first."""
        message = self._coming[way].popleft()
        if not self._ended:
            text = message if isinstance(message, bytes) else message["text"].encode()
            self._network.note(*self._ends, way, self._network.digest(text))
            queue.put_nowait(message)

    def say(self, text: str) -> None:
        """Send to the server.

        Raises:
            UpstreamUnavailable: the connection has ended.
        """
        if self._ended:
            raise UpstreamUnavailable("the connection has ended")
        self._carry(0, self._up, {"type": "websocket.receive", "text": text, "bytes": None})

    async def hear(self) -> bytes:
        """Wait for what the server says.

        Raises:
            UpstreamUnavailable: the connection has ended.
        """
        message = None if self._ended and self._down.empty() else await self._down.get()
        if message is None:
            raise UpstreamUnavailable("the connection has ended")
        return message

    def end(self) -> None:
        """End it, for both."""
        if self._ended:
            return
        self._ended = True
        self._site.sockets.pop(self, None)
        if not self.opened.done():
            self.opened.set_exception(UpstreamUnavailable("connection refused"))
        self._up.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self._down.put_nowait(None)


async def _served(
    app: App, scope: dict[str, Any], body: bytes, done: "asyncio.Future[Any]"
) -> None:
    """Let a server answer one request."""
    said, gone = [{"type": "http.request", "body": body, "more_body": False}], asyncio.Event()
    status, headers, pieces = 500, CIMultiDict[str](), []

    async def receive() -> dict[str, Any]:
        if said:
            return said.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.extend((k.decode(), v.decode()) for k, v in message.get("headers", ()))
        else:
            pieces.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except BaseException as error:
        if not done.done():
            done.set_exception(aiohttp.ClientConnectionError(f"the server has failed: {error!r}"))
        raise
    if not done.done():
        done.set_result((status, headers, b"".join(pieces)))


def _nowhere() -> Any:
    """The context of nobody."""
    import contextvars

    return contextvars.Context()

"""What services use of HTTP and WebSocket clients, over a simulated network."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final
from unittest.mock import patch

import msgspec
from multidict import CIMultiDict
from tests.support.simulation.machine import current
from tests.support.simulation.network import Line, Network

from suite.errors import UpstreamUnavailable
from suite.service.http import bearer

TIMEOUT_S: Final = 10.0
"""Of a connection over which nothing comes, where its client names no time."""
_SOCKETS: Final = (
    "strategy_agent.adapters.account_feed.FeedSocket",
    "hyperliquid_exchange.adapters.hyperliquid_ws.FeedSocket",
)


class Session:
    """What services use of an aiohttp session."""

    def __init__(
        self, network: Network, base_url: str, headers: Mapping[str, str], limit_s: float | None
    ) -> None:
        self._network, self._base = network, base_url
        self._headers, self._limit_s = dict(headers), limit_s

    def request(self, method: str, url: str, **options: Any) -> Any:
        return self._asked(method, url, **options)

    def post(self, url: str, **options: Any) -> Any:
        return self._asked("POST", url, **options)

    def get(self, url: str, **options: Any) -> Any:
        return self._asked("GET", url, **options)

    async def close(self) -> None:
        pass

    @contextlib.asynccontextmanager
    async def _asked(
        self,
        method: str,
        url: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] = {},
        timeout: Any = None,  # noqa: ASYNC109 - of aiohttp
        allow_redirects: bool = False,
    ) -> "AsyncIterator[_Answer]":
        del allow_redirects
        here = current()
        limit_s = self._limit_s if timeout is None else timeout.total
        whole = url if "://" in url else self._base.rstrip("/") + "/" + url
        status, told, body = await self._network.request(
            here.name if here is not None else "nobody",
            whole,
            method,
            {**self._headers, **headers},
            data or b"",
            limit_s,
        )
        yield _Answer(status, told, body)


class _Answer:
    """What services use of an aiohttp response."""

    reason = None

    def __init__(self, status: int, headers: CIMultiDict[str], body: bytes) -> None:
        self.status, self.headers, self._body = status, headers, body
        self.content = self

    async def read(self) -> bytes:
        return self._body

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        yield self._body

    def close(self) -> None:
        pass


def _socket_type(network: Network) -> type:
    class Socket:
        """A `FeedSocket` of the simulated network."""

        def __init__(
            self, url: str, *, frame_limit: int = 0, headers: dict[str, str] | None = None
        ) -> None:
            del frame_limit
            self._url, self._headers = url, headers or {}
            self._line: Line | None = None

        async def open(self) -> None:
            here = current()
            name = here.name if here is not None else "nobody"
            self._line = await network.connect(name, self._url, self._headers)

        async def send(self, message: Any) -> None:
            if self._line is None:
                raise UpstreamUnavailable("not connected")
            self._line.say(msgspec.json.encode(message).decode())

        async def receive(self) -> bytes:
            if self._line is None:
                raise UpstreamUnavailable("not connected")
            return await self._line.hear()

        async def close(self) -> None:
            if self._line is not None:
                self._line.end()

    return Socket


@contextlib.contextmanager
def connected(network: Network) -> Iterator[None]:
    """Have all clients of the services go through a network."""

    def step_session(
        base_url: str,
        *,
        token: str | None = None,
        timeout_s: float | None = None,
        connections: int = 4,
    ) -> Session:
        del connections
        return Session(network, base_url, bearer(token), timeout_s)

    def opened(upstream: Any) -> Session:
        return Session(network, upstream._url, {}, TIMEOUT_S)

    with contextlib.ExitStack() as stack:
        for name in _SOCKETS:
            stack.enter_context(patch(name, _socket_type(network)))
        stack.enter_context(patch("strategy_agent.bootstrap.step_session", step_session))
        stack.enter_context(
            patch("hyperliquid_exchange.adapters.hyperliquid_http.HyperliquidHttp._opened", opened)
        )
        yield

"""The reading half of the live venue as a server in this process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import uvicorn
from fastapi import FastAPI
from tests.support.live_streams import QUICK, Watched, live_account, watching

from hyperliquid_exchange.adapters.hyperliquid_ws import StreamLimits
from hyperliquid_exchange.application.budgets import Budgets
from hyperliquid_exchange.application.listener import ClientLimits
from hyperliquid_exchange.application.native import Native
from hyperliquid_exchange.application.ports import Upstream
from hyperliquid_exchange.application.reads import Reads
from hyperliquid_exchange.application.venue_time import VenueTime
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.reading import readers
from hyperliquid_exchange.entrypoint import clock, info
from hyperliquid_exchange.entrypoint.routes import add_routes
from hyperliquid_exchange.entrypoint.services import Services
from hyperliquid_exchange.entrypoint.ws import SocketEndpoint, add_sockets
from suite.ids import TraderId
from suite.service.app import install_chassis
from suite.service.clock import SystemClock
from suite.service.conversation import SocketTimeouts
from suite.service.settings import ServiceSettings
from suite.service.tokens import ADMIN, Grant, TokenStore, account_grant
from suite.service.websocket import WebSocketProtocol


class OnlyReads(Native):
    """Carries out nothing; says who would have been asked to do what."""

    def __init__(self) -> None:
        pass

    async def post(self, account: LiveAccount, body: bytes) -> dict[str, Any]:
        told = {"type": "default", "of": account.trader_id, "bytes": len(body)}
        return {"status": "ok", "response": told}


@dataclass
class LiveApp:
    """A running server.

    Attributes:
        url: of it, without a slash at the end.
        tokens: by trader, and the operator's.
        watched: what is behind it.
    """

    url: str
    tokens: dict[str, str]
    services: Services
    watched: Watched
    session: aiohttp.ClientSession

    @property
    def ws_url(self) -> str:
        return "ws" + self.url.removeprefix("http") + "/ws"

    def headers(self, name: str | None) -> dict[str, str]:
        return {} if name is None else {"authorization": f"Bearer {self.tokens[name]}"}

    async def post(self, path: str, body: Any, name: str | None = "alice") -> tuple[int, Any, Any]:
        """Status, decoded body or text, headers."""
        data = body if isinstance(body, bytes) else None
        json = None if data is not None else body
        async with self.session.post(
            self.url + path,
            json=json,
            data=data,
            headers={**self.headers(name), "content-type": "application/json"},
        ) as reply:
            is_json = reply.content_type == "application/json"
            return reply.status, await (reply.json() if is_json else reply.text()), reply.headers

    async def info(self, kind: str, name: str | None = "alice", **more: Any) -> Any:
        status, told, _ = await self.post("/info", {"type": kind, **more}, name)
        assert status == 200, told
        return told

    async def get(self, path: str, name: str | None = "alice") -> tuple[int, Any]:
        async with self.session.get(self.url + path, headers=self.headers(name)) as reply:
            is_json = reply.content_type == "application/json"
            return reply.status, await (reply.json() if is_json else reply.text())

    @asynccontextmanager
    async def socket(self, name: str | None = "alice") -> AsyncIterator["Client"]:
        """Connect with a trader's token, or with none."""
        async with self.session.ws_connect(self.ws_url, headers=self.headers(name)) as ws:
            client = Client(ws)
            reader = asyncio.create_task(client.read())
            try:
                yield client
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)


class Client:
    """One client of the WebSocket.

    Attributes:
        said: everything that came.
        code: of the close, once it was closed.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.said: list[dict[str, Any]] = []
        self.code: int | None = None

    async def read(self) -> None:
        async for message in self.ws:
            self.said.append(message.json())
        self.code = self.ws.close_code or 1006

    async def send(self, said: Any) -> None:
        await self.ws.send_json(said)

    async def subscribe(self, kind: str, **params: Any) -> None:
        await self.send({"method": "subscribe", "subscription": {"type": kind, **params}})

    async def unsubscribe(self, kind: str, **params: Any) -> None:
        await self.send({"method": "unsubscribe", "subscription": {"type": kind, **params}})

    def of(self, channel: str) -> list[Any]:
        """What came over a channel."""
        return [message["data"] for message in self.said if message["channel"] == channel]


class _Server(uvicorn.Server):
    """Without signal handlers; says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def live_app(
    url: str,
    ws_url: str,
    *names: str,
    accounts: dict[TraderId, LiveAccount] | None = None,
    upstream: Callable[[Upstream], Upstream] = lambda there: there,
    limits: ClientLimits | None = None,
    timeouts: SocketTimeouts | None = None,
    auth_s: float = 5.0,
    limits_of_lines: StreamLimits = QUICK,
    **options: Any,
) -> AsyncIterator[LiveApp]:
    """Serve.

    Args:
        url, ws_url: of the venue.
        names: of the traders.
        accounts: theirs, where they are not those that the venue knows by their names.
        upstream: puts something in front of the venue's HTTP.
        limits: of each client.
        timeouts: with each.
        auth_s: for the token.
        limits_of_lines: of connections to the venue.
        options: of `watching`.
    """
    known = accounts or {TraderId(name): live_account(name) for name in names}
    async with watching(url, ws_url, *names, limits=limits_of_lines, **options) as watched:
        tokens = TokenStore()
        services = Services(
            accounts=known,
            simple=None,  # type: ignore[arg-type]
            native=OnlyReads(),
            reads=Reads(upstream(watched.upstream), Budgets()),
            readers=readers(known),
            streams=watched.streams,
            clock=SystemClock(),
            time=VenueTime(SystemClock()),
            new_key=str,
        )
        services.reads._budget.weight.limit = 1 << 40  # type: ignore[attr-defined]
        issued = {str(name): tokens.issue(account_grant(name)) for name in known}
        issued["operator"] = tokens.issue(Grant(name="operator", scopes=frozenset({ADMIN})))
        app = FastAPI(title="hyperliquid-exchange")
        install_chassis(app, ServiceSettings(), tokens=tokens)
        add_routes(app, tokens, lambda: services, (*info.ROUTES, *clock.ROUTES))
        endpoint = SocketEndpoint(
            lambda: services, tokens, limits=limits, timeouts=timeouts, auth_s=auth_s
        )
        add_sockets(app, endpoint)
        async with _serving(app) as port, aiohttp.ClientSession() as session:
            yield LiveApp(f"http://127.0.0.1:{port}", issued, services, watched, session)


@asynccontextmanager
async def _serving(app: FastAPI) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(
        uvicorn.Config(
            app, ws=WebSocketProtocol, ws_per_message_deflate=False, log_config=None, lifespan="off"
        )
    )
    task: Awaitable[None] = asyncio.create_task(server.serve(sockets=[listener]))
    await server.ready.wait()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        listener.close()

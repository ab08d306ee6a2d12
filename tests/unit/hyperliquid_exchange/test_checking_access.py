"""Lines of the checklist that ask others: who hears alerts, who answers without a token."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from hyperliquid_exchange.adapters.service_probe import ServiceProbe
from hyperliquid_exchange.checking_access import alert_line
from hyperliquid_exchange.settings import Settings
from suite.clock import ManualClock

CLOCK = ManualClock(1_790_000_000_000)


class Server:
    """Takes alerts, and is a service with one door that is open.

    Attributes:
        status: of its answers to alerts.
        heard: alerts.
    """

    def __init__(self) -> None:
        self.status = 204
        self.heard: list[dict[str, Any]] = []
        self.url = ""

    async def alert(self, request: web.Request) -> web.Response:
        self.heard.append(await request.json())
        return web.Response(status=self.status)

    async def described(self, _request: web.Request) -> web.Response:
        return web.json_response({"paths": {"/open": {"get": {}}, "/shut": {"post": {}}}})

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "build": "b" * 64})

    async def shut(self, _request: web.Request) -> web.Response:
        return web.Response(status=401)

    async def open(self, _request: web.Request) -> web.Response:
        return web.json_response([])


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    one, app = Server(), web.Application()
    app.add_routes(
        [
            web.post("/hook", one.alert),
            web.get("/openapi.json", one.described),
            web.get("/health", one.health),
            web.post("/shut", one.shut),
            web.get("/open", one.open),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield one
    await runner.cleanup()


async def test_alerts_are_tried_with_a_message(server: Server) -> None:
    settings = Settings(alert_webhook_url=SecretStr(f"{server.url}/hook"))
    assert "PASS" == (await alert_line(settings, CLOCK)).status
    assert ["test"] == [alert["kind"] for alert in server.heard]

    server.status = 404
    line = await alert_line(settings, CLOCK)
    assert ("FAIL", "the webhook answered 404") == (line.status, line.reason)
    assert "SKIP" == (await alert_line(Settings(), CLOCK)).status


async def test_stranger_finds_the_door_that_is_open(server: Server) -> None:
    probe = ServiceProbe(server.url)
    assert {"GET /open": 200, "POST /shut": 401} == await probe.doors()
    assert "b" * 64 == await probe.build()


async def test_service_that_is_not_there_tells_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        probe = ServiceProbe(f"http://127.0.0.1:{free.getsockname()[1]}")
    assert (None, None) == (await probe.build(), await probe.doors())

"""Notices reach a real server, by both ways; an address stands in no message."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from suite.errors import ConfigError, SuiteError
from suite.notices import Notice
from suite.service.channels import Chat, Webhook, channels_of

NOTICE = Notice(kind="killed", text="all traders: no beat", at_ms=1, is_critical=True, number=3)


class Receiver:
    """Takes what it is sent, with a status."""

    def __init__(self) -> None:
        self.status = 200
        self.hangs = False
        self.bodies: list[dict[str, Any]] = []
        self.address = ""

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(json.loads(await request.read()))
        if self.hangs:
            await asyncio.Event().wait()
        return web.Response(status=self.status)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (host, port) = runner.addresses[0][:2]
    receiver.address = f"{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def test_a_webhook_takes_a_notice() -> None:
    async with receiving() as receiver:
        (channel,) = channels_of(f"http://{receiver.address}/hook/SECRET", "demo")
        await channel.send(NOTICE)
        (body,) = receiver.bodies
    assert ("demo", "killed", 3) == (body["service"], body["kind"], body["number"])
    assert "killed: all traders: no beat" == body["content"]
    assert {"parse": []} == body["allowed_mentions"]


async def test_a_channel_of_the_library_takes_a_notice() -> None:
    pytest.importorskip("apprise", reason="the extra notify is not installed")
    async with receiving() as receiver:
        (channel,) = channels_of([f"json://{receiver.address}/SECRET"], "demo")
        await channel.send(NOTICE)
        (body,) = receiver.bodies
    told = (body["title"], body["message"], body["type"])
    assert ("demo: killed", "all traders: no beat", "failure") == told


@pytest.mark.parametrize("scheme", ["http", "json"])
async def test_what_is_refused_is_told_without_the_address(
    scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    if scheme == "json":
        pytest.importorskip("apprise", reason="the extra notify is not installed")
    async with receiving() as receiver:
        receiver.status = 500
        (channel,) = channels_of(f"{scheme}://{receiver.address}/hook/SECRET", "demo")
        with pytest.raises(SuiteError) as refused:
            await channel.send(NOTICE)
    assert "SECRET" not in str(refused.value) + caplog.text
    with pytest.raises(SuiteError) as away:
        await channel.send(NOTICE)
    assert "SECRET" not in str(away.value) + caplog.text


async def test_a_webhook_that_hangs_is_left() -> None:
    async with receiving() as receiver:
        receiver.hangs = True
        with pytest.raises(SuiteError, match="did not answer"):
            await Webhook(f"http://{receiver.address}/SECRET", "demo", timeout_s=0.1).send(NOTICE)


@pytest.mark.parametrize("address", ["SECRET", "nosuchservice://SECRET", "discord://", "://SECRET"])
def test_an_address_that_cannot_be_used_is_one_clear_line(address: str) -> None:
    pytest.importorskip("apprise", reason="the extra notify is not installed")
    with pytest.raises(ConfigError) as wrong:
        channels_of(address, "demo")
    assert "SECRET" not in str(wrong.value)


def test_no_channel_is_a_choice() -> None:
    assert [] == channels_of(" , ", "demo")


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"suite-shared\[notify\]"):
        Chat("discord://SECRET/SECRET", "demo")

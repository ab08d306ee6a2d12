"""A bug in a route is logged with its traceback and without any secret that was around it."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Literal

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request

from suite.service.app import install_chassis
from suite.service.logging import configure_logging
from suite.service.server import _Lifespan
from suite.service.settings import ServiceSettings, settings_config
from suite.service.tokens import TokenStore, account_grant

Style = Literal["json", "console", "none"]


class Settings(ServiceSettings):
    model_config = settings_config("DEMO_")


@pytest.fixture(params=["json", "console", "none"])
def logged(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], str]]:
    """What was logged, in both styles and where nobody configured the logs."""
    style: Style = request.param
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    structlog.reset_defaults()
    if style != "none":
        configure_logging(style=style, stream=stream)

    def read() -> str:
        told = capsys.readouterr()
        return stream.getvalue() + told.out + told.err

    yield read
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def token() -> str:
    return TokenStore().issue(account_grant("alice"))


async def ask(app: FastAPI, token: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/boom", headers={"authorization": f"Bearer {token}"})


async def test_bug_is_logged_without_headers_and_locals(
    logged: Callable[[], str], token: str
) -> None:
    app = FastAPI(title="demo")
    install_chassis(app, Settings.load())

    @app.get("/boom")
    async def boom(request: Request) -> None:
        authorization = request.headers["authorization"]
        held = {"token": token}
        raise ZeroDivisionError(f"{len(authorization)} by {len(held)}")

    assert (500, "internal error") == (
        (reply := await ask(app, token)).status_code,
        reply.text,
    )
    text = logged()
    assert token not in text
    assert "unhandled_error" in text
    assert "ZeroDivisionError: " in text
    assert "test_log_secrets.py" in text
    assert "in boom" in text
    assert "raise ZeroDivisionError(" in text


async def test_secret_in_the_text_of_an_exception_is_hidden(
    logged: Callable[[], str], token: str
) -> None:
    app = FastAPI(title="demo")
    install_chassis(app, Settings.load())

    @app.get("/boom")
    async def boom(request: Request) -> None:
        try:
            dict[str, str]()[request.headers["authorization"]]
        except KeyError as error:
            raise RuntimeError(f"cannot use {request.scope['headers']!r}") from error

    await ask(app, token)
    text = logged()
    assert token not in text
    assert "RuntimeError: cannot use" in text
    assert "KeyError" in text


async def test_bug_in_the_lifespan_is_logged_without_its_locals(
    logged: Callable[[], str], token: str
) -> None:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        held = token
        if held:
            raise ZeroDivisionError(str(len(held)))
        yield

    waiting: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    waiting.put_nowait({"type": "lifespan.startup"})

    async def send(_message: object) -> None: ...

    guarded = _Lifespan(FastAPI(lifespan=lifespan))
    await guarded({"type": "lifespan", "app": None, "state": {}}, waiting.get, send)
    text = logged()
    assert token not in text
    assert "lifespan_failed" in text
    assert "ZeroDivisionError: 47" in text


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_inside_structures_are_hidden(
    style: Literal["json", "console"], token: str
) -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging(style=style, stream=stream)
        log = structlog.get_logger("x")
        log.info("a", headers=[(b"authorization", b"Bearer " + token.encode())], coin="BTC")
        log.info("a", headers=[(b"X-Api-Key", b"canary-0"), ("cookie", "canary-0")])
        log.info("b", request={"Authorization": "canary-1", "body": {"api_key": "canary-2"}})
        log.info(
            "c", query=f"?authorization=bearer%20{token}&x=1", row=("bearer canary-3-long-secret",)
        )
        logging.getLogger("library").error("refused", exc_info=ValueError(f"bad {token}"))
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()
    text = stream.getvalue()
    assert token not in text
    assert "canary" not in text
    assert "BTC" in text
    assert "ValueError: bad [redacted]" in text

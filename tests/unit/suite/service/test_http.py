"""The two HTTP clients present their token and keep the path of a world."""

import asyncio
import subprocess
import sys

import httpx
import pytest
import respx

from suite.service.http import admin_client, shown, step_session


async def test_admin_client_presents_its_token_below_the_worlds_path() -> None:
    with respx.mock(base_url="http://127.0.0.1:8100") as venue:
        route = venue.get("/w/abc/clock").mock(return_value=httpx.Response(200))
        async with admin_client("http://127.0.0.1:8100/w/abc", token="act_x") as client:
            await client.get("/clock")
    assert route.calls.last.request.headers["authorization"] == "Bearer act_x"


async def test_step_session_joins_paths_below_the_worlds_path() -> None:
    async with step_session("http://127.0.0.1:8100/w/abc", token="act_x") as session:
        assert session.headers["authorization"] == "Bearer act_x"
        assert str(session._build_url("clock/wait")) == "http://127.0.0.1:8100/w/abc/clock/wait"


async def test_requests_do_not_wait_for_one_that_is_not_answered() -> None:
    """As many as there are connections come to a service that is silent."""
    came: list[object] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        came.append(writer)
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with step_session(f"http://127.0.0.1:{port}", connections=6) as session:
            asked = [asyncio.ensure_future(session.get("x")) for _ in range(7)]
            async with asyncio.timeout(5):
                while len(came) < 6:  # noqa: ASYNC110 - the server tells nobody
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert 6 == len(came)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0.05)


def test_importing_the_module_loads_neither_library() -> None:
    code = (
        "import sys, suite.service.http, suite.service.clock, suite.service.settings;"
        "print([m for m in ('httpx', 'aiohttp', 'fastapi', 'pandas', 'ccxt') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://AKIA:ab/cd@ef@bucket/p?region=x", "s3://bucket/p"),
        ("https://user:pass@host:8000/w/a", "https://host:8000/w/a"),
        ("wss://host/ws?token=secret", "wss://host/ws"),
        ("http://127.0.0.1:8100", "http://127.0.0.1:8100"),
    ],
)
def test_address_is_shown_without_its_secrets(url: str, told: str) -> None:
    assert told == shown(url)

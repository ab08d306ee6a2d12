"""The two HTTP clients present their token and keep the path of a world."""

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

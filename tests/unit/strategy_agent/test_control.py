"""The control API."""

from typing import Any

import httpx
import pytest

from strategy_agent.application.status import Status
from strategy_agent.entrypoint.control import create_app, start
from strategy_agent.settings import Settings
from suite.errors import ConfigError, StorageError


async def test_status_shows_every_trader_and_health_needs_one_alive() -> None:
    """Ready when all have joined; failing only when all have failed."""
    statuses = [Status("a", "flat"), Status("b", "hodl", state="running", decisions=3)]
    transport = httpx.ASGITransport(create_app(Settings.load(), statuses))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

        async def get(path: str) -> tuple[int, Any]:
            answer = await client.get(path)
            return answer.status_code, answer.json()

        assert (await get("/ready"))[0] == 503
        statuses[0].state = "failed"
        assert (await get("/health"))[0] == 200
        shown = (await get("/status"))[1]["traders"]
        assert [("a", "failed"), ("b", "running")] == [(t["trader_id"], t["state"]) for t in shown]
        statuses[1].state = "failed"
        assert (await get("/health"))[0] == 503


def test_the_control_api_listens_where_it_says_and_on_loopback_only() -> None:
    """A free port for 0, one line for a port that is taken, a refusal for an open address."""
    settings = Settings.load(port=0)
    url = start(settings, [Status("a", "flat")])
    assert httpx.get(f"{url}/status").json()["traders"][0]["kind"] == "flat"
    with pytest.raises(StorageError, match="cannot listen on 127"):
        start(Settings.load(port=int(url.rsplit(":", 1)[1])), [])
    with pytest.raises(ConfigError, match="refusing to listen"):
        start(Settings.load(port=0, host="0.0.0.0"), [])

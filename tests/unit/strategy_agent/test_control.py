"""The control API: what it shows, who may write, and where it may be reached from."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.instance import StrategyInstance
from strategy_agent.entrypoint.control import Controlled, create_app, start
from strategy_agent.settings import Settings
from suite.errors import ConfigError, StorageError
from suite.service.app import undeclared_write_routes


@asynccontextmanager
async def controlled(
    folder: Path, venue: ScriptedVenue
) -> AsyncIterator[tuple[AlphaLoop, httpx.AsyncClient]]:
    alpha = alpha_with(venue, "a", "b")
    settings = Settings.load(state_dir=folder)
    loop = asyncio.get_running_loop()
    app = create_app(settings, Controlled(alpha=alpha, loop=loop, use_token=venue.use_token))
    token = (folder / "tokens" / "operator.token").read_text().strip()
    assert [] == undeclared_write_routes(app)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://127.0.0.1",
        headers={"authorization": f"Bearer {token}"},
    ) as client:
        yield alpha, client
    await alpha.close()


async def get(client: httpx.AsyncClient, path: str) -> tuple[int, Any]:
    answer = await client.get(path, headers={"authorization": ""})
    return answer.status_code, answer.json()


async def test_reads_tell_what_every_trader_does(tmp_path: Path) -> None:
    """Ready when all trade; failing only when all have failed; no token on loopback."""
    venue = ScriptedVenue(fails={"b": "no such account"})
    async with controlled(tmp_path, venue) as (alpha, client):
        assert 503 == (await get(client, "/ready"))[0]
        alpha.start()
        await until(lambda: alpha.instance("a").status.decisions >= 2)
        code, shown = await get(client, "/status")
        assert (200, 1, 1, "10000") == (code, shown["running"], shown["failed"], shown["equity"])
        rows = {row["trader_id"]: row for row in shown["traders"]}
        assert ("LIVE", "connected") == (rows["a"]["status"], rows["a"]["connection"])
        assert ("failed", "simulation mode", "no such account") == (
            rows["b"]["state"],
            rows["b"]["connection"],
            rows["b"]["error"],
        )
        assert 200 == (await get(client, "/health"))[0]
        assert "flat" == (await get(client, "/config"))[1]["traders"][0]["strategy"]["kind"]
        assert {"a", "b"} == (await get(client, "/positions"))[1].keys()
        decisions = (await get(client, "/decisions?limit=1"))[1]
        assert ("a", 1) == (decisions["instance"], len(decisions["decisions"]))
        assert decisions["before"] == decisions["decisions"][0]["decision"]
        await alpha.instance("a").stop()
        alpha.instance("a").status.state = "failed"
        assert 503 == (await get(client, "/health"))[0]


async def test_every_write_needs_the_operator(tmp_path: Path) -> None:
    async with controlled(tmp_path, ScriptedVenue()) as (_, client):
        for method, path in (
            *(("POST", f"/{name}") for name in
              ("start", "pause", "resume", "stop", "flatten", "run-once", "instances")),
            ("DELETE", "/instances/a"),
            ("PUT", "/instances/a/symbol"),
        ):  # fmt: skip
            for token in ("", "Bearer act_wrong"):
                answer = await client.request(
                    method, path, json={}, headers={"authorization": token}
                )
                assert 401 == answer.status_code, (method, path)


async def test_commands_reach_the_trader_with_actor_and_reason(tmp_path: Path) -> None:
    """At once, though it sleeps; journaled; one that refuses hinders no other."""
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.instance("a").start()
        await until(lambda: venue.asleep("a"))
        turns = venue.turns("a")
        answer = await client.post("/pause", json={"reason": "news"})
        assert ["a"] == answer.json()["obeyed"]
        assert "simulation mode" in answer.json()["refused"]["b"]
        await until(lambda: venue.turns("a") > turns)
        (noted,) = venue.journal("a").of("command")
        assert ("pause", "operator", "news") == (
            noted["command"],
            noted["actor"],
            noted["reason"],
        )
        turns = venue.turns("a")
        assert 200 == (await client.post("/run-once", json={"instance": "a"})).status_code
        await until(lambda: venue.turns("a") > turns)
        why = {"reason": "done"}
        assert 409 == (await client.post("/stop", json=why | {"instance": "b"})).status_code
        assert 404 == (await client.post("/stop", json=why | {"instance": "zz"})).status_code
        unreasoned = await client.post("/stop", json={})
        assert (400, True) == (unreasoned.status_code, "say why" in unreasoned.text)
        assert 422 == (await client.post("/stop", json={"reson": "x"})).status_code


async def test_instances_come_change_and_go(tmp_path: Path) -> None:
    """With all mistakes in one answer; the token is used and never shown."""
    venue = ScriptedVenue()
    async with controlled(tmp_path, venue) as (alpha, client):
        secret = "act_" + "x" * 40
        body = {"id": "c", "type": "flat", "symbol": "ETHUSDT", "token": secret, "reason": "try"}
        added = await client.post("/instances", json=body)
        assert (201, ["ETH"]) == (added.status_code, added.json()["symbols"])
        assert secret == venue.tokens["c"]
        await until(lambda: alpha.instance("c").status.decisions > 1)
        (noted,) = venue.journal("c").of("command")
        assert ("add", "operator", "try") == (noted["command"], noted["actor"], noted["reason"])
        assert secret not in (await client.get("/config")).text
        other = body | {"token": "act_" + "y" * 40}
        assert 409 == (await client.post("/instances", json=other)).status_code
        assert secret == venue.tokens["c"]
        wrong = body | {"id": "d", "type": "flatt", "interval": "16m"}
        refused = await client.post("/instances", json=wrong)
        assert "did you mean flat?" in refused.text
        assert "16m" in refused.text
        plugin = await client.post(
            "/instances", json=body | {"id": "e", "type": "plugin:os:system"}
        )
        assert (400, True) == (plugin.status_code, "a plugin is code" in plugin.text)
        changed = await client.put("/instances/c/symbol", json={"symbol": "BTC"})
        assert ["BTC"] == changed.json()["symbols"]
        await until(lambda: alpha.instance("c").status.state == "running")
        assert ("BTC",) == alpha.instance("c").spec.symbols
        alpha.instance("c").status.positions = {"BTC": "1.0"}
        kept = await client.delete("/instances/c")
        assert (409, True) == (kept.status_code, "c holds BTC: flatten it first" in kept.text)
        alpha.instance("c").status.positions = {}
        gone = await client.delete("/instances/c")
        assert ["a", "b"] == [row["trader_id"] for row in gone.json()["traders"]]
        assert ["c"] == venue.left


async def test_writes_act_where_the_traders_live(tmp_path: Path) -> None:
    """From another thread nothing of them may be changed."""
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        where: list[int] = []

        def called(*_: object, **__: object) -> None:
            where.append(threading.get_ident())

        acted = Controlled(alpha=alpha, loop=asyncio.get_running_loop(), use_token=called)
        app = create_app(Settings.load(state_dir=tmp_path), acted)

        async def write() -> list[int]:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1", headers=client.headers
            ) as other:
                secret = "act_" + "x" * 40
                body = {"id": "c", "type": "flat", "symbol": "ETH", "token": secret}
                return [
                    (await other.post("/instances", json=body)).status_code,
                    (await other.put("/instances/c/symbol", json={"symbol": "BTC"})).status_code,
                    (await other.delete("/instances/c")).status_code,
                ]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(StrategyInstance, "note", called)
            assert [201, 200, 200] == await asyncio.to_thread(asyncio.run, write())
        assert [threading.get_ident()] * 4 == where


def test_the_control_api_listens_where_it_says_and_on_loopback_only(tmp_path: Path) -> None:
    """A free port for 0, one line for a port that is taken, a refusal for an open address."""
    loop = asyncio.new_event_loop()
    venue = ScriptedVenue()
    acted = Controlled(alpha=alpha_with(venue, "a"), loop=loop, use_token=venue.use_token)
    url = start(Settings.load(port=0, state_dir=tmp_path), acted)
    assert "flat" == httpx.get(f"{url}/status").json()["traders"][0]["kind"]
    with pytest.raises(StorageError, match="cannot listen on 127"):
        start(Settings.load(port=int(url.rsplit(":", 1)[1]), state_dir=tmp_path), acted)
    with pytest.raises(ConfigError, match="refusing to listen"):
        start(Settings.load(port=0, host="0.0.0.0", state_dir=tmp_path), acted)
    loop.close()

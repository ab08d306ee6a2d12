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
from strategy_agent.entrypoint import commands
from strategy_agent.entrypoint.control import create_app, start
from strategy_agent.entrypoint.controlled import Controlled
from strategy_agent.settings import Settings
from suite.errors import (
    ConfigError,
    StorageError,
    SuiteError,
    Unauthorized,
    UpstreamUnavailable,
)
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
              ("start", "pause", "resume", "stop", "flatten", "run-once", "allocate", "instances")),
            ("DELETE", "/instances/a"),
            ("PUT", "/instances/a/symbol"),
            ("POST", "/instances/a/adopt"),
            ("POST", "/instances/a/leave"),
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
        told = answer.json()
        assert (["a"], "refused") == (told["accepted"], told["state"])
        assert {"state": "taken", "reason": "LIVE -> PAUSED"} == told["traders"]["a"]
        assert "simulation mode" in told["traders"]["b"]["reason"]
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


async def test_an_allocation_is_taken_by_a_turn_and_remembered(tmp_path: Path) -> None:
    """To the micro-USDC, and over a restart; nonsense changes nothing."""
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.instance("a").start()
        await until(lambda: venue.asleep("a"))
        body = {"instance": "a", "usd": "1234.567891", "reason": "rebalance"}
        told = (await client.post("/allocate", json=body)).json()
        assert ("taken", ["a"]) == (told["state"], told["accepted"])
        assert "1234.567891" == alpha.instance("a").status.allocation
        for wrong in ("-1", "nan", "1e400", "0.0000001"):
            assert 422 == (await client.post("/allocate", json=body | {"usd": wrong})).status_code
        await alpha.instance("a").stop()
        alpha.instance("a").start()
        await until(lambda: venue.asleep("a"))
        assert "1234.567891" == alpha.instance("a").status.allocation
        assert 200 == (await client.post("/allocate", json={"instance": "a"})).status_code
        assert "" == alpha.instance("a").status.allocation


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
    server = start(Settings.load(port=0, state_dir=tmp_path), acted)
    url = server.url
    assert "flat" == httpx.get(f"{url}/status").json()["traders"][0]["kind"]
    with pytest.raises(StorageError, match="cannot listen on 127"):
        start(Settings.load(port=int(url.rsplit(":", 1)[1]), state_dir=tmp_path), acted)
    with pytest.raises(ConfigError, match="refusing to listen"):
        start(Settings.load(port=0, host="0.0.0.0", state_dir=tmp_path), acted)
    server.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/status")
    loop.close()


async def test_a_command_is_answered_with_what_became_of_it(tmp_path: Path) -> None:
    """By the turn that took it, though the trader sleeps; a refusal is a conflict."""
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.instance("a").start()
        await until(lambda: venue.asleep("a"))
        to_a = {"instance": "a", "reason": "news"}
        for path, reason in (
            ("/pause", "LIVE -> PAUSED"),
            ("/pause", "PAUSED"),
            ("/stop", "PAUSED -> STOPPED"),
        ):
            told = (await client.post(path, json=to_a)).json()
            assert (["a"], "taken", reason) == (told["accepted"], told["state"], told["reason"])
        refused = await client.post("/pause", json=to_a)
        assert (409, "a: it is stopped") == (refused.status_code, refused.text)
        venue.accounts["a"].trouble = ("stale_account",)
        refused = await client.post("/resume", json=to_a)
        assert 409 == refused.status_code
        text = "a: a stopped trader starts after a passed preflight only (stale_account"
        assert text == refused.text[: len(text)]
        venue.accounts["a"].trouble = ()
        told = (await client.post("/run-once", json={"instance": "a"})).json()
        assert ("taken", "its turn has begun") == (told["state"], told["reason"])
        told = (await client.post("/start", json={})).json()
        assert "refused" == told["state"]  # a is STOPPED, which needs a reason
        assert "taken" == told["traders"]["b"]["state"]


async def test_several_are_told_one_thing_and_each_answers(tmp_path: Path) -> None:
    """Also where all refuse; one that is not there hinders no other."""
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.instance("a").start()
        await until(lambda: venue.asleep("a"))
        body = {"command": "run-once", "instances": ["a", "b", "nobody", "a"]}
        told = (await client.post("/tell", json=body)).json()["traders"]
        assert {"a": "taken", "b": "refused", "nobody": "refused"} == {
            name: row["state"] for name, row in told.items()
        }
        assert "no instance 'nobody'" in told["nobody"]["reason"]
        body = {"command": "pause", "instances": ["b"], "reason": "news"}
        refused = await client.post("/tell", json=body)
        assert (200, "refused") == (refused.status_code, refused.json()["traders"]["b"]["state"])
        body = {"command": "flatten", "instances": ["a"]}
        assert 400 == (await client.post("/tell", json=body)).status_code, "it needs a reason"


async def test_a_command_that_no_turn_takes_in_time_is_said_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "TURN_LIMIT_S", 0.05)
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.instance("a").start()
        await until(lambda: venue.asleep("a"))
        monkeypatch.setattr(venue.accounts["a"], "wake", lambda: None)
        told = (await client.post("/pause", json={"instance": "a", "reason": "x"})).json()
        assert (["a"], "waiting") == (told["accepted"], told["state"])
        assert "next turn" in told["reason"]


async def test_all_mistakes_in_a_new_trader_are_one_answer(tmp_path: Path) -> None:
    """In the words of the request, a line for each; nothing of it is added."""
    venue = ScriptedVenue()
    async with controlled(tmp_path, venue) as (alpha, client):
        wrong = {
            "id": "c d", "type": "plugin:os:system", "symbol": ["BTC", 7], "intervall": "1m",
            "trader_id": "c", "params": [], "token": 5, "reason": "x" * 501,
            "risk": {"max_levrage": 2},
        }  # fmt: skip
        refused = await client.post("/instances", json=wrong)
        places = [line.partition(": ")[0] for line in refused.text.splitlines()]
        assert 422 == refused.status_code
        assert [
            "intervall", "id", "params", "symbol[1]", "risk.max_levrage",
            "trader_id", "token", "reason", "type",
        ] == places  # fmt: skip
        nothing = await client.post("/instances", json={})
        missing = ["type: missing", "id: missing", "symbol: missing"]
        assert (422, sorted(missing)) == (nothing.status_code, sorted(nothing.text.splitlines()))
        odd: Any
        for odd in ({"symbol": 5}, {"symbol": {"a": 1}}, {"symbol": []}, {"id": 5}, {"id": "a/b"}):
            body = {"id": "c", "type": "flat", "symbol": "BTC"} | odd
            assert 422 == (await client.post("/instances", json=body)).status_code, odd
        assert 422 == (await client.post("/instances", json=[])).status_code
        taken = {"id": "a", "type": "flat", "symbol": "BTC"}
        assert 409 == (await client.post("/instances", json=taken)).status_code
        assert (
            409
            == (
                await client.post("/instances", json=taken | {"id": "c", "account": "b"})
            ).status_code
        )
        assert ["a", "b"] == [one.spec.trader_id for one in alpha.instances]


async def test_the_venue_is_asked_before_anything_changes(tmp_path: Path) -> None:
    """A coin that it does not trade, a token that it does not accept, no answer: as it was."""
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.instance("a").start()
        await until(lambda: venue.asleep("a"))
        refused = await client.put("/instances/a/symbol", json={"symbol": "BTX"})
        told = "symbol: the venue does not trade BTX, did you mean BTC?"
        assert (422, told) == (refused.status_code, refused.text)
        new = {"id": "c", "type": "flat", "symbol": "BTX", "token": "act_1"}
        refused = await client.post("/instances", json=new)
        assert (422, told) == (refused.status_code, refused.text)
        assert ("c", "act_1") == venue.asked[-1]
        assert 422 == (await client.put("/instances/a/symbol", json={"symbol": "?"})).status_code
        for refusal, code in (
            (Unauthorized("unknown token"), 422),
            (UpstreamUnavailable("nobody there"), 503),
            (ConfigError("no token"), 422),
        ):
            venue.refusal = refusal
            answer = await client.post("/instances", json=new | {"symbol": "ETH"})
            assert (code, True) == (answer.status_code, str(refusal) in answer.text)
        assert (
            503
            == (await asked_again(client, venue, UpstreamUnavailable("nobody there"))).status_code
        )
        a = alpha.instance("a")
        assert ("running", ("BTC", "ETH")) == (a.status.state, a.spec.symbols)
        assert ([], []) == (venue.closed, venue.journal("a").of("command"))
        assert {} == venue.tokens
        assert ["a", "b"] == [one.spec.trader_id for one in alpha.instances]


async def asked_again(
    client: httpx.AsyncClient, venue: ScriptedVenue, refusal: SuiteError
) -> httpx.Response:
    venue.refusal = refusal
    return await client.put("/instances/a/symbol", json={"symbol": "BTC"})


async def test_an_account_is_adopted_by_a_person_with_a_reason(tmp_path: Path) -> None:
    """Where the agent follows it; where the venue owns the steps, the answer says so."""
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.instance("a").start()
        await until(lambda: venue.asleep("a"))
        why = {"reason": "looked at it"}
        owned = await client.post("/instances/a/adopt", json=why)
        assert (409, True) == (owned.status_code, "the venue owns the steps" in owned.text)
        assert 409 == (await client.post("/instances/b/adopt", json=why)).status_code
        venue.adopt = lambda: ("position ETH: 0.5",)
        await alpha.instance("a").stop()
        alpha.instance("a").start()
        assert await alpha.instance("a").connected()
        assert 400 == (await client.post("/instances/a/adopt", json={})).status_code
        adopted = await client.post("/instances/a/adopt", json=why)
        assert {"instance": "a", "adopted": ["position ETH: 0.5"]} == adopted.json()
        (noted,) = venue.journal("a").of("command")
        assert ("adopt", "operator", "looked at it") == (
            noted["command"], noted["actor"], noted["reason"]
        )  # fmt: skip

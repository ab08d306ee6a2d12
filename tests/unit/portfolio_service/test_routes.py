"""Who is let in, what is refused, and that the API says so itself."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.support.followed_portfolio import Follower, NoServices, following

from portfolio_service.adapters.exports import PortfolioExports
from portfolio_service.application import records as records_module
from portfolio_service.application.records import TradersRecords
from portfolio_service.application.showing import shown_trader
from portfolio_service.entrypoint import allocation, portfolio, system
from portfolio_service.entrypoint.access import (
    COOKIE,
    OPERATOR,
    VIEWER,
    Sessions,
    make_access_router,
)
from portfolio_service.entrypoint.openapi import describe_with
from portfolio_service.settings import Settings
from suite.errors import Unauthorized
from suite.service.app import install_chassis, undeclared_write_routes
from suite.service.tokens import TokenStore

HOST = "http://localhost"


@dataclass
class Served:
    app: FastAPI
    client: httpx.AsyncClient
    follower: Follower
    sessions: Sessions
    folder: Path

    def token(self, name: str) -> str:
        return (self.folder / "tokens" / f"{name}.token").read_text().strip()

    async def ask(
        self, method: str, path: str, body: Any = None, *, by: str | None = "operator", **more: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token(by)}"} if by else {}
        return await self.client.request(method, path, json=body, headers=headers, **more)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    follower = await following("anna", "bert", "carl")
    app = FastAPI(title="portfolio-service")
    tokens = TokenStore(follower.wall)
    chassis = install_chassis(app, Settings.load(state_dir=tmp_path), tokens=tokens)
    for grant in (OPERATOR, VIEWER):
        chassis.tokens.ensure_file(tmp_path / "tokens", grant)
    sessions = Sessions(chassis.tokens, follower.plans, follower.wall, 1.0)

    def rows(names: Any) -> Any:
        age = follower.sync.age()
        return [
            shown_trader(follower.portfolio, follower.portfolio.traders[name], age, {})
            for name in names
        ]

    records = TradersRecords(follower.manager, follower.portfolio, PortfolioExports(), rows)
    plans: Any = follower.plans
    app.include_router(make_access_router(sessions))
    app.include_router(
        portfolio.make_portfolio_router(
            follower.sync, follower.portfolio, follower.services, records
        )
    )
    app.include_router(portfolio.make_stream_router(follower.broadcast))
    app.include_router(
        allocation.make_allocation_router(
            follower.sync,
            follower.portfolio,
            follower.capital,
            follower.rebalancer,
            plans,
            follower.automatic,
        )
    )
    app.include_router(allocation.make_commands_router(follower.manager))
    app.include_router(
        system.make_system_router(follower.sync, follower.services, NoServices(), follower.wall)
    )
    describe_with(app, {**portfolio.ANSWERS, **allocation.ANSWERS, **system.ANSWERS})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
        yield Served(app, client, follower, sessions, tmp_path)


def test_every_write_declares_a_scope(served: Served) -> None:
    assert [] == undeclared_write_routes(served.app)


def test_every_route_says_how_it_refuses_and_what_a_query_means(served: Served) -> None:
    for path, operations in served.app.openapi()["paths"].items():
        for method, told in operations.items():
            place, statuses = f"{method} {path}", set(told["responses"])
            assert {"200", "401", "403", "503"} <= statuses, place
            assert (method != "get") == ("409" in statuses), place
            for one in told.get("parameters", ()):
                assert "path" == one["in"] or one.get("description"), f"{place} {one['name']}"
    strategies = served.app.openapi()["components"]["schemas"]["PortfolioAnswer"]["properties"]
    assert {"total_pnl", "commission", "net_pnl", "strategies", "risk_level"} <= set(strategies)


async def test_no_route_is_open_but_the_login(served: Served) -> None:
    """A stranger gets 401, a viewer 403 wherever something would change."""
    for path, operations in served.app.openapi()["paths"].items():
        if path in {"/api/login", "/api/logout"}:
            continue
        for method in operations:
            where = path.replace("{trader_id}", "anna").replace("{plan_id}", "none")
            body: dict[str, str] | None = {} if method in {"post", "put"} else None
            stranger = await served.ask(method.upper(), where, body, by=None)
            assert 401 == stranger.status_code, where
            if method != "get":
                viewer = await served.ask(method.upper(), where, body, by="viewer")
                assert 403 == viewer.status_code, where
    assert [] == [one for one in served.follower.manager.calls if "anna" in one]


async def test_a_session_is_as_good_as_its_token(served: Served) -> None:
    client, wrong = served.client, {"token": "act_nobody"}
    assert 401 == (await client.post("/api/login", json=wrong)).status_code
    entered = await client.post("/api/login", json={"token": served.token("viewer")})
    assert {"role": "viewer", "may_change": False} == {
        name: entered.json()[name] for name in ("role", "may_change")
    }
    cookie = entered.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/")), cookie
    assert served.token("viewer") not in cookie
    assert 200 == (await client.get("/api/portfolio")).status_code
    own = {"origin": HOST}
    limits = "/api/portfolio/allocation/limits"
    assert 403 == (await client.put(limits, json={}, headers=own)).status_code
    await client.post("/api/login", json={"token": served.token("operator")}, headers=own)
    assert 200 == (await client.put(limits, json={}, headers=own)).status_code
    foreign = await client.put(limits, json={}, headers={"origin": "http://evil.example"})
    assert 403 == foreign.status_code
    assert 403 == (await client.put(limits, json={})).status_code, "no page sends it without"
    again = client.cookies[COOKIE]
    assert 200 == (await client.post("/api/logout")).status_code
    client.cookies.set(COOKIE, again)
    assert 401 == (await client.get("/api/session")).status_code, "it is over at the server"


async def test_a_session_ends_and_is_no_token_to_log_in_with(served: Served) -> None:
    client = served.client
    secret, grant = await served.sessions.begin(served.token("operator"))
    assert 401 == (await client.post("/api/login", json={"token": secret})).status_code
    client.cookies.set(COOKIE, secret)
    assert "operator" == (await client.get("/api/session")).json()["role"]
    assert grant.expires_at_ms == served.follower.wall.now_ms() + 3_600_000
    served.follower.wall.advance_to(grant.expires_at_ms)
    assert 401 == (await client.get("/api/session")).status_code


async def test_sessions_outlive_the_service_and_not_their_token(served: Served) -> None:
    """What is kept are hashes; with another token in the file the session is over."""
    follower = served.follower
    secret, grant = await served.sessions.begin(served.token("operator"))
    (kept,) = follower.plans.logins.values()
    assert secret.encode() not in kept.digest + kept.parent

    async def role_after_restart(*, token: str) -> str | None:
        tokens = TokenStore(follower.wall)
        tokens.accept(token, OPERATOR)
        await Sessions(tokens, follower.plans, follower.wall, 1.0).recall()
        try:
            return tokens.verify(secret).name.partition("~")[0]
        except Unauthorized:
            return None

    assert "operator" == await role_after_restart(token=served.token("operator"))
    late = grant.expires_at_ms
    assert late is not None
    assert await role_after_restart(token="act_" + "x" * 43) is None
    assert {} == follower.plans.logins, "it is forgotten then"
    _, grant = await served.sessions.begin(served.token("operator"))
    await served.sessions.end(grant)
    assert {} == follower.plans.logins
    await served.sessions.begin(served.token("operator"))
    follower.wall.advance_to(late)
    assert await role_after_restart(token=served.token("operator")) is None


async def test_a_login_needs_no_database(served: Served) -> None:
    """When it is away is when a person wants the switch."""
    served.follower.plans.dies_after = 0
    answer = await served.client.post("/api/login", json={"token": served.token("operator")})
    assert 200 == answer.status_code
    assert "operator" == (await served.client.get("/api/session")).json()["role"]


async def test_plans_by_themselves_are_set_and_told(served: Served) -> None:
    path = "/api/portfolio/allocation/automatic"
    assert 403 == (await served.ask("PUT", path, {}, by="viewer")).status_code
    for body in (
        {"daily_at": "24:00", "on_change": False},
        {"daily_at": "6:00", "on_change": False},
        {"daily_at": "06:00"},
    ):
        assert 422 == (await served.ask("PUT", path, body)).status_code, body
    told = (await served.ask("PUT", path, {"daily_at": "06:30", "on_change": True})).json()
    assert ("06:30", True) == (told["daily_at"], told["on_change"])
    assert 0 == (told["next_ms"] - 6 * 3_600_000 - 30 * 60_000) % 86_400_000
    assert told == (await served.ask("GET", "/api/portfolio/allocation")).json()["automatic"]
    off = (await served.ask("PUT", path, {"daily_at": None, "on_change": False})).json()
    assert (None, False, None) == (off["daily_at"], off["on_change"], off["next_ms"])


async def test_no_answer_has_a_token_in_it(served: Served) -> None:
    for path in served.app.openapi()["paths"]:
        if "{" in path or path == "/api/stream":
            continue
        reply = await served.ask("GET", path)
        assert "act_" not in reply.text, path


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [
        ('{"shares": {"anna": NaN}}', 422, "finite number at shares.anna"),
        ('{"shares": {"anna": Infinity}}', 422, "shares.anna"),
        ('{"shares": {"anna": -1}}', 422, "greater than or equal to 0 at shares.anna"),
        ('{"shares": {"anna": 2}}', 422, "less than or equal to 1 at shares.anna"),
        ('{"shares": {"anna": "all"}}', 422, "shares.anna"),
        ('{"shares": {"anna": 0.4, "bert": 0.4, "carl": 0.4}}', 400, "add up to 120.0%"),
        ('{"shares": {"ann": 0.4}}', 404, "there is no trader 'ann', did you mean anna?"),
        ('{"method": "luck"}', 422, "method"),
        ('{"method": "equal", "shares": {}}', 400, "give a method or shares, not both"),
        ('{"plan_id": "none"}', 404, "there is no plan 'none'"),
        ('{"plan_id": "none", "preview": true}', 400, "give nothing else with it"),
        ('{"plan_id": 7}', 422, "plan_id"),
        ('{"wat": 1}', 422, "wat"),
        ("{", 400, "Failed to parse"),
    ],
)
async def test_absurd_rebalances_get_one_clear_line(
    served: Served, raw: str, status: int, words: str
) -> None:
    headers = {
        "authorization": f"Bearer {served.token('operator')}",
        "content-type": "application/json",
    }
    reply = await served.client.post("/api/portfolio/rebalance", content=raw, headers=headers)
    assert (status, True) == (reply.status_code, words in reply.text), reply.text
    assert 1 == len(reply.text.splitlines())
    assert {} == served.follower.capital.allotments
    assert all("allocate" not in one for one in served.follower.manager.calls)


async def test_absurd_limits_get_one_clear_line(served: Served) -> None:
    for body in ({"weight_max": 0}, {"weight_max": 7}, {"reserve_min": 1}, {"drawdown_stop": -1}):
        reply = await served.ask("PUT", "/api/portfolio/allocation/limits", body)
        assert (422, 1) == (reply.status_code, len(reply.text.splitlines()))
    assert 0.4 == served.follower.capital.limits.rules.weight_max


async def test_a_rebalance_by_its_plan(served: Served) -> None:
    path = "/api/portfolio/rebalance"
    await served.follower.rebalancer.turn()
    made = (await served.ask("POST", path, {"method": "equal", "preview": True})).json()
    assert ("planned", 0.0, 3) == (made["status"], made["progress"], len(made["steps"]))
    whole = sum(made["after"].values()) + made["reserve_after"]
    assert made["total_capital"] == pytest.approx(whole)
    run = await served.ask("POST", path, {"plan_id": made["plan_id"]})
    assert "running" == run.json()["status"]
    await served.follower.rebalancer.turn()
    done = (await served.ask("GET", f"{path}/{made['plan_id']}", by="viewer")).json()
    assert ("done", 1.0) == (done["status"], done["progress"])
    at_once = await served.ask("POST", path, {"shares": {"anna": 0.3}})
    assert "running" == at_once.json()["status"]
    assert [made["plan_id"], at_once.json()["plan_id"]] == [
        one["plan_id"] for one in (await served.ask("GET", path)).json()
    ]


async def test_commands_are_handed_on_with_their_reason(served: Served) -> None:
    reply = await served.ask("POST", "/api/strategy/anna/pause", {"reason": "a look"})
    assert {"done": ["anna"]} == reply.json()["result"]
    assert "a look" == served.follower.manager.traders["anna"].reason
    await served.ask("POST", "/api/strategy/anna/resume")
    assert "told by the operator" == served.follower.manager.traders["anna"].reason
    unknown = await served.ask("POST", "/api/strategy/nobody/stop", {})
    assert (404, "there is no trader 'nobody'") == (unknown.status_code, unknown.text)
    served.follower.manager.away = "the manager is away"
    away = await served.ask("POST", "/api/strategy/anna/flatten", {})
    assert (503, "the manager is away") == (away.status_code, away.text)


async def test_reads_of_traders(served: Served) -> None:
    await served.follower.look(ticks=40)
    told = (await served.ask("GET", "/api/portfolio", by="viewer")).json()
    assert [0, 0, 0] == [one["age_ms"] // 60_000 for one in told["strategies"]]
    curves = (await served.ask("GET", "/api/equity?points=8")).json()
    assert ["anna", "bert", "carl"] == sorted(curves["traders"])
    assert all(len(one["time_ms"]) <= 8 for one in curves["traders"].values())
    late = curves["portfolio"]["time_ms"][-1]
    some = (await served.ask("GET", f"/api/equity?trader=anna&since={late}")).json()
    assert [late] == some["traders"]["anna"]["time_ms"]
    fills = (await served.ask("GET", "/api/trades?limit=3")).json()["trades"]
    assert sorted((one["time_ms"] for one in fills), reverse=True) == [
        one["time_ms"] for one in fills
    ]
    feed = (await served.ask("GET", "/api/decisions?limit=2")).json()["decisions"]
    assert ["anna", "bert"] == [one["trader"] for one in feed]
    for path in ("equity", "trades", "decisions", "export?kind=equity&form=csv"):
        where = f"/api/{path}{'&' if '?' in path else '?'}trader=ann"
        missing = await served.ask("GET", where)
        assert (404, "there is no trader 'ann', did you mean anna?") == (
            missing.status_code,
            missing.text,
        )
    assert 400 == (await served.ask("GET", "/api/equity?since=never")).status_code
    assert 400 == (await served.ask("GET", "/api/decisions?before=3")).status_code


async def test_the_feed_asks_again_only_who_has_decided(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of many not all at once, so that what it costs is bounded."""
    monkeypatch.setattr(records_module, "_FEED_S", -1.0)
    monkeypatch.setattr(records_module, "_ASKED_MAX", 1)
    manager = served.follower.manager

    async def asked() -> list[str]:
        manager.calls.clear()
        feed = (await served.ask("GET", "/api/decisions")).json()["decisions"]
        assert {"anna", "bert", "carl"} == {one["trader"] for one in feed}
        return [one.split("/")[1] for one in manager.calls if one.endswith("/decisions")]

    assert ["anna", "bert", "carl"] == sorted(await asked())
    assert [] == await asked()
    manager.traders["bert"].turn += 1
    await served.follower.sync.look_at_fleet()
    assert ["bert"] == await asked()
    await served.follower.look()
    assert ["anna", "bert", "carl"] == sorted([*await asked(), *await asked(), *await asked()])
    assert [] == await asked()


async def test_the_portfolio_as_a_file(served: Served) -> None:
    table = (await served.ask("GET", "/api/export?kind=portfolio")).text.splitlines()
    assert table[0].startswith('"id","name","kind"')
    assert ["anna", "bert", "carl"] == [line.split('"')[1] for line in table[1:]]
    parquet = await served.ask("GET", "/api/export?kind=portfolio&form=parquet")
    assert b"PAR1" == parquet.content[:4]
    named = parquet.headers["content-disposition"]
    assert 'attachment; filename="scripted-all-portfolio.parquet"' == named
    passed = await served.ask("GET", "/api/export?kind=trades&trader=anna")
    assert {"kind": "trades", "form": "csv", "trader": "anna"} == json.loads(passed.content)


async def test_the_system_tells_what_is_wrong(served: Served) -> None:
    served.follower.manager.traders["bert"].silent = True
    await served.follower.look()
    told = (await served.ask("GET", "/api/system")).json()
    assert [("bert", "unknown: its process does not answer")] == [
        (one["source"], one["text"]) for one in told["alerts"]
    ]
    assert 3 == await served.follower.sync.look_at_budgets()
    told = (await served.ask("GET", "/api/system")).json()
    assert {"requests_used": 4, "requests_cap": 10_000} == told["budgets"]["venue"]["anna"]
    assert 503 == (await served.ask("GET", "/api/data/coverage")).status_code
    assert 503 == (await served.ask("GET", "/api/funding-rates")).status_code
    await served.follower.services.look()
    (rate,) = (await served.ask("GET", "/api/funding-rates")).json()
    assert ("BTC", 0.0003, "short_favored") == (
        *(rate["symbol"], rate["daily_yield"]),
        rate["direction"],
    )

"""Every way to change something, of all six services: it names a scope, and no trick opens it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr

import data_collector.main
import data_collector.settings
import hyperliquid_exchange.main
import hyperliquid_exchange.settings
import portfolio_service.main
import portfolio_service.settings
import strategy_agent.entrypoint.control
import strategy_agent.settings
import trader_manager.main
import trader_manager.settings
import virtual_exchange.main
import virtual_exchange.settings
from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.bootstrap import Connector
from strategy_agent.entrypoint.controlled import Controlled
from suite.service.app import undeclared_write_routes
from suite.service.guarding import FAILURES_MAX
from suite.service.tokens import ADMIN, OPEN, PREFIX, Grant, TokenStore, declared_scopes

NOWHERE = "http://127.0.0.1:1"


def virtual_exchange_app(folder: Path) -> FastAPI:
    return virtual_exchange.main.create_app(
        virtual_exchange.settings.Settings.load(state_dir=folder)
    )


def hyperliquid_exchange_app(folder: Path) -> FastAPI:
    return hyperliquid_exchange.main.create_app(
        hyperliquid_exchange.settings.Settings.load(state_dir=folder)
    )


def data_collector_app(folder: Path) -> FastAPI:
    return data_collector.main.create_app(
        data_collector.settings.Settings.load(
            data=str(folder),
            state_dir=folder,
            collect="hyperliquid",
            symbols=("BTC",),
            url=NOWHERE,
        )
    )


def trader_manager_app(folder: Path) -> FastAPI:
    return trader_manager.main.create_app(
        trader_manager.settings.Settings.load(
            trading_url=NOWHERE,
            state_dir=folder,
            database_url=SecretStr(f"embedded://{folder}/pg"),
        )
    )


def portfolio_service_app(folder: Path) -> FastAPI:
    return portfolio_service.main.create_app(
        portfolio_service.settings.Settings.load(
            manager_url=NOWHERE,
            manager_token=SecretStr("x" * 50),
            state_dir=folder,
            database_url=SecretStr(f"embedded://{folder}/pg"),
        )
    )


def strategy_agent_app(folder: Path) -> FastAPI:
    settings = strategy_agent.settings.Settings.load(state_dir=folder)
    connector = Connector(settings, journal_dir=None)
    controlled = Controlled(
        alpha=AlphaLoop(connector.context(stays=True)),
        loop=asyncio.get_running_loop(),
        use_token=connector.use_token,
    )
    return strategy_agent.entrypoint.control.create_app(settings, controlled)


SERVICES: dict[str, Callable[[Path], FastAPI]] = {
    "virtual-exchange": virtual_exchange_app,
    "hyperliquid-exchange": hyperliquid_exchange_app,
    "data-collector": data_collector_app,
    "trader-manager": trader_manager_app,
    "portfolio-service": portfolio_service_app,
    "strategy-agent": strategy_agent_app,
}


def guarded(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Name the methods and paths of writes that want a token, with words for what they name."""
    for route in iter_route_contexts(app.routes):
        if route.methods is None or route.path is None or route.methods <= {"GET", "HEAD"}:
            continue
        declared = declared_scopes(route.endpoint, ())
        if not any(one.startswith(OPEN) for one in declared):
            path = "/".join("x" if part[:1] == "{" else part for part in route.path.split("/"))
            yield min(route.methods - {"HEAD"}), path


def attacks(tokens: TokenStore) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make requests that look allowed, by name."""
    good = tokens.issue(Grant(name="victim", scopes=frozenset({ADMIN})))
    expired = tokens.issue(Grant(name="old", scopes=frozenset({ADMIN}), expires_at_ms=1))
    elsewhere = tokens.issue(Grant(name="world", scopes=frozenset({ADMIN}), realm="other"))
    weak = tokens.issue(Grant(name="weak", scopes=frozenset({"read:nothing", "", "adm", "*"})))
    revoked = tokens.issue(Grant(name="gone", scopes=frozenset({ADMIN})))
    tokens.revoke(name="gone")
    shown = {
        "none": None,
        "empty": "",
        "only the scheme": "Bearer",
        "nothing behind it": "Bearer ",
        "a guess": f"Bearer {PREFIX}{'A' * 43}",
        "a word": "Bearer operator",
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "two schemes": f"Bearer Bearer {good}",
        "begun only": f"Bearer {good[:-1]}",
        "with more": f"Bearer {good}A",
        "in capitals": f"Bearer {good.upper()}" if good.upper() != good else None,
        "its hash": f"Bearer {hashlib.sha256(good.encode()).hexdigest()}",
        "a comma": f"Bearer {good}, Bearer {good}",
        "quotes": f'Bearer "{good}"',
        "a null": f"Bearer {good}\\x00",
        "none, as a word": "Bearer null",
        "unsigned": "Bearer eyJhbGciOiJub25lIn0.eyJzY29wZSI6ImFkbWluIn0.",
        "expired": f"Bearer {expired}",
        "revoked": f"Bearer {revoked}",
        "of another world": f"Bearer {elsewhere}",
        "too weak": f"Bearer {weak}",
        "very long": f"Bearer {'A' * 8000}",
        "a wildcard": "Bearer *",
        "a query": "Bearer ' OR '1'='1",
    }
    for name, value in shown.items():
        yield name, {} if value is None else {"headers": {"authorization": value}}
    yield "in the address", {"params": {"token": good, "access_token": good}}
    yield "in a cookie", {"headers": {"cookie": f"token={good}; authorization=Bearer {good}"}}
    yield "in another header", {"headers": {"x-api-key": good, "x-auth-token": good}}
    yield "in the body", {"json": {"token": good, "authorization": f"Bearer {good}"}}
    forwarded = {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "x-original-url": "/"}
    yield "as the proxy", {"headers": {**forwarded, "x-forwarded-user": "operator"}}
    yield "another method", {"headers": {"x-http-method-override": "GET"}}


@asynccontextmanager
async def asking(app: FastAPI, peer: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize("service", SERVICES)
async def test_every_write_route_declares_a_scope(service: str, tmp_path: Path) -> None:
    app = SERVICES[service](tmp_path)
    assert [] == undeclared_write_routes(app)
    assert list(guarded(app)), "there is something to guard"


@pytest.mark.parametrize("service", SERVICES)
async def test_no_trick_opens_a_door(
    service: str, tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    app, asked, opened = SERVICES[service](tmp_path), 0, []
    for name, extra in attacks(app.state.chassis.tokens):
        # Each trick is a peer of its own, or the twenty-first would only show the limit.
        for number, (method, path) in enumerate(sorted(set(guarded(app)))):
            async with asking(app, f"{service} {name} {number}") as client:
                reply = await client.request(method, path, **{"json": {}, **extra})
            asked += 1
            if reply.status_code not in {401, 403}:
                opened.append((name, method, path, reply.status_code, reply.text[:80]))
    assert [] == opened
    figure(
        "S11", f"{asked} requests with stolen, spoilt and missing tokens: 0 bypasses of {service}"
    )


async def test_guesses_at_a_login_are_held_up(tmp_path: Path) -> None:
    app = portfolio_service_app(tmp_path)
    async with asking(app, "10.1.1.1") as client:
        replies = [
            await client.post("/api/login", json={"token": f"guess {n}"})
            for n in range(FAILURES_MAX + 1)
        ]
    assert {401} == {reply.status_code for reply in replies}
    assert [FAILURES_MAX] == [n for n, one in enumerate(replies) if "retry-after" in one.headers]


@pytest.mark.parametrize("service", SERVICES)
async def test_pages_elsewhere_are_given_nothing(service: str, tmp_path: Path) -> None:
    """No answer allows another origin, and each says that it is no page."""
    app = SERVICES[service](tmp_path)
    foreign = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method, headers in (("OPTIONS", foreign), ("GET", foreign), ("GET", {})):
        async with asking(app, "10.2.2.2") as client:
            reply = await client.request(method, "/health", headers=headers)
        assert not [name for name in reply.headers if name.startswith("access-control-")]
        assert headers == {} or 403 == reply.status_code
        assert "nosniff" == reply.headers["x-content-type-options"]
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]

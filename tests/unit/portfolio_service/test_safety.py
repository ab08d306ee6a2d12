"""The switch for all: the word has to be right, and one trader that fails holds up nobody."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from portfolio_service.application.manager import Fleet, ManagedTrader
from portfolio_service.application.portfolio import Portfolio
from portfolio_service.entrypoint.access import OPERATOR, VIEWER
from portfolio_service.entrypoint.safety import make_safety_router
from suite.errors import UpstreamUnavailable
from suite.service.app import install_chassis, undeclared_write_routes
from suite.service.settings import ServiceSettings
from suite.service.tokens import TokenStore


class Commands:
    """Notes what traders are told; `bert` cannot be reached."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    async def tell(self, trader_id: str, command: str, *, reason: str) -> Mapping[str, Any]:
        self.told.append((trader_id, command))
        if trader_id == "bert":
            raise UpstreamUnavailable("it is away")
        return {}

    async def allocate(self, *_: Any, **__: Any) -> Mapping[str, Any]:
        raise AssertionError("nobody is allotted anything here")


class Venue:
    """Notes what the proxy is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[str] = []

    async def safety(self, command: str, body: dict[str, Any]) -> Any:
        self.told.append((command, body))
        return {"level": command}

    async def open_orders(self, address: str) -> list[dict[str, Any]]:
        self.asked.append(address)
        return [{"coin": "BTC", "oid": 1}]


class Stage:
    """A service with the switch, and who may press it."""

    def __init__(self, *, live: bool) -> None:
        portfolio = Portfolio(stale_after_s=60)
        names = ("anna", "bert")
        portfolio.take_fleet(Fleet(traders=tuple(ManagedTrader(trader_id=n) for n in names)))
        self.commands, self.venue, tokens = Commands(), Venue(), TokenStore()
        self.operator, self.viewer = tokens.issue(OPERATOR), tokens.issue(VIEWER)
        self.app = FastAPI()
        settings = ServiceSettings(port=8500, allowed_hosts=("testserver",))
        install_chassis(self.app, settings, tokens=tokens)
        router = make_safety_router(portfolio, self.commands, self.venue, live=live)
        self.app.include_router(router)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://testserver"
        )

    async def press(self, command: str, token: str | None = None, **body: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.operator}"}
        return await self.client.post(f"/api/safety/{command}", json=body, headers=headers)


@pytest.fixture
def stage() -> Stage:
    return Stage(live=False)


@pytest.mark.parametrize("command", ["stop", "kill", "resume"])
@pytest.mark.parametrize("word", ["", "kil", "KILL ", "stop", "yes"])
async def test_without_its_word_nothing_is_told(stage: Stage, command: str, word: str) -> None:
    answer = await stage.press(command, confirmation=word)
    assert 400 == answer.status_code
    assert command.upper() in answer.text
    assert [] == stage.commands.told


async def test_a_kill_flattens_and_stops_each_whoever_fails(stage: Stage) -> None:
    told = (await stage.press("kill", confirmation="KILL")).json()["traders"]
    assert "ok" == told["anna"]
    assert "flatten: it is away; stop: it is away" == told["bert"]
    assert {(n, c) for n in ("anna", "bert") for c in ("flatten", "stop")} == set(
        stage.commands.told
    )


async def test_a_pause_needs_no_word(stage: Stage) -> None:
    assert 200 == (await stage.press("pause")).status_code
    assert {("anna", "pause"), ("bert", "pause")} == set(stage.commands.told)


async def test_who_may_only_look_presses_nothing(stage: Stage) -> None:
    answer = await stage.press("kill", stage.viewer, confirmation="KILL")
    assert 403 == answer.status_code
    assert [] == stage.commands.told


async def test_an_unknown_command_is_refused(stage: Stage) -> None:
    assert 422 == (await stage.press("explode")).status_code
    assert [] == stage.commands.told


async def test_where_the_proxy_is_live_it_is_told_instead() -> None:
    stage = Stage(live=True)
    told = (await stage.press("kill", confirmation="KILL", reason="a drill")).json()
    assert {"by": "proxy", "answer": {"level": "kill"}} == told
    assert [("kill", {"trader": "all", "reason": "a drill", "flatten": True})] == stage.venue.told
    assert [] == stage.commands.told


async def test_what_ends_a_kill_of_the_proxy_is_for_the_proxy_to_judge() -> None:
    stage = Stage(live=True)
    words = "resume anna: positions and orders were looked at"
    await stage.press("resume", trader="anna", confirmation=words)
    assert [("resume", {"trader": "anna", "confirmation": words})] == stage.venue.told


async def test_without_a_proxy_the_switch_is_for_all(stage: Stage) -> None:
    answer = await stage.press("pause", trader="anna")
    assert 400 == answer.status_code
    assert [] == stage.commands.told


async def test_orders_are_asked_for_by_the_address_of_the_account(stage: Stage) -> None:
    headers = {"authorization": f"Bearer {stage.viewer}"}
    found = await stage.client.get("/api/orders", params={"trader": "anna"}, headers=headers)
    nobody = await stage.client.get("/api/orders", params={"trader": "zoe"}, headers=headers)
    assert [{"coin": "BTC", "oid": 1}] == found.json()["orders"]
    assert (404, 1) == (nobody.status_code, len(stage.venue.asked))
    assert stage.venue.asked[0].startswith("0x")


def test_every_write_declares_who_may(stage: Stage) -> None:
    assert [] == undeclared_write_routes(stage.app)

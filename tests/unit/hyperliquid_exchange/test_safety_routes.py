"""Who may do what with the ladder over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.support.gate_setting import ANNA, BERT, NOW_MS
from tests.support.risk_venue import USUAL, RiskStand, RiskVenue

from hyperliquid_exchange.domain.clearing import words_for
from hyperliquid_exchange.domain.safety import Level
from hyperliquid_exchange.entrypoint.safety import PAUSER, RESUMER, safety_routes, trader_grant
from hyperliquid_exchange.settings import Settings
from suite.service.app import install_chassis, undeclared_write_routes
from suite.service.tokens import ADMIN, Grant, TokenStore, account_grant

OPERATOR = Grant(name="operator", scopes=frozenset({ADMIN}))
GRANTS = {
    "operator": OPERATOR,
    "pauser": PAUSER,
    "resumer": RESUMER,
    "anna": trader_grant(ANNA),
    "plain": account_grant(ANNA),
}
WRITES = ("pause", "stop", "kill", "resume")


class Door:
    """The application with everybody's tokens."""

    def __init__(self, folder: Path) -> None:
        venue = RiskVenue(orders_of={ANNA: list(USUAL), BERT: []}, held={ANNA: {}, BERT: {}})
        self.stand = RiskStand(folder, venue)
        self.folder = folder
        tokens = TokenStore()
        self.tokens = {name: tokens.issue(grant) for name, grant in GRANTS.items()}
        self.app = FastAPI(title="hyperliquid-exchange")
        install_chassis(self.app, Settings.load(), tokens=tokens)
        self.app.include_router(safety_routes(lambda: self.stand.control, lambda: 1.5))
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1:8200"
        )

    async def post(self, who: str, what: str, **body: Any) -> httpx.Response:
        return await self.client.post(f"/safety/{what}", json=body, headers=self._header(who))

    async def get(self, who: str) -> httpx.Response:
        return await self.client.get("/safety", headers=self._header(who))

    def _header(self, who: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}

    def level(self, trader_id: str = ANNA) -> Level:
        return self.stand.ladder.level(trader_id)  # type: ignore[arg-type]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    one = Door(tmp_path)
    yield one
    await one.client.aclose()
    await one.stand.control.close()


def test_every_write_declares_its_scope(tmp_path: Path) -> None:
    assert undeclared_write_routes(Door(tmp_path).app) == []


@pytest.mark.parametrize(
    ("who", "trader", "pause", "stop", "kill"),
    [
        ("operator", "anna", 200, 200, 200),
        ("operator", "all", 200, 200, 200),
        ("pauser", "anna", 200, 200, 200),
        ("pauser", "all", 200, 200, 200),
        ("resumer", "all", 200, 200, 200),
        ("anna", "anna", 200, 200, 403),
        ("anna", "bert", 403, 403, 403),
        ("anna", "all", 403, 403, 403),
        ("plain", "anna", 403, 403, 403),
        ("nobody", "anna", 401, 401, 401),
        ("operator", "carl", 404, 404, 404),
    ],
)
async def test_who_may_forbid(
    door: Door, who: str, trader: str, pause: int, stop: int, kill: int
) -> None:
    for what, status in (("pause", pause), ("stop", stop), ("kill", kill)):
        before = (door.level(), door.level(BERT))
        reply = await door.post(who, what, trader=trader)
        assert status == reply.status_code, reply.text
        if status != 200:
            assert before == (door.level(), door.level(BERT))
        else:
            assert door.level() is Level[{"pause": "PAUSED", "stop": "STOPPED"}.get(what, "KILLED")]


async def test_a_kill_answers_when_its_work_is_done(door: Door) -> None:
    reply = (await door.post("pauser", "kill", trader="anna", reason="it burns")).json()

    assert (reply["scope"], reply["quiet"], reply["done"]) == ("anna", True, True)
    assert reply["levels"] == {"anna": "KILLED", "bert": "LIVE"}
    assert [("KILLED", "risk-pause", "it burns")] == [
        (one["level"], one["by"], one["reason"]) for one in reply["causes"]
    ]
    assert {3, 4} == {one.oid for one in door.stand.venue.orders_of[ANNA]}
    assert [(2, 0, 2)] == [
        (one["canceled"], one["entries"], one["stops"]) for one in reply["reports"]
    ]


async def test_a_kill_is_in_force_whatever_the_venue_does(door: Door) -> None:
    door.stand.venue.down = True
    reply = await door.post("pauser", "kill", trader="all")

    assert (200, False) == (reply.status_code, reply.json()["done"])
    assert [Level.KILLED] * 2 == [door.level(), door.level(BERT)]


async def test_an_empty_body_concerns_all(door: Door) -> None:
    await door.post("operator", "pause")

    assert [Level.PAUSED] * 2 == [door.level(), door.level(BERT)]


@pytest.mark.parametrize(
    ("who", "status"),
    [("operator", 200), ("resumer", 200), ("pauser", 403), ("anna", 403), ("nobody", 401)],
)
@pytest.mark.parametrize("what", ["pause", "stop"])
async def test_who_may_resume_what_is_no_kill(door: Door, what: str, who: str, status: int) -> None:
    await door.post("anna", what, trader="anna")
    reply = await door.post(who, "resume", trader="anna")

    assert status == reply.status_code, reply.text
    assert (Level.LIVE if status == 200 else Level.PAUSED) <= door.level()
    assert (door.level() is Level.LIVE) is (status == 200)


async def test_a_kill_ends_with_the_right_token_words_and_a_preflight(door: Door) -> None:
    words = words_for(ANNA)
    await door.post("operator", "kill", trader="anna")
    assert 409 == (await door.post("resumer", "resume", trader="anna")).status_code
    assert (
        409 == (await door.post("resumer", "resume", trader="anna", confirmation=words)).status_code
    )

    result = {"green": True, "at_ms": NOW_MS - 1}
    (door.folder / "preflight.json").write_text(json.dumps(result))
    assert (
        409
        == (await door.post("operator", "resume", trader="anna", confirmation=words)).status_code
    )
    assert (
        409
        == (
            await door.post("resumer", "resume", trader="anna", confirmation=words + ".")
        ).status_code
    )
    assert door.level() is Level.KILLED

    reply = await door.post("resumer", "resume", trader="anna", confirmation=words)
    assert (200, ["KILLED by operator"]) == (reply.status_code, reply.json()["cleared"])
    assert door.level() is Level.LIVE


async def test_the_words_are_told_to_whoever_looks(door: Door) -> None:
    await door.post("operator", "kill", trader="all")

    told = (await door.get("pauser")).json()
    assert [words_for("")] == [one["typed"] for one in told["causes"]]


async def test_a_trader_sees_itself_and_nobody_else(door: Door) -> None:
    await door.post("operator", "pause", trader="bert")
    await door.post("operator", "pause", trader="anna")

    told = (await door.get("anna")).json()
    assert ({"anna": "PAUSED"}, ["anna"]) == (
        told["levels"],
        [one["scope"] for one in told["causes"]],
    )
    assert 401 == (await door.get("nobody")).status_code


async def test_a_loss_that_a_person_allows_is_measured_anew(door: Door) -> None:
    await door.stand.control.forbid(ANNA, Level.STOPPED, by="gate", reason="lost")
    await door.post("operator", "resume", trader="anna", allow_executions=True)

    assert [("forgive", "anna"), ("allow", "anna")] == door.stand.losses.told


async def test_a_position_is_closed_for_operators_alone(door: Door) -> None:
    assert 403 == (await door.post("anna", "stop", trader="anna", flatten=True)).status_code
    assert 403 == (await door.post("operator", "pause", trader="anna", flatten=True)).status_code
    reply = await door.post("operator", "stop", trader="anna", flatten=True)

    assert (200, {}) == (reply.status_code, reply.json()["reports"][0]["positions"])


@pytest.mark.parametrize("what", WRITES)
async def test_a_misspelt_key_is_refused(door: Door, what: str) -> None:
    reply = await door.post("operator", what, trader="anna", flaten=True)

    assert (422, Level.LIVE) == (reply.status_code, door.level())

"""Traders that somebody else looks after: put into the process, looked at, and taken away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue, alpha_with

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.entrypoint.control import create_app
from strategy_agent.entrypoint.controlled import Controlled
from strategy_agent.hosting import _problems_without_plugins
from strategy_agent.settings import Settings
from suite.service.app import undeclared_write_routes

SECRET = "model-key-of-carl"
TOKEN = "act_" + "x" * 40
ENTRY = {"name": "${CALLED}", "strategy": {"kind": "flat"}, "symbols": ["BTC"]}


@pytest.fixture
def venue() -> ScriptedVenue:
    return ScriptedVenue(sleeps=True)


@pytest.fixture
async def alpha(venue: ScriptedVenue) -> AsyncIterator[AlphaLoop]:
    made = alpha_with(venue)
    yield made
    await made.close()


@pytest.fixture
async def client(
    tmp_path: Path, venue: ScriptedVenue, alpha: AlphaLoop
) -> AsyncIterator[httpx.AsyncClient]:
    hosting = Controlled(
        alpha=alpha,
        loop=asyncio.get_running_loop(),
        use_token=venue.use_token,
        hosts=_problems_without_plugins,
    )
    app = create_app(Settings.load(state_dir=tmp_path), hosting)
    assert [] == undeclared_write_routes(app)
    token = (tmp_path / "tokens" / "operator.token").read_text().strip()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://127.0.0.1",
        headers={"authorization": f"Bearer {token}"},
    ) as made:
        yield made


def body(**more: Any) -> dict[str, Any]:
    return {"entry": ENTRY, "secrets": {"CALLED": SECRET}, "token": TOKEN, **more}


async def test_one_that_is_put_here_begins_and_its_secrets_are_in_no_answer(
    client: httpx.AsyncClient, alpha: AlphaLoop, venue: ScriptedVenue
) -> None:
    """Its name is the one of the path; a second of it is refused, and changes nothing."""
    put = await client.put("/instances/c", json=body(reason="wanted"))
    assert (201, "c") == (put.status_code, put.json()["trader_id"])
    await until(lambda: venue.asleep("c"))
    assert (SECRET, TOKEN) == (alpha.instance("c").spec.name, venue.tokens["c"])
    again = await client.put("/instances/c", json=body(token="act_" + "y" * 40))
    assert (409, TOKEN) == (again.status_code, venue.tokens["c"])
    row = (await client.get("/instances/c")).json()
    assert row == (await client.get("/status")).json()["traders"][0]
    for path in ("/instances/c", "/status", "/config", "/positions"):
        said = (await client.get(path)).text
        assert SECRET not in said
        assert TOKEN not in said
    assert "${CALLED}" in (await client.get("/config")).text
    assert 404 == (await client.get("/instances/d")).status_code


async def test_one_that_is_to_come_back_is_let_go_with_what_it_holds(
    client: httpx.AsyncClient, alpha: AlphaLoop, venue: ScriptedVenue
) -> None:
    """As with the end of its process: time at the venue waits for it."""
    await client.put("/instances/c", json=body())
    await until(lambda: venue.asleep("c"))
    alpha.instance("c").status.positions = {"BTC": "1.0"}
    assert 409 == (await client.delete("/instances/c")).status_code
    gone = await client.delete("/instances/c?returns=true")
    assert ({"released": "c"}, ()) == (gone.json(), alpha.instances)
    assert [] == venue.left
    assert 404 == (await client.delete("/instances/c?returns=true")).status_code
    assert 201 == (await client.put("/instances/c", json=body())).status_code


async def test_one_that_does_not_come_back_leaves_its_venues_time_with_its_end(
    client: httpx.AsyncClient, alpha: AlphaLoop, venue: ScriptedVenue
) -> None:
    """However it ends; not before, and not again once it has begun anew."""
    await client.put("/instances/c", json=body())
    await until(lambda: venue.asleep("c"))
    assert {"leaves": "c"} == (await client.post("/instances/c/leave")).json()
    assert [] == venue.left
    await client.delete("/instances/c?returns=true")
    assert ["c"] == venue.left
    assert 404 == (await client.post("/instances/c/leave")).status_code
    await client.put("/instances/d", json=body())
    await until(lambda: venue.asleep("d"))
    alpha.let_leave("d")
    await alpha.instance("d").stop()
    assert ["c", "d"] == venue.left
    alpha.instance("d").start()
    await until(lambda: venue.asleep("d"))
    await alpha.close()
    assert ["c", "d"] == venue.left


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"secrets": {}}, "environment variable CALLED is not set"),
        ({"entry": ENTRY | {"strategy": {"kind": "plugin:mine:Own"}}}, "a plugin is code"),
        ({"entry": ENTRY | {"symbols": []}}, "symbols"),
        ({"secrets": {"CALLED": 3}}, "secrets.CALLED"),
    ],
)
async def test_what_is_wrong_is_told_and_nobody_is_taken_in(
    client: httpx.AsyncClient, alpha: AlphaLoop, wrong: dict[str, Any], said: str
) -> None:
    """Without what is secret."""
    refused = await client.put("/instances/c", json=body() | wrong)
    assert (422, True) == (refused.status_code, said in refused.text), refused.text
    assert SECRET not in refused.text
    assert () == alpha.instances


async def test_a_process_that_hosts_stays_while_nobody_is_there(alpha: AlphaLoop) -> None:
    """Until it is closed."""
    hosting = asyncio.create_task(alpha.host())
    alpha.add_strategy_instance("c", "flat", "BTC")
    await alpha.instance("c").connected()
    await alpha.release_strategy_instance("c")
    await asyncio.sleep(0.01)
    assert not hosting.done()
    await alpha.close()
    await asyncio.wait_for(hosting, 5)

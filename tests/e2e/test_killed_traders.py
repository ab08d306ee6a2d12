"""Traders that are killed at any point end where they would have: byte for byte."""

import asyncio
import os
import random
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.unit.trader_manager.test_supervisor import ScriptedStore, stored

from suite.service.clock import SystemClock
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.local_processes import LocalProcesses
from trader_manager.adapters.venue_access import VenueAccess
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.supervisor import Supervisor

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]

KILLS = int(os.environ.get("KILLS", "6"))
COINS = ["BTC", "ETH"]
KINDS = {
    "cross": {"kind": "sma_cross", "params": {"fast": 2, "slow": 5, "stop_loss": 0.01}},
    "maker": {"kind": "fixed_spread"},
    "dice": {"kind": "random", "params": {"probability": 0.5}},
    "carry": {"kind": "funding_rate"},
}


class World:
    """A supervised world, seen by its operator."""

    def __init__(self, venue: VenueUnderTest, to: str) -> None:
        body = {
            "symbols": COINS,
            "from": "2025-05-06",
            "to": to,
            "accounts": [{"id": name} for name in KINDS],
            "supervised": True,
        }
        self.made: dict[str, Any] = venue.post("/worlds", body, "operator")
        self._url = f"{venue.url}/worlds/{self.made['world_id']}"
        self._headers = {"authorization": f"Bearer {venue.token('operator')}"}

    async def get(self, path: str = "") -> Any:
        async with httpx.AsyncClient(headers=self._headers, timeout=60) as client:
            return (await client.get(self._url + path)).json()


async def report(venue: VenueUnderTest, folder: Path, *, kills: int, to: str) -> tuple[Any, int]:
    """Let the fleet trade a world, and kill traders while it does; its report, and how many."""
    world, wall, draw = World(venue, to), SystemClock(), random.Random(5)
    specs = {
        name: {"trader_id": name, "strategy": kind, "symbols": COINS, "interval": "15m"}
        for name, kind in KINDS.items()
    }
    traders = [replace(stored(name, runtime="here"), spec=spec) for name, spec in specs.items()]
    store = ScriptedStore(wall, *traders)  # type: ignore[arg-type]
    processes = LocalProcesses(folder, wall)
    url, tokens = world.made["base_url"], world.made["tokens"]
    reads = VenueReadsHttp(url)
    access = VenueAccess(
        venue_url=url,
        venue=reads,
        data_url=url,
        token_of={name: SecretStr(token) for name, token in tokens.items()}.get,
        operator_token=SecretStr(""),
        folder=folder / "tokens",
        env={},
        seed=7,
    )
    agents = AgentHttp()
    supervisor = Supervisor(
        store=store,
        runtimes={"here": processes},
        access=access,
        agents=agents,
        wall=wall,
        look_s=0.2,
    )
    supervising = asyncio.create_task(supervisor.run())
    killed, last_percent = 0, 0.0
    try:
        while not (status := await world.get())["finished"]:
            await asyncio.sleep(draw.uniform(0.02, 0.2))
            victim = await processes.look(draw.choice(list(KINDS)))
            moved = status["percent"] > last_percent  # time goes on, so all are in the middle
            if killed < kills and moved and victim.pid:
                os.kill(victim.pid, signal.SIGKILL)
                store.crashes.clear()  # no pause after crashes in a row
                killed, last_percent = killed + 1, status["percent"]
        return await world.get("/report"), killed
    finally:
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)
        await agents.close()
        await reads.close()
        await asyncio.gather(*(processes.stop(name) for name in KINDS))


async def test_traders_that_are_killed_end_where_they_would_have(tmp_path: Path) -> None:
    """A taker, dice and two makers, in the middle of steps, of decisions and of their start."""
    to = "2025-05-06T06:00" if KILLS < 10 else "2025-05-07"
    options = ("--clock", "lockstep")
    with running_venue(tmp_path / "v", *options, coins=("BTC", "ETH"), speed=None) as venue:
        undisturbed, none = await report(venue, tmp_path / "a", kills=0, to=to)
        disturbed, kills = await report(venue, tmp_path / "b", kills=KILLS, to=to)
    assert (0, True) == (none, kills >= min(KILLS, 4))
    traders = undisturbed["result"]["traders"]
    assert all(len(traders[name]["trades"]) > 3 for name in KINDS)
    for name in KINDS:
        assert traders[name] == disturbed["result"]["traders"][name], name
    assert undisturbed["sha256"] == disturbed["sha256"]

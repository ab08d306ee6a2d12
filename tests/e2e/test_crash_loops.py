"""A trader that dies again and again while it holds a position waits for a person."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.unit.trader_manager.test_supervisor import ScriptedStore, stored

from suite.crashes import CRASH_DELAY_MS, CRASHES_MAX
from suite.errors import SuiteError
from suite.service.clock import SystemClock
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.local_processes import FleetProcess, LocalProcesses
from trader_manager.adapters.venue_access import VenueAccess
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.runtime import Runtime
from trader_manager.application.supervisor import Supervisor

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]

NAME = "alice"
SPEC = {
    "trader_id": NAME,
    "strategy": {"kind": "hodl"},
    "symbols": ["BTC"],
    "interval": "1m",
}


class Wall(SystemClock):
    """The machine's clock, which the test sets ahead rather than wait."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


class Place:
    """A supervised trader at a real venue."""

    def __init__(self, venue: VenueUnderTest, runtime: Runtime, folder: Path, wall: Wall) -> None:
        self.runtime, self.agents = runtime, AgentHttp()
        self.reads = VenueReadsHttp(venue.url)
        trader = replace(stored(NAME, runtime="here"), spec=SPEC)
        self.store = ScriptedStore(wall, trader)  # type: ignore[arg-type]
        access = VenueAccess(
            venue_url=venue.url,
            venue=self.reads,
            data_url=venue.url,
            token_of={NAME: SecretStr(venue.token(NAME))}.get,
            operator_token=SecretStr(""),
            folder=folder / "tokens",
            env={},
            seed=7,
        )
        self.supervisor = Supervisor(
            store=self.store,
            runtimes={"here": runtime},
            access=access,
            agents=self.agents,
            wall=wall,
            look_s=0.2,
        )

    async def until(self, done: Callable[[Mapping[str, Any]], object]) -> Mapping[str, Any]:
        """Look until the trader says what is waited for."""
        row: Mapping[str, Any] = {}
        async with asyncio.timeout(40):
            while not done(row):
                await asyncio.sleep(0.1)
                try:
                    row = await self.agents.status(NAME, await self.runtime.look(NAME))
                except SuiteError:
                    row = {}
        return row

    async def kill(self) -> None:
        """Kill its process, and wait until that is known."""
        known = len(self.store.crashes)
        os.kill((await self.runtime.look(NAME)).pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while len(self.store.crashes) == known:  # noqa: ASYNC110 - it is seen by looking
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["process", "fleet"])
async def test_after_many_crashes_one_that_holds_a_position_comes_back_paused(
    tmp_path: Path, kind: str
) -> None:
    """It says why; a person has it go on."""
    wall, home = Wall(), tmp_path / "fleet"
    runtime = LocalProcesses(home, wall) if kind == "process" else FleetProcess(home, wall)
    options = ("--accounts", NAME, "--clock", "paced")
    with running_venue(tmp_path / "venue", *options, coins=("BTC",), speed=600) as venue:
        place = Place(venue, runtime, tmp_path, wall)
        supervising = asyncio.create_task(place.supervisor.run())
        try:
            for _ in range(CRASHES_MAX + 1):
                row = await place.until(lambda row: row.get("positions"))
                assert "user" not in row["causes"]
                await place.kill()
            wall.ahead_ms += CRASH_DELAY_MS
            row = await place.until(lambda row: "user" in row.get("causes", {}))
            assert "PAUSED" == row["status"]
            assert "4 crashes within 10 minutes, and it holds BTC" in row["causes"]["user"]
            seen = await runtime.look(NAME)
            await place.agents.tell(NAME, seen, "resume", reason="looked into")
            await place.until(lambda row: "user" not in row.get("causes", {"user": ""}))
        finally:
            supervising.cancel()
            await asyncio.gather(supervising, return_exceptions=True)
            await place.agents.close()
            await place.reads.close()
            await runtime.stop(NAME)
            if isinstance(runtime, FleetProcess):
                await runtime.close()

"""Traders as processes of this machine, with a real venue: started, found again, ended."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest
from pydantic import SecretStr
from tests.support.venue_process import VenueUnderTest, running_venue

from suite.service.clock import SystemClock
from trader_manager.adapters.local_processes import FleetProcess, LocalProcesses
from trader_manager.application.runtime import Launch, Sighting

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

WRITTEN = {
    "trader_id": "alice",
    "name": "${CALLED}",
    "strategy": {"kind": "hodl"},
    "symbols": ["BTC"],
    "interval": "1m",
}


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    options = ("--accounts", "alice", "--clock", "paced")
    with running_venue(tmp_path / "venue", *options, coins=("BTC",), speed=600) as found:
        yield found


def launch(venue: VenueUnderTest, generation: int = 1, token: str = "") -> Launch:
    return Launch(
        trader_id="alice",
        written=WRITTEN,
        secrets={"CALLED": SecretStr("Alice")},
        generation=generation,
        venue_url=venue.url,
        data_url=venue.url,
        token=SecretStr(token or venue.token("alice")),
        seed=3,
    )


async def test_a_trader_outlives_its_manager_and_is_found_again(
    venue: VenueUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started once however often it is asked for; another manager sees it, and ends it."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody:secret@elsewhere/db")
    first = LocalProcesses(tmp_path / "fleet", SystemClock())
    assert "absent" == (await first.look("alice")).actual
    try:
        await first.start(launch(venue))
        seen = await first.look("alice")
        await first.start(launch(venue, generation=2))
        assert (seen.pid, 1) == ((await first.look("alice")).pid, seen.generation)
        second = LocalProcesses(tmp_path / "fleet", SystemClock())
        assert {"alice"} == set(await second.look_all())
        async with asyncio.timeout(30):
            while not (found := await second.look("alice")).control_url:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert ("running", seen.pid) == (found.actual, found.pid)
        status = (await asyncio.to_thread(httpx.get, f"{found.control_url}/status")).json()
        assert ["alice"] == [row["trader_id"] for row in status["traders"]]
        sees = psutil.Process(found.pid).environ()
        assert "Alice" == sees["CALLED"]
        assert "DATABASE_URL" not in sees
        entry = (tmp_path / "fleet/alice/traders.yaml").read_text()
        assert "${CALLED}" in entry
        doubled = await asyncio.to_thread(_run_beside, launch(venue), tmp_path / "fleet/alice")
        assert (1, True) == (doubled.returncode, "alice runs already" in doubled.stderr), doubled
        assert f"process {found.pid} holds" in doubled.stderr
    finally:
        await second.stop("alice")
    while (await first.look("alice")).actual == "running":  # noqa: ASYNC110 - its threads end
        await asyncio.sleep(0.01)
    wanted = await first.look("alice")
    assert "absent" == wanted.actual, "an end that was wanted is no crash"
    await second.forget("alice")
    assert {} == await second.look_all()


async def test_one_that_is_killed_and_one_that_cannot_begin_have_crashed(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    """The reason is the last thing it said; a pid that is somebody else's by now is nobody."""
    runtime = LocalProcesses(tmp_path / "fleet", SystemClock())
    await runtime.start(launch(venue))
    os.kill((await runtime.look("alice")).pid, signal.SIGKILL)
    while (await runtime.look("alice")).actual == "running":  # noqa: ASYNC110 - its threads end
        await asyncio.sleep(0.01)
    assert "crashed" == (await runtime.look("alice")).actual
    record = tmp_path / "fleet/alice/process.json"
    record.write_text(record.read_text().replace(f'"pid":{_pid(record)}', f'"pid":{os.getpid()}'))
    assert "crashed" == (await runtime.look("alice")).actual
    await runtime.stop("alice")


@pytest.mark.parametrize("kind", ["process", "fleet"])
async def test_a_plugin_is_found_where_the_manager_was_started(
    venue: VenueUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As `strategy-agent check` finds it there, though a trader works in a folder of its own."""
    agent = Path(sys.executable).with_name("strategy-agent")
    made = [str(agent), "new", "my_own"]
    await asyncio.to_thread(subprocess.run, made, cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    strategy = {"kind": "plugin:my_own:Momentum"}
    folder, wanted = tmp_path / "fleet", launch(venue)
    wanted = replace(wanted, written={**WRITTEN, "strategy": strategy})
    process: LocalProcesses | FleetProcess = LocalProcesses(folder, SystemClock())
    if kind == "fleet":
        process = FleetProcess(folder, SystemClock(), plugins=True)
    await process.start(wanted)
    try:
        async with asyncio.timeout(60):
            while (found := await process.look("alice")).actual == "running":
                if found.control_url and await asyncio.to_thread(_decisions, found) > 0:
                    break
                await asyncio.sleep(0.1)
        assert ("running", "") == (found.actual, found.reason)
    finally:
        await process.stop("alice")
        if isinstance(process, FleetProcess):
            await process.close()


def _decisions(found: Sighting) -> int:
    """How many decisions a trader has made, as its process says."""
    token = {"Authorization": f"Bearer {found.control_token.get_secret_value()}"}
    rows = httpx.get(f"{found.control_url}/status", headers=token).json()["traders"]
    return sum(row["decisions"] for row in rows)


def _run_beside(launch: Launch, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start a trader once more, past its manager."""
    options = ("run", "--config", "traders.yaml", "--trader", "alice", "--control-port", "0")
    secrets = {name: value.get_secret_value() for name, value in launch.secrets.items()}
    env = {"TRADING_URL": launch.venue_url, "TRADER_TOKEN": launch.token.get_secret_value()}
    return subprocess.run(
        [str(Path(sys.executable).with_name("strategy-agent")), *options],
        cwd=folder,
        env={**os.environ, **secrets, **env},
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )


def _pid(record: Path) -> int:
    pid: int = msgspec.json.decode(record.read_bytes())["pid"]
    return pid

"""A manager whose traders are in one process: it dies, they die, and nobody is doubled."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.manager_process import COMMAND, Manager, lives, managing
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

FLEET = ("anna", "bert", "carl")


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path / "venue", coins=("BTC",), speed=60) as found:
        yield found


def pids(manager: Manager) -> set[int]:
    return {row["pid"] for row in manager.traders().values()}


def all_run(manager: Manager) -> bool:
    return {"running"} == {row["status"] and row["status"]["state"]
                           for row in manager.traders().values()}  # fmt: skip


def proved(home: Path, manager: Manager) -> dict[str, str]:
    """Lines of `verify` by what was looked at; it is not told where the venue is."""
    told = subprocess.run(
        [COMMAND, "verify", "--url", manager.url],
        cwd=home,
        env=os.environ | {"COLUMNS": "200", "TRADING_URL": ""},
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    lines = told.splitlines()[:-1]
    return {line[9:31].strip(): line for line in lines}


def test_a_fleet_in_one_process(venue: VenueUnderTest, home: Path) -> None:
    """One process for three; it outlives its manager, and comes back with all of them."""
    with managing(home, venue, TRADER_MANAGER_RUNTIME="fleet") as manager:
        for name in FLEET:
            entry = {"strategy": "hodl", "symbol": "BTC", "interval": "1m", "trader_id": name}
            assert 201 == manager.ask("POST", "/traders", entry=entry).status_code
        eventually(lambda: all_run(manager), limit_s=60)
        (pid,) = pids(manager)
        manager.process.kill()
    with managing(home, venue, TRADER_MANAGER_RUNTIME="fleet") as manager:
        eventually(lambda: pids(manager) == {pid}, limit_s=20)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(pids(manager) - {0, pid}) == 1 and all_run(manager), limit_s=60)
        (again,) = pids(manager)
        told = manager.ask("POST", "/run-once", reason="now").json()
        assert (set(FLEET), {}) == (set(told["done"]), told["refused"])
        proof = proved(home, manager)
        assert proof["not looked into"].endswith("nobody"), proof
        for name in ("journals", "state locks", "rate budgets"):
            assert "3 traders, each has its own" in proof[name], proof
        assert "3 traders, none sees those of others" in proof["secrets of others"]
        assert {line[:2] for line in proof.values()} == {"ok"}, proof
        entry = {"strategy": "hodl", "symbol": "BTC", "trader_id": "dora", "runtime": "moon"}
        refused = manager.ask("POST", "/traders", entry=entry)
        said = "there is no runtime 'moon' here; there are process, fleet"
        assert (400, True) == (refused.status_code, refused.text.startswith(said))
        assert 200 == manager.ask("POST", "/stop-all").status_code
        eventually(lambda: not lives(again), limit_s=60)
        eventually(
            lambda: {row["actual"] for row in manager.traders().values()},
            lambda seen: seen == {"absent"},
            limit_s=20,
        )

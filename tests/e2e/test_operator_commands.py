"""What operators do beside serving, on a running fleet."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.support.manager_process import COMMAND, Manager, end_traders, managing
from tests.support.postgres_servers import open_folder
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]

TRADERS = """
traders:
  - {trader_id: anna, strategy: {kind: random, params: {probability: 0.5}}, symbols: [BTC],
     interval: 5m, name: '${ANNA_NAME}'}
  - {trader_id: bert, strategy: {kind: hodl}, symbols: [BTC], interval: 5m}
"""
SECRETS = {"ANNA_NAME": "a name that nobody else may see"}


class Room:
    """A running fleet, and the commands of its operator."""

    def __init__(self, home: Path, venue: VenueUnderTest, manager: Manager) -> None:
        self.home, self.venue, self.manager = home, venue, manager

    def run(self, *words: str, **more: str) -> tuple[int, str]:
        done = subprocess.run(
            [COMMAND, *words],
            cwd=self.home,
            env=os.environ
            | SECRETS
            | {"TRADING_URL": self.venue.url, "VENUE_OPERATOR_TOKEN": self.venue.token("operator")}
            | {"COLUMNS": "200"}
            | more,
            timeout=120,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with (
        running_venue(tmp_path_factory.mktemp("venue"), coins=("BTC",), speed=60) as venue,
        open_folder() as home,
    ):
        (home / "traders.yaml").write_text(TRADERS)
        with managing(home, venue, "--traders", "traders.yaml", **SECRETS) as manager:
            eventually(lambda: _have_traded(manager), limit_s=120)
            yield Room(home, venue, manager)
        end_traders(home)


def _have_traded(manager: Manager) -> bool:
    names = ("anna", "bert")
    return all(
        manager.ask("GET", f"/traders/{name}/trades").json()["fills"]
        and manager.state(name) == "running"
        for name in names
    )


def test_a_running_fleet_proves_that_nobody_shares_anything(room: Room) -> None:
    """And what is broken is found, one by one."""
    words = ("verify", "--url", room.manager.url, "--traders", "traders.yaml")
    code, told = room.run(*words)
    assert (0, "checks, all ok" in told) == (code, True), told
    for name in ("accounts", "tokens", "processes", "journals", "state locks", "rate budgets"):
        assert any(line.startswith("ok") and name in line for line in told.splitlines()), told
    assert SECRETS["ANNA_NAME"] not in told
    log = room.home / "var/fleet/bert/agent.log"
    said = log.read_bytes()
    log.write_bytes(said + room.venue.token("operator").encode())
    lock = room.home / "var/fleet/anna/var/state/anna.lock"
    mine = lock.read_text()
    lock.write_text("1\n")
    (room.home / "other.yaml").write_text(TRADERS.replace("hodl", "random"))
    code, told = room.run("verify", "--url", room.manager.url, "--traders", "other.yaml")
    assert 1 == code
    problems = [line for line in told.splitlines() if line.startswith("PROBLEM")]
    lock.write_text(mine)
    log.write_bytes(said)
    assert ["state locks", "secrets in files", "traders file"] == [
        next(name for name in ("state locks", "secrets in files", "traders file") if name in line)
        for line in problems
    ], told
    assert room.venue.token("operator") not in told
    assert "bert differs" in problems[-1]


def test_what_a_fleet_costs_is_measured(room: Room) -> None:
    options = ("--url", room.manager.url, "--seconds", "2", "--json", "figures.json")
    code, told = room.run("benchmark", *options)
    assert 0 == code, told
    figures = msgspec.json.decode((room.home / "figures.json").read_bytes())
    assert (2, 2, 1) == (
        figures["traders"], figures["usage"]["traders"]["processes"],
        figures["usage"]["manager"]["processes"],
    )  # fmt: skip
    assert figures["usage"]["traders"]["memory_mib"] > 10
    assert figures["usage"]["database"]["processes"] >= 2
    assert {"anna", "bert"} == figures["decisions"].keys()
    assert 20 == figures["routes"]["/leaderboard"]["times"]
    assert figures["collecting_s"] > 0
    assert "decision of anna" in told


def test_without_a_terminal_the_monitor_prints_one_table(room: Room) -> None:
    code, told = room.run("monitor", "--url", room.manager.url)
    assert (0, "anna" in told, "running" in told) == (code, True, True), told
    code, told = room.run("monitor", "--url", "http://127.0.0.1:1", "--once")
    assert (1, 1) == (code, told.count("\n"))
    assert "no manager answers at http://127.0.0.1:1" in told


def test_before_a_start_everything_that_it_needs_is_looked_at(room: Room) -> None:
    code, told = room.run("doctor", "--traders", "traders.yaml", TRADER_MANAGER_PORT="0")
    assert (0, "the venue has all that traders name" in told) == (code, True), told
    (room.home / "other.yaml").write_text(TRADERS.replace("BTC", "DOGE"))
    port = room.manager.url.rpartition(":")[2]
    code, told = room.run("doctor", "--traders", "other.yaml", TRADER_MANAGER_PORT=port)
    assert (1, "a manager may run already" in told, "no DOGE" in told) == (code, True, True), told

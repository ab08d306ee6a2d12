"""Replicas share traders out: real processes that die, freeze and come back."""

import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.manager_process import Manager, managing
from tests.support.postgres_servers import open_folder
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

from suite.addresses import account_address

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

COMMAND = str(Path(sys.executable).with_name("strategy-agent"))
TTL_S = 5.0
MAKER = {"strategy": "fixed_spread", "symbol": "BTC", "interval": "1m"}
HOLDER = {"strategy": "hodl", "symbol": "BTC", "interval": "1m"}


@contextmanager
def replica(
    folder: Path, manager: Manager, home: Path, *, claims: int, **more: str
) -> Iterator[Any]:
    """An agent without a trader, in a folder of its own."""
    folder.mkdir()
    env = os.environ | {
        "MANAGER_URL": manager.url,
        "MANAGER_TOKEN_FILE": str(home / "var/tokens/agent.token"),
        **more,
    }
    with (
        (folder / "agent.log").open("w") as log,
        subprocess.Popen(
            [COMMAND, "run", "--claims", str(claims)],
            cwd=folder,
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


@contextmanager
def arena(folder: Path) -> Iterator[tuple[VenueUnderTest, Manager, Path, ExitStack]]:
    with (
        ExitStack() as stack,
        open_folder() as home,
        running_venue(folder / "venue", coins=("BTC",), speed=60, faucet=0) as venue,
        managing(home, venue, TRADER_MANAGER_LEASE_TTL_S=str(TTL_S)) as manager,
        stack,
    ):
        try:
            yield venue, manager, home, stack
        finally:
            manager.process.send_signal(signal.SIGCONT)


def add(manager: Manager, name: str, entry: dict[str, Any]) -> None:
    body = {"entry": {**entry, "trader_id": name}, "runtime": "replicas"}
    assert 201 == manager.ask("POST", "/traders", **body).status_code


def holders(manager: Manager) -> dict[str, str]:
    """Process of the holder of each trader; empty for nobody."""
    return {n: row["holder"].partition("/")[0] for n, row in manager.traders().items()}


def run_by(manager: Manager, name: str) -> int:
    """Pid of the process that holds a trader and runs it; 0 for none."""
    row = manager.traders()[name]
    runs = row["status"] and row["status"]["state"] == "running"
    return int(row["holder"].partition("/")[0].split("-")[-2]) if runs else 0


def orders_of(venue: VenueUnderTest, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = venue.info("openOrders", user=account_address(name))
    return found


def done(venue: VenueUnderTest, name: str) -> set[tuple[int, str]]:
    """All that somebody did to orders; what the market did to them is left out."""
    rows = venue.info("historicalOrders", user=account_address(name))
    return {(r["order"]["oid"], "canceled" * (r["status"] == "canceled")) for r in rows}


def recorded(manager: Manager, name: str) -> list[int]:
    """Numbers of the decisions that the manager has of a trader."""
    told = manager.ask("GET", f"/export?kind=decisions&form=csv&trader={name}").text
    return [int(row["number"]) for row in csv.DictReader(io.StringIO(told))]


def size(venue: VenueUnderTest, name: str) -> str:
    state = venue.info("clearinghouseState", user=account_address(name))
    return "".join(row["position"]["szi"] for row in state["assetPositions"])


def test_who_lives_takes_over_from_who_was_killed(tmp_path: Path) -> None:
    """From the venue's state: no second position, and never a second pair of quotes."""
    with arena(tmp_path) as (venue, manager, home, stack):
        add(manager, "anna", HOLDER)
        add(manager, "bert", MAKER)
        add(manager, "carl", HOLDER)
        one = stack.enter_context(replica(tmp_path / "1", manager, home, claims=3))
        eventually(lambda: run_by(manager, "bert") == one.pid, limit_s=60)
        eventually(lambda: len(orders_of(venue, "bert")) == 2, limit_s=30)
        held = eventually(lambda: size(venue, "anna"), limit_s=30)
        two = stack.enter_context(replica(tmp_path / "2", manager, home, claims=3))
        eventually(lambda: run_by(manager, "carl") == one.pid, limit_s=30)
        paused = manager.ask("POST", "/traders/carl/pause", reason="news")
        assert (200, ["carl"]) == (paused.status_code, paused.json()["done"])
        before = eventually(lambda: recorded(manager, "bert"), limit_s=30)
        one.kill()
        killed_s, most = time.monotonic(), 0
        while run_by(manager, "bert") != two.pid:
            assert time.monotonic() < killed_s + 60, (tmp_path / "2/agent.log").read_text()
            most = max(most, len(orders_of(venue, "bert")))
        assert time.monotonic() - killed_s > TTL_S / 2, "not before the lease was over"
        end_s = time.monotonic() + 3
        while time.monotonic() < end_s:
            most = max(most, len(orders_of(venue, "bert")))
        assert most <= 2
        eventually(lambda: len(orders_of(venue, "bert")) == 2, limit_s=30)
        after = eventually(
            lambda: recorded(manager, "bert"), lambda seen: seen[-1] > 10**9, limit_s=30
        )
        assert before == after[: len(before)]
        eventually(lambda: run_by(manager, "anna") == two.pid, limit_s=30)
        assert held == size(venue, "anna")
        assert 200 == manager.ask("POST", "/traders/carl/stop").status_code
        eventually(lambda: not manager.traders()["carl"]["holder"], limit_s=30)
        assert 409 == manager.ask("DELETE", "/traders/bert?force=true").status_code
        two.send_signal(signal.SIGTERM)
        assert 0 == two.wait(30)
        eventually(lambda: set(holders(manager).values()) == {""}, limit_s=10)
        assert [] == orders_of(venue, "bert")


def test_who_slept_over_its_lease_sends_nothing_any_more(tmp_path: Path) -> None:
    """It wakes in the middle of whatever it did; all others are frozen, to see what it does."""
    with arena(tmp_path) as (venue, manager, home, stack):
        add(manager, "bert", MAKER)
        one = stack.enter_context(replica(tmp_path / "1", manager, home, claims=1))
        eventually(lambda: run_by(manager, "bert") == one.pid, limit_s=60)
        eventually(lambda: len(orders_of(venue, "bert")) == 2, limit_s=30)
        two = stack.enter_context(replica(tmp_path / "2", manager, home, claims=1))
        one.send_signal(signal.SIGSTOP)
        eventually(lambda: run_by(manager, "bert") == two.pid, limit_s=60)
        eventually(lambda: len(orders_of(venue, "bert")) == 2, limit_s=30)
        for process in (two, manager.process):  # so nobody tells it either
            process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)  # what had left is there by now
        before = done(venue, "bert")
        one.send_signal(signal.SIGCONT)
        time.sleep(7)
        assert before == done(venue, "bert"), "minutes of the world, without an order"
        for process in (manager.process, two):
            process.send_signal(signal.SIGCONT)
        eventually(lambda: done(venue, "bert") != before, limit_s=30)
        eventually(lambda: "lost" in (tmp_path / "1/agent.log").read_text(), limit_s=30)


def test_a_manager_that_is_away_disturbs_nobody_until_the_lease_may_be_over(tmp_path: Path) -> None:
    """Then quotes are taken back and no new risk is taken; once it is renewed all goes on."""
    with arena(tmp_path) as (venue, manager, home, stack):
        add(manager, "bert", MAKER)
        everywhere = {"STRATEGY_AGENT_HOST": "0.0.0.0", "TRUSTED_NETWORK": "true"}
        one = stack.enter_context(replica(tmp_path / "1", manager, home, claims=1, **everywhere))
        eventually(lambda: run_by(manager, "bert") == one.pid, limit_s=60)
        eventually(lambda: len(orders_of(venue, "bert")) == 2, limit_s=30)
        url = manager.traders()["bert"]["control_url"]
        assert url.startswith("http://127.0.0.1:"), "the way to the manager, told by itself"

        def status() -> dict[str, Any]:
            token = (tmp_path / "1/var/tokens/operator.token").read_text().strip()
            headers = {"authorization": f"Bearer {token}"}
            told = httpx.get(f"{url}/status", headers=headers, timeout=20)
            rows: list[dict[str, Any]] = told.json()["traders"]
            return rows[0] if rows else {"status": "", "state": ""}

        manager.process.send_signal(signal.SIGSTOP)
        time.sleep(TTL_S / 4)
        assert ("LIVE", "running") == (status()["status"], status()["state"])
        eventually(lambda: status()["status"] == "PAUSED", limit_s=TTL_S * 2)
        eventually(lambda: not orders_of(venue, "bert"), limit_s=TTL_S)
        manager.process.send_signal(signal.SIGCONT)
        eventually(lambda: len(orders_of(venue, "bert")) == 2, limit_s=60)
        assert one.pid == run_by(manager, "bert")


def test_an_agents_token_steers_nothing(tmp_path: Path) -> None:
    """It claims, and no more; what makes no sense is one line, and no process begins."""
    with arena(tmp_path) as (_venue, manager, home, _stack):
        token = (home / "var/tokens/agent.token").read_text().strip()
        headers = {"authorization": f"Bearer {token}"}
        for method, path in (("GET", "/traders"), ("POST", "/stop-all"), ("GET", "/leaderboard")):
            assert 403 == httpx.request(method, manager.url + path, headers=headers).status_code
        asked = httpx.post(f"{manager.url}/claims", headers=headers, json={"holder": "x"})
        assert (200, None) == (asked.status_code, asked.json()["claim"])
        renew = {"holder": "x", "fence": 1, "generation": 1}
        lost = httpx.post(f"{manager.url}/claims/bert/renew", headers=headers, json=renew)
        assert (409, "lease_lost") == (lost.status_code, lost.headers["x-error-code"])
        for env, said in (
            ({}, "set MANAGER_URL"),
            ({"MANAGER_URL": manager.url}, "MANAGER_TOKEN_FILE are not set"),
        ):
            ended = subprocess.run(
                [COMMAND, "run"],
                env=os.environ | env,
                cwd=home,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (2, 1) == (ended.returncode, len(ended.stderr.splitlines()))
            assert said in ended.stderr

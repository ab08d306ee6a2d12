"""A trader's process at a venue that is lost, comes back, has begun anew, or has not begun."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.agent_process import Agent, running_agent
from tests.support.processes import Service
from tests.support.stores import make_store
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

SMA = "{kind: sma_cross, params: {fast: 2, slow: 5}}"
TRADERS = f"""
traders:
  - {{trader_id: alice, strategy: {SMA}, symbols: [BTC], interval: 1m}}
"""
NOTICED_S = 15.0
HOW = pytest.mark.parametrize(
    ("clock", "local"),
    [("paced", True), ("paced", False), ("lockstep", False)],
    ids=["own clock", "paced", "lockstep"],
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


class Venue:
    """A virtual exchange on a port of its own, which is stopped, killed and started again."""

    def __init__(self, folder: Path, *options: str, minutes: int = 20_000) -> None:
        store = make_store(folder / "data", "BTC", minutes=minutes)
        self._folder = folder
        port = str(free_port())
        self._options = ("--data", str(store), "--symbols", "BTC", "--port", port, *options)
        self.service = Service(folder, *self._options)
        self.seen = VenueUnderTest("virtual-exchange", self.service.url, folder)

    def restart(self) -> None:
        self.service.kill()
        self.service = Service(self._folder, *self._options)

    def signal(self, number: signal.Signals) -> None:
        self.service.process.send_signal(number)


@contextmanager
def serving(folder: Path, *options: str, **more: Any) -> Iterator[Venue]:
    venue = Venue(folder, *options, **more)
    try:
        yield venue
    finally:
        venue.service.kill()


def clock_of(clock: str) -> tuple[str, ...]:
    speed = ("--speed", "60") if clock == "paced" else ()
    return ("--accounts", "alice", "--clock", clock, *speed)


def ready(agent: Agent) -> tuple[int, str]:
    answer = httpx.get(f"{agent.url}/ready", timeout=20)
    return answer.status_code, answer.text


def alerts(agent: Agent, kind: str) -> list[str]:
    return [row["text"] for row in agent.journal("alice", "alert") if row["kind"] == kind]


def decisions(agent: Agent) -> int:
    made: int = agent.status("alice")["decisions"]
    return made


def numbers(agent: Agent) -> list[int]:
    """Of its decisions: a trader that begins anew counts from 1."""
    return [record["decision"] for record in agent.journal("alice", "decision")]


def decided(agent: Agent) -> bool:
    return len(numbers(agent)) > 3


def trades(agent: Agent) -> bool:
    return agent.status("alice")["connection"] == "connected" and decisions(agent) > 3


@HOW
def test_a_venue_that_hangs_is_noticed_and_the_run_goes_on_when_it_is_back(
    tmp_path: Path, clock: str, local: bool
) -> None:
    """Its silence is one alert, and one more when it is over."""
    with (
        serving(tmp_path, *clock_of(clock), minutes=60_000) as venue,
        running_agent(tmp_path, venue.seen, TRADERS, "alice", local_steps=local) as agent,
    ):
        eventually(lambda: trades(agent), limit_s=60)
        assert 200 == ready(agent)[0]
        begun_s = time.monotonic()
        venue.signal(signal.SIGSTOP)
        eventually(lambda: agent.status("alice")["connection"] == "lost", limit_s=NOTICED_S)
        noticed_s = time.monotonic() - begun_s
        status = agent.status("alice")
        assert abs(status["lost_since_ms"] / 1000 - time.time()) < NOTICED_S
        code, text = ready(agent)
        assert (503, True) == (code, "alice: the venue is lost since" in text)
        time.sleep(max(0.0, 20.0 - noticed_s))
        venue.signal(signal.SIGCONT)
        eventually(lambda: agent.status("alice")["connection"] == "connected", limit_s=20)
        before = decisions(agent)
        eventually(lambda: decisions(agent) > before + 2, limit_s=30)
        assert 200 == ready(agent)[0]
        lost, back = alerts(agent, "connection")
        assert (True, "the venue is back") == (lost.startswith("the venue is lost: "), back)
        assert 1 == len(agent.journal("alice", "run")), "the run did not go on"
        assert 0 == agent.status("alice")["retries"]


@HOW
def test_a_venue_that_was_restarted_has_another_world_and_the_trader_begins_anew(
    tmp_path: Path, clock: str, local: bool
) -> None:
    with (
        serving(tmp_path, *clock_of(clock), minutes=60_000) as venue,
        running_agent(tmp_path, venue.seen, TRADERS, "alice", local_steps=local) as agent,
    ):
        eventually(lambda: trades(agent), limit_s=60)
        venue.restart()
        eventually(lambda: alerts(agent, "world"), limit_s=30)
        eventually(lambda: numbers(agent).count(1) == 2, limit_s=60)
        assert 2 == len(agent.journal("alice", "run"))
        (told,) = alerts(agent, "world")
        assert told.startswith("the venue has begun another world: it was ")
        assert not agent.journal("alice", "run")[-1]["continued"]
        assert 200 == ready(agent)[0]


@pytest.mark.parametrize("local", [True, False], ids=["own clock", "venue wakes"])
def test_a_trader_waits_for_a_paced_world_to_begin(tmp_path: Path, local: bool) -> None:
    """It joins, so that nobody waits for it, says for whom it waits itself, and decides nothing."""
    (tmp_path / "both.yaml").write_text(
        TRADERS + f"  - {{trader_id: bob, strategy: {SMA}, symbols: [BTC], interval: 1m}}\n"
    )
    options = ("--traders", str(tmp_path / "both.yaml"), "--clock", "paced", "--speed", "60")
    with (
        serving(tmp_path, *options) as venue,
        running_agent(tmp_path, venue.seen, TRADERS, "alice", local_steps=local) as agent,
    ):
        eventually(lambda: agent.status("alice")["waits_for"] == ["bob"], limit_s=60)
        assert ["bob"] == venue.seen.get("/clock")["waits_for"]
        begun_ms = venue.seen.get("/clock")["now_ms"]
        time.sleep(4)
        code, text = ready(agent)
        assert 503 == code
        assert "alice: the world has not begun: it waits for bob to join" in text
        assert (0, []) == (decisions(agent), agent.journal("alice", "decision"))
        assert begun_ms == venue.seen.get("/clock")["now_ms"]
        venue.seen.post("/clock/join", {}, "bob")
        eventually(lambda: decisions(agent) > 2, limit_s=60)
        assert 200 == ready(agent)[0]
        assert "it has begun" == alerts(agent, "world")[-1]


def test_what_a_step_brings_is_the_same_whether_the_venue_was_away_or_not(tmp_path: Path) -> None:
    """Steps are asked for again, and act once."""
    found = []
    for name, away in (("quiet", False), ("away", True)):
        folder = tmp_path / name
        folder.mkdir()
        with (
            serving(folder, *clock_of("lockstep"), minutes=1500) as venue,
            running_agent(folder, venue.seen, TRADERS, "alice", control=False) as agent,
        ):
            if away:
                eventually(partial(decided, agent), limit_s=60)
                venue.signal(signal.SIGSTOP)
                time.sleep(8)
                venue.signal(signal.SIGCONT)
            assert 0 == agent.process.wait(timeout=120)
            assert bool(away) == bool(alerts(agent, "connection"))
            found.append((agent.journal("alice", "decision"), agent.journal("alice", "result")))
    assert found[0] == found[1]


def test_a_venue_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    """A process with a control API says so meanwhile; its trader trades once the venue is there."""
    with serving(tmp_path / "v", *clock_of("paced")) as venue:
        token = venue.seen.token("alice")
        venue.service.kill()
        with running_agent(
            tmp_path, venue.seen, TRADERS, "alice", tokens={"alice": token}
        ) as agent:
            said = eventually(lambda: agent.status("alice")["error"], limit_s=30)
            assert "retrying" == agent.status("alice")["state"]
            assert venue.seen.url in said
            assert 503 == httpx.get(f"{agent.url}/ready").status_code
            venue.restart()
            eventually(lambda: agent.status("alice")["state"] == "running", limit_s=60)

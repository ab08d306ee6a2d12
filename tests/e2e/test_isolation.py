"""A hundred traders in one process, two of them broken; and what only a process contains."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.agent_process import Agent, running_agent
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

NAMES = [f"t{number:02}" for number in range(100)]
PLUGINS = '''
import threading
from strategy_core import building
from strategy_core.port import Decision, Needs


class Base:
    class Params(building.Params, frozen=True, kw_only=True):
        pass

    needs = Needs()

    def __init__(self, setup, params):
        self.kept = []


class Raises(Base):
    """Raises."""

    def decide(self, observation):
        raise ValueError("by design")


class Never(Base):
    """Waits for ever."""

    needs = Needs(slow=True)

    def decide(self, observation):
        threading.Event().wait()


class Hangs(Base):
    """Never comes back to the interpreter."""

    def decide(self, observation):
        return sum(range(10**15))


class Leaks(Base):
    """Keeps 64 MiB with every decision."""

    def decide(self, observation):
        self.kept.append(bytearray(64 << 20))
        return Decision()
'''


def entry(name: str, kind: str) -> str:
    return (
        f'  - {{trader_id: {name}, strategy: {{kind: "{kind}"{params(kind)}}}, symbols: [BTC],'
        " interval: 1h}\n"
    )


def params(kind: str) -> str:
    return ", params: {probability: 0.5}" if kind == "random" else ""


def decisions(folder: Path, name: str) -> list[bytes]:
    """Lines of a journal, but for those that name the venue or the machine's time."""
    lines = (folder / f"var/journal/{name}.jsonl").read_bytes().splitlines()
    return [line for line in lines if line.startswith((b'{"type":"decision"', b'{"type":"result"'))]


def world(venue: VenueUnderTest) -> tuple[VenueUnderTest, dict[str, str]]:
    body = {
        "symbols": ["BTC"],
        "from": "2025-05-06",
        "to": "2025-05-07",
        "accounts": [{"id": name} for name in NAMES],
    }
    made = venue.post("/worlds", body, "operator")
    one = VenueUnderTest("world", f"{venue.url}/w/{made['world_id']}", venue.folder)
    return one, made["tokens"]


def test_ninety_eight_traders_do_not_notice_two_that_fail(tmp_path: Path) -> None:
    """Their journals are equal to the byte to those of a run in which all is well."""
    good = "traders:\n" + "".join(entry(name, "random") for name in NAMES)
    bad = "traders:\n" + "".join(entry(name, "random") for name in NAMES[:98])
    bad += entry("t98", "plugin:broken:Raises") + entry("t99", "plugin:broken:Never")
    with running_venue(tmp_path, "--clock", "lockstep", coins=("BTC",), minutes=6000,
                       speed=None) as venue:  # fmt: skip
        for folder, traders in (("good", good), ("bad", bad)):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "broken.py").write_text(PLUGINS)
            lockstep, tokens = world(venue)
            with running_agent(
                tmp_path / folder, lockstep, traders, *NAMES, control=False, tokens=tokens,
                slow_decision_s=0.05,
            ) as agent:  # fmt: skip
                output, errors = agent.process.communicate(timeout=280)
            assert (0, "") == (agent.process.returncode, errors)
            assert 100 == sum(": ended at" in line for line in output.splitlines())
    fills = 0
    for name in NAMES[:98]:
        lines = decisions(tmp_path / "good", name)
        assert 25 <= len(lines)
        assert lines == decisions(tmp_path / "bad", name)
        fills += lines[-1].count(b'"fills":0')
    assert fills < 10, "hardly anyone traded"
    raised, waited = (decisions(tmp_path / "bad", name) for name in NAMES[98:])
    assert b"ValueError: by design" in raised[3]
    thoughts = [line for line in waited if b'"asked":true' in line]
    assert b"longer than its 0.05 s" in thoughts[0]
    assert b"still busy" in thoughts[1]
    assert b'"status":"PAUSED"' in raised[-1]


@pytest.mark.parametrize("kind", ["Hangs", "Leaks"])
def test_a_process_contains_what_nothing_in_it_can(tmp_path: Path, kind: str) -> None:
    """The trader beside it, in a process of its own, decides on."""
    traders = "traders:\n" + entry("alice", f"plugin:broken:{kind}") + entry("bob", "random")
    traders = traders.replace("1h", "1m")
    for name in ("alice", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.py").write_text(PLUGINS)
    options = ("--accounts", "alice,bob")
    with (
        running_venue(tmp_path, *options, coins=("BTC",), speed=240.0) as venue,
        running_agent(tmp_path / "bob", venue, traders, "bob") as well,
        running_agent(
            tmp_path / "alice", venue, traders, "alice", memory_limit_mb=2000, quick_decision_s=1
        ) as ill,
    ):
        eventually(lambda: well.status("bob")["decisions"], limit_s=60)
        if kind == "Leaks":
            eventually(lambda: ended_or_faulty(ill), limit_s=120)
        seen = well.status("bob")["decisions"]
        eventually(lambda: well.status("bob")["decisions"] > seen + 10, limit_s=60)
        assert "running" == well.status("bob")["state"]


def ended_or_faulty(agent: Agent) -> Any:
    """A leak ends in a decision that is refused its memory, or in the end of its process."""
    if agent.process.poll() is not None:
        return True
    return "MemoryError" in agent.status("alice")["last_fault"]

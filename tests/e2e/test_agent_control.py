"""A trader's process that fails, is looked at, told what to do, and ended."""

from pathlib import Path

import httpx
import pytest
from tests.support.agent_process import running_agent
from tests.support.venue_process import eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

TRADERS = """
traders:
  - {trader_id: alice, strategy: {kind: flat}, symbols: [BTC], interval: 1m}
  - {trader_id: bob, strategy: {kind: flat}, symbols: [DOGE], interval: 1m}
"""


def test_a_process_whose_trader_failed_can_still_be_looked_at(tmp_path: Path) -> None:
    """Not ready, the state told; a further start fails the same way; its end is an error."""
    with (
        running_venue(tmp_path, "--accounts", "alice", coins=("BTC",), speed=60.0) as venue,
        running_agent(tmp_path, venue, TRADERS, "alice", tokens={"alice": "act_wrong"}) as agent,
    ):
        eventually(lambda: agent.status("alice")["state"] == "failed", limit_s=30)
        assert "is the entry alice of TRADER_TOKENS the token" in agent.status("alice")["error"]
        assert 503 == httpx.get(f"{agent.url}/ready", timeout=20).status_code
        assert ["alice"] == agent.post("/start", instance="alice").json()["accepted"]
        eventually(lambda: agent.status("alice")["state"] == "failed", limit_s=30)
        assert agent.process.poll() is None
        code, _, errors = agent.stop()
        assert (1, 1) == (code, len(errors.splitlines()))
        assert "answered 401" in errors
        assert "SIGTERM: no trader is connected, so there is nothing to cancel" in agent.said


def test_a_mistake_found_before_anything_began_ends_the_process(tmp_path: Path) -> None:
    with (
        running_venue(tmp_path, "--accounts", "bob", coins=("BTC",), speed=60.0) as venue,
        running_agent(tmp_path, venue, TRADERS, "bob") as agent,
    ):
        _, errors = agent.process.communicate(timeout=60)
        assert (2, 1) == (agent.process.returncode, len(errors.splitlines()))
        assert "the venue does not trade DOGE" in errors


@pytest.mark.parametrize("local", [False, True], ids=["venue wakes", "own clock"])
def test_what_the_venue_does_not_trade_disturbs_no_run(tmp_path: Path, local: bool) -> None:
    """Commands are answered by their turn; an account is adopted where the agent follows it."""
    with (
        running_venue(tmp_path, "--accounts", "alice", coins=("BTC", "ETH"), speed=60.0) as venue,
        running_agent(tmp_path, venue, TRADERS, "alice", local_steps=local) as agent,
    ):
        eventually(lambda: agent.status("alice")["decisions"], limit_s=60)
        refused = agent.request("PUT", "/instances/alice/symbol", symbol="ETX")
        told = "symbol: the venue does not trade ETX, did you mean ETH?"
        assert (422, told) == (refused.status_code, refused.text)
        new = agent.post("/instances", id="carol", type="flat", symbol="ETX", token="act_wrong")
        assert (422, True) == (new.status_code, new.text.startswith("token: "))
        assert ["alice"] == [row["trader_id"] for row in agent.get("/status")["traders"]]
        paused = agent.post("/pause", reason="news").json()
        assert ("taken", "LIVE -> PAUSED") == (paused["state"], paused["reason"])
        assert "taken" == agent.post("/resume", reason="over").json()["state"]
        adopted = agent.post("/instances/alice/adopt", reason="looked at it")
        assert (200 if local else 409) == adopted.status_code
        noted = [row["command"] for row in agent.journal("alice", "command")]
        assert ["pause", "resume", *(["adopt"] if local else [])] == noted
        changed = agent.request("PUT", "/instances/alice/symbol", symbol="ETH", reason="try")
        assert ["ETH"] == changed.json()["symbols"]
        eventually(lambda: agent.status("alice")["state"] == "running", limit_s=30)
        code, _, errors = agent.stop()
        assert (0, "") == (code, errors)
        lines = agent.said.splitlines()
        assert any(line.startswith("SIGTERM: no decision is taken any more") for line in lines)
        assert lines[-1].startswith("alice: stopped, flat, ")
        assert "entries canceled: 0, stops and targets left: 0" in lines[-1]


@pytest.mark.parametrize("local", [False, True], ids=["venue wakes", "own clock"])
def test_a_decision_is_shown_and_then_carried_out(tmp_path: Path, local: bool) -> None:
    """Shown on what is so now without being asked for; carried out once, and answered at once."""
    traders = TRADERS.replace("1m", "1h")
    with (
        running_venue(tmp_path, "--accounts", "alice", coins=("BTC",), speed=60.0) as venue,
        running_agent(tmp_path, venue, traders, "alice", local_steps=local) as agent,
    ):
        eventually(lambda: agent.status("alice")["decisions"], limit_s=60)
        asked = agent.status("alice")["decisions"]
        before_ms = agent.status("alice")["now_ms"]
        shown = eventually(
            lambda: agent.post("/run-once", dry=True).json()["traders"]["alice"],
            until=lambda told: told["now_ms"] > before_ms,  # a turn of its own has looked
        )
        assert ("LIVE", [], []) == (shown["status"], shown["sent"], shown["decision"]["actions"])
        assert asked == agent.status("alice")["decisions"]
        order = {"type": "order", "coin": "BTC", "is_buy": True, "sz": "0.01"}
        body = {"decision": {**shown["decision"], "actions": [order]}, "reason": "as shown"}
        record = agent.post("/decisions", **body).json()["record"]
        assert ["accepted"] == [verdict["outcome"] for verdict in record["verdicts"]]
        assert "filled" in str(record["results"])
        agent.post("/run-once", dry=True)  # it looks, and its process shows what it saw
        assert {"BTC": "0.01"} == eventually(lambda: agent.get("/positions")["alice"]["positions"])
        assert asked + 1 == agent.status("alice")["decisions"]
        looks = [row for row in agent.journal("alice", "decision") if row["woke_by"] == ["look"]]
        assert looks
        assert not any(row["asked"] for row in looks)

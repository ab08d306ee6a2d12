"""A strategy that thinks for long is no reason to look after nothing."""

from pathlib import Path

import pytest
from tests.support.agent_process import running_agent
from tests.support.venue_process import eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

PLUGIN = '''
import time
from decimal import Decimal
from strategy_core import building
from strategy_core.port import Decision, Needs
from suite.contracts.venue import PlaceOrder

BUY = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01"))


class Ponders:
    """Buys, then thinks for 20 s, which are 40 minutes of its world."""

    class Params(building.Params, frozen=True, kw_only=True):
        pass

    needs = Needs(slow=True)

    def __init__(self, setup, params):
        self.asked = 0

    def decide(self, observation):
        self.asked += 1
        if self.asked == 1:
            return Decision(actions=(BUY,), reasoning="buys")
        time.sleep(20)
        return Decision(reasoning=f"saw {observation.size_of('BTC')}")
'''
TRADERS = """
traders:
  - trader_id: alice
    strategy: {kind: "plugin:pondering:Ponders"}
    symbols: [BTC]
    interval: 1m
    exits: {time_stop: true, time_stop_hours: 0.1}
"""


def test_an_exit_leaves_while_the_strategy_thinks(tmp_path: Path) -> None:
    """Its position is closed in the middle of the thought, which is judged when it comes."""
    (tmp_path / "pondering.py").write_text(PLUGIN)
    with running_venue(tmp_path, "--accounts", "alice", coins=("BTC",), speed=120) as venue:  # noqa: SIM117
        with running_agent(tmp_path, venue, TRADERS, "alice") as agent:
            eventually(lambda: agent.status("alice")["positions"] == {"BTC": "0.01"}, limit_s=20)
            eventually(lambda: agent.status("alice")["deciding_since_ms"], limit_s=20)
            eventually(lambda: agent.status("alice")["positions"] == {}, limit_s=20)
            assert agent.status("alice")["deciding_since_ms"]
            eventually(lambda: agent.journal("alice", "decision")[-1]["reasoning"], limit_s=30)
            turns = agent.journal("alice", "decision")
    (closing,) = [turn for turn in turns if turn["closed"]]
    assert "time_stop" in str(closing["closed"])
    assert not closing["asked"]
    answered = next(turn for turn in turns if turn["reasoning"].startswith("saw"))
    assert "saw 0.01" == answered["reasoning"], "the question was put before the exit"
    assert answered["now_ms"] - closing["now_ms"] > 10 * 60_000

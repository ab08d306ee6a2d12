"""The arena's three scenarios: two side by side, one that fails, and a third that comes."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.agent_process import Agent, running_agent
from tests.support.manager_process import end_traders, managing
from tests.support.postgres_servers import open_folder
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

from suite.addresses import account_address

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

FROM, TO = "2025-05-06T00:00", "2025-05-06T02:00"
BERT = '''
import os
import signal
import time
from decimal import Decimal
from pathlib import Path

from strategy_core import building
from strategy_core.port import Decision, Needs
from suite.contracts.venue import PlaceOrder


class Bert:
    """Trades now and then; does what he shall at his thirtieth minute."""

    class Params(building.Params, frozen=True, kw_only=True):
        does: str = "trades"

    def __init__(self, setup, params):
        self.does, self.count = params.does, 0
        self.needs = Needs(slow=params.does == "waits")

    def remember(self):
        return self.count

    def recall(self, state):
        self.count = state

    def decide(self, seen):
        self.count += 1
        if self.count >= 30:
            if self.does == "raises":
                raise ValueError("by design")
            if self.does == "hangs":
                time.sleep(10**6)
            if self.does == "dies" and not Path("died").exists():
                Path("died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            while self.does == "waits" and not Path("go").exists():
                time.sleep(0.02)
        buy = self.count % 10 == 0
        order = PlaceOrder(coin="BTC", is_buy=buy, sz=Decimal("0.01"))
        return Decision(actions=(order,) if self.count % 5 == 0 else ())
'''
TRADERS = """
traders:
  - trader_id: anna
    strategy: {kind: sma_cross, params: {fast: 2, slow: 5}}
    symbols: [BTC]
    interval: 1m
  - trader_id: bert
    strategy: {kind: "plugin:bert:Bert", params: {does: DOES}}
    symbols: [BTC]
    interval: 1m
  - trader_id: carl
    strategy: {kind: random, params: {probability: 0.5}}
    symbols: [BTC]
    interval: 1m
"""


class World:
    """A lockstep world of a venue, and what its operator sees of it."""

    def __init__(self, venue: VenueUnderTest) -> None:
        body = {
            "symbols": ["BTC"],
            "from": FROM,
            "to": TO,
            "accounts": [{"id": "anna"}, {"id": "bert"}],
        }
        made = venue.post("/worlds", body, "operator")
        self._root, self._id = venue, made["world_id"]
        self.tokens: dict[str, str] = made["tokens"]
        self.venue = VenueUnderTest("world", made["base_url"])

    def add(self, name: str) -> None:
        path = f"/worlds/{self._id}/accounts"
        self.tokens |= self._root.post(path, {"accounts": [{"id": name}]}, "operator")["tokens"]

    def traders(self) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._root.token('operator')}"}
        url = f"{self._root.url}/worlds/{self._id}/report"
        found: dict[str, Any] = httpx.get(url, headers=headers, timeout=60).json()
        return found["result"]["traders"]  # type: ignore[no-any-return]


def agent(
    stack: ExitStack, world: World, folder: Path, name: str, does: str, *, control: bool = False
) -> Agent:
    """Run one trader as a process of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "bert.py").write_text(BERT)
    return stack.enter_context(
        running_agent(
            folder,
            world.venue,
            TRADERS.replace("DOES", does),
            name,
            control=control,
            tokens={name: world.tokens[name]},
            quick_decision_s=0.2 if does == "hangs" else 5.0,
        )
    )


def ended(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=120)
    return process.returncode


def played(venue: VenueUnderTest, folder: Path, does: str) -> dict[str, Any]:
    """Let the two trade a world to its end; one that dies is started again."""
    world = World(venue)
    with ExitStack() as stack:
        anna = agent(stack, world, folder / "anna", "anna", does)
        bert = agent(stack, world, folder / "bert", "bert", does)
        if does == "dies":
            assert -9 == ended(bert.process)
            assert anna.process.poll() is None, "the world waits for him"
            bert = agent(stack, world, folder / "bert", "bert", does)
        assert (0, 0) == (ended(anna.process), ended(bert.process))
    return world.traders()


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("venue")
    with running_venue(folder, "--clock", "lockstep", coins=("BTC",), speed=None) as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(venue: VenueUnderTest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return played(venue, tmp_path_factory.mktemp("undisturbed"), "trades")


@pytest.mark.parametrize("does", ["raises", "hangs", "dies"])
def test_a_model_that_fails_is_nothing_to_the_other(
    venue: VenueUnderTest, undisturbed: dict[str, Any], tmp_path: Path, does: str
) -> None:
    """Byte for byte; one that only died has gone on where it was, and is the same too."""
    found = played(venue, tmp_path, does)
    assert len(undisturbed["anna"]["trades"]) > 3
    assert json.dumps(undisturbed["anna"]) == json.dumps(found["anna"])
    same = json.dumps(undisturbed["bert"]["trades"]) == json.dumps(found["bert"]["trades"])
    assert (does == "dies") == same


def test_a_third_trader_comes_while_two_run(
    venue: VenueUnderTest, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """With money of its own; the two do not notice."""
    world = World(venue)
    with ExitStack() as stack:
        anna = agent(stack, world, tmp_path / "anna", "anna", "waits")
        bert = agent(stack, world, tmp_path / "bert", "bert", "waits")
        journal = tmp_path / "bert/var/journal/bert.jsonl"
        eventually(lambda: journal.exists() and journal.read_text().count("\n") > 25, limit_s=60)
        world.add("carl")
        carl = agent(stack, world, tmp_path / "carl", "carl", "waits", control=True)
        eventually(lambda: carl.status("carl")["state"] == "running", limit_s=60)
        assert None is anna.process.poll(), "time stands still for bert"
        (tmp_path / "bert/go").touch()
        assert [0, 0, 0] == [ended(one.process) for one in (anna, bert, carl)]
    found = world.traders()
    for name in ("anna", "bert"):
        assert json.dumps(undisturbed[name]) == json.dumps(found[name]), name
    assert len(found["carl"]["trades"]) > 3


def test_two_accounts_side_by_side_for_thirty_minutes(tmp_path: Path) -> None:
    """Each has its own money and orders; the comparison says what the venue says of both."""
    traders = """
traders:
  - {trader_id: anna, strategy: {kind: random, params: {probability: 0.9}}, symbols: [BTC],
     interval: 1m}
  - {trader_id: bert, strategy: {kind: sma_cross, params: {fast: 1, slow: 3}}, symbols: [BTC],
     interval: 1m, initial_balance: 5000}
"""
    begin = {"anna": Decimal(10_000), "bert": Decimal(5_000)}
    with (
        open_folder() as home,
        running_venue(tmp_path / "venue", coins=("BTC",), speed=120, faucet=0) as venue,
    ):
        (home / "traders.yaml").write_text(traders)
        try:
            with managing(home, venue, "--traders", "traders.yaml") as manager:
                for name in begin:
                    eventually(lambda name=name: manager.state(name) == "running", limit_s=60)  # type: ignore[misc]
                assert 200 == manager.ask("POST", "/scheduler/start", cadence_s=1).status_code
                begun_ms = venue.get("/clock")["now_ms"]
                eventually(
                    lambda: venue.get("/clock")["now_ms"] >= begun_ms + 30 * 60_000, limit_s=60
                )
                manager.ask("POST", "/scheduler/stop")
                shown = manager.ask("POST", "/traders/anna/preview").json()
                assert len(shown["decision"]["actions"]) == len(shown["verdicts"])
                order = {"type": "order", "coin": "BTC", "is_buy": True, "sz": "0.001"}
                given = {**shown["decision"], "actions": [order], "reasoning": "by hand"}
                body = {"decision": given, "reason": "as shown"}
                record = manager.ask("POST", "/traders/anna/decisions", **body).json()
                assert ("by hand", 1) == (record["reasoning"], len(record["verdicts"]))
                manager.ask("POST", "/flatten", reason="the thirty minutes are over")
                states = {
                    name: eventually(lambda name=name: flat(venue, name), limit_s=30)  # type: ignore[misc]
                    for name in begin
                }
                oids: list[int] = []
                for name, state in states.items():
                    user = account_address(name)
                    fills = venue.info("userFills", user=user)
                    assert len(fills) > 3
                    oids += {fill["oid"] for fill in fills}
                    made = sum(
                        (Decimal(f["closedPnl"]) - Decimal(f["fee"]) for f in fills), Decimal(0)
                    )
                    rows = venue.info("userFunding", user=user, startTime=0)
                    made += sum((Decimal(row["delta"]["usdc"]) for row in rows), Decimal(0))
                    assert begin[name] + made == Decimal(state["marginSummary"]["accountValue"])
                assert len(oids) == len(set(oids)), "no order is that of both"
                board = eventually(lambda: as_the_venue_says(manager, states), limit_s=30)
                returns = {row["trader_id"]: row["total_return"] for row in board}
                assert list(returns.values()) == sorted(returns.values(), reverse=True)
                for name, state in states.items():
                    end = Decimal(state["marginSummary"]["accountValue"])
                    assert float(end / begin[name] - 1) == pytest.approx(returns[name], abs=1e-9)
                rounds = manager.ask("GET", "/scheduler/rounds?limit=200").json()["rounds"]
                assert len(rounds) >= 5
                assert any(set(one["asked"].values()) == {""} for one in rounds)
                assert all("BTC" in one["mids"] for one in rounds)
                manager.ask("POST", "/stop-all")
                eventually(
                    lambda: {row["actual"] for row in manager.traders().values()} == {"absent"},
                    limit_s=30,
                )
        finally:
            end_traders(home)


def flat(venue: VenueUnderTest, name: str) -> Any:
    """The state of an account once it holds nothing and nothing rests."""
    user = account_address(name)
    state = venue.info("clearinghouseState", user=user)
    resting = venue.info("openOrders", user=user)
    return None if state["assetPositions"] or resting else state


def as_the_venue_says(manager: Any, states: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the two, once their last samples are those of the venue; empty before."""
    rows = manager.ask("GET", "/leaderboard").json()["board"]["rows"]
    known = [row for row in rows if row["trader_id"] in states]
    told = {row["trader_id"]: row["equity_usd"] for row in known}
    wanted = {
        name: int(Decimal(state["marginSummary"]["accountValue"]) * 1_000_000)
        for name, state in states.items()
    }
    return known if told == wanted else []

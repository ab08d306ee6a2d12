"""Decisions that are only shown, and decisions that are carried out in the strategy's place."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import ScriptedVenue
from tests.unit.strategy_agent.test_alpha_loop import Odd, odd, running
from tests.unit.strategy_agent.test_control import controlled

from strategy_core.building import kind_of
from strategy_core.port import Decision, Observation
from suite.contracts.venue import PlaceOrder
from suite.errors import Conflict

BUY = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.5"))
NO = PlaceOrder(coin="DOGE", is_buy=True, sz=Decimal(1))


async def shown_only(venue: ScriptedVenue, stack: AsyncExitStack, act: Callable[[], Any]) -> Any:
    alpha = await stack.enter_async_context(running(venue, "a", kind=odd(venue, act)))
    await until(lambda: venue.asleep("a"))
    return alpha.instance()


async def test_a_decision_that_is_shown_changes_nothing_of_the_trader() -> None:
    """Judged as any, in the trader's own words; no turn, no order, no trace in its memory."""
    venue = ScriptedVenue(sleeps=True)
    async with AsyncExitStack() as stack:
        one = await shown_only(
            venue, stack, lambda: Decision(actions=(BUY, NO), reasoning="because")
        )
        before = venue.memories["a"].content
        positions = dict(venue.accounts["a"].venue.positions)
        decided, turns = one.status.decisions, venue.turns("a")
        first, second = await one.preview(), await one.preview()
        assert first == second
        assert ((BUY, NO), "because") == (first.decision.actions, first.decision.reasoning)
        assert ["accepted", "rejected"] == [v.outcome for v in first.record.verdicts]
        assert [BUY.sz] == [action.sz for action in first.record.sent]
        assert (before, positions) == (
            venue.memories["a"].content,
            venue.accounts["a"].venue.positions,
        )
        assert (decided, turns) == (one.status.decisions, venue.turns("a"))


async def test_a_strategy_is_shown_with_what_it_remembers_and_is_not_asked_itself() -> None:
    """A copy is built anew and told what the trader's own had remembered before its last turn."""
    asked: list[int] = []

    class Counting(Odd):
        def __init__(self, setup: object, params: object) -> None:
            super().__init__(setup, params)
            self.count = 0

        def decide(self, observation: Observation) -> Decision:
            self.count += 1
            asked.append(self.count)
            return Decision(reasoning=f"decision {self.count}")

        def remember(self) -> int:
            return self.count

        def recall(self, state: Any) -> None:
            self.count = state

    venue = ScriptedVenue(sleeps=True)
    venue.plugins["plugin:counting:Counting"] = kind_of(Counting)
    async with running(venue, "a", kind="plugin:counting:Counting") as alpha:
        for turn in (1, 2):
            await until(lambda turn=turn: venue.asleep("a") and venue.turns("a") == turn)  # type: ignore[misc]
            assert f"decision {turn}" == (await alpha.instance().preview()).decision.reasoning
            alpha.run_once()
        await until(lambda: asked.count(3) == 1)
        assert [1, 1, 2, 2, 3] == asked


async def test_a_strategy_that_fails_shows_its_fault_and_is_not_paused() -> None:
    venue = ScriptedVenue(sleeps=True)
    async with AsyncExitStack() as stack:
        answers = iter([Decision()])
        one = await shown_only(venue, stack, lambda: next(answers))
        proposal = await one.preview()
        assert "StopIteration" in proposal.record.fault
        assert (Decision(), {}) == (proposal.decision, one.status.causes)


async def test_a_decision_is_carried_out_in_the_strategys_place() -> None:
    """Exactly that one, once, judged by what is so then; the strategy is not asked for it."""
    venue = ScriptedVenue(sleeps=True)
    asked: list[int] = []

    def act() -> Decision:
        asked.append(1)
        return Decision(actions=(BUY,))

    async with AsyncExitStack() as stack:
        one = await shown_only(venue, stack, act)
        held = venue.accounts["a"].venue.positions["BTC"]
        given = Decision(actions=(NO, BUY), reasoning="as shown")
        record = await asyncio.wait_for(one.execute(given, actor="o", reason="good"), 5)
        assert ["rejected", "accepted"] == [v.outcome for v in record.verdicts]
        assert ("as shown", [1]) == (record.reasoning, asked[:1])
        assert record.results is not None
        noted = venue.journal("a").of("command")[-1]
        assert ("execute", "o", "good") == (noted["command"], noted["actor"], noted["reason"])
        rows = [row for row in venue.journal("a").of("decision") if row["reasoning"] == "as shown"]
        assert 1 == len(rows)
        assert held < venue.accounts["a"].venue.positions["BTC"]


async def test_one_that_decides_nothing_neither_shows_nor_carries_out() -> None:
    """STOPPED, not connected, or at it already."""
    venue = ScriptedVenue(sleeps=True)
    async with AsyncExitStack() as stack:
        one = await shown_only(venue, stack, Decision)
        told = one.run.execute(Decision())
        with pytest.raises(Conflict, match="one at a time"):
            await one.execute(Decision(), actor="o", reason="r")
        assert one.run.withdraw()
        assert told.cancelled()
        one.run._status.status = "STOPPED"
        with pytest.raises(Conflict, match="STOPPED"):
            await one.execute(Decision(), actor="o", reason="r")
        await one.stop()
        with pytest.raises(Conflict, match="simulation mode"):
            await one.preview()
        with pytest.raises(Conflict, match="simulation mode"):
            await one.execute(Decision(), actor="o", reason="r")


async def test_what_is_shown_can_be_carried_out_as_it_stands(tmp_path: Path) -> None:
    """Over the control API: the answer of the one is the body of the other; a person signs it."""
    venue = ScriptedVenue(sleeps=True)
    async with controlled(tmp_path, venue) as (alpha, client):
        alpha.start()
        await until(lambda: venue.asleep("a") and venue.asleep("b"))
        shown = (await client.post("/run-once", json={"dry": True})).json()["traders"]
        assert {"a", "b"} == set(shown)
        decision = {**shown["a"]["decision"], "actions": [{"type": "order", **_wire(BUY)}]}
        body = {"instance": "a", "decision": decision}
        assert 400 == (await client.post("/decisions", json=body)).status_code, "no reason"
        bare = await client.post(
            "/decisions", json={**body, "reason": "r"}, headers={"authorization": ""}
        )
        assert 401 == bare.status_code
        wrong = {**body, "decision": {"actions": [{"type": "order"}]}, "reason": "r"}
        refused = await client.post("/decisions", json=wrong)
        assert (400, True) == (refused.status_code, refused.text.startswith("decision: "))
        done = (await client.post("/decisions", json={**body, "reason": "r"})).json()
        assert ["accepted"] == [v["outcome"] for v in done["record"]["verdicts"]]
        assert Decimal("0.5") == venue.accounts["a"].venue.positions["BTC"]


def _wire(order: PlaceOrder) -> dict[str, Any]:
    return {"coin": order.coin, "is_buy": order.is_buy, "sz": str(order.sz)}

"""The mind: when it asks, what it asks, and what becomes of the answer."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.support.scripted_model import Said, ScriptedModel, decisions
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, FakeVenue, Run, drive, spec_of
from tests.unit.strategy_core.market import START_MS, random_bars

from strategy_core.llm.mind import LlmTrader
from strategy_core.llm.port import FaultKind, ModelFault, ModelReply
from strategy_core.registry import build, problems
from strategy_core.snapshot import SnapshotSeries
from suite.bars import DAY_MS, MINUTE_MS
from suite.contracts.venue import Leg, PlaceOrder, SetLeverage

BEFORE = 6 * DAY_MS
LONG = {
    "coin": "BTC", "signal": "buy_to_enter", "size_usd": 2000, "leverage": 2,
    "stop_loss": 98.5, "take_profit": 105, "invalidation": "close(4h) < 90",
    "confidence": 0.7, "reasoning": "up",
}  # fmt: skip


def venue_of(steps: int) -> FakeVenue:
    count = BEFORE // MINUTE_MS + steps * 15 + 60
    series = {
        coin: SnapshotSeries(coin, random_bars(count, seed=seed, start_ms=START_MS - BEFORE))
        for seed, coin in enumerate(("BTC", "ETH"), start=1)
    }
    return FakeVenue(steps=steps, series=series)


def run(
    *script: Said, steps: int = 3, venue: FakeVenue | None = None, **params: Any
) -> tuple[Run, ScriptedModel, FakeVenue, LlmTrader]:
    model = ScriptedModel(script)
    mind = mind_of(model, **params)
    venue = venue or venue_of(steps)
    return drive(venue, spec_of("llm", params=params_of(params)), strategy=mind), model, venue, mind


def params_of(params: dict[str, Any]) -> dict[str, Any]:
    return {"model": "scripted/one", **params}


def mind_of(model: ScriptedModel, **params: Any) -> LlmTrader:
    spec = spec_of("llm", params=params_of(params))
    mind = build(spec, instruments=INSTRUMENTS, seed=0, models=model)
    assert isinstance(mind, LlmTrader)
    return mind


def placed(venue: FakeVenue) -> list[PlaceOrder]:
    return [a for r in venue.requests for a in r.orders if isinstance(a, PlaceOrder)]


def test_an_entry_is_sent_with_its_protection() -> None:
    """Size from money, leverage first, stop and target as one group with it."""
    told, model, venue, _ = run(decisions(LONG), "[]")
    order, *_ = placed(venue)
    assert (Decimal("19.90049"), True) == (order.sz, order.is_buy)
    assert Leg(price=Decimal("98.5")) == order.stop_loss
    assert Leg(price=Decimal(105)) == order.take_profit
    assert SetLeverage(coin="BTC", leverage=2) in venue.requests[0].orders
    thought = told.records[0].llm
    assert thought is not None
    assert "start" == thought.cause
    assert "[system]" in thought.prompt
    assert "### BTC" in thought.prompt
    assert '"buy_to_enter"' in thought.reply
    assert Decimal("0.001") == thought.llm_cost_usd
    assert 1_100 == thought.tokens
    assert any("asked buy 19.90049 at market" in line for line in thought.counterfactual)
    assert len(model.requests) == 1  # nothing happens afterwards


def test_it_is_asked_again_only_when_something_happens() -> None:
    """A heartbeat of an hour on bars of 15 minutes saves three calls of four."""
    _, model, _, mind = run("[]", steps=17, heartbeat="1h", triggers={"volatility": None})
    assert 5 == len(model.requests)
    assert {"start": 1, "heartbeat": 4} == mind.memory.tally.calls
    assert 17 - 5 == mind.memory.tally.saved


def test_one_bad_decision_never_blocks_another() -> None:
    """The good one is carried out; the flaw is counted and told at the next question."""
    short = {"coin": "ETH", "signal": "sell_to_enter", "risk_usd": 20, "stop_loss": 21}
    bad = {**LONG, "confidence": 85}
    _, model, venue, mind = run(
        decisions(bad, short), "[]", steps=6, heartbeat="1h", triggers={"volatility": None}
    )
    assert ["ETH"] == [order.coin for order in placed(venue) if not order.reduce_only]
    assert {"out_of_range": 1} == mind.memory.tally.flaws
    assert "decisions[0] out_of_range: confidence is from 0 to 1, not 85" in model.prompts[1]
    assert "ETH sell" in model.prompts[1]


def test_an_unreadable_answer_is_asked_for_once_more_and_then_it_holds() -> None:
    """With what was wrong; the whole of it is in the journal."""
    told, model, venue, mind = run("I would buy bitcoin.", "Still prose.", "[]")
    assert [1, 2] == [request.attempt for request in model.requests]
    again = model.requests[1].messages
    assert ("assistant", "I would buy bitcoin.") == (again[2].role, again[2].content)
    assert "no_json" in again[3].content
    assert placed(venue) == []
    thought = told.records[0].llm
    assert thought is not None
    assert 2 == thought.calls
    assert {"no_json": 2} == mind.memory.tally.flaws
    assert 1 == mind.memory.tally.retries


def test_it_is_shown_its_own_answer_as_it_was() -> None:
    """Up to two thousand signs: else it could not see what was wrong."""
    bad = '{"decisions": [{"coin": "BTC",}], "notes": []}' + " " * 3_000 + "end"
    _, model, _, _ = run(bad, "[]", steps=1)
    assert bad[:46] == model.requests[1].messages[2].content
    assert "bad_json: no JSON from character" in model.requests[1].messages[3].content


def test_a_second_attempt_that_is_right_counts() -> None:
    """The money of both is told."""
    told, _, venue, _ = run("prose", decisions(LONG), "[]")
    assert ["BTC"] == [order.coin for order in placed(venue) if not order.reduce_only]
    assert told.records[0].llm is not None
    assert Decimal("0.002") == told.records[0].llm.llm_cost_usd


@pytest.mark.parametrize(
    "kind", [kind for kind in FaultKind if "spent" not in kind and kind != "cassette_miss"]
)
def test_a_model_that_cannot_be_had_is_held_without(kind: FaultKind) -> None:
    """It is said why, and asked again at the next look."""
    told, model, venue, mind = run(ModelFault(kind, "no luck"), steps=3)
    assert placed(venue) == []
    assert f"held: {kind}: no luck" == told.records[0].reasoning
    assert told.records[0].llm is not None
    assert told.records[0].llm.fault == f"{kind}: no luck"
    assert told.records[0].fault == ""
    assert {kind: 3} == mind.memory.tally.faults
    assert 3 == len(model.requests)


def test_without_money_for_today_it_follows_rules_and_without_any_it_goes_flat() -> None:
    """The chain of last resorts."""
    spent = ModelFault(FaultKind.DAY_SPENT, "1 USD of today is spent")
    told, _, venue, _ = run(spent, steps=1)
    assert told.records[0].reasoning.startswith("rules: day_spent")
    assert {"BTC", "ETH"} == {order.coin for order in placed(venue)}
    done = ModelFault(FaultKind.ALL_SPENT, "nothing is left")
    _, _, venue, _ = run(decisions(LONG), done, steps=6, heartbeat="1h")
    assert [True, False] == [order.is_buy for order in placed(venue)]
    assert placed(venue)[1].reduce_only
    _, _, venue, _ = run(spent, steps=1, when_day_spent="hold")
    assert placed(venue) == []


def test_a_question_that_a_replay_does_not_know_makes_the_run_worthless() -> None:
    """It is no hold: the run would say something untrue."""
    told, _, _, _ = run(ModelFault(FaultKind.CASSETTE_MISS, "not recorded"), steps=2)
    assert "cassette_miss: not recorded" == told.records[0].fault


def test_notes_and_plans_are_remembered_over_a_restart() -> None:
    """A mind built anew goes on as if nothing was."""
    bare = {**LONG, "stop_loss": None, "take_profit": None}
    answer = decisions(bare, notes=["buy dips", "x" * 400])
    _, _, venue, mind = run(answer, "[]", steps=2, require_stop=False)
    again = mind_of(ScriptedModel(["[]"]), heartbeat="15m")
    again.recall(msgspec.json.decode(msgspec.json.encode(mind.remember())))
    assert msgspec.json.encode(mind.remember()) == msgspec.json.encode(again.remember())
    model = ScriptedModel(["[]"])
    third = mind_of(model, heartbeat="15m")
    third.recall(msgspec.json.decode(msgspec.json.encode(mind.remember())))
    venue.steps += 2
    drive(venue, spec_of("llm", params=params_of({})), strategy=third)
    assert '"buy dips"' in model.prompts[0]
    assert "invalidation close(4h) < 90" in model.prompts[0]
    assert len(third.memory.notes[1]) == 240


def test_every_request_has_the_schema_and_the_worlds_time() -> None:
    """The time is for the budget's days, and stands in no message."""
    _, model, _, _ = run("[]", steps=1)
    request = model.requests[0]
    assert START_MS == request.at_ms
    assert request.schema is not None
    assert ["BTC", "ETH"] == request.schema["properties"]["decisions"]["items"]["properties"][
        "coin"
    ]["enum"]
    assert str(START_MS) not in "".join(message.content for message in request.messages)


@pytest.mark.parametrize(
    ("cutoff", "after"), [("", None), ("2025-05-04", True), ("2025-05-05", False)]
)
def test_a_run_after_all_that_the_model_has_seen_is_marked(cutoff: str, after: bool | None) -> None:
    """The day itself may have been seen."""
    told, _, _, _ = run("[]", steps=1, training_cutoff=cutoff)
    assert told.records[0].llm is not None
    assert after is told.records[0].llm.after_cutoff


def test_a_cutoff_that_is_no_day_is_refused() -> None:
    """Before anything runs."""
    params = params_of({"training_cutoff": "last summer"})
    (problem,) = problems(spec_of("llm", params=params))
    assert "last summer" in problem


def test_a_refusal_is_counted() -> None:
    """It is asked once more all the same."""
    _, model, _, mind = run(ModelReply(text="I can't help with that.", finish="refused"), steps=1)
    assert {"refused": 2} == mind.memory.tally.flaws
    assert 2 == len(model.requests)

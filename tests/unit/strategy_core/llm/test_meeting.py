"""Meetings: who speaks, on what record, and how it ends."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from tests.support.scripted_model import ScriptedModel, decisions
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, Run, drive, spec_of
from tests.unit.strategy_core.llm.test_mind import LONG, placed, venue_of

from strategy_core.llm.meeting import CHAIR, ROLES, LlmMeeting
from strategy_core.llm.port import FaultKind, ModelFault, ModelRequest
from strategy_core.llm.rehearsing import Rehearsals, Skipped, Trial
from strategy_core.registry import build, problems


def meet(
    model: ScriptedModel, *, steps: int = 1, engine: Rehearsals | None = None, **params: Any
) -> tuple[Run, LlmMeeting, Any]:
    spec = spec_of("llm_meeting", params={"model": "big/one", **params})
    mind = build(spec, instruments=INSTRUMENTS, seed=0, models=model, rehearsals=engine)
    assert isinstance(mind, LlmMeeting)
    venue = venue_of(steps)
    return drive(venue, spec, strategy=mind), mind, venue


def speaking(request: ModelRequest) -> Any:
    """Each role says who it is; the chair buys."""
    return decisions(LONG) if request.role == CHAIR else f"I am the {request.role}.\nBuy!"


def test_roles_speak_in_their_order_on_one_record() -> None:
    """Each reads what those before it have said, in quotes; the chair ends it with orders."""
    model = ScriptedModel(speaking)
    told, mind, venue = meet(model)
    assert [*ROLES, CHAIR, CHAIR] == [request.role for request in model.requests]
    second, chair = model.requests[1], model.requests[4]
    assert '- market_analyst: "I am the market_analyst. Buy!"' in second.messages[1].content
    assert all(f"- {role}: " in chair.messages[1].content for role in ROLES)
    assert None is second.schema
    assert chair.schema is not None
    assert ["BTC"] == [order.coin for order in placed(venue) if not order.reduce_only]
    thought = told.records[0].llm
    assert thought is not None
    assert [*ROLES, "rehearsal"] == [one["role"] for one in thought.trace["meeting"]]
    assert 6 == thought.calls
    assert 6_000 == mind.memory.tally.cost_usd
    assert {"start": 1} == mind.memory.tally.calls  # one meeting


def test_the_list_is_replayed_before_it_is_decided() -> None:
    """The chair sees what it would have made, and may think again."""
    answers = iter([decisions(LONG), decisions()])

    def once(request: ModelRequest) -> Any:
        return next(answers) if request.role == CHAIR else "Nothing."

    model = ScriptedModel(once)
    _, _, venue = meet(model)
    last = model.requests[-1].messages[1].content
    assert "- BTC long: 8 windows, 8 filled" in last
    assert [] == placed(venue)


class Engine:
    """Replays nothing, and says what it was asked."""

    def __init__(self, answer: list[float | None] | Skipped) -> None:
        self.answer = answer
        self.trials: list[Trial] = []

    def replay(self, trials: Sequence[Trial]) -> list[float | None]:
        self.trials += trials
        if isinstance(self.answer, Skipped):
            raise self.answer
        return self.answer


def minutes_of(told: Run) -> dict[str, Any]:
    thought = told.records[0].llm
    assert thought is not None
    return next(one for one in thought.trace["meeting"] if one["role"] == "rehearsal")


def test_an_exchange_replays_the_list_re_based_over_windows_that_have_ended() -> None:
    engine = Engine([0.01, None, -0.02, *[0.003] * 5])
    model = ScriptedModel(speaking)
    told, _, _ = meet(model, engine=engine)
    last = model.requests[-1].messages[1].content
    assert "- BTC long: 8 windows, 8 filled" in last
    line = "- BTC long: 8 windows, 7 filled, 6 won, median +0.30 %, worst -2.00 %, best +1.00 %"
    assert f"- on an exchange, with minutes, fees and funding: {line[2:]}" in last
    assert "replayed 8 windows of 4h" == minutes_of(told)["engine"]
    now_ms = told.records[0].now_ms
    assert all(one.from_ms < one.to_ms <= now_ms for one in engine.trials)
    assert all(4 * 3_600_000 == one.to_ms - one.from_ms for one in engine.trials)
    for one in engine.trials:
        assert one.order.stop_loss is not None
        assert one.order.stop_loss.price < one.base
        assert Decimal(900) < one.order.sz * one.base <= 1000


def test_a_replay_that_cannot_be_is_skipped_with_its_reason() -> None:
    """The meeting goes on by the bars that it was shown; its prompt is as without an exchange."""
    prompts = []
    for engine in (None, Engine(Skipped("the exchange refused it (403): no"))):
        model = ScriptedModel(speaking)
        told, _, venue = meet(model, engine=engine)
        prompts.append(model.requests[-1].messages)
        assert placed(venue)
        said = minutes_of(told)["engine"]
        assert said.startswith("skipped: ")
        assert ("403" if engine else "BACKTEST_URL is not set") in said
    assert prompts[0] == prompts[1]


def test_a_meeting_without_windows_asks_its_chair_once() -> None:
    """And one whose list opens nothing has nothing to replay."""
    model = ScriptedModel(speaking)
    meet(model, windows=0)
    assert 5 == len(model.requests)
    model = ScriptedModel(lambda request: decisions() if request.role == CHAIR else "Wait.")
    meet(model)
    assert 5 == len(model.requests)


def test_lists_are_looked_at_when_their_time_has_passed() -> None:
    """Carried out or not; the next meeting is told."""
    model = ScriptedModel(speaking)
    _, mind, _ = meet(model, steps=9, heartbeat="1h", horizon="1h", triggers={"volatility": None})
    assert any(line.startswith("- after 1h, BTC long: ") for line in mind.memory.looks_back)
    assert "- after 1h, BTC long: " in model.requests[-1].messages[1].content


def test_a_role_that_cannot_be_had_is_absent_and_the_meeting_goes_on() -> None:
    """Unless the money is spent."""

    def without(request: ModelRequest) -> Any:
        if request.role == "risk_manager":
            return ModelFault(FaultKind.TIMEOUT, "slow")
        return speaking(request)

    model = ScriptedModel(without)
    _, mind, venue = meet(model)
    assert '- risk_manager: "absent"' in model.requests[-1].messages[1].content
    assert {"timeout": 1} == mind.memory.tally.faults
    assert placed(venue) != []
    spent = ScriptedModel([ModelFault(FaultKind.DAY_SPENT, "1 USD")])
    told, _, _ = meet(spent, when_day_spent="hold")
    assert "held: day_spent: 1 USD" == told.records[0].reasoning
    assert 1 == len(spent.requests)


def test_each_role_may_have_a_model_of_its_own() -> None:
    """All on the budget of one trader."""
    model = ScriptedModel(speaking)
    meet(model, roles={"chair": "other/best", "risk_manager": "other/small"})
    names = {choice.role: choice.names for choice in model.choices}
    assert ("other/best",) == names["chair"]
    assert ("other/small",) == names["risk_manager"]
    assert ("big/one",) == names["market_analyst"]
    assert {"t"} == {choice.trader_id for choice in model.choices}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"roles": {"boss": "a/b"}}, "roles: 'boss' is not one of market_analyst"),
        ({"horizon": "1d"}, "horizon: 1d is 96 bars of 15m, and 50 are shown"),
        ({"template": "arena"}, "template: 'arena' is not one of meeting"),
    ],
)
def test_a_wrong_parameter_is_one_clear_line(params: dict[str, Any], said: str) -> None:
    """Before anything is asked."""
    (problem,) = problems(spec_of("llm_meeting", params={"model": "a/b", **params}))
    assert said in problem

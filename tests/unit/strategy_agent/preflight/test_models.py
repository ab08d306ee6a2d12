"""45: answers to a question that has one right answer, and what a model that learned tells."""

from typing import Any

import pytest

from strategy_agent.application.preflight.models import (
    Answered,
    canned,
    check_asked,
    check_learned,
    check_refused,
    check_rules,
)
from strategy_core.llm.port import FaultKind, Message, ModelFault, ModelReply, ModelRequest
from suite.fixed import Usd

HOLD = '{"decisions": [{"coin": "BTC", "signal": "hold"}], "notes": []}'
READY = {
    "state": "READY",
    "reason": "",
    "model_id": "m-1",
    "schema_hash": "ab" * 16,
    "evidence": "yes",
    "overridden": False,
}


def answered(text: str, *, is_first: bool = True, **more: Any) -> Answered:
    reply = ModelReply(text=text, cost_usd=Usd(123), input_tokens=90, output_tokens=10, **more)
    return Answered(name="openai/x", is_first=is_first, outcome=reply)


def refused(kind: FaultKind, *, is_first: bool = True) -> Answered:
    fault = ModelFault(kind, "no luck", cost_usd=Usd(7))
    return Answered(name="openai/y", is_first=is_first, outcome=fault)


def test_question_keeps_what_the_trader_tells_its_model() -> None:
    """Its rules and the form of its answers; the market and its attempts are not there."""
    asked = ModelRequest(
        messages=(Message("system", "rules"), Message("user", "the market")),
        schema={"type": "object"},
        attempt=2,
    )
    question = canned(asked, ("BTC", "ETH"), 5)
    assert ("system", "user") == tuple(one.role for one in question.messages)
    assert "rules" == question.messages[0].content
    assert "BTC, ETH" in question.messages[1].content
    assert "the market" not in question.messages[1].content
    assert ({"type": "object"}, 5, 1) == (question.schema, question.at_ms, question.attempt)


@pytest.mark.parametrize("text", [HOLD, '{"decisions": []}', f"I hold.\n```json\n{HOLD}\n```"])
def test_hold_passes_and_is_told_with_its_cost(text: str) -> None:
    line = check_asked("anna", ("BTC",), [answered(text, latency_ms=8)])
    assert ("PASS", 45) == (line.status, line.number)
    told = "anna: openai/x: answered hold within 8 ms, 100 tokens; cost 0.000123 USD"
    assert told == line.reason


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (answered("hold"), "its answer cannot be used: no_json"),
        (answered(""), "its answer cannot be used: empty"),
        (answered('{"decisions": [{"coin": "DOGE", "signal": "hold"}]}'), "unknown_coin"),
        (
            answered('{"decisions": [{"coin": "BTC", "signal": "buy_to_enter", "size_usd": 5}]}'),
            "answered buy_to_enter BTC where nothing but hold",
        ),
        (answered(HOLD, source="replay"), "no provider was asked"),
        (refused(FaultKind.KEY_REFUSED), "key_refused: no luck; cost 0.000007 USD"),
        (refused(FaultKind.DAY_SPENT), "day_spent: no luck"),
    ],
)
def test_anything_else_fails(outcome: Answered, said: str) -> None:
    line = check_asked("anna", ("BTC",), [outcome])
    assert "FAIL" == line.status
    assert said in line.reason, line.reason


def test_cheaper_model_that_fails_is_a_warning() -> None:
    """It is only asked where the first cannot be; all that was paid is told."""
    line = check_asked("anna", ("BTC",), [answered(HOLD), refused(FaultKind.QUOTA, is_first=False)])
    assert "WARN" == line.status
    assert line.reason.startswith("anna: openai/y: quota: no luck; openai/x: answered hold")
    assert "cost 0.00013 USD" in line.reason
    line = check_asked("anna", ("BTC",), [refused(FaultKind.QUOTA), answered(HOLD, is_first=False)])
    assert "FAIL" == line.status


def test_learned_model_passes_with_its_evidence() -> None:
    line = check_learned("anna", READY)
    assert "PASS" == line.status
    assert "anna: m-1 loads, features abababababab, evidence fits" == line.reason


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"state": "PAPER_ONLY", "reason": "m-1: it has not been evaluated"}, "FAIL", "evaluated"),
        ({"state": "NO_MODEL", "reason": "training is off"}, "FAIL", "NO_MODEL: training is off"),
        ({"state": "SUSPENDED", "reason": "loses"}, "FAIL", "SUSPENDED: loses"),
        ({"overridden": True, "evidence": "no: none"}, "WARN", "TRADE_WITHOUT_EVIDENCE names it"),
    ],
)
def test_learned_model_that_has_not_earned_it(
    change: dict[str, Any], status: str, said: str
) -> None:
    line = check_learned("anna", READY | change)
    assert status == line.status
    assert said in line.reason


def test_what_asks_nobody_and_what_cannot_be_built() -> None:
    assert ("PASS", "anna: asks no model") == (
        check_rules("anna").status,
        check_rules("anna").reason,
    )
    assert "FAIL" == check_refused("anna", "no key").status
    assert "SKIP" == check_learned("anna", None).status

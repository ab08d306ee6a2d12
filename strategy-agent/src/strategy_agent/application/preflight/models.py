"""45: the models that a trader asks are there, answer, and may risk real money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from strategy_core.ict_trader.tutor import ModelState
from strategy_core.llm.answer import Signal
from strategy_core.llm.outside import quoted
from strategy_core.llm.port import Message, ModelFault, ModelReply, ModelRequest
from strategy_core.llm.reading import read_reply
from suite.checklist import Line, failed, passed, skipped, warned
from suite.fixed import USD_DECIMALS, format_fixed

NUMBER: Final = 45
NAME: Final = "models"
CANNED: Final = (
    "This is a check of the connection before trading begins: there is no market data, and nothing "
    "may be traded. Answer in the form you were told, with the signal hold for each of these coins "
    "and nothing else: {coins}. Leave the notes empty."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a model made of the canned question.

    Attributes:
        name: of the model, as `provider/name`.
        is_first: others are only asked where the first one cannot be.
        outcome: its reply, or why there is none.
    """

    name: str
    is_first: bool
    outcome: ModelReply | ModelFault


def canned(request: ModelRequest, coins: Sequence[str], now_ms: int) -> ModelRequest:
    """Make a question to which the one right answer is to hold.

    Args:
        request: of the trader: its system prompt, schema and limits are kept.
        coins: of the trader.
        now_ms: wall time, whose day is charged.
    """
    system = tuple(one for one in request.messages if one.role == "system")
    question = Message("user", CANNED.format(coins=", ".join(coins)))
    return msgspec.structs.replace(request, messages=(*system, question), at_ms=now_ms, attempt=1)


def check_rules(trader_id: str) -> Line:
    """Of a strategy that asks no model."""
    return passed(NUMBER, NAME, f"{trader_id}: asks no model")


def check_refused(trader_id: str, reason: str) -> Line:
    """Of a strategy that cannot be built with its models."""
    return failed(NUMBER, NAME, f"{trader_id}: {reason}", "correct it: docs/ml.md, docs/llm.md")


def check_learned(trader_id: str, told: Mapping[str, Any] | None) -> Line:
    """Of a strategy that learns.

    Args:
        trader_id: whose.
        told: what it says of its model, as `describe` of `ict_xgboost`; None where it says nothing.
    """
    if told is None:
        return skipped(
            NUMBER,
            NAME,
            f"{trader_id}: its strategy does not tell of its model",
            "look whether it loads one: give it a method `describe` (docs/plugins.md)",
            required=False,
        )
    state, model = told.get("state"), told.get("model_id") or "no model"
    if state != ModelState.READY:
        return failed(
            NUMBER,
            NAME,
            f"{trader_id}: {state}: {told.get('reason') or model}",
            "train, evaluate and attest a model: docs/ml.md",
        )
    reason = f"{trader_id}: {model} loads, features {str(told.get('schema_hash'))[:12]}, evidence "
    if told.get("overridden"):
        return warned(
            NUMBER,
            NAME,
            f"{reason}{told.get('evidence')}, and TRADE_WITHOUT_EVIDENCE names it",
            "take it out of TRADE_WITHOUT_EVIDENCE",
        )
    return passed(NUMBER, NAME, f"{reason}fits")


def check_asked(trader_id: str, coins: Sequence[str], answers: Sequence[Answered]) -> Line:
    """Of a strategy that asks language models."""
    cost = sum(one.outcome.cost_usd for one in answers)
    told: list[str] = []
    faults: list[str] = []
    slight: list[str] = []
    for one in answers:
        text, is_good = _judged(one, coins)
        (told if is_good else faults if one.is_first else slight).append(f"{one.name}: {text}")
    paid = f"cost {format_fixed(cost, USD_DECIMALS)} USD"
    reason = f"{trader_id}: {'; '.join((*faults, *slight, *told))}; {paid}"
    if faults:
        return failed(NUMBER, NAME, reason, "docs/llm-providers.md: key, address, budget, model")
    if slight:
        return warned(NUMBER, NAME, reason, "correct or leave out what `cheaper` names")
    return passed(NUMBER, NAME, reason)


def _judged(one: Answered, coins: Sequence[str]) -> tuple[str, bool]:
    """Judge an answer: what to say of it, and whether it is as it should be."""
    if isinstance(one.outcome, ModelFault):
        return str(one.outcome), False
    if one.outcome.source == "replay":
        return "answered by a cassette: LLM_MODE is replay, no provider was asked", False
    reading = read_reply(one.outcome, coins)
    if reading.flaws:
        flaw, said = reading.flaws[0], quoted(one.outcome.text, 80)
        return f"its answer cannot be used: {flaw} ({said})", False
    wrong = [item for item in reading.items if item.signal is not Signal.HOLD]
    if wrong:
        asked = ", ".join(f"{item.signal} {item.coin}" for item in wrong)
        return f"answered {asked} where nothing but hold was asked for", False
    tokens = one.outcome.input_tokens + one.outcome.output_tokens
    return f"answered hold within {one.outcome.latency_ms} ms, {tokens} tokens", True

"""What a model asked, what the guards changed of it, and what execution cost, line by line."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from strategy_core.llm.outside import plain
from strategy_core.numbers import is_number
from suite.contracts.venue import ActionReply, PlaceOrder
from suite.fixed import is_decimal, parse_decimal

if TYPE_CHECKING:
    from strategy_core.journal import DecisionRecord

_BPS: Final = 10_000


def with_counterfactual(record: "DecisionRecord") -> "DecisionRecord":
    """Add the lines to a record whose answers are known; one without a thought stays as it is."""
    if record.llm is None:
        return record
    return replace(record, llm=replace(record.llm, counterfactual=tuple(_lines(record))))


def _lines(record: "DecisionRecord") -> Iterator[str]:
    thought = record.llm
    if thought is None:
        return
    for one in thought.trace.get("decisions", ()):
        if one.get("flaw"):
            yield f"{one['coin']}: asked {one['signal']}; not possible, {one['flaw']}"
    prices = thought.trace.get("prices", {})
    answers = _answers(record)
    for index, action in enumerate(record.actions):
        if not isinstance(action, PlaceOrder):
            continue
        verdict = record.verdicts[index] if index < len(record.verdicts) else None
        asked = f"{action.coin}: asked {_side(action)} {action.sz:f}{_at(action)}"
        if verdict is None or verdict.outcome == "accepted":
            guards = "the guards changed nothing"
        elif verdict.outcome == "clamped":
            guards = f"the guards made it {verdict.after:f} ({verdict.rule})"
        else:
            yield f"{asked}; the guards refused it ({verdict.rule}); nothing was executed"
            continue
        price = prices.get(action.coin, "")
        yield f"{asked}; {guards}; {_executed(action, answers.get(index), price)}"
    for verdict in record.verdicts[len(record.actions) :]:
        yield f"exit plan: {plain(verdict.reason)}"


def _answers(record: "DecisionRecord") -> dict[int, Any]:
    """Find the venue's answer to each action that passed; the strategy's own are the last sent."""
    passed = [
        verdict.action
        for verdict in record.verdicts[: len(record.actions)]
        if verdict.outcome != "rejected"
    ]
    results = record.results or ()
    own = results[len(results) - len(passed) :] if len(results) >= len(passed) else ()
    return dict(zip(passed, own, strict=False))


def _executed(action: PlaceOrder, answer: ActionReply | None, price: str) -> str:
    """Say what came of an order, and what it cost against the price it was decided at."""
    if answer is None:
        return "the venue gave no answer"
    if answer.status != "ok":
        return f"the venue refused it: {plain(answer.response)}"
    status = first_status(answer.response)
    if "error" in status:
        return f"the venue refused it: {plain(status['error'])}"
    filled = status.get("filled")
    if not isinstance(filled, dict):
        return "it rests"
    size, paid = _number(filled.get("totalSz")), _number(filled.get("avgPx"))
    mid = _number(price)
    if size is None or paid is None or not mid:
        return "it was filled"
    worse = (paid - mid) * (1 if action.is_buy else -1)
    return (
        f"filled {size:f} at {paid:f} against {mid:f}: {worse / mid * _BPS:.2f} bps, "
        f"{worse * size:.4f} USD"
    )


def first_status(response: object) -> dict[str, Any]:
    """Read the first status of an answer; nothing where it has another form."""
    match response:
        case {"data": {"statuses": [dict() as first, *_]}}:
            return first
    return {}


def _number(text: object) -> Decimal | None:
    if not isinstance(text, str) or not is_decimal(text):
        return None
    value = parse_decimal(text)
    return value if is_number(value) else None


def _side(action: PlaceOrder) -> str:
    what = "buy" if action.is_buy else "sell"
    return f"{what} to reduce" if action.reduce_only else what


def _at(action: PlaceOrder) -> str:
    if action.order_type.trigger is not None:
        return f" at the trigger {action.order_type.trigger.triggerPx:f}"
    return f" at {action.limit_px:f}" if action.limit_px else " at market"

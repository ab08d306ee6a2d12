"""What the venue's answer to one action means.

| Outcome | Words of the venue (any of) |
| --- | --- |
| `retry` | post-only would have matched; too many requests; only post-only after an upgrade |
| `retry` | `held back`: the connection did not let it out |
| `gone` | never placed, already canceled, or filled; cannot modify canceled or filled order |
| `flat` | a reduce-only order that would increase the position |
| `empty` | an immediate order that found nothing to trade with |
| `unknown` | `sent`: the connection does not know yet what became of it |
| `refused` | everything else: asking again for the same is pointless |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from strategy_core.orders.memory import ZERO
from suite.contracts.venue import ActionReply
from suite.fixed import parse_decimal

Outcome = Literal[
    "resting", "filled", "done", "retry", "gone", "flat", "empty", "unknown", "refused", "nonsense"
]

_WORDS: Final[tuple[tuple[str, Outcome], ...]] = (
    ("held back", "retry"),
    ("post only order would have immediately matched", "retry"),
    ("only post-only orders", "retry"),
    ("too many requests", "retry"),
    ("too many cumulative requests", "retry"),
    ("rate limit", "retry"),
    ("already canceled, or filled", "gone"),
    ("cannot modify canceled or filled", "gone"),
    ("reduce only order would increase", "flat"),
    ("could not immediately match", "empty"),
)

_BARE: Final[dict[str, Outcome]] = {
    "success": "done",
    "sent": "unknown",
    "waitingForFill": "resting",
    "waitingForTrigger": "resting",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, read.

    Attributes:
        outcome: what it means.
        oid: id the venue gave, None when it tells none.
        filled: units traded at once.
        text: the venue's words where it refused.
    """

    outcome: Outcome
    oid: int | None = None
    filled: Decimal = ZERO
    text: str = ""


def read_answer(reply: ActionReply) -> Answer:
    """Read the answer to one action; of a group, that to its entry."""
    if reply.status == "err":
        return _refusal(str(reply.response))
    response = reply.response
    if not isinstance(response, Mapping):
        return _nonsense(response)
    data = response.get("data")
    statuses = data.get("statuses") if isinstance(data, Mapping) else None
    if statuses is None:
        return Answer(outcome="done")
    if not isinstance(statuses, list | tuple) or not statuses:
        return _nonsense(response)
    return _status(statuses[0])


def _status(status: Any) -> Answer:
    if isinstance(status, str):
        return Answer(outcome=_BARE.get(status, "nonsense"), text=status[:200])
    if not isinstance(status, Mapping):
        return _nonsense(status)
    if "error" in status:
        return _refusal(str(status["error"]))
    try:
        if "resting" in status:
            return Answer(outcome="resting", oid=int(status["resting"]["oid"]))
        filled = status["filled"]
        size = parse_decimal(str(filled["totalSz"]))
        return Answer(outcome="filled", oid=int(filled["oid"]), filled=size)
    except (KeyError, TypeError, ValueError):
        return _nonsense(status)


def _refusal(text: str) -> Answer:
    lower = text.lower()
    for words, outcome in _WORDS:
        if words in lower:
            return Answer(outcome=outcome, text=text[:200])
    return Answer(outcome="refused", text=text[:200])


def _nonsense(value: object) -> Answer:
    return Answer(outcome="nonsense", text=repr(value)[:200])

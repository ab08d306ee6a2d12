"""What clients believe of their orders, held against what the venue has done."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from strategy_agent.adapters.intent_file import IntentFile
from strategy_agent.application.ports import DurableIntent
from suite.contracts.venue import ActionReply, CancelOrder, PlaceOrder

_UNKNOWN = object()


@dataclass(slots=True)
class Belief:
    """What a client made of one intent.

    Attributes:
        fates: every answer it believed, in order; None is "never executed".
        known_s: seconds until the first.
    """

    intent: DurableIntent
    begun_s: float
    fates: list[ActionReply | None] = field(default_factory=list)
    known_s: float = 0.0

    @property
    def status(self) -> Any:
        """Status of the order or cancel as the client believes it; None when nothing happened."""
        fate = self.fates[-1] if self.fates else None
        if fate is None or fate.status == "err":
            return None
        response: Any = fate.response
        if response["type"] == "default":
            return "success"
        told = response["data"]["statuses"][0]
        return None if isinstance(told, dict) and "error" in told else told

    @property
    def oid(self) -> int | None:
        """The order that it believes to have placed."""
        told = self.status
        if not isinstance(told, dict):
            return None
        return int(next(iter(told.values()))["oid"])


class RecordedIntents(IntentFile):
    """Intents on disk, and the memory of whoever tests them."""

    def __init__(self, path: Path, beliefs: dict[str, Belief]) -> None:
        super().__init__(path)
        self._beliefs = beliefs

    def begin(self, intent: DurableIntent) -> None:
        super().begin(intent)
        self._beliefs[intent.key] = Belief(intent, time.monotonic())

    def settle(self, key: str, reply: ActionReply | None) -> None:
        belief = self._beliefs[key]
        belief.fates.append(reply)
        belief.known_s = belief.known_s or time.monotonic() - belief.begun_s
        super().settle(key, reply)


@dataclass(slots=True)
class Verdict:
    """What came of the intents of one account.

    Attributes:
        outcome: by key: `executed`, `refused`, `never`; a wrong one has a list of problems.
    """

    outcome: dict[str, str] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)

    def note(self, key: str, problem: str) -> None:
        self.problems.setdefault(key, []).append(problem)


def judge(
    beliefs: Mapping[str, Belief],
    rows: Iterable[Mapping[str, Any]],
    positions: Mapping[str, str],
    *,
    others_cancel: bool = False,
) -> Verdict:
    """Compare beliefs with the venue's own record.

    Args:
        beliefs: of one account, by key.
        rows: of `GET /exchange/orders`, all of them.
        positions: signed size of each coin by the venue.
        others_cancel: resting entries may be canceled by somebody else, as a pause does.
    """
    verdict = Verdict()
    by_cloid: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if not row["status"].endswith("Rejected"):
            by_cloid.setdefault(row["cloid"], []).append(row)
    canceled = {
        belief.intent.action.cloid
        for belief in beliefs.values()
        if isinstance(belief.intent.action, CancelOrder) and belief.status == "success"
    }
    held: Counter[str] = Counter()
    for key, belief in beliefs.items():
        action = belief.intent.action
        if not belief.fates:
            verdict.note(key, "unknown")
        elif any(fate != belief.fates[0] for fate in belief.fates):
            verdict.note(key, "two beliefs")
        verdict.outcome[key] = (
            "executed" if belief.status is not None else "refused" if belief.fates[-1:] != [None]
            else "never"
        )  # fmt: skip
        if isinstance(action, PlaceOrder):
            found = by_cloid.pop(str(action.cloid), [])
            is_over = action.cloid in canceled
            if others_cancel and found and found[0]["status"] == "canceled":
                is_over = True
            _judge_order(verdict, key, belief, found, was_canceled=is_over)
            if isinstance(belief.status, dict) and "filled" in belief.status:
                size = Decimal(belief.status["filled"]["totalSz"])
                held[action.coin] += size if action.is_buy else -size  # type: ignore[assignment]
    for cloid in by_cloid:
        verdict.note(str(cloid), "no intent")
    for coin in held.keys() | positions.keys():
        if held[coin] != Decimal(positions.get(coin, "0")):
            verdict.note(coin, "another position")
    return verdict


def _judge_order(
    verdict: Verdict,
    key: str,
    belief: Belief,
    found: list[Mapping[str, Any]],
    *,
    was_canceled: bool,
) -> None:
    if len(found) > 1:
        verdict.note(key, "duplicated")
    if belief.status is None:
        if found:
            verdict.note(key, "executed, believed not")
        return
    if not found:
        verdict.note(key, "lost")
    elif belief.oid not in [row["oid"] for row in found]:
        verdict.note(key, "another order")
    elif "resting" in belief.status and was_canceled != (found[0]["status"] == "canceled"):
        verdict.note(key, "another end")

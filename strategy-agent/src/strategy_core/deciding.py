"""Asking a strategy: whatever it does wrong becomes a fault, and nothing of it gets further."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from strategy_core.intents import ExitPlan, Intent
from strategy_core.llm.thought import Basis, Thought
from strategy_core.port import NOTHING_EARLIER, Decision, Observation, Strategy, Worthless
from suite.contracts.clock import WakeOn
from suite.errors import one_line


class DecideRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the driver for a decision of the strategy.

    Attributes:
        observation: what the strategy sees, should it be asked now.
        awaited: an earlier question has been answered by `StillDeciding`, and its decision counts.
    """

    observation: Observation
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class StillDeciding:
    """The strategy is thinking: time goes on, and the driver wakes the trader when it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFault:
    """The strategy has given no decision.

    Attributes:
        reason: what it did instead, in one line.
        worthless: a simulated run that went on would say something untrue, see `Worthless`.
    """

    reason: str
    worthless: bool = False


def decide(strategy: Strategy, observation: Observation) -> Decision | DecisionFault:
    """Ask a strategy what to do.

    Returns:
        Its decision, well formed; or what is wrong with it or with the strategy.
    """
    try:
        decision = strategy.decide(observation)
    except Worthless as error:
        return DecisionFault(reason=one_line(str(error)), worthless=True)
    except Exception as error:  # noqa: BLE001 - a strategy is anybody's code; its trader is paused
        return DecisionFault(reason=one_line(f"{type(error).__name__}: {error}"))
    try:
        return _well_formed(decision)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        return DecisionFault(reason=one_line(f"decide returned {error}"))


def _well_formed(decision: object) -> Decision:
    """Read what a strategy answered, field by field.

    Structs made in Python are not checked when they are made, so a plugin's may hold anything.

    Raises:
        ValueError, TypeError: it is no decision.
    """
    if not isinstance(decision, Decision):
        raise TypeError(f"{type(decision).__name__}, not a Decision")
    until_ms, reasoning = decision.until_ms, decision.reasoning
    if not (until_ms is None or type(until_ms) is int):
        raise TypeError(f"until_ms {until_ms!r}, not a time in whole milliseconds")
    if not isinstance(reasoning, str):
        raise TypeError(f"reasoning of type {type(reasoning).__name__}, not a text")
    if not reasoning.isascii():
        _check_writable(reasoning, "reasoning")
    fields: dict[str, Any] = {}
    if decision.wake_on is not NOTHING_EARLIER:
        fields["wake_on"] = _read(decision.wake_on, WakeOn, "wake_on")
    if decision.actions:
        fields["actions"] = _read(decision.actions, tuple[Intent, ...], "actions")
    if decision.plans:
        fields["plans"] = _read(decision.plans, tuple[ExitPlan, ...], "plans")
    if decision.basis is not None:
        fields["basis"] = _read(decision.basis, Basis, "basis")
    if decision.thought is not None:
        fields["thought"] = _read(decision.thought, Thought, "thought")
    return msgspec.structs.replace(decision, **fields) if fields else decision


def _check_writable(value: Any, name: str) -> None:
    """Refuse half of a character: no journal can be written with it.

    Raises:
        ValueError: there is one.
    """
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise ValueError(f"{name} with a text that is not Unicode") from None


def _read(value: Any, kind: Any, name: str) -> Any:
    try:
        read = msgspec.convert(msgspec.to_builtins(value, builtin_types=(Decimal,)), kind)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise ValueError(f"wrong {name}: {error}") from None
    _check_writable(read, name)
    return read

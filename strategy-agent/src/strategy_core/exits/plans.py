"""Take over what a strategy says about how its positions shall end."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

import msgspec

from strategy_core.exits.facts import add_reading
from strategy_core.exits.invalidation import InvalidRule, compile_rule
from strategy_core.exits.kinds import ExitKind
from strategy_core.exits.memory import BarReading, CoinMemory, ExitMemory
from strategy_core.exits.rules import ExitRules
from strategy_core.intents import ExitPlan, Intent, ParentOrder
from strategy_core.port import Instruments, Observation
from suite.bars import MINUTE_MS
from suite.contracts.venue import PlaceOrder

COMING_MS: Final = 10 * MINUTE_MS
"""A plan whose entry is neither resting nor filled after so long, or two intervals, is dropped."""
PRICES: Final = ("zone_edge", "stop", "target", "swing")
SHARES: Final = {"confidence": (0.0, 1.0), "structure": (-1.0, 1.0), "trend": (-1.0, 1.0)}
"""Numbers of a plan, with their bounds."""

Entry: TypeAlias = PlaceOrder | ParentOrder


class PlanFault(NamedTuple):
    """A plan that could not be taken over, or not all of it.

    Attributes:
        plan: index of the plan within its decision.
        reason: what is wrong, and where.
    """

    plan: int
    reason: str


def adopt_plans(
    memory: ExitMemory,
    plans: Sequence[ExitPlan],
    intents: Sequence[Intent],
    observation: Observation,
    *,
    rules: ExitRules,
    interval_ms: int,
    instruments: Instruments,
) -> list[PlanFault]:
    """Write plans, and the legs of entries, into the memory.

    Args:
        memory: changed in place.
        plans: of a decision.
        intents: its orders.
        observation: that it was based on.
        rules: of the trader.
        interval_ms: of the trader's bars.
        instruments: coins that there are.

    Returns:
        What could not be taken over, and why. The rest of a plan counts.
    """
    wrong: list[PlanFault] = []
    entries = _entries(intents)
    for coin, entry in entries.items():
        if _is_protected(entry):
            record = _record(memory, coin, entry, observation.now_ms)
            stop = entry.stop_loss.price if entry.stop_loss else None
            target = entry.take_profit.price if entry.take_profit else None
            _protect(record, _positive(stop), _positive(target))
    for index, plan in enumerate(plans):
        if plan.coin not in instruments:
            wrong.append(PlanFault(index, f"plan of {plan.coin[:20]}: there is no such coin"))
            continue
        good, faults = _checked(plan, rules)
        if faults:
            wrong.append(PlanFault(index, f"plan of {plan.coin}: {'; '.join(faults)}"))
        record = _record(memory, plan.coin, entries.get(plan.coin), observation.now_ms)
        record.plan = _merged(record.plan, good)
        _protect(record, good.stop, good.target)
        _read_bar(record, good, observation, interval_ms)
    return wrong


def says_of_exits(plans: Sequence[ExitPlan], intents: Sequence[Intent]) -> bool:
    """Whether `adopt_plans` has anything to take over."""
    return bool(plans) or any(map(_is_protected, _entries(intents).values()))


def _entries(intents: Sequence[Intent]) -> dict[str, Entry]:
    return {
        intent.coin: intent
        for intent in intents
        if isinstance(intent, PlaceOrder | ParentOrder) and not intent.reduce_only
    }


def _is_protected(entry: Entry) -> bool:
    return entry.stop_loss is not None or entry.take_profit is not None


def expire_plans(memory: ExitMemory, observation: Observation, interval_ms: int) -> list[str]:
    """Drop plans whose entry has come to nothing.

    Returns:
        What was dropped, for the journal.
    """
    if not memory.coming:
        return []
    resting = {order.coin for order in observation.open_orders if not order.reduceOnly}
    patience_ms = max(COMING_MS, 2 * interval_ms)
    dropped = [
        coin
        for coin, record in sorted(memory.coming.items())
        if coin not in resting and observation.now_ms - record.noted_ms > patience_ms
    ]
    for coin in dropped:
        del memory.coming[coin]
    return [f"{coin} was not entered: its exit plan is dropped" for coin in dropped]


def _record(memory: ExitMemory, coin: str, entry: Entry | None, now_ms: int) -> CoinMemory:
    """Find what a plan is about: the open position, or the one that an entry will open."""
    held = memory.coins.get(coin)
    turns = held is not None and entry is not None and entry.is_buy != (held.side > 0)
    if held is not None and not turns:
        return held
    coming = memory.coming.get(coin)
    if coming is None:
        coming = memory.coming[coin] = CoinMemory(coin=coin, noted_ms=now_ms)
    coming.noted_ms = now_ms
    return coming


def _protect(record: CoinMemory, stop: Decimal | None, target: Decimal | None) -> None:
    """Note where the entry's protection stands; an open position keeps its first."""
    fresh = record.number == 0
    if stop is not None and (fresh or record.stop_asked is None):
        record.stop_asked = stop
    if target is not None and (fresh or record.target_asked is None):
        record.target_asked = target


def _checked(plan: ExitPlan, rules: ExitRules) -> tuple[ExitPlan, list[str]]:
    """Take out of a plan what is no number or no rule, and say so."""
    faults: list[str] = []
    out: dict[str, object] = {}
    for name in PRICES:
        price = getattr(plan, name)
        if price is not None and _positive(price) is None:
            out[name] = None
            faults.append(f"{name} {price} is not a positive price")
    for name, (low, high) in SHARES.items():
        value = getattr(plan, name)
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            out[name] = None
            faults.append(f"{name} {value} is not a number from {low:g} to {high:g}")
    if plan.invalidation and not rules.is_on(ExitKind.STRUCTURE_INVALIDATION):
        out["invalidation"] = ""
        faults.append(
            "invalidation: not watched, this trader's exits say structure_invalidation: false"
        )
    elif plan.invalidation:
        try:
            compile_rule(plan.invalidation)
        except InvalidRule as error:
            out["invalidation"] = ""
            faults.append(f"invalidation: {error}")
    return msgspec.structs.replace(plan, **out), faults


def _merged(old: ExitPlan | None, new: ExitPlan) -> ExitPlan:
    """Let a plan replace what it sets."""
    if old is None:
        return new
    said = {
        name: value
        for name, value in msgspec.structs.asdict(new).items()
        if value is not None and value != ""
    }
    return msgspec.structs.replace(old, **said)


def _read_bar(
    record: CoinMemory, plan: ExitPlan, observation: Observation, interval_ms: int
) -> None:
    """Keep what a plan says of the last bar close.

    The close itself is the price now: plans are given at the boundary at which the bar closed.
    """
    if all(getattr(plan, name) is None for name in (*SHARES, "zone_edge")):
        return
    reading = BarReading(
        close_ms=observation.now_ms // interval_ms * interval_ms,
        close=observation.mids.get(plan.coin),
        confidence=plan.confidence,
        model_id=plan.model_id,
        structure=plan.structure,
        trend=plan.trend,
    )
    record.bars = add_reading(record.bars, reading)


def _positive(price: Decimal | None) -> Decimal | None:
    return price if price is not None and price.is_finite() and price > 0 else None

"""The form of a decision: what the guard would reject, and a venue refuse, whatever the market."""

import math
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategy_core.exits.invalidation import InvalidRule, parse_rule
from strategy_core.intents import ExitPlan
from strategy_core.port import Decision, Instruments, Needs, Observation
from strategy_core.risk.limits import RiskLimits
from strategy_core.snapshot import INTERVALS
from suite.instrument import Instrument

MAX_ACTIONS: Final = RiskLimits().max_actions


def faults_of_needs(needs: object, instruments: Instruments) -> Iterator[str]:
    """Say what is wrong with what a strategy asks for."""
    if not isinstance(needs, Needs):
        yield f"needs is a {type(needs).__name__}, not a Needs"
        return
    for coin in needs.snapshots:
        if coin not in instruments:
            yield f"needs snapshots of {coin!r}, which the venue does not trade"
    for name in needs.intervals:
        if name not in map(str, INTERVALS):
            there = ", ".join(map(str, INTERVALS))
            yield f"needs the interval {name!r}; there are {there} (minutes)"


def faults_of(
    decision: Decision, seen: Observation, symbols: Sequence[str], instruments: Instruments
) -> Iterator[tuple[str, str]]:
    """Go through a decision.

    Args:
        decision: what was decided.
        seen: what it was decided on.
        symbols: coins of the trader.
        instruments: of the venue.

    Yields:
        Name of a check and what is wrong.
    """
    if len(decision.actions) > MAX_ACTIONS:
        yield (
            "amount",
            f"wants {len(decision.actions)} actions; the guard lets {MAX_ACTIONS} through",
        )
    if decision.until_ms is not None and decision.until_ms <= seen.now_ms:
        yield "wakes", "wants to be asked again at until_ms, which is not after now_ms"
    for action in decision.actions:
        kind, coin = type(action).__name__, action.coin
        if coin not in symbols and coin not in seen.positions:
            yield "coins", f"{kind} of {coin!r}, which is none of its symbols"
        else:
            for text in _faults_of_numbers(action, instruments[coin]):
                yield "numbers", f"{kind}: {text}"
    for text in _faults_of_plans(decision.plans, {*symbols, *seen.positions}):
        yield "plans", text


def _faults_of_plans(plans: Sequence[ExitPlan], coins: Collection[str]) -> Iterator[str]:
    planned = [plan.coin for plan in plans]
    for coin in dict.fromkeys(planned):
        if planned.count(coin) > 1:
            yield f"plans {coin} {planned.count(coin)} times in one decision"
        if coin not in coins:
            yield f"plans {coin!r}, which is none of its symbols"
    for plan in plans:
        for name, least in (("confidence", 0), ("structure", -1), ("trend", -1)):
            value = getattr(plan, name)
            if value is not None and not least <= value <= 1:  # NaN neither
                yield f"{name} {value} of a plan is not from {least} to 1"
        if plan.zone_edge is not None and not plan.zone_edge.is_finite():
            yield f"zone_edge of a plan is {plan.zone_edge}"
        if plan.invalidation:
            try:
                parse_rule(plan.invalidation)
            except InvalidRule as error:
                yield f"invalidation of a plan is no rule: {error}"


def _faults_of_numbers(action: Any, instrument: Instrument) -> Iterator[str]:
    for name, value in _numbers(action):
        if not _is_finite(value):
            yield f"{name} is {value}"
        elif name == "sz":
            if value <= 0:
                yield f"size {value} is not positive"
            elif value % Decimal(1).scaleb(-instrument.sz_decimals):
                yield f"size {value} is finer than {instrument.sz_decimals} decimals"
        elif name in {"limit_px", "price", "triggerPx"}:
            yield from _faults_of_price(name, value, instrument)
        elif name == "leverage" and value < 1:
            yield f"leverage {value} is below 1"


def _faults_of_price(name: str, value: Decimal, instrument: Instrument) -> Iterator[str]:
    if name == "limit_px" and value == 0:
        return  # a market order
    try:
        valid = instrument.price_is_valid(instrument.parse_price(value))
    except ValueError:
        valid = False
    if not valid:
        digits = instrument.price_decimals
        yield (
            f"{name} {value} is no price of {instrument.coin}: positive, at most 5 significant "
            f"figures and {digits} decimals (round_price_down makes one)"
        )


def _numbers(struct: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """All numbers of an action, those of its parts too."""
    for name, value in msgspec.structs.asdict(struct).items():
        if isinstance(value, msgspec.Struct):
            yield from _numbers(value)
        elif isinstance(value, Decimal | float | int) and not isinstance(value, bool):
            yield name, value


def _is_finite(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return not isinstance(value, float) or math.isfinite(value)

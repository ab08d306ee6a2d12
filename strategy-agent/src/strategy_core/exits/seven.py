"""The seven conditions that end a position, each a pure function of the facts of one moment.

For a long; a short is its mirror image:

1. forced_liquidation: return on margin at `-loss_max`, or the mark beyond the liquidation price or
   within `liquidation_buffer` of a range before it.
2. margin_guard: maintenance over equity at `margin_usage_max`, and the account's worst position.
3. time_stop: open for `time_stop_hours`, whatever the gain (or losses only).
4. confidence_collapse: at its floor, or at `confidence_share` of what it was at the entry, at two
   consecutive bar closes of the same model.
5. structure_invalidation: structure at `-structure_level` with the trend against it, or a close
   beyond the entry's zone, or the strategy's own rule is true.
6. partial_take_profit: gain of `partial_risk` initial risks or `partial_roe`; once.
7. trailing_take_profit: the mark is back at the trailing stop.

A condition whose facts are missing or too old does not fire. There is no condition that holds on to
a losing position because a rebound is forecast: it would remove the only bound on the loss.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from strategy_core.exits.kinds import ExitKind
from strategy_core.exits.rules import ExitRules
from strategy_core.lattice import exact
from strategy_core.port import ZERO
from suite.bars import HOUR_MS
from suite.enums import Side

ACCOUNT_AGE_MAX_MS: Final = 5_000
"""An account older than this says nothing about its margin."""
OLD_AFTER_BARS: Final = 2
"""Bar readings older than this many intervals are not looked at."""
SHOWN_DIGITS: Final = 15
"""Larger numbers are written with an exponent."""
BUFFER_WITHOUT_RANGE: Final = Decimal("0.001")
"""Distance kept from the liquidation price, fraction of it, where no range is known."""


class BarFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was true at the last bar close for which the strategy spoke.

    Attributes:
        age_bars: intervals since then.
        confidence: of a win, 0 to 1; None where the strategy has none.
        confidence_before: at the bar close before it, by the same model; None where there is none.
        confidence_at_entry: when the position was opened.
        structure, trend: mirrored to the position's side, -1 to 1.
        close: USD.
        zone_edge: far edge of the zone that the entry leaned on, USD.
    """

    age_bars: float
    confidence: float | None = None
    confidence_before: float | None = None
    confidence_at_entry: float | None = None
    structure: float | None = None
    trend: float | None = None
    close: Decimal | None = None
    zone_edge: Decimal | None = None


class PositionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the seven conditions look at.

    Attributes:
        side: of the position.
        mark: USD.
        open_ms: since the first fill of the entry.
        roe: gain after funding and the fee of closing, over initial margin.
        gain_in_risks: gain of a unit over its initial risk; None where the entry had no stop.
        liquidation_price: USD; None where there is none.
        atr: average true range, USD; None when unknown.
        margin_usage: maintenance over equity of what stands behind the position; None when unknown.
        account_age_ms: of the account's state.
        gives_up: the account is being brought back under its limit, and this position is the one
            to go now: the worst, and the pause since the last one is over.
        bar: at the last bar close; None where the strategy has said nothing.
        invalidated: whether the strategy's own rule is true; None for unknown or no rule.
        partial_done: a part was taken already.
        trailing_price: trailing stop, USD; None while the stop does not trail.
    """

    side: Side
    mark: Decimal
    open_ms: int
    roe: Decimal | None = None
    gain_in_risks: Decimal | None = None
    liquidation_price: Decimal | None = None
    atr: Decimal | None = None
    margin_usage: Decimal | None = None
    account_age_ms: int = 0
    gives_up: bool = False
    bar: BarFacts | None = None
    invalidated: bool | None = None
    partial_done: bool = False
    trailing_price: Decimal | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One condition at one moment.

    Attributes:
        fires: whether it would end the position.
        values: the numbers it was judged by, as text; empty where it is off.
    """

    kind: ExitKind
    fires: bool
    values: dict[str, str]


Values = Mapping[str, object]
Judged = tuple[bool, Values]


class Evaluation(msgspec.Struct, frozen=True):
    """The conditions at one moment.

    Attributes:
        fired: the first that fires; None for none.
        facts, rules: what was judged, and by what.
    """

    fired: ExitKind | None
    facts: PositionFacts
    rules: ExitRules

    @property
    def readings(self) -> tuple[Reading, ...]:
        """All seven at that moment, whatever fired; written out only when somebody asks."""
        return tuple(_read(kind, self.facts, self.rules) for kind in ExitKind)


def evaluate(facts: PositionFacts, rules: ExitRules) -> Evaluation:
    """Judge the seven conditions in their order; the first that fires wins."""
    for kind, condition in _looked_at(rules):
        if condition(facts, rules)[0]:
            return Evaluation(kind, facts, rules)
    return Evaluation(None, facts, rules)


@lru_cache(maxsize=256)
def _looked_at(rules: ExitRules) -> tuple[tuple[ExitKind, "Condition"], ...]:
    return tuple((kind, condition) for kind, condition in CONDITIONS.items() if rules.is_on(kind))


def forced_liquidation(facts: PositionFacts, rules: ExitRules) -> Judged:
    """Whether the margin is used up, or the venue about to take the position."""
    buffered = buffered_liquidation(facts, rules)
    near = buffered is not None and facts.side * (facts.mark - buffered) <= 0
    lost = (
        rules.asked_for(ExitKind.FORCED_LIQUIDATION)
        and facts.roe is not None
        and facts.roe <= -exact(rules.loss_max)
    )
    return near or lost, {"roe": facts.roe, "mark": facts.mark, "liquidation": buffered}


def margin_guard(facts: PositionFacts, _rules: ExitRules) -> Judged:
    """Whether this position is given up for the account's sake."""
    fresh = facts.account_age_ms <= ACCOUNT_AGE_MAX_MS
    return facts.gives_up and fresh, {
        "margin_usage": facts.margin_usage,
        "account_age_ms": facts.account_age_ms,
    }


def time_stop(facts: PositionFacts, rules: ExitRules) -> Judged:
    """Whether the position has been open too long. Needs a clock, and for losses the mark."""
    due = facts.open_ms >= time_stop_ms(rules)
    losing = facts.roe is not None and facts.roe < 0
    return due and (rules.time_stop_mode == "any" or losing), {"open_ms": facts.open_ms}


def confidence_collapse(facts: PositionFacts, rules: ExitRules) -> Judged:
    """Whether the model has given the position up, at two consecutive bar closes."""
    bar = facts.bar
    if bar is None:
        return False, {}
    both = (bar.confidence, bar.confidence_before)
    fires = bar.age_bars <= OLD_AFTER_BARS and all(
        value is not None and _collapsed(value, bar.confidence_at_entry, rules) for value in both
    )
    return fires, {
        "confidence": bar.confidence,
        "before": bar.confidence_before,
        "at_entry": bar.confidence_at_entry,
    }


def structure_invalidation(facts: PositionFacts, rules: ExitRules) -> Judged:
    """Whether the idea of the entry is wrong, by the market or by the strategy's own rule."""
    bar = facts.bar
    turned = beyond = False
    if (
        rules.asked_for(ExitKind.STRUCTURE_INVALIDATION)
        and bar is not None
        and bar.age_bars <= OLD_AFTER_BARS
    ):
        turned = (
            bar.structure is not None
            and bar.trend is not None
            and bar.structure <= -rules.structure_level
            and bar.trend < 0
        )
        beyond = (
            bar.close is not None
            and bar.zone_edge is not None
            and facts.side * (bar.close - bar.zone_edge) < 0
        )
    return turned or beyond or facts.invalidated is True, {
        "structure": bar.structure if bar else None,
        "trend": bar.trend if bar else None,
        "close": bar.close if bar else None,
        "zone_edge": bar.zone_edge if bar else None,
        "invalidated": facts.invalidated,
    }


def partial_take_profit(facts: PositionFacts, rules: ExitRules) -> Judged:
    """Whether a first part of the gain is to be taken."""
    enough = (
        facts.gain_in_risks is not None and facts.gain_in_risks >= exact(rules.partial_risk)
    ) or (facts.roe is not None and facts.roe >= exact(rules.partial_roe))
    return enough and not facts.partial_done, {
        "gain_in_risks": facts.gain_in_risks,
        "roe": facts.roe,
        "done": facts.partial_done,
    }


def trailing_take_profit(facts: PositionFacts, _rules: ExitRules) -> Judged:
    """Whether the gain has come back to its trailing stop."""
    at = facts.trailing_price
    fires = at is not None and facts.side * (facts.mark - at) <= 0
    return fires, {"mark": facts.mark, "trailing_stop": at}


def trailing_begins(facts: PositionFacts, rules: ExitRules) -> bool:
    """Whether the gain is large enough for the stop to trail from now on."""
    if not rules.is_on(ExitKind.TRAILING_TAKE_PROFIT):
        return False
    by_risk = facts.gain_in_risks is not None and facts.gain_in_risks >= Decimal(
        repr(rules.trailing_risk)
    )
    by_return = (
        facts.partial_done and facts.roe is not None and facts.roe >= exact(rules.trailing_roe)
    )
    return by_risk or by_return


def buffered_liquidation(facts: PositionFacts, rules: ExitRules) -> Decimal | None:
    """Price, USD, at which a position is closed before the venue does it."""
    price = facts.liquidation_price
    if price is None:
        return None
    buffer = price * BUFFER_WITHOUT_RANGE
    if facts.atr is not None:
        buffer = exact(rules.liquidation_buffer) * facts.atr
    return price + facts.side * buffer


def time_stop_ms(rules: ExitRules) -> int:
    """How long a position may be open."""
    return round(rules.time_stop_hours * HOUR_MS)


Condition: TypeAlias = Callable[[PositionFacts, ExitRules], Judged]
CONDITIONS: Final[Mapping[ExitKind, Condition]] = {
    ExitKind.FORCED_LIQUIDATION: forced_liquidation,
    ExitKind.MARGIN_GUARD: margin_guard,
    ExitKind.TIME_STOP: time_stop,
    ExitKind.CONFIDENCE_COLLAPSE: confidence_collapse,
    ExitKind.STRUCTURE_INVALIDATION: structure_invalidation,
    ExitKind.PARTIAL_TAKE_PROFIT: partial_take_profit,
    ExitKind.TRAILING_TAKE_PROFIT: trailing_take_profit,
}
"""In their strict order."""


def _read(kind: ExitKind, facts: PositionFacts, rules: ExitRules) -> Reading:
    """Judge one condition; one that is off shows nothing and never fires."""
    if not rules.is_on(kind):
        return Reading(kind=kind, fires=False, values={})
    fires, values = CONDITIONS[kind](facts, rules)
    shown = {name: _text(value) for name, value in values.items() if value is not None}
    return Reading(kind=kind, fires=fires, values=shown)


def _collapsed(confidence: float, at_entry: float | None, rules: ExitRules) -> bool:
    """Whether a confidence is at its floor or share; in decimals, so that 0.56 is 0.8 of 0.7."""
    if confidence <= rules.confidence_floor:
        return True
    if at_entry is None:
        return False
    share = exact(rules.confidence_share) * exact(at_entry)
    return exact(confidence) <= share


def _text(value: object) -> str:
    """Write a value for the journal; decimals without superfluous digits."""
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < SHOWN_DIGITS:
        return f"{round(value, 8).normalize() + ZERO:f}"
    return str(value).lower() if isinstance(value, bool) else str(value)

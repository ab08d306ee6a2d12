"""When the exits have to be looked at again, and what they need to see then."""

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from strategy_core.exits.invalidation import Invalidation, ValueOf, Way
from strategy_core.exits.kinds import ExitKind, ExitState
from strategy_core.exits.memory import CoinMemory
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.seven import PositionFacts, buffered_liquidation, time_stop_ms
from strategy_core.exits.standing import Backing
from strategy_core.lattice import exact, unit
from suite.bars import INTERVAL_MS
from suite.contracts.clock import Interval, PriceCross, WakeOn
from suite.instrument import Instrument

TRAILING_BAR: Interval = "1m"
"""While a stop trails, the mark is looked at this often."""
FARTHEST = 10
"""A price beyond this many times the mark is not waited for: the next look is sooner."""
NOTHING = WakeOn()


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What the exits ask of the next wait.

    Attributes:
        wake_on: what shall wake the trader.
        until_ms: latest time; None for any.
        snapshots: coins whose market data they read.
        intervals: minutes of the blocks they read in them; empty for none.
    """

    wake_on: WakeOn = NOTHING
    until_ms: int | None = None
    snapshots: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()


def shortest(intervals: Sequence[Interval]) -> Interval | None:
    """Choose the shortest interval; None of none."""
    return min(intervals, key=INTERVAL_MS.__getitem__, default=None)


def cross(instrument: Instrument, way: Way, price: Decimal) -> PriceCross | None:
    """Make a price condition on the lattice; once it is met, so is the exact one.

    Returns:
        None for a price that no coin can have.
    """
    rounding = ROUND_FLOOR if way == "below" else ROUND_CEILING
    level = price.quantize(unit(instrument.price_decimals), rounding=rounding)
    if level <= 0:
        return None
    if way == "below":
        return PriceCross(coin=instrument.coin, below=level)
    return PriceCross(coin=instrument.coin, above=level)


def levels(
    held: CoinMemory, facts: PositionFacts, backing: Backing, rules: ExitRules
) -> list[Decimal]:
    """List the prices, USD, at which one of the seven could come true."""
    found = [price_of(held, facts, backing, rules) for price_of in _watched(rules)]
    return [price for price in (*found, facts.trailing_price) if price is not None]


@lru_cache(maxsize=256)
def _watched(rules: ExitRules) -> tuple["PriceOf", ...]:
    """Find what there is to be watched by a trader's rules."""
    return tuple(
        price_of
        for kind, price_of in _PRICES
        if rules.is_on(kind) and (price_of is not _of_loss or rules.asked_for(kind))
    )


def _of_liquidation(
    _held: CoinMemory, facts: PositionFacts, _backing: Backing, rules: ExitRules
) -> Decimal | None:
    return buffered_liquidation(facts, rules)


def _of_loss(
    held: CoinMemory, _facts: PositionFacts, _backing: Backing, rules: ExitRules
) -> Decimal | None:
    return _at_return(held, -rules.loss_max)


def _of_guard(
    _held: CoinMemory, _facts: PositionFacts, backing: Backing, rules: ExitRules
) -> Decimal | None:
    return backing.price_at(exact(rules.margin_usage_max))


def _of_late_gain(
    held: CoinMemory, facts: PositionFacts, _backing: Backing, rules: ExitRules
) -> Decimal | None:
    """It is late and gains: it ends once closing would cost something."""
    if facts.open_ms < time_stop_ms(rules):
        return None
    return held.entry_price * (1 + held.side * exact(rules.taker_fee))


def _of_part_by_return(
    held: CoinMemory, _facts: PositionFacts, _backing: Backing, rules: ExitRules
) -> Decimal | None:
    return None if held.partial_done else _at_return(held, rules.partial_roe)


def _of_part_by_risk(
    held: CoinMemory, _facts: PositionFacts, _backing: Backing, rules: ExitRules
) -> Decimal | None:
    return None if held.partial_done else _at_risks(held, rules.partial_risk)


def _of_trail_by_return(
    held: CoinMemory, _facts: PositionFacts, _backing: Backing, rules: ExitRules
) -> Decimal | None:
    if held.trailing or not held.partial_done:
        return None
    return _at_return(held, rules.trailing_roe)


def _of_trail_by_risk(
    held: CoinMemory, _facts: PositionFacts, _backing: Backing, rules: ExitRules
) -> Decimal | None:
    return None if held.trailing else _at_risks(held, rules.trailing_risk)


PriceOf: TypeAlias = Callable[[CoinMemory, PositionFacts, Backing, ExitRules], Decimal | None]
_PRICES: Final[tuple[tuple[ExitKind, PriceOf], ...]] = (
    (ExitKind.FORCED_LIQUIDATION, _of_liquidation),
    (ExitKind.FORCED_LIQUIDATION, _of_loss),
    (ExitKind.MARGIN_GUARD, _of_guard),
    (ExitKind.TIME_STOP, _of_late_gain),
    (ExitKind.PARTIAL_TAKE_PROFIT, _of_part_by_return),
    (ExitKind.PARTIAL_TAKE_PROFIT, _of_part_by_risk),
    (ExitKind.TRAILING_TAKE_PROFIT, _of_trail_by_return),
    (ExitKind.TRAILING_TAKE_PROFIT, _of_trail_by_risk),
)
"""What to watch for each condition that is on; a loss limit only where it was asked for."""


def _at_risks(held: CoinMemory, risks: float) -> Decimal | None:
    """Price, USD, at which a gain of so many initial risks is reached; None without a stop."""
    if held.unit_risk is None:
        return None
    return held.entry_price + held.side * exact(risks) * held.unit_risk


def _at_return(held: CoinMemory, roe: float) -> Decimal:
    """Price, USD, at which a return on margin is reached, costs left out."""
    return held.entry_price * (1 + held.side * exact(roe) / max(1, held.leverage))


def crossings(
    instrument: Instrument,
    mark: Decimal,
    prices: Sequence[Decimal],
    rule: Invalidation | None,
    value_of: ValueOf,
) -> list[PriceCross]:
    """Turn prices into conditions: whichever side of the mark they are on has to be reached.

    Args:
        instrument: of the coin.
        mark: USD.
        prices: of the seven conditions.
        rule: the strategy's own, None for none.
        value_of: looks up what the rule reads.
    """
    found: list[tuple[Way, Decimal]] = [
        ("below" if price < mark else "above", price) for price in prices if price != mark
    ]
    if rule is not None:
        found.extend(rule.crossings(value_of))
    farthest = FARTHEST * mark
    crossed = [cross(instrument, way, price) for way, price in found if 0 < price <= farthest]
    return [condition for condition in crossed if condition is not None]


def time_of(held: CoinMemory, rules: ExitRules, now_ms: int) -> int | None:
    """When the time stop of a position is due; None where it is off, or was due already."""
    if not rules.is_on(ExitKind.TIME_STOP) or held.state is ExitState.CLOSING:
        return None
    due_ms = held.opened_at_ms + time_stop_ms(rules)
    return due_ms if due_ms > now_ms else None

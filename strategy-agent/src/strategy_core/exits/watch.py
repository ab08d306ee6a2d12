"""When the exits have to be looked at again, and what they need to see then."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from strategy_core.exits.invalidation import Invalidation, ValueOf, Way
from strategy_core.exits.kinds import ExitKind, ExitState
from strategy_core.exits.memory import CoinMemory
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.seven import PositionFacts, buffered_liquidation, time_stop_ms
from strategy_core.exits.standing import Backing
from suite.bars import INTERVAL_MS
from suite.contracts.clock import Interval, PriceCross, WakeOn
from suite.instrument import Instrument

TRAILING_BAR: Interval = "1m"
"""While a stop trails, the mark is looked at this often."""
FARTHEST = 10
"""A price beyond this many times the mark is not waited for: the next look is sooner."""
NOTHING = WakeOn()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
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


def shortest(intervals: Iterator[Interval]) -> Interval | None:
    """Choose the shortest interval; None of none."""
    return min(intervals, key=INTERVAL_MS.__getitem__, default=None)


def cross(instrument: Instrument, way: Way, price: Decimal) -> PriceCross | None:
    """Make a price condition on the lattice; once it is met, so is the exact one.

    Returns:
        None for a price that no coin can have.
    """
    unit = Decimal(1).scaleb(-instrument.price_decimals)
    rounding = ROUND_FLOOR if way == "below" else ROUND_CEILING
    level = price.quantize(unit, rounding=rounding)
    if level <= 0:
        return None
    if way == "below":
        return PriceCross(coin=instrument.coin, below=level)
    return PriceCross(coin=instrument.coin, above=level)


def levels(
    held: CoinMemory, facts: PositionFacts, backing: Backing, rules: ExitRules
) -> Iterator[Decimal]:
    """List the prices, USD, at which one of the seven could come true."""
    yield from _levels_of_loss(held, facts, backing, rules)
    yield from _levels_of_gain(held, rules)
    if facts.trailing_price is not None:
        yield facts.trailing_price


def _levels_of_loss(
    held: CoinMemory, facts: PositionFacts, backing: Backing, rules: ExitRules
) -> Iterator[Decimal]:
    if rules.is_on(ExitKind.FORCED_LIQUIDATION):
        buffered = buffered_liquidation(facts, rules)
        if buffered is not None:
            yield buffered
    if rules.asked_for(ExitKind.FORCED_LIQUIDATION):
        yield _at_return(held, -rules.loss_max)
    if rules.is_on(ExitKind.MARGIN_GUARD):
        guarded = backing.price_at(Decimal(repr(rules.margin_usage_max)))
        if guarded is not None:
            yield guarded
    if rules.is_on(ExitKind.TIME_STOP) and facts.open_ms >= time_stop_ms(rules):
        # it is late and gains: it ends once closing would cost something
        yield held.entry_price * (1 + held.side * Decimal(repr(rules.taker_fee)))


def _levels_of_gain(held: CoinMemory, rules: ExitRules) -> Iterator[Decimal]:
    if rules.is_on(ExitKind.PARTIAL_TAKE_PROFIT) and not held.partial_done:
        yield _at_return(held, rules.partial_roe)
        if held.unit_risk is not None:
            yield held.entry_price + held.side * Decimal(repr(rules.partial_risk)) * held.unit_risk
    if rules.is_on(ExitKind.TRAILING_TAKE_PROFIT) and not held.trailing:
        if held.partial_done:
            yield _at_return(held, rules.trailing_roe)
        if held.unit_risk is not None:
            yield held.entry_price + held.side * Decimal(repr(rules.trailing_risk)) * held.unit_risk


def _at_return(held: CoinMemory, roe: float) -> Decimal:
    """Price, USD, at which a return on margin is reached, costs left out."""
    return held.entry_price * (1 + held.side * Decimal(repr(roe)) / max(1, held.leverage))


def crossings(
    instrument: Instrument,
    mark: Decimal,
    prices: Iterator[Decimal],
    rule: Invalidation | None,
    value_of: ValueOf,
) -> Iterator[PriceCross]:
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
    for way, price in found:
        if 0 < price <= FARTHEST * mark and (condition := cross(instrument, way, price)):
            yield condition


def time_of(held: CoinMemory, rules: ExitRules, now_ms: int) -> int | None:
    """When the time stop of a position is due; None where it is off, or was due already."""
    if not rules.is_on(ExitKind.TIME_STOP) or held.state is ExitState.CLOSING:
        return None
    due_ms = held.opened_at_ms + time_stop_ms(rules)
    return due_ms if due_ms > now_ms else None

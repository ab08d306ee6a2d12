"""From what is remembered and what is seen to the facts that the seven conditions look at."""

from decimal import Decimal
from typing import Final, NamedTuple

from strategy_core.exits.invalidation import Invalidation, ValueOf
from strategy_core.exits.memory import BarReading, CoinMemory
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.seven import BarFacts, PositionFacts
from strategy_core.exits.standing import Backing
from strategy_core.lattice import exact

CONSECUTIVE_BARS: Final = 2
"""Two readings farther apart than this many intervals are not those of consecutive closes."""


class Sight(NamedTuple):
    """One open position as it is seen now.

    Attributes:
        held: what is remembered of it.
        backing: what stands behind it.
        facts: made of both.
        rule: the strategy's own, where it is watched.
        value_of: looks up what the rule reads.
    """

    held: CoinMemory
    backing: Backing
    facts: PositionFacts
    rule: Invalidation | None
    value_of: ValueOf


def position_facts(
    held: CoinMemory,
    backing: Backing,
    rules: ExitRules,
    *,
    now_ms: int,
    interval_ms: int,
    account_age_ms: int,
    atr: Decimal | None,
    invalidated: bool | None,
) -> PositionFacts:
    """Put the facts of one position together.

    Args:
        held: what is remembered of it.
        backing: what stands behind it.
        rules: of the trader; the fee of closing is theirs.
        now_ms: the time.
        interval_ms: of the trader's bars.
        account_age_ms: of the account's state.
        atr: average true range, USD; None when unknown.
        invalidated: what the strategy's own rule says.
    """
    gain = held.side * (backing.mark - held.entry_price)
    return PositionFacts(
        side=held.direction,
        mark=backing.mark,
        open_ms=now_ms - held.opened_at_ms,
        roe=return_on_margin(held, backing, rules),
        gain_in_risks=gain / held.unit_risk if held.unit_risk is not None else None,
        liquidation_price=backing.liquidation,
        atr=atr,
        margin_usage=backing.usage,
        account_age_ms=account_age_ms,
        bar=bar_facts(held, now_ms, interval_ms),
        invalidated=invalidated,
        partial_done=held.partial_done,
    )


def return_on_margin(held: CoinMemory, backing: Backing, rules: ExitRules) -> Decimal | None:
    """Gain less funding and the fee of closing, over the initial margin of what is open.

    `(s * (mark - entry) * q - funding - fee * mark * q) / (entry * q / leverage)`
    """
    margin = held.margin
    if not margin:
        return None
    gain = held.side * (backing.mark - held.entry_price) * held.size
    fee = exact(rules.taker_fee) * backing.mark * held.size
    return (gain - backing.funding - fee) / margin


def bar_facts(held: CoinMemory, now_ms: int, interval_ms: int) -> BarFacts | None:
    """What the strategy said at the last bar close; None where it said nothing."""
    if not held.bars:
        return None
    last = held.bars[-1]
    return BarFacts(
        age_bars=(now_ms - last.close_ms) / interval_ms,
        confidence=last.confidence,
        confidence_before=_confidence_before(held.bars, interval_ms),
        confidence_at_entry=held.confidence_at_entry,
        structure=last.structure,
        trend=last.trend,
        close=last.close,
        zone_edge=held.plan.zone_edge if held.plan else None,
    )


def add_reading(bars: list[BarReading], reading: BarReading) -> list[BarReading]:
    """Keep the last two bar closes; the later word on the same close counts."""
    earlier = [bar for bar in bars if bar.close_ms < reading.close_ms]
    return [*earlier[-1:], reading]


def _confidence_before(bars: list[BarReading], interval_ms: int) -> float | None:
    """Confidence at the close before the last, if the same model spoke at both."""
    before, last = (bars[0], bars[-1]) if len(bars) > 1 else (None, bars[-1])
    if before is None or before.model_id != last.model_id:
        return None
    apart = last.close_ms - before.close_ms
    return before.confidence if apart <= CONSECUTIVE_BARS * interval_ms else None

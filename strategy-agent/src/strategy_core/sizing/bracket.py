"""Stop loss and take profit of an entry, and how the stop moves while the position is open.

At the entry, for a long (a short is its mirror image):

1. volatility stop: `entry - stop_atr * a`, `a` the average true range.
2. structure stop (switch): a quarter of `a` below the last swing low, where its distance is within
   0.5 to 1.5 of the first one.
3. The farther of the two; its distance `d` is then clamped to
   `[max(0.2 %, 4 * (f_t + slip)), 5 %]` of the entry.
4. target: `entry + reward_risk * d`. Pull-in (switch): where an opposing swing or block lies
   between 0.6 and 1.0 of that way, a quarter of `a` before it, but never nearer than 0.6 of `d`.
5. Skipped unless the target's distance is above `3 * (2 * f_t + slip)`.
6. Liquidation lies at least one more `d` beyond the stop, else the leverage is lowered; a stop is
   never widened.
7. A stop is rounded towards the entry, and so is a target: rounding never adds risk.

Later the stop moves in the position's favor or not at all.

One function serves training labels, backtests and live trading, so all three mean the same trade.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from strategy_core.lattice import round_price
from strategy_core.port import ZERO
from strategy_core.sizing.reasons import SkipReason
from strategy_core.sizing.stop_distance import Costs
from suite.enums import Side
from suite.instrument import Instrument

BUFFER: Final = Decimal("0.25")
"""Distance kept from a swing or block, in average true ranges."""
STRUCTURE_NEAR: Final = Decimal("0.5")
STRUCTURE_FAR: Final = Decimal("1.5")
"""A structure stop counts between these multiples of the volatility stop's distance."""
PULL_FROM: Final = Decimal("0.6")
"""Share of the way to the target from which on an obstacle pulls it in."""
STOP_COSTS: Final = 4
TARGET_COSTS: Final = 3
"""Least distance of a stop in `f_t + slip`, of a target in `2 * f_t + slip`."""
TRAIL_RANGES: Final = 2
TRAIL_RISK: Final = Decimal("0.5")
"""A trailing stop keeps the larger of two ranges and half the initial risk of a unit."""


class BracketRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where stop and target stand.

    Attributes:
        stop_atr: volatility stop in average true ranges; 6 suits 1m bars, 3 suits 5m.
        reward_risk: distance of the target over that of the stop.
        reward_risk_min: nearest that a pulled-in target may come.
        distance_min, distance_max: of the stop, fractions of the entry.
        structure_stop, pull_in: steps 2 and 4 of the module's list.
    """

    stop_atr: Annotated[float, msgspec.Meta(ge=0.5, le=20)] = 6.0
    reward_risk: Annotated[float, msgspec.Meta(ge=0.5, le=3)] = 1.0
    reward_risk_min: Annotated[float, msgspec.Meta(ge=0.5, le=3)] = 0.6
    distance_min: Annotated[float, msgspec.Meta(ge=0.002, le=0.05)] = 0.002
    distance_max: Annotated[float, msgspec.Meta(ge=0.002, le=0.05)] = 0.05
    structure_stop: bool = False
    pull_in: bool = False

    def __post_init__(self) -> None:
        if self.distance_min > self.distance_max:
            raise ValueError(
                f"distance_min ({self.distance_min}) must not exceed"
                f" distance_max ({self.distance_max})"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketState:
    """What the market looks like at the entry.

    Attributes:
        atr: average true range of the trading interval, USD; None when unknown.
        costs: of a taker.
        maintenance_rate: of the venue's tier, fraction of the notional.
        support: swing or edge of the block that the entry leans on, USD: a low for a long, a high
            for a short; None when there is none.
        opposing: swings and blocks in the way of the target, USD.
    """

    atr: Decimal | None
    costs: Costs
    maintenance_rate: Decimal
    support: Decimal | None = None
    opposing: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Stop and target of an entry, on the lattice of prices.

    Attributes:
        stop, target: USD; 0 when skipped.
        distance: of the stop, fraction of the entry.
        leverage_max: largest whole leverage with liquidation one more distance beyond the stop.
        skip: why there is no trade, None when there is one.
    """

    stop: Decimal = ZERO
    target: Decimal = ZERO
    distance: Decimal = ZERO
    leverage_max: int = 1
    skip: SkipReason | None = None


def plan_bracket(
    state: BracketState,
    side: Side,
    entry: Decimal,
    *,
    rules: BracketRules,
    instrument: Instrument,
) -> Bracket:
    """Place stop and target of an entry; the module says how.

    Args:
        state: of the market, now.
        side: of the entry.
        entry: expected price, USD.
        rules: of the trader.
        instrument: lattice of the coin.
    """
    if not (entry.is_finite() and entry > 0):
        return Bracket(skip=SkipReason.NO_PRICE)
    if state.atr is None or not (state.atr.is_finite() and state.atr > 0):
        return Bracket(skip=SkipReason.NO_RANGE)
    fraction = _clamped(_stop_distance(state, side, entry, rules) / entry, state.costs, rules)
    away = fraction * entry
    ahead = _target_distance(state, side, entry, away, rules)
    stop = _towards(entry - side * away, entry, instrument)
    target = _towards(entry + side * ahead, entry, instrument)
    if side * (entry - stop) <= 0 or side * (target - entry) <= 0:
        return Bracket(skip=SkipReason.BELOW_TICK)
    if side * (target - entry) <= TARGET_COSTS * state.costs.round_trip * entry:
        return Bracket(skip=SkipReason.TARGET_BELOW_COST)
    distance = side * (entry - stop) / entry
    return Bracket(
        stop=stop,
        target=target,
        distance=distance,
        leverage_max=leverage_beyond_stop(distance, state.maintenance_rate),
    )


def leverage_beyond_stop(distance: Decimal, maintenance_rate: Decimal) -> int:
    """Largest whole leverage with liquidation at least two stop distances from the entry.

    An isolated short is liquidated at `entry * (1 + 1/L) / (1 + mmr)`, nearer than a long; solved
    for a distance of `2 * d`: `1 / L = 2 * d * (1 + mmr) + mmr`. Used for both sides.

    Args:
        distance: of the stop, fraction of the entry.
        maintenance_rate: of the venue's tier, fraction of the notional.

    Returns:
        At least 1.

    Source: venue documentation, "Liquidations", read 2026-11.
    """
    return max(1, math.floor(1 / (2 * distance * (1 + maintenance_rate) + maintenance_rate)))


def break_even_stop(side: Side, entry: Decimal, costs: Costs) -> Decimal:
    """Price at which a position closes without loss after costs: `entry + s*(2*f_t+slip)*entry`."""
    return entry + side * costs.round_trip * entry


def trailing_stop(
    side: Side, high_water: Decimal, *, atr: Decimal | None, unit_risk: Decimal | None
) -> Decimal | None:
    """Stop behind the best mark since the entry: `best - s * max(2 * a, 0.5 * R / qty)`.

    Args:
        side: of the position.
        high_water: best mark since the entry, USD.
        atr: average true range now, USD; None when unknown.
        unit_risk: initial risk of one unit of the coin (R / qty), USD; None when unknown.

    Returns:
        USD; None when neither distance is known.
    """
    distances = [
        distance
        for distance in (
            TRAIL_RANGES * atr if atr is not None else None,
            TRAIL_RISK * unit_risk if unit_risk is not None else None,
        )
        if distance is not None and distance > 0
    ]
    return high_water - side * max(distances) if distances else None


def structure_stop(side: Side, swing: Decimal, atr: Decimal) -> Decimal:
    """Stop a quarter of a range behind a confirmed swing: `swing - s * 0.25 * a`, USD."""
    return swing - side * BUFFER * atr


def tighter(side: Side, old: Decimal | None, new: Decimal | None) -> Decimal | None:
    """Whichever stop is nearer in the position's favor; an unknown one loses to any other."""
    if old is None or new is None:
        return new if old is None else old
    return new if side * (new - old) > 0 else old


def _stop_distance(state: BracketState, side: Side, entry: Decimal, rules: BracketRules) -> Decimal:
    """Steps 1 to 3 before the clamp: distance of the stop, USD."""
    atr = state.atr or ZERO
    volatile = Decimal(repr(rules.stop_atr)) * atr
    if not rules.structure_stop or state.support is None:
        return volatile
    structural = side * (entry - structure_stop(side, state.support, atr))
    near, far = STRUCTURE_NEAR * volatile, STRUCTURE_FAR * volatile
    return max(volatile, structural) if near <= structural <= far else volatile


def _clamped(fraction: Decimal, costs: Costs, rules: BracketRules) -> Decimal:
    """Bring a stop's distance into its bounds; the nearer one yields to the farther."""
    least = max(Decimal(repr(rules.distance_min)), STOP_COSTS * (costs.taker_fee + costs.slippage))
    return min(max(fraction, least), Decimal(repr(rules.distance_max)))


def _target_distance(
    state: BracketState, side: Side, entry: Decimal, away: Decimal, rules: BracketRules
) -> Decimal:
    """Step 4: distance of the target, USD."""
    ahead = Decimal(repr(rules.reward_risk)) * away
    if not rules.pull_in:
        return ahead
    distances = (side * (price - entry) for price in state.opposing)
    in_the_way = [at for at in distances if PULL_FROM * ahead <= at <= ahead]
    if not in_the_way:
        return ahead
    pulled = min(in_the_way) - BUFFER * (state.atr or ZERO)
    return min(ahead, max(pulled, Decimal(repr(rules.reward_risk_min)) * away))


def _towards(price: Decimal, entry: Decimal, instrument: Instrument) -> Decimal:
    """Round a price towards the entry."""
    return round_price(instrument, price, up=price < entry)

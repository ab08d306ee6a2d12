"""The final size: the least of what confidence, risk, liquidity and the venue allow.

    q_kelly = margin * leverage / price
    q_risk  = risk_fraction * equity / (price * (d + 2 * f_t + slip))
    q_liq   = 20 * 0.05 * V1m
    q_venue = largest order or position of the venue
    q       = floor to the lattice of the least; skipped below the venue's least notional

`d` is the stop's distance as a fraction of the entry, `f_t` the taker fee, `slip` the slippage of
the exit, `V1m` the mean volume of a minute. A size is never raised to reach a minimum.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from strategy_core.lattice import round_size_down
from strategy_core.port import ZERO
from strategy_core.sizing.reasons import SkipReason
from strategy_core.sizing.targets import MIN_NOTIONAL
from suite.instrument import Instrument

SLICES_MAX: Final = 20
SLICE_SHARE: Final = Decimal("0.05")
"""A trade is worked in at most so many slices, each at most this share of a minute's volume."""
RISK_FRACTION_MAX: Final = 0.02
HEAT_MAX: Final = 0.03
"""Shares of equity that no configuration exceeds."""

Bound = Literal["kelly", "risk", "liquidity", "venue"]


class RiskSizing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stops may cost.

    Attributes:
        risk_fraction: of equity lost when the stop of one trade is hit, costs included.
        heat: of equity lost when all stops are hit together.
    """

    risk_fraction: Annotated[float, msgspec.Meta(gt=0, le=RISK_FRACTION_MAX)] = 0.005
    heat: Annotated[float, msgspec.Meta(gt=0, le=HEAT_MAX)] = HEAT_MAX


class Costs(NamedTuple):
    """What trading costs, as fractions of the notional.

    Attributes:
        taker_fee: of one side.
        slippage: of one exit at market.
    """

    taker_fee: Decimal
    slippage: Decimal

    @property
    def round_trip(self) -> Decimal:
        """Two taker fees and one slippage."""
        return 2 * self.taker_fee + self.slippage


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """What the market and the venue take.

    Attributes:
        minute_volume: mean volume of a minute over 60 bars, units of the coin; None when unknown,
            and then it limits nothing.
        venue_max: largest size of the venue, units of the coin; None where it has none.
    """

    minute_volume: Decimal | None = None
    venue_max: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePlan:
    """The size of a trade, and all that limited it.

    Attributes:
        size: units of the coin, on the lattice, positive; 0 when skipped.
        limits: the size that each limit alone would allow; unlimited ones are absent.
        bound: the limit that was least.
        skip: why nothing is traded, None when something is.
    """

    size: Decimal
    limits: dict[Bound, Decimal]
    bound: Bound | None
    skip: SkipReason | None = None


def loss_per_unit(price: Decimal, stop_distance: Decimal, costs: Costs) -> Decimal:
    """Loss of one unit of the coin at its stop, USD, costs included."""
    return price * (stop_distance + costs.round_trip)


def plan_size(
    instrument: Instrument,
    *,
    price: Decimal,
    notional: Decimal,
    equity: Decimal,
    stop_distance: Decimal,
    costs: Costs,
    liquidity: Liquidity,
    rules: RiskSizing,
) -> SizePlan:
    """Decide the size of a trade; the module says how.

    Args:
        instrument: lattice of the coin.
        price: of the entry, USD.
        notional: margin times leverage, USD.
        equity: account value, USD.
        stop_distance: fraction of the entry, positive.
        costs: of a taker.
        liquidity: of market and venue.
        rules: of the trader.

    Returns:
        A size at most each of the four limits, whose loss at the stop is at most
        `risk_fraction * equity`; or why there is none.
    """
    if not (price.is_finite() and price > 0):
        return SizePlan(size=ZERO, limits={}, bound=None, skip=SkipReason.NO_PRICE)
    if not (stop_distance.is_finite() and stop_distance > 0):
        return SizePlan(size=ZERO, limits={}, bound=None, skip=SkipReason.NO_RANGE)
    risked = Decimal(repr(rules.risk_fraction)) * max(ZERO, equity)
    limits: dict[Bound, Decimal] = {
        "kelly": max(ZERO, notional) / price,
        "risk": risked / loss_per_unit(price, stop_distance, costs),
    }
    if liquidity.minute_volume is not None:
        limits["liquidity"] = SLICES_MAX * SLICE_SHARE * max(ZERO, liquidity.minute_volume)
    if liquidity.venue_max is not None:
        limits["venue"] = max(ZERO, liquidity.venue_max)
    bound = min(limits, key=lambda name: limits[name])
    size = round_size_down(instrument, limits[bound])
    if not size or size * price < MIN_NOTIONAL:
        return SizePlan(size=ZERO, limits=limits, bound=bound, skip=SkipReason.BELOW_MIN_NOTIONAL)
    return SizePlan(size=size, limits=limits, bound=bound)


class OpenRisk(NamedTuple):
    """What one open position still risks.

    Attributes:
        size: signed units of the coin.
        entry: average entry price, USD.
        stop: price of its stop, USD; None where it has none.
    """

    size: Decimal
    entry: Decimal
    stop: Decimal | None


def remaining_risk(position: OpenRisk) -> Decimal:
    """Loss against the entry if the stop is hit, USD, not below 0.

    A stop at break-even or better risks nothing; without one the whole notional is at risk.
    """
    if position.stop is None:
        return abs(position.size) * position.entry
    return max(ZERO, position.size * (position.entry - position.stop))


def portfolio_heat(positions: Iterable[OpenRisk]) -> Decimal:
    """Loss if every stop is hit, USD. Opposite directions are not netted: both can lose."""
    return sum(map(remaining_risk, positions), ZERO)


def heat_allows(
    positions: Iterable[OpenRisk], new_risk: Decimal, *, equity: Decimal, rules: RiskSizing
) -> bool:
    """Whether a further trade keeps the heat within `heat * equity`.

    Args:
        positions: open ones.
        new_risk: what the trade would lose at its stop, USD.
        equity: account value, USD.
        rules: of the trader.
    """
    return portfolio_heat(positions) + new_risk <= Decimal(repr(rules.heat)) * max(ZERO, equity)

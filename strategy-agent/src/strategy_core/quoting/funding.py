"""What funding is worth to a maker: where it leans, what it wants to hold, when it gets out.

Rates are fractions of notional, positive where longs pay shorts; those by the hour are comparable
between venues, whatever their interval.
"""

from dataclasses import dataclass
from decimal import Decimal

from strategy_core.port import ZERO
from strategy_core.quoting.prices import TWO, clip

LEAN_MOST = Decimal("0.8")
"""Of a half-spread: the quotes always stand on both sides of the mid."""
TARGET_MOST = Decimal("0.5")
"""Of the largest inventory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingTerms:
    """How funding moves a maker.

    Attributes:
        kappa: how much of the expected funding goes into the quotes.
        horizon_hours: how long a fill is expected to be held.
        reference_hourly: rate at which half of the largest inventory is wanted twice over.
        stress_hourly: rate beyond which nothing is quoted.
        maker_fee, taker_fee, slippage: costs of a fill, a side.
        stamp_window_ms: how long before a stamp it is decided what is held over it.
    """

    kappa: Decimal
    horizon_hours: Decimal
    reference_hourly: Decimal
    stress_hourly: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    slippage: Decimal
    stamp_window_ms: int


def lean_of(rate_hourly: Decimal, terms: FundingTerms, *, half: Decimal) -> Decimal:
    """How far both quotes move: down where longs pay, so that sells come first.

    Args:
        rate_hourly: expected.
        terms: of the maker.
        half: half-spread, a fraction.

    Returns:
        `clip(-kappa * rate * hours, -0.8 * half, 0.8 * half)`, a fraction of the mid.
    """
    most = LEAN_MOST * half
    return clip(-terms.kappa * rate_hourly * terms.horizon_hours, -most, most)


def target_of(rate_hourly: Decimal, terms: FundingTerms, *, limit: Decimal) -> Decimal:
    """Inventory that is paid: `-sign(rate) * min(0.5, |rate| / reference) * limit`.

    Args:
        rate_hourly: expected.
        terms: of the maker.
        limit: largest inventory, units of the coin.
    """
    share = clip(rate_hourly / terms.reference_hourly, -TARGET_MOST, TARGET_MOST)
    return -share * limit


def pays_to_hold(rate: Decimal, terms: FundingTerms) -> bool:
    """Whether funding of a whole interval is more than a maker's round trip costs."""
    return abs(rate) > TWO * terms.maker_fee + TWO * terms.slippage


def pays_to_leave(size: Decimal, rate: Decimal, terms: FundingTerms) -> bool:
    """Whether a position pays more at the coming stamp than crossing the spread now costs."""
    return size * rate > ZERO and abs(rate) > terms.taker_fee + terms.slippage

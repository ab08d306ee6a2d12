"""How a world's market behaves: fees and the models of spread, slippage, fills and funding."""

from dataclasses import dataclass
from enum import StrEnum

from suite.fixed import Rate


class LimitFill(StrEnum):
    """When a bar fills a resting limit order."""

    THROUGH = "through"
    """The bar must trade a price unit's tick beyond the limit, since the queue is unknown."""
    TOUCH = "touch"
    """Reaching the limit is enough."""


class BarPath(StrEnum):
    """In which order a bar's extremes are assumed to come."""

    PESSIMISTIC = "pessimistic"
    """For each account the order that is worse for it."""
    OHLC = "ohlc"
    OLHC = "olhc"


class FillAt(StrEnum):
    """Around which print the book of a bar boundary is built."""

    OPEN = "open"
    """The opening print of the bar that starts now."""
    CLOSE = "close"
    """The close of the bar that ended now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Parameters of a world; the defaults are the suite's.

    Attributes:
        taker_fee, maker_fee: rates in 10^-9 of notional.
        half_spread: rate in 10^-9; never less than half a tick when positive.
        slippage: taker slippage, rate in 10^-9.
        participation: highest share of a bar's volume that one account's maker fills may be, rate
            in 10^-9; 0 is no cap.
        funding_rate: hourly rate in 10^-9 for symbols without recorded funding.
        min_notional_usd: smallest opening order, micro-USD.
    """

    taker_fee: Rate = Rate(450_000)
    maker_fee: Rate = Rate(150_000)
    half_spread: Rate = Rate(50_000)
    slippage: Rate = Rate(100_000)
    participation: Rate = Rate(100_000_000)
    funding_rate: Rate = Rate(12_500)
    min_notional_usd: int = 10_000_000
    limit_fill: LimitFill = LimitFill.THROUGH
    bar_path: BarPath = BarPath.PESSIMISTIC
    fill_at: FillAt = FillAt.OPEN


PLAIN = Rules(
    half_spread=Rate(0), slippage=Rate(0), participation=Rate(0), limit_fill=LimitFill.TOUCH
)
"""Profile for comparison with other engines: no spread, slippage or caps, touch fills."""

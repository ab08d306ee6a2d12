"""How a world's market behaves: fees and the models of spread, slippage, fills and funding."""

from dataclasses import dataclass
from enum import StrEnum

from suite.fixed import Rate, Usd


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
    RECORDED = "recorded"
    """Through the finer bars or trades of the tape, each of them pessimistic."""


class FillAt(StrEnum):
    """Around which print the book of a bar boundary is built."""

    OPEN = "open"
    """The opening print of the bar that starts now."""
    CLOSE = "close"
    """The close of the bar that ended now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTier:
    """Fees from a traded notional of 14 days upward.

    Attributes:
        volume_usd: lower bound of the notional, micro-USD.
        taker, maker: rates in 10^-9; negative is a rebate.
    """

    volume_usd: Usd
    taker: Rate
    maker: Rate


def _tier(millions: int, taker: int, maker: int) -> FeeTier:
    return FeeTier(volume_usd=Usd(millions * 10**12), taker=Rate(taker), maker=Rate(maker))


HYPERLIQUID_FEES = (
    _tier(0, 450_000, 150_000),
    _tier(5, 400_000, 120_000),
    _tier(25, 350_000, 80_000),
    _tier(100, 300_000, 40_000),
    _tier(500, 280_000, 0),
    _tier(2_000, 260_000, 0),
    _tier(7_000, 240_000, 0),
)
"""Source: venue documentation, "Fees", perpetuals, read 2026-11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Parameters of a world; the defaults are the suite's.

    Attributes:
        taker_fee, maker_fee: rates in 10^-9 of notional; a negative one is a rebate.
        fee_tiers: by rising volume, the first at 0; when given they replace the two rates.
        half_spread: rate in 10^-9; never less than half a tick when positive.
        slippage: taker slippage, rate in 10^-9.
        impact: taker slippage of an order as large as its bar's volume, rate in 10^-9; smaller ones
            in proportion.
        participation: highest share of a bar's volume that one account's maker fills may be, rate
            in 10^-9; 0 is no cap.
        funding_rate: hourly rate in 10^-9 for symbols without recorded funding.
        min_notional_usd: smallest opening order, micro-USD.
        partial_liquidation_usd: notional above which a liquidation first sells a fifth, micro-USD.
        decision_latency_ms: how long an action on orders is on its way.
    """

    taker_fee: Rate = Rate(450_000)
    maker_fee: Rate = Rate(150_000)
    fee_tiers: tuple[FeeTier, ...] = ()
    half_spread: Rate = Rate(50_000)
    slippage: Rate = Rate(100_000)
    impact: Rate = Rate(0)
    participation: Rate = Rate(100_000_000)
    funding_rate: Rate = Rate(12_500)
    min_notional_usd: Usd = Usd(10_000_000)
    partial_liquidation_usd: Usd = Usd(100_000_000_000)
    decision_latency_ms: int = 0
    limit_fill: LimitFill = LimitFill.THROUGH
    bar_path: BarPath = BarPath.PESSIMISTIC
    fill_at: FillAt = FillAt.OPEN


PLAIN = Rules(
    half_spread=Rate(0), slippage=Rate(0), participation=Rate(0), limit_fill=LimitFill.TOUCH
)
"""Profile for comparison with other engines: no spread, slippage or caps, touch fills."""

"""Words of a table that change the rules of its world."""

from collections.abc import Callable

from perp_engine.rules import BarPath, FeeTier, FillAt, LimitFill
from suite.fixed import Rate, Usd, parse_fixed
from suite.ids import Oid
from suite.instrument import default_instrument

BTC = default_instrument("BTC", 1)
MINUTE = 60_000
NOBODYS = Oid((1 << 25) + 1)
NO_BAR = [0, 0, 0, 0, -1]


def rate(word: str) -> Rate:
    return Rate(parse_fixed(word, 9))


def money(word: str) -> Usd:
    return Usd(parse_fixed(word, 6))


def fee_tiers(word: str) -> tuple[FeeTier, ...]:
    """`0:0.00045/0.00015,5000000:0.0004/0.00012`: from a volume upward, taker and maker."""
    tiers = [tier.replace("/", ":").split(":") for tier in word.split(",")]
    return tuple(
        FeeTier(volume_usd=money(volume), taker=rate(taker), maker=rate(maker))
        for volume, taker, maker in tiers
    )


OPTIONS: dict[str, tuple[str, Callable[[str], object]]] = {
    "taker": ("taker_fee", rate),
    "maker": ("maker_fee", rate),
    "tiers": ("fee_tiers", fee_tiers),
    "spread": ("half_spread", rate),
    "slippage": ("slippage", rate),
    "impact": ("impact", rate),
    "participation": ("participation", rate),
    "funding": ("funding_rate", rate),
    "minimum": ("min_notional_usd", money),
    "partial": ("partial_liquidation_usd", money),
    "latency": ("decision_latency_ms", int),
    "limits": ("limit_fill", LimitFill),
    "path": ("bar_path", BarPath),
    "fill_at": ("fill_at", FillAt),
}
"""Words behind a profile of `rules`."""

"""A world's market model: read from a request, and written down for the report."""

from decimal import Decimal
from typing import Any

from perp_engine.rules import (
    HYPERLIQUID_FEES,
    PLAIN,
    BarPath,
    FeeTier,
    FillAt,
    LimitFill,
    Rules,
)
from suite.contracts.world import Fees, MarketModel
from suite.errors import BadRequest
from suite.fixed import (
    RATE_DECIMALS,
    RATE_ONE,
    USD_DECIMALS,
    Rate,
    Usd,
    format_fixed,
    parse_fixed,
)

_HIGHEST_VOLUME = Usd(10**17)
_DEAREST = RATE_ONE // 10
"""A spread or slippage beyond it is a number in another unit."""


def rules_of(model: MarketModel) -> Rules:
    """Read a market model.

    Raises:
        BadRequest: a fraction is out of its range or finer than 10^-9, the fee tiers are no table,
            or a mark is asked for that is not modelled.
    """
    if model.mark != "trade":
        raise BadRequest(
            f"mark {model.mark} is not modelled: the mark follows the trade path (mark: trade)"
        )
    base = PLAIN if model.profile == "plain" else Rules()
    return Rules(
        taker_fee=_fee("fees.taker", model.fees.taker, base.taker_fee),
        maker_fee=_fee("fees.maker", model.fees.maker, base.maker_fee),
        fee_tiers=_tiers(model.fees),
        half_spread=_rate("spread", model.spread, base.half_spread, highest=_DEAREST),
        slippage=_rate("slippage", model.slippage, base.slippage, highest=_DEAREST),
        impact=_rate("impact", model.impact, base.impact),
        participation=_rate("participation", model.participation, base.participation),
        funding_rate=_rate("funding", model.funding, base.funding_rate),
        min_notional_usd=base.min_notional_usd,
        limit_fill=LimitFill(model.limit_fill or base.limit_fill),
        bar_path=BarPath(model.bar_path or base.bar_path),
        fill_at=FillAt(model.fill_at or base.fill_at),
        decision_latency_ms=model.latency,
    )


def described_rules(rules: Rules) -> dict[str, Any]:
    """Write every parameter of a market model as JSON values: money and rates as decimals.

    Flat fees are None where tiers are in their place.
    """
    tiered = bool(rules.fee_tiers)
    return {
        "taker_fee": None if tiered else _fraction(rules.taker_fee),
        "maker_fee": None if tiered else _fraction(rules.maker_fee),
        "fee_tiers": [
            {
                "volume_usd": format_fixed(tier.volume_usd, USD_DECIMALS),
                "taker": _fraction(tier.taker),
                "maker": _fraction(tier.maker),
            }
            for tier in rules.fee_tiers
        ],
        "half_spread": _fraction(rules.half_spread),
        "slippage": _fraction(rules.slippage),
        "impact": _fraction(rules.impact),
        "participation": _fraction(rules.participation),
        "funding_rate": _fraction(rules.funding_rate),
        "min_notional_usd": format_fixed(rules.min_notional_usd, USD_DECIMALS),
        "partial_liquidation_usd": format_fixed(rules.partial_liquidation_usd, USD_DECIMALS),
        "latency_ms": rules.decision_latency_ms,
        "limit_fill": str(rules.limit_fill),
        "bar_path": str(rules.bar_path),
        "fill_at": str(rules.fill_at),
    }


def _fraction(rate: int) -> str:
    return format_fixed(rate, RATE_DECIMALS)


def _tiers(fees: Fees) -> tuple[FeeTier, ...]:
    """Read fee tiers; none where the fees are flat."""
    if fees.tiers is None:
        return ()
    if fees.taker is not None or fees.maker is not None:
        raise BadRequest("fees: give either tiers, or taker and maker")
    if fees.tiers == "hyperliquid":
        return HYPERLIQUID_FEES
    tiers = tuple(
        FeeTier(
            volume_usd=_volume(f"fees.tiers[{index}].volume", tier.volume),
            taker=_fee(f"fees.tiers[{index}].taker", tier.taker),
            maker=_fee(f"fees.tiers[{index}].maker", tier.maker),
        )
        for index, tier in enumerate(fees.tiers)
    )
    volumes = [tier.volume_usd for tier in tiers]
    if volumes[0] != 0 or volumes != sorted(set(volumes)):
        raise BadRequest("fees.tiers: volumes must rise, and the first must be 0")
    return tiers


def _volume(name: str, value: Decimal) -> Usd:
    try:
        volume = parse_fixed(value, USD_DECIMALS)
    except ValueError as error:
        raise BadRequest(f"{name}: {error}") from None
    if not 0 <= volume <= _HIGHEST_VOLUME:
        raise BadRequest(f"{name}: must be between 0 and 1e11 USD")
    return Usd(volume)


def _fee(name: str, value: Decimal | None, default: Rate = Rate(0)) -> Rate:
    """Read a fee; a negative one is a rebate."""
    return _rate(name, value, default, lowest=1 - RATE_ONE, highest=RATE_ONE - 1)


def _rate(
    name: str, value: Decimal | None, default: Rate, *, lowest: int = 0, highest: int = RATE_ONE
) -> Rate:
    """Read a fraction; its bounds are in 10^-9."""
    if value is None:
        return default
    try:
        rate = parse_fixed(value, RATE_DECIMALS)
    except ValueError as error:
        raise BadRequest(f"{name}: {error}") from None
    if not lowest <= rate <= highest:
        low, high = -1 if lowest else 0, "0.1" if highest == _DEAREST else "1"
        raise BadRequest(
            f"{name}: must be a fraction between {low} and {high}; 0.0001 is a basis point"
        )
    return Rate(rate)

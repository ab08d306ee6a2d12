"""How far live trading is from the model: price, fee and latency, an order a row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hyperliquid_exchange.domain.live_orders import LiveOrder, ModelFill, fills_in
from suite.contracts.drift import DriftSummary, Outcome
from suite.fixed import USD_DECIMALS, Size, Usd, div_half_even, format_fixed, parse_fixed
from suite.instrument import Instrument

_BPS: Final = 10_000
_PRICE_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """One order: what the venue did, what the model would have done.

    Attributes:
        trader_id, coin, side, kind: of the order; `kind` is its time in force, `tp` or `sl`.
        oid, cloid: its names.
        decided_ms: when it was about to leave, wall time.
        outcome: who filled it.
        live_size, model_size: filled, decimal text.
        live_price, model_price: averages, decimal text of at most eight places; None unfilled.
        live_fee_usd, model_fee_usd: paid, decimal text.
        live_ms, model_ms: of the first fill.
        price_bps: how much worse the live price is than the model's, in its basis points; negative
            is better. Where both filled.
        fee_bps: how much more was paid, in basis points of each notional.
        latency_ms: from the decision to the venue's answer, of orders that took at once.
        cost_usd: what the drift of price and fee cost on the size that both filled, decimal text.
    """

    trader_id: str
    coin: str
    side: Literal["B", "A"]
    kind: str
    oid: int
    cloid: str | None
    decided_ms: int
    outcome: Outcome
    live_size: str
    model_size: str
    live_price: str | None
    model_price: str | None
    live_fee_usd: str
    model_fee_usd: str
    live_ms: int | None
    model_ms: int | None
    price_bps: float | None
    fee_bps: float | None
    latency_ms: int | None
    cost_usd: str | None


def compared(
    order: LiveOrder, model: Sequence[ModelFill] | None, instrument: Instrument
) -> DriftRow:
    """Put what the model made of an order beside what the venue did.

    Args:
        order: with the venue's fills.
        model: the model's; None where it could not be played.
        instrument: of the coin.
    """
    live_size, live_usd, live_fee = fills_in(order.fills)
    model_size, model_usd, model_fee = fills_in(model or ())
    both = live_size > 0 and model_size > 0
    price_bps = fee_bps = cost_usd = None
    if both:
        sign = 1 if order.is_buy else -1
        here, there = live_usd * model_size, model_usd * live_size
        price_bps = round(sign * (here - there) / there * _BPS, 4)
        fee_bps = round((live_fee / live_usd - model_fee / model_usd) * _BPS, 4)
        cost_usd = format_fixed(
            _cost(
                sign,
                min(live_size, model_size),
                (live_size, live_usd, live_fee),
                (model_size, model_usd, model_fee),
            ),
            USD_DECIMALS,
        )
    return DriftRow(
        trader_id=order.trader_id,
        coin=order.coin,
        side="B" if order.is_buy else "A",
        kind=order.tif or order.trigger or "",
        oid=order.oid,
        cloid=order.cloid,
        decided_ms=order.decided_ms,
        outcome=_outcome(live_size, None if model is None else model_size),
        live_size=instrument.format_size(live_size),
        model_size=instrument.format_size(model_size),
        live_price=_average(live_size, live_usd, instrument),
        model_price=_average(model_size, model_usd, instrument),
        live_fee_usd=format_fixed(live_fee, USD_DECIMALS),
        model_fee_usd=format_fixed(model_fee, USD_DECIMALS),
        live_ms=order.fills[0].time_ms if order.fills else None,
        model_ms=model[0].time_ms if model else None,
        price_bps=price_bps,
        fee_bps=fee_bps,
        latency_ms=order.latency_ms,
        cost_usd=cost_usd,
    )


def summaries(rows: Iterable[DriftRow]) -> tuple[DriftSummary, ...]:
    """Sum up by trader, by name; of more than one trader, all of them first, as `*`."""
    by_trader: dict[str, list[DriftRow]] = {}
    for row in rows:
        by_trader.setdefault(row.trader_id, []).append(row)
    told = [_summary(name, found) for name, found in sorted(by_trader.items())]
    if len(told) > 1:
        told.insert(0, _summary("*", [row for found in by_trader.values() for row in found]))
    return tuple(told)


def _summary(name: str, rows: Sequence[DriftRow]) -> DriftSummary:
    outcomes: dict[Outcome, int] = {}
    for row in rows:
        outcomes[row.outcome] = outcomes.get(row.outcome, 0) + 1
    prices = sorted(row.price_bps for row in rows if row.price_bps is not None)
    fees = [row.fee_bps for row in rows if row.fee_bps is not None]
    waits = sorted(row.latency_ms for row in rows if row.latency_ms is not None)
    cost = sum(parse_fixed(row.cost_usd, USD_DECIMALS) for row in rows if row.cost_usd)
    return DriftSummary(
        trader_id=name,
        orders=len(rows),
        outcomes=outcomes,
        price_bps_mean=round(sum(prices) / len(prices), 4) if prices else None,
        price_bps_median=prices[len(prices) // 2] if prices else None,
        price_bps_worst=prices[-1] if prices else None,
        fee_bps_mean=round(sum(fees) / len(fees), 4) if fees else None,
        latency_ms_p50=waits[len(waits) // 2] if waits else None,
        latency_ms_p99=waits[min(len(waits) - 1, len(waits) * 99 // 100)] if waits else None,
        cost_usd=format_fixed(cost, USD_DECIMALS),
    )


def _cost(
    sign: int,
    size: int,
    live: tuple[Size, Usd, Usd],
    model: tuple[Size, Usd, Usd],
) -> int:
    """What a size cost more live than in the model, micro-USD; rounded half to even."""
    (live_size, live_usd, live_fee), (model_size, model_usd, model_fee) = live, model
    whole = (sign * live_usd + live_fee) * model_size - (sign * model_usd + model_fee) * live_size
    return div_half_even(whole * size, live_size * model_size)


def _outcome(live: int, model: int | None) -> Outcome:
    if model is None:
        return "unknown"
    if live and model:
        return "both"
    if live:
        return "live_only"
    return "model_only" if model else "neither"


def _average(size: int, usd: int, instrument: Instrument) -> str | None:
    """Average price of a size, decimal text; None of nothing."""
    if not size:
        return None
    scale = 10 ** (_PRICE_DIGITS - instrument.price_decimals)
    return format_fixed(div_half_even(usd * scale, size), _PRICE_DIGITS)

"""Rows of a report: fills, trades, orders and candles in integers, texts and decimal strings."""

from fractions import Fraction
from math import floor
from typing import Any

from perp_engine.events import Fill, FundingPaid, Liquidated
from suite.canonical import number
from suite.enums import Side
from suite.fixed import RATE_DECIMALS, format_fixed
from suite.instrument import Instrument
from virtual_exchange.application.info.values import usd
from virtual_exchange.domain.masking import TrueInstrument
from virtual_exchange.domain.record import MarketRecord, OrderRecord
from virtual_exchange.domain.trades import Trade, slippage_of


def fill_row(fill: Fill, mid: int, instruments: list[Instrument]) -> dict[str, Any]:
    """A fill at its world time, with the venue's own ids and the mid it is measured by."""
    instrument = instruments[fill.symbol]
    return {
        "time": fill.time_ms,
        "coin": instrument.coin,
        "side": "buy" if fill.side is Side.BUY else "sell",
        "size": instrument.format_size(fill.size),
        "price": instrument.format_price(fill.price),
        "reference_price": instrument.format_price(fill.reference_price),
        "mid": instrument.format_price(mid),
        "fee": usd(fill.fee_usd),
        "slippage": usd(slippage_of(fill)),
        "realized_pnl": usd(fill.realized_pnl_usd),
        "start_position": instrument.format_size(fill.start_position),
        "liquidity": "taker" if fill.is_taker else "maker",
        "cause": str(fill.cause),
        "oid": fill.oid,
        "tid": fill.tid,
    }


def funding_row(paid: FundingPaid, instruments: list[Instrument]) -> dict[str, Any]:
    """A funding transfer, as the account saw it."""
    instrument = instruments[paid.symbol]
    return {
        "time": paid.time_ms,
        "coin": instrument.coin,
        "size": instrument.format_size(paid.size),
        "rate": format_fixed(paid.rate, RATE_DECIMALS),
        "usd": usd(paid.usd),
    }


def liquidation_row(event: Liquidated, instruments: list[Instrument]) -> dict[str, Any]:
    """A liquidation, with what the pool was worth and needed; its fills are among the trades."""
    instrument = instruments[event.symbol]
    return {
        "time": event.time_ms,
        "coin": instrument.coin,
        "margin": str(event.mode),
        "mark": instrument.format_price(event.mark),
        "equity": usd(event.equity_usd),
        "maintenance": usd(event.maintenance_usd),
    }


def trade_row(
    trade: Trade, instruments: list[Instrument], stops: dict[int, OrderRecord]
) -> dict[str, Any]:
    """A trade from flat to flat, or so far.

    Args:
        stops: first stop of each entry, by the entry's oid.
    """
    instrument = instruments[trade.symbol]
    stop = next((stops[oid] for oid in trade.entry_oids if oid in stops), None)
    return {
        "pair": f"{instrument.coin}-USD",
        "coin": instrument.coin,
        "side": "long" if trade.direction > 0 else "short",
        "entry_time": trade.entry_ms,
        "exit_time": trade.exit_ms,
        "duration_ms": None if trade.exit_ms is None else trade.exit_ms - trade.entry_ms,
        "qty": instrument.format_size(trade.size),
        "avg_entry_price": _average(trade.entry_value, trade.entry_size, instrument),
        "avg_exit_price": _average(trade.exit_value, trade.exit_size, instrument),
        "entry_fills": trade.entry_fills,
        "exit_fills": trade.exit_fills,
        "fees": usd(trade.fees_usd),
        "funding": usd(trade.funding_usd),
        "slippage": usd(trade.slippage_usd),
        "pnl": usd(trade.net_usd),
        "pnl_before_fees": usd(trade.realized_usd),
        "initial_sl_price": None if stop is None else instrument.format_price(stop.trigger_price),
        "r_multiple": _r_multiple(trade, stop),
    }


def _average(value: int, size: int, instrument: Instrument) -> str | None:
    """Size-weighted price, cut to the decimals of a price and two more."""
    if size == 0:
        return None
    hundredths = Fraction(value * 100, size)
    if isinstance(instrument, TrueInstrument):
        hundredths *= instrument.price_scale
    return format_fixed(floor(hundredths), instrument.price_decimals + 2)


def _r_multiple(trade: Trade, stop: OrderRecord | None) -> str | None:
    """Net result in units of what the first stop would have lost."""
    if stop is None or trade.exit_ms is None:
        return None
    risk = abs(trade.entry_value - trade.entry_size * stop.trigger_price)
    return number(trade.net_usd / risk) if risk else None


def order_row(order: OrderRecord, instruments: list[Instrument]) -> dict[str, Any]:
    """An order's life, with the margin that was held for it and given back."""
    instrument = instruments[order.symbol]
    return {
        "oid": order.oid,
        "cloid": order.cloid,
        "coin": instrument.coin,
        "kind": order.kind,
        "side": "buy" if order.side is Side.BUY else "sell",
        "size": instrument.format_size(order.size),
        "remaining": instrument.format_size(order.remaining),
        "reduce_only": order.reduce_only,
        "status": str(order.status),
        "placed": order.placed_ms,
        "closed": order.closed_ms,
        "parent_oid": order.parent_oid or None,
        "limit_price": instrument.format_price(order.limit_price) if order.limit_price else None,
        "trigger_price": instrument.format_price(order.trigger_price)
        if order.trigger_price
        else None,
        "decision_price": instrument.format_price(order.decision_price),
        "margin_held": usd(order.held_usd),
        "margin_refunded": usd(order.refunded_usd),
    }


def chart_of(market: MarketRecord) -> dict[str, Any]:
    """Candles to draw, prices as the venue writes them."""
    instrument = market.instrument
    columns = (market.open, market.high, market.low, market.close)
    times = market.open_time_ms.tolist()
    candles = [
        [time, *(instrument.format_price(price) for price in prices), instrument.format_size(size)]
        for time, *prices, size in zip(
            times, *(column.tolist() for column in columns), market.volume.tolist(), strict=True
        )
    ]
    interval = times[1] - times[0] if len(times) > 1 else 0
    return {"interval_ms": interval, "source": market.source, "candles": candles}

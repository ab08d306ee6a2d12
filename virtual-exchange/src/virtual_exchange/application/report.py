"""The report of a run: canonical, hashable, and equal wherever the same run happened.

`result` holds integers, texts and decimal strings only; metrics are computed from integer equity
and rounded to 10 significant digits. The SHA-256 covers `result` and nothing else: no commit, path,
transport or wall time.
"""

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

from perp_engine.events import Fill
from suite import performance
from suite.bars import DAY_MS
from suite.enums import Side
from suite.fixed import USD_DECIMALS, format_fixed
from suite.instrument import Instrument
from virtual_exchange.domain.record import AccountRecord, MarketRecord, OrderRecord, RunRecord
from virtual_exchange.domain.trades import Trade, slippage_of, trades_of

SCHEMA = "autocryptotrader-report/1"
SIGNIFICANT_DIGITS = 10
WIN_RATE_DEFINITION = (
    "wins / (wins + losses) over closed trades, each from flat to flat and net of fees and funding;"
    " exact zeros are breakeven and not counted"
)

ALWAYS = {
    "latency_ms": 0,
    "liquidation": "not modelled",
    "margin": "cross",
    "mark": "trade path",
}
"""What no setting changes yet; named so that nobody has to guess."""

_encode = msgspec.json.Encoder(order="sorted").encode


def canonical_bytes(result: dict[str, Any]) -> bytes:
    """The bytes that are hashed: sorted keys, no floats, one newline at the end."""
    return bytes(_encode(result)) + b"\n"


def encode_report(report: dict[str, Any]) -> bytes:
    """The whole report as JSON."""
    return bytes(msgspec.json.format(_encode(report), indent=1)) + b"\n"


def build_report(record: RunRecord) -> dict[str, Any]:
    """Build the report: `result`, `sha256` of it, `manifest`, and `charts` to draw it with."""
    traders = {account.account_id: _trader(record, account) for account in record.accounts}
    result = {
        "schema": SCHEMA,
        "period": {
            "from_ms": record.from_ms,
            "to_ms": record.to_ms,
            "interval_ms": record.interval_ms,
        },
        "finished": record.finished,
        "synthetic": any(market.synthetic for market in record.markets),
        "coins": [market.instrument.coin for market in record.markets],
        "data_sha256": _data_sha256(record.manifest),
        "rules": _plain(record.rules) | ALWAYS,
        "traders": traders,
        "leaderboard": _leaderboard(traders),
        "win_rate_definition": WIN_RATE_DEFINITION,
        "breakeven_threshold": "0",
    }
    return {
        "result": result,
        "sha256": hashlib.sha256(canonical_bytes(result)).hexdigest(),
        "manifest": {"run_id": record.run_id} | _plain(record.manifest),
        "charts": {market.instrument.coin: _chart(market) for market in record.markets},
    }


def _data_sha256(manifest: dict[str, Any]) -> str:
    """One hash over the content of every coin's data."""
    digest = hashlib.sha256()
    for coin, data in sorted(manifest.get("data", {}).items()):
        digest.update(f"{coin} {data['content_sha256']}\n".encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """JSON without floats."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def number(value: float | None) -> str | None:
    """A metric as a decimal string of 10 significant digits; None stays None."""
    if value is None:
        return None
    rounded = Decimal(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")
    return f"{rounded.normalize() + 0:f}"


def usd(value: int) -> str:
    """Micro-USD as USD."""
    return format_fixed(int(value), USD_DECIMALS)


def _trader(record: RunRecord, account: AccountRecord) -> dict[str, Any]:
    instruments = [market.instrument for market in record.markets]
    trades = trades_of(account.fills, account.funding)
    equity = account.equity_usd
    stops = {order.parent_oid: order for order in account.orders if order.kind == "stop"}
    closed = [_trade(trade, instruments, stops) for trade in trades.closed]
    initial, final = int(equity[0]), int(equity[-1])
    drawdown = performance.max_drawdown(record.equity_time_ms, equity)
    statistics = performance.trade_statistics([trade.net_usd for trade in trades.closed])
    return {
        "strategy": _plain(account.strategy),
        "initial_balance": usd(initial),
        "final_equity": usd(final),
        "total_pnl": usd(final - initial),
        "total_return": number(performance.total_return(equity)),
        "win_rate": number(statistics.win_rate),
        "max_drawdown": number(drawdown.depth),
        "total_trades": len(closed),
        "equity_curve": [
            [time, usd(value)]
            for time, value in zip(record.equity_time_ms.tolist(), equity.tolist(), strict=True)
        ],
        "trades": [_fill(fill, instruments) for fill in account.fills],
        "completed_trades": closed,
        "open_trades": [_trade(trade, instruments, stops) for trade in trades.open],
        "portfolio_metrics": _metrics(record, account, statistics, drawdown, closed),
        "bridge": _bridge(account, initial, final),
        "orders": [_order(order, instruments) for order in account.orders],
        "funding": [
            {
                "time": paid.time_ms,
                "coin": instruments[paid.symbol].coin,
                "size": instruments[paid.symbol].format_size(paid.size),
                "rate": format_fixed(paid.rate, 9),
                "usd": usd(paid.usd),
            }
            for paid in account.funding
        ],
        "rejected_orders": account.rejected_orders,
        "decisions_sha256": account.decisions_sha256,
        "degraded": account.degraded,
    }


def _bridge(account: AccountRecord, initial: int, final: int) -> dict[str, str]:
    """From gross to net: realized + unrealized - fees + funding = net, to the micro-USD."""
    realized = sum(fill.realized_pnl_usd for fill in account.fills)
    fees = sum(fill.fee_usd for fill in account.fills)
    funding = sum(paid.usd for paid in account.funding)
    net = final - initial
    return {
        "realized": usd(realized),
        "unrealized": usd(net - realized + fees - funding),
        "fees": usd(fees),
        "funding": usd(funding),
        "net": usd(net),
    }


def _metrics(
    record: RunRecord,
    account: AccountRecord,
    statistics: performance.TradeStatistics,
    drawdown: performance.Drawdown,
    closed: list[dict[str, Any]],
) -> dict[str, Any]:
    equity = account.equity_usd
    daily = performance.returns_of(performance.daily_equity(record.equity_time_ms, equity))
    exposure = performance.exposure_of(equity, account.exposure_usd)
    traded = sum(fill.price * fill.size for fill in account.fills)
    fees = sum(fill.fee_usd for fill in account.fills)
    slippage = sum(slippage_of(fill) for fill in account.fills)
    makers = sum(not fill.is_taker for fill in account.fills)
    multiples = [float(t["r_multiple"]) for t in closed if t["r_multiple"] is not None]
    days = (record.to_ms - record.from_ms) / DAY_MS
    metrics: dict[str, Any] = {
        "cagr": performance.cagr(daily),
        "volatility": performance.volatility(daily),
        "sharpe": performance.sharpe(daily),
        "sortino": performance.sortino(daily),
        "calmar": performance.calmar(daily, drawdown.depth),
        "max_drawdown": drawdown.depth,
        "mdd_duration_ms": drawdown.duration_ms,
        "win_rate": statistics.win_rate,
        "win_count": statistics.wins,
        "loss_count": statistics.losses,
        "breakeven_count": statistics.breakevens,
        "avg_win": _money(statistics.average_win),
        "avg_loss": _money(statistics.average_loss),
        "expectancy": _money(statistics.expectancy),
        "profit_factor": statistics.profit_factor,
        "payoff": statistics.payoff,
        "avg_r_multiple": sum(multiples) / len(multiples) if multiples else None,
        "exposure": exposure.time_share,
        "mean_leverage": exposure.mean_leverage,
        "turnover": performance.turnover_per_day(traded, equity, days),
        "traded": usd(traded),
        "fees": usd(fees),
        "fees_bps": performance.basis_points(fees, traded),
        "slippage": usd(slippage),
        "slippage_bps": performance.basis_points(slippage, traded),
        "maker_share": makers / len(account.fills) if account.fills else None,
        "fills": len(account.fills),
        "orders": len(account.orders),
        "days": days,
    }
    plain: dict[str, Any] = _plain(metrics)
    return plain


def _money(value: float | None) -> float | None:
    return None if value is None else value / 10**USD_DECIMALS


def _leaderboard(traders: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Traders by total return; equal returns share a rank."""
    order = sorted(traders, key=lambda name: (-Decimal(traders[name]["total_return"]), name))
    rows: list[dict[str, Any]] = []
    for position, name in enumerate(order, start=1):
        trader = traders[name]
        tied = bool(rows) and rows[-1]["total_return"] == trader["total_return"]
        rows.append(
            {
                "rank": rows[-1]["rank"] if tied else position,
                "trader_id": name,
                "total_return": trader["total_return"],
                "total_pnl": trader["total_pnl"],
                "final_equity": trader["final_equity"],
                "sharpe": trader["portfolio_metrics"]["sharpe"],
                "max_drawdown": trader["max_drawdown"],
                "win_rate": trader["win_rate"],
                "total_trades": trader["total_trades"],
                "fees": trader["bridge"]["fees"],
                "funding": trader["bridge"]["funding"],
                "degraded": trader["degraded"],
            }
        )
    return rows


def _fill(fill: Fill, instruments: list[Instrument]) -> dict[str, Any]:
    instrument = instruments[fill.symbol]
    return {
        "time": fill.time_ms,
        "coin": instrument.coin,
        "side": "buy" if fill.side is Side.BUY else "sell",
        "size": instrument.format_size(fill.size),
        "price": instrument.format_price(fill.price),
        "reference_price": instrument.format_price(fill.reference_price),
        "fee": usd(fill.fee_usd),
        "slippage": usd(slippage_of(fill)),
        "realized_pnl": usd(fill.realized_pnl_usd),
        "start_position": instrument.format_size(fill.start_position),
        "liquidity": "taker" if fill.is_taker else "maker",
        "oid": fill.oid,
        "tid": fill.tid,
    }


def _trade(
    trade: Trade, instruments: list[Instrument], stops: dict[int, OrderRecord]
) -> dict[str, Any]:
    instrument = instruments[trade.symbol]
    stop = next((stops[oid] for oid in trade.oids if oid in stops), None)
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
    return format_fixed(value * 100 // size, instrument.price_decimals + 2)


def _r_multiple(trade: Trade, stop: OrderRecord | None) -> str | None:
    """Net result in units of what the first stop would have lost."""
    if stop is None or trade.exit_ms is None:
        return None
    risk = abs(trade.entry_value - trade.entry_size * stop.trigger_price)
    return number(trade.net_usd / risk) if risk else None


def _order(order: OrderRecord, instruments: list[Instrument]) -> dict[str, Any]:
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


def _chart(market: MarketRecord) -> dict[str, Any]:
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

"""The report of a run: canonical, hashable, and equal wherever the same run happened.

`result` holds integers, texts and decimal strings only; metrics are computed from integer equity
and rounded to 10 significant digits. The SHA-256 covers `result` and nothing else: no commit, path,
transport or wall time.
"""

import hashlib
from typing import Any

import msgspec

from suite import performance
from suite.bars import DAY_MS
from suite.canonical import canonical_sha256, number, without_floats
from suite.checks import check
from suite.fixed import USD_DECIMALS
from virtual_exchange.application.info.values import usd
from virtual_exchange.application.report.board import (
    LEADERBOARD_NOTE,
    charged_rows,
    leaderboard_rows,
)
from virtual_exchange.application.report.models import models_of
from virtual_exchange.application.report.rows import (
    chart_of,
    fill_row,
    funding_row,
    liquidation_row,
    order_row,
    trade_row,
)
from virtual_exchange.domain.profit import ProfitSplit, split_by_coin, total_of
from virtual_exchange.domain.record import AccountRecord, OrderRecord, RunRecord
from virtual_exchange.domain.trades import slippage_of, trades_of

SCHEMA = "autocryptotrader-report/2"
WIN_RATE_DEFINITION = (
    "wins / (wins + losses) over closed trades, each from flat to flat and net of fees and funding;"
    " exact zeros are breakeven and not counted"
)

ALWAYS = {
    "liquidation": "in the bar, at the mark: market, then backstop",
    "margin": "cross, or isolated as the trader sets it",
    "mark": "trade path",
}
"""What no setting changes yet; named so that nobody has to guess."""

_SHOWN = ("kind", "params", "interval")
"""Of a trader's configuration; the manifest has all of it."""

_encode = msgspec.json.Encoder(order="sorted").encode


def encode_report(report: dict[str, Any]) -> bytes:
    """The whole report as JSON."""
    return bytes(msgspec.json.format(_encode(report), indent=1)) + b"\n"


def build_report(record: RunRecord) -> dict[str, Any]:
    """Build the report.

    Returns:
        `result`, `sha256` of it, `manifest`, `guards` and `models` as the traders tell it, the
        leaderboard `charged` with what models cost, and `charts` to draw it with.
    """
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
        "rules": without_floats(record.rules) | ALWAYS,
        "traders": traders,
        "leaderboard": leaderboard_rows(record, traders),
        "leaderboard_note": LEADERBOARD_NOTE,
        "win_rate_definition": WIN_RATE_DEFINITION,
        "breakeven_threshold": "0",
    }
    manifest = {"run_id": record.run_id} | without_floats(record.manifest)
    return {
        "result": result,
        "models": models_of(record),
        "charged": charged_rows(record, result["leaderboard"]),
        "guards": {account.account_id: _guards(account) for account in record.accounts},
        "sha256": canonical_sha256(result),
        "manifest": manifest | {"reproducibility": _reproducibility(result, manifest)},
        "charts": {market.instrument.coin: chart_of(market) for market in record.markets},
    }


def _guards(account: AccountRecord) -> dict[str, Any] | None:
    """What its trader says of what guarded it: nobody vouches for it, so nothing is made of it."""
    if account.guards is None:
        return None
    told: dict[str, Any] = msgspec.to_builtins(account.guards)
    return told


def _reproducibility(result: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """What must be equal for a run to happen again, under the names that other reports use."""
    rules, data = result["rules"], manifest.get("data", {})
    return {
        "data_hash": result["data_sha256"],
        "data_file_count": sum(coin.get("store_files", 0) for coin in data.values()),
        "strategy_config": {name: trader["strategy"] for name, trader in result["traders"].items()},
        "engine_version": manifest.get("engine_version"),
        "config_hash": manifest.get("config_sha256"),
        "seed": manifest.get("seed"),
        "fee_rate": {
            name: rules[name] for name in ("taker_fee", "maker_fee", "fee_tiers") if rules.get(name)
        },
        "slippage_model": {
            name: rules.get(name)
            for name in ("fill_at", "half_spread", "slippage", "participation")
        },
    }


def _data_sha256(manifest: dict[str, Any]) -> str:
    """One hash over the content of every coin's data."""
    digest = hashlib.sha256()
    for coin, data in sorted(manifest.get("data", {}).items()):
        digest.update(f"{coin} {data['content_sha256']}\n".encode())
    return digest.hexdigest()


def _trader(record: RunRecord, account: AccountRecord) -> dict[str, Any]:
    instruments = [market.instrument for market in record.markets]
    trades = trades_of(account.fills, account.funding)
    equity = account.equity_usd
    stops = _initial_stops(account.orders)
    closed = [trade_row(trade, instruments, stops) for trade in trades.closed]
    initial, final = int(equity[0]), int(equity[-1])
    drawdown = performance.max_drawdown(record.equity_time_ms, equity)
    statistics = performance.trade_statistics([trade.net_usd for trade in trades.closed])
    return {
        "strategy": without_floats(
            {name: account.strategy[name] for name in _SHOWN if name in account.strategy}
        ),
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
        "trades": [
            fill_row(fill, mid, instruments)
            for fill, mid in zip(account.fills, account.mids, strict=True)
        ],
        "completed_trades": closed,
        "open_trades": [trade_row(trade, instruments, stops) for trade in trades.open],
        "portfolio_metrics": _metrics(record, account, statistics, drawdown, closed),
        "bridge": _bridge(account, initial, final),
        "profit_split": profit_split(record, account),
        "orders": [order_row(order, instruments) for order in account.orders],
        "funding": [funding_row(paid, instruments) for paid in account.funding],
        "liquidations": [liquidation_row(event, instruments) for event in account.liquidations],
        "rejected_orders": account.rejected_orders,
        "decisions_sha256": account.decisions_sha256,
        "degraded": account.degraded,
    }


def _initial_stops(orders: list[OrderRecord]) -> dict[int, OrderRecord]:
    """First stop of each entry, by the entry's oid; a stop moved later does not change the risk."""
    stops: dict[int, OrderRecord] = {}
    for order in orders:
        if order.kind == "stop" and order.parent_oid:
            stops.setdefault(order.parent_oid, order)
    return stops


def _bridge(account: AccountRecord, initial: int, final: int) -> dict[str, str]:
    """From gross to net: realized + unrealized - fees + funding + insurance = net, exactly."""
    realized = sum(fill.realized_pnl_usd for fill in account.fills)
    fees = sum(fill.fee_usd for fill in account.fills)
    funding = sum(paid.usd for paid in account.funding)
    insurance = sum(moved.usd for moved in account.insurance)
    net = final - initial
    return {
        "realized": usd(realized),
        "unrealized": usd(net - realized + fees - funding - insurance),
        "insurance": usd(insurance),
        "fees": usd(fees),
        "funding": usd(funding),
        "net": usd(net),
    }


def profit_split(record: RunRecord, account: AccountRecord) -> dict[str, Any]:
    """Where the profit came from: spread + inventory + fees + funding = net, exactly.

    Raises:
        InvariantViolated: the coins' profits are not what the equity gained.
    """
    coins = split_by_coin(
        account.fills,
        account.mids,
        funding=account.funding,
        insurance=account.insurance,
        marks=[market.mark for market in record.markets],
    )
    total = total_of(coins.values())
    gained = int(account.equity_usd[-1]) - int(account.equity_usd[0])
    check(total.net_usd == gained, f"{account.account_id}: parts of {total.net_usd} for {gained}")
    names = [market.instrument.coin for market in record.markets]
    return _parts(total) | {
        "coins": {names[symbol]: _parts(split) for symbol, split in coins.items()}
    }


def _parts(split: ProfitSplit) -> dict[str, str]:
    return {
        "spread": usd(split.spread_usd),
        "inventory": usd(split.inventory_usd),
        "fees": usd(split.fees_usd),
        "funding": usd(split.funding_usd),
        "net": usd(split.net_usd),
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
        "probabilistic_sharpe": performance.probabilistic_sharpe(daily),
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
    written: dict[str, Any] = without_floats(metrics)
    return written


def _money(value: float | None) -> float | None:
    return None if value is None else value / 10**USD_DECIMALS

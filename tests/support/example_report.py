"""A plausible report of made-up numbers, as large as wanted, without running an engine."""

import math
import random
from decimal import Decimal
from itertools import cycle
from typing import Any

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
START_MS = 1_746_403_200_000  # 2025-05-05 00:00 UTC

_PRICES = {"BTC": 94_000.0, "ETH": 1_800.0, "SOL": 145.0}
_KINDS = ((0.006, 1.0), (-0.003, 0.02), (0.001, 0.45), (-0.008, 0.8))  # drift a day, trades
NAMES = ("momentum-1", "buy-and-hold", "mean-reversion", "random-walk")
DEPOSIT = 10_000.0


def usd(value: float) -> str:
    return f"{Decimal(str(round(value, 6))):f}"


def example_report(
    names: tuple[str, ...] = NAMES,
    *,
    days: int = 51,
    coins: tuple[str, ...] = ("BTC", "ETH", "SOL"),
    equity_interval_ms: int = 15 * MINUTE_MS,
    candle_interval_ms: int = MINUTE_MS,
    trades: int = 300,
    synthetic: bool = True,
) -> dict[str, Any]:
    """Build a report in the shape of `build_report`.

    Args:
        names: the traders, best first is not needed.
        trades: closed trades of the busiest trader; others have fewer, and one more is open.
    """
    dice = random.Random(7)
    charts = {coin: _chart(dice, _PRICES[coin], days, candle_interval_ms) for coin in coins}
    traders = {
        name: _trader(dice, charts, days, equity_interval_ms, round(trades * busy), drift)
        for name, (drift, busy) in zip(names, cycle(_KINDS), strict=False)
    }
    return {
        "result": {
            "schema": "autocryptotrader-report/2",
            "period": {
                "from_ms": START_MS,
                "to_ms": START_MS + days * DAY_MS,
                "interval_ms": candle_interval_ms,
            },
            "finished": True,
            "synthetic": synthetic,
            "coins": list(coins),
            "data_sha256": "d1" * 32,
            "rules": {
                "taker_fee": "0.00045",
                "maker_fee": "0.00015",
                "half_spread": "0.00005",
                "slippage": "0.0001",
                "participation": "0.1",
                "funding_rate": "0.0000125",
                "min_notional_usd": "10",
                "limit_fill": "through",
                "bar_path": "pessimistic",
                "fill_at": "open",
            },
            "leaderboard": _leaderboard(traders),
            "leaderboard_note": "Ranked by total return over this one period.",
            "traders": traders,
            "win_rate_definition": "wins / (wins + losses) over closed trades",
            "breakeven_threshold": "0",
        },
        "guards": {name: _guards(place) for place, name in enumerate(names)},
        "models": {},
        "charged": None,
        "manifest": {
            "engine_version": "1",
            "seed": 7,
            "config_sha256": "c2" * 32,
            "data": {coin: {"content_sha256": "a3" * 32, "rows": 73_440} for coin in coins},
        },
        "sha256": "5e1f" * 16,
        "charts": charts,
    }


def _guards(place: int) -> dict[str, Any] | None:
    """Of the first much, of the second a failure, of the third nothing happened, then nobody."""
    if place > 2:
        return None
    nothing: dict[str, Any] = {
        "decisions": 4896, "faults": 0, "first_fault": "", "first_fault_ms": None, "accepted": 0,
        "clamped": {}, "rejected": {}, "exits": {}, "closed": [], "standstills": 0, "stood": [],
    }  # fmt: skip
    at, pause = START_MS + 3 * DAY_MS, {"status": "PAUSED", "reason": "equity 9412 <= 9700 USD"}
    if place == 0:
        rule = "close(4h) < 2710 and macd_hist(4h) <= 0"
        ends = {"opened_ms": at, "closed_ms": at + HOUR_MS}
        return nothing | {
            "accepted": 311, "clamped": {"max_coin_exposure": 27, "margin": 2},
            "rejected": {"paused": 41, "min_notional": 3},
            "exits": {"stop_loss": 88, "structure_invalidation": 12, "time_stop": 3},
            "closed": [
                {"coin": "ETH", "kind": "structure_invalidation", "rule": rule, **ends},
                {"coin": "BTC", "kind": "stop_loss", "rule": "", **ends},
            ],
            "standstills": 2,
            "stood": [
                {**pause, "from_ms": at, "until_ms": at + DAY_MS, "causes": ["day_loss"]},
                {**pause, "status": "STOPPED", "from_ms": at + 9 * DAY_MS, "until_ms": None,
                 "causes": []},
            ],
        }  # fmt: skip
    if place == 1:
        told = "KeyError: 'funding'"
        stands = {"status": "PAUSED", "reason": told, "causes": ["strategy"], "until_ms": None}
        return nothing | {
            "faults": 17, "first_fault": told, "first_fault_ms": at,
            "standstills": 1, "stood": [{**stands, "from_ms": at}],
        }  # fmt: skip
    return nothing


def _chart(dice: random.Random, price: float, days: int, interval_ms: int) -> dict[str, Any]:
    candles = []
    scale = 0.012 * math.sqrt(interval_ms / DAY_MS)
    for i in range(days * DAY_MS // interval_ms):
        start, price = price, price * math.exp(dice.gauss(0, scale * 2))
        high = max(start, price) * (1 + abs(dice.gauss(0, scale)))
        low = min(start, price) * (1 - abs(dice.gauss(0, scale)))
        row = [f"{value:.6g}" for value in (start, high, low, price)]
        candles.append([START_MS + i * interval_ms, *row, f"{dice.uniform(1, 50):.3f}"])
    return {"interval_ms": interval_ms, "source": "synthetic-regimes", "candles": candles}


def _trader(
    dice: random.Random,
    charts: dict[str, Any],
    days: int,
    interval_ms: int,
    trades: int,
    drift: float,
) -> dict[str, Any]:
    steps = days * DAY_MS // interval_ms
    equity, deepest, peak, curve = DEPOSIT, 0.0, DEPOSIT, [[START_MS, usd(DEPOSIT)]]
    for i in range(1, steps + 1):
        if trades:
            equity *= math.exp(drift / 96 + dice.gauss(0, 0.0022))
        peak = max(peak, equity)
        deepest = max(deepest, (peak - equity) / peak)
        curve.append([START_MS + i * interval_ms, usd(equity)])
    closed = [_trade(dice, charts, days, is_open=False) for _ in range(trades)]
    net, fees, funding = equity - DEPOSIT, 0.71 * trades, dice.uniform(-40, 25) * bool(trades)
    wins = sum(float(trade["pnl"]) > 0 for trade in closed)
    win_rate = usd(wins / trades) if trades else None
    sharpe = usd(net / DEPOSIT * 4.1) if trades and days >= 30 else None
    return {
        "strategy": {"kind": "example", "params": {}},
        "initial_balance": usd(DEPOSIT),
        "final_equity": usd(equity),
        "total_pnl": usd(net),
        "total_return": usd(net / DEPOSIT),
        "win_rate": win_rate,
        "max_drawdown": usd(deepest),
        "total_trades": trades,
        "equity_curve": curve,
        "trades": [],
        "completed_trades": sorted(closed, key=lambda trade: int(trade["exit_time"])),
        "open_trades": [_trade(dice, charts, days, is_open=True)] if trades else [],
        "portfolio_metrics": {
            "cagr": None,
            "volatility": "0.412" if trades else "0",
            "sharpe": sharpe,
            "max_drawdown": usd(deepest),
            "mdd_duration_ms": 9 * DAY_MS + 5 * HOUR_MS,
            "win_rate": win_rate,
            "win_count": wins,
            "loss_count": trades - wins,
            "profit_factor": "1.27" if trades else None,
            "avg_win": "21.4" if trades else None,
            "avg_loss": "-17.03" if trades else None,
            "exposure": "0.634" if trades else "0",
            "traded": usd(1570.2 * trades),
            "fees": usd(fees),
            "fees_bps": "4.12" if trades else None,
            "slippage": usd(fees / 3),
            "fills": 2 * trades,
            "days": str(days),
        },
        "bridge": {
            "realized": usd(net + fees - funding - 12.5 * bool(trades)),
            "unrealized": usd(12.5 * bool(trades)),
            "fees": usd(fees),
            "funding": usd(funding),
            "net": usd(net),
        },
        "profit_split": _split(sorted(charts), net, fees, funding),
        "orders": [],
        "liquidations": [],
        "rejected_orders": 0,
        "decisions_sha256": "b4" * 32,
        "degraded": False,
    }


def _split(coins: list[str], net: float, fees: float, funding: float) -> dict[str, Any]:
    """Half of the fees earned by the spread; the first coin has all of it."""
    exact = {"spread": fees / 2, "fees": -fees, "funding": funding, "net": net}
    parts = {name: usd(value) for name, value in exact.items()}
    rest = sum((Decimal(parts[name]) for name in ("spread", "fees", "funding")), Decimal(0))
    parts["inventory"] = f"{Decimal(parts['net']) - rest:f}"
    nothing = dict.fromkeys(parts, "0")
    return {**parts, "coins": dict.fromkeys(coins, nothing) | {coins[0]: parts} if fees else {}}


def _trade(
    dice: random.Random, charts: dict[str, Any], days: int, *, is_open: bool
) -> dict[str, Any]:
    coin = dice.choice(sorted(charts))
    begun = START_MS + dice.randrange(days * 24 - 12) * HOUR_MS
    ended = begun + dice.randrange(10, 700) * MINUTE_MS
    chart = charts[coin]
    entry, leave = (
        float(chart["candles"][(time - START_MS) // chart["interval_ms"]][1])
        for time in (begun, ended)
    )
    side = dice.choice(("long", "short"))
    quantity = round(1500 / entry, 4)
    gross = (leave - entry) * quantity * (1 if side == "long" else -1)
    trade: dict[str, Any] = {
        "coin": coin,
        "side": side,
        "entry_time": begun,
        "exit_time": ended,
        "duration_ms": ended - begun,
        "qty": f"{quantity}",
        "avg_entry_price": f"{entry:.6g}",
        "avg_exit_price": f"{leave:.6g}",
        "entry_fills": 1,
        "exit_fills": 1,
        "fees": "1.35",
        "funding": "-0.043",
        "slippage": "0.3",
        "pnl": usd(gross - 1.393),
        "pnl_before_fees": usd(gross),
        "r_multiple": None,
        "initial_sl_price": None,
    }
    if is_open:
        for name in ("exit_time", "duration_ms", "avg_exit_price", "exit_fills"):
            del trade[name]
    return trade


def _leaderboard(traders: dict[str, Any]) -> list[dict[str, Any]]:
    order = sorted(traders, key=lambda name: -float(traders[name]["total_return"]))
    copied = ("total_return", "total_pnl", "final_equity", "max_drawdown", "win_rate")
    return [
        {
            "rank": 1 if rank == 2 else rank,
            "trader_id": name,
            **{key: traders[name][key] for key in copied},
            "return_interval": [
                str(round(float(traders[name]["total_return"]) + side, 6)) for side in (-0.12, 0.15)
            ],
            "rank_worst": len(order),
            "tied_with": [other for other in order[:2] if other != name and rank < 3],
            "baseline": "hodl" if name == "buy-and-hold" else None,
            "sharpe_interval": None,
            "sharpe": traders[name]["portfolio_metrics"]["sharpe"],
            "total_trades": traders[name]["total_trades"],
            "fees": traders[name]["bridge"]["fees"],
            "funding": traders[name]["bridge"]["funding"],
            "degraded": traders[name]["degraded"],
        }
        for rank, name in enumerate(order, start=1)
    ]

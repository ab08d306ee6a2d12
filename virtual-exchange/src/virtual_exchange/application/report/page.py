"""The report as one HTML page that needs nothing else: no server, no network, no build.

The page holds a small copy of the report: curves thinned to what a screen can show, candles merged
into longer ones, trades cut to the latest. Numbers of the tables stay the report's own texts.
"""

from importlib.resources import files
from typing import Any, Final

import numpy as np

from suite.bars import Bars
from suite.page.assembling import assemble
from suite.page.thinning import drawdown, fit_candles, thin

POINTS_MAX = 2000
CANDLES_MAX = 3000
TRADES_MAX = 500
MARKS_MAX = 1500

LEARNERS: Final = frozenset({"ict_xgboost"})
"""Kinds that see market structure; where one took part, it is drawn."""

TRADE_COLUMNS = (
    "entry_time",
    "exit_time",
    "coin",
    "side",
    "qty",
    "avg_entry_price",
    "avg_exit_price",
    "duration_ms",
    "fees",
    "funding",
    "slippage",
    "pnl",
    "r_multiple",
)


def render_page(report: dict[str, Any]) -> str:
    """Put the page together.

    Args:
        report: as `virtual_exchange.application.report.build_report` returns it.
    """
    assets = files("virtual_exchange.application.report") / "assets"
    return assemble(
        (assets / "page.html").read_text("utf-8"),
        title="Backtest report",
        data={"data": page_data(report)},
        scripts=[(assets / "page.js").read_text("utf-8")],
    )


def page_data(report: dict[str, Any]) -> dict[str, Any]:
    """What the page draws."""
    result, manifest = report["result"], report["manifest"]
    structured = any(one["strategy"].get("kind") in LEARNERS for one in result["traders"].values())
    kept = (
        "leaderboard_note",
        "period",
        "finished",
        "synthetic",
        "coins",
        "data_sha256",
        "rules",
    )
    return {
        **{name: result[name] for name in kept},
        "leaderboard": report["charged"] or result["leaderboard"],
        "models": report["models"],
        "run_id": manifest.get("run_id", ""),
        "win_rate_definition": result["win_rate_definition"],
        "sha256": report["sha256"],
        "manifest": manifest,
        "charts": {
            coin: _chart(chart, structured=structured) for coin, chart in report["charts"].items()
        },
        "trade_columns": TRADE_COLUMNS,
        "traders": {name: _trader(trader) for name, trader in result["traders"].items()},
        "guards": {name: _guards(told) for name, told in report["guards"].items()},
    }


def _trader(trader: dict[str, Any]) -> dict[str, Any]:
    curve = trader["equity_curve"]
    values = [float(value) for _, value in curve]
    falls = drawdown(values)
    start = curve[0][0] if curve else 0
    every = [*trader["completed_trades"], *trader["open_trades"]]
    every.sort(key=lambda trade: int(trade["entry_time"]))
    return {
        "strategy": trader["strategy"],
        "initial_balance": trader["initial_balance"],
        "metrics": trader["portfolio_metrics"],
        "bridge": trader["bridge"],
        "profit_split": trader["profit_split"],
        "rejected_orders": trader["rejected_orders"],
        "liquidations": len(trader["liquidations"]),
        "start": start,
        # [milliseconds since start, equity, drawdown]
        "curve": [
            [curve[i][0] - start, curve[i][1], falls[i]] for i in thin(values, falls, POINTS_MAX)
        ],
        "trades": [[trade.get(name) for name in TRADE_COLUMNS] for trade in every[-TRADES_MAX:]],
        "trades_total": len(every),
        "marks": marks(every),
        "marks_total": len(every),
    }


def _guards(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a trader tells of its guards, with what is listed newest first."""
    if told is None:
        return None
    return told | {name: told[name][::-1] for name in ("closed", "stood")}


def marks(trades: list[dict[str, Any]]) -> dict[str, list[list[Any]]]:
    """Entries and exits to draw on the prices, a coin each, the latest `MARKS_MAX` trades.

    Returns:
        Rows of entry time, exit time or None, side, average entry and exit price, and PnL.
    """
    found: dict[str, list[list[Any]]] = {}
    names = ("entry_time", "exit_time", "side", "avg_entry_price", "avg_exit_price", "pnl")
    for trade in trades[-MARKS_MAX:]:
        found.setdefault(trade["coin"], []).append([trade.get(name) for name in names])
    return found


def _chart(chart: dict[str, Any], *, structured: bool) -> dict[str, Any]:
    """Candles of an interval long enough that a screen can show all of them."""
    interval, shown = fit_candles(chart["candles"], int(chart["interval_ms"]), CANDLES_MAX)
    drawn = _structures(interval, shown) if structured and len(shown) > 1 else []
    return {
        "source": chart["source"],
        "interval_ms": interval,
        "candles": shown,
        "structures": drawn,
    }


def _structures(interval_ms: int, candles: list[list[Any]]) -> list[list[Any]]:
    """Find the market structure of the candles that are shown, as the features see it.

    Returns:
        Rows of kind, side, known and from in ms, low, high, and when a zone ended, else None.
    """
    from strategy_core.ict.structures import structures  # what it compiles is not loaded for others

    times = np.array([row[0] for row in candles], np.int64)
    opened, high, low, close = np.array([row[1:5] for row in candles], np.float64).T
    found = structures(Bars(interval_ms, times, opened, high, low, close, np.zeros(len(times))))
    return [
        [one.kind.value, one.side, one.known_ms, one.from_ms, one.low, one.high, one.ended_ms]
        for one in found
    ]

"""The report as one HTML page that needs nothing else: no server, no network, no build.

The page holds a small copy of the report: curves thinned to what a screen can show, candles merged
into longer ones, trades cut to the latest. Numbers of the tables stay the report's own texts.
"""

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from itertools import chain, count, groupby
from typing import Any

import msgspec

from suite.bars import DAY_MS, MINUTE_MS

POINTS_MAX = 2000
CANDLES_MAX = 3000
TRADES_MAX = 500
MARKS_MAX = 1500
LISTED_MAX = 50
_KEPT_A_STRETCH = 3  # lowest and highest equity, deepest drawdown

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

_encode = msgspec.json.Encoder(order="deterministic").encode

Curve = list[tuple[int, float]]


def render_page(report: dict[str, Any]) -> str:
    """Put the page together.

    Args:
        report: as `virtual_exchange.application.report.build_report` returns it.
    """
    assets = files("virtual_exchange.application.report") / "assets"
    scripts = {
        "/*LIBRARY*/": (assets / "lightweight-charts.js").read_text("utf-8"),
        "/*PAGE*/": (assets / "page.js").read_text("utf-8"),
        "/*DRAW*/": (assets / "charts.js").read_text("utf-8"),
    }
    parts = {
        **scripts,
        "/*POLICY*/": " ".join(_source_hash(script) for script in scripts.values()),
        "/*STYLE*/": (assets / "page.css").read_text("utf-8"),
        "/*DATA*/": _encode(page_data(report)).decode().replace("<", "\\u003c"),
    }
    page = (assets / "page.html").read_text("utf-8")
    pieces: list[str] = []
    for mark in sorted(parts, key=page.index):
        before, _, page = page.partition(mark)
        pieces += [before, parts[mark]]
    return "".join([*pieces, page])


def _source_hash(script: str) -> str:
    """Name a script for the Content-Security-Policy: only these very bytes may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def page_data(report: dict[str, Any]) -> dict[str, Any]:
    """What the page draws."""
    result, manifest = report["result"], report["manifest"]
    kept = (
        "leaderboard",
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
        "run_id": manifest.get("run_id", ""),
        "win_rate_definition": result["win_rate_definition"],
        "sha256": report["sha256"],
        "manifest": manifest,
        "charts": {coin: _chart(chart) for coin, chart in report["charts"].items()},
        "trade_columns": TRADE_COLUMNS,
        "traders": {name: _trader(trader) for name, trader in result["traders"].items()},
        "guards": {name: _guards(told) for name, told in report["guards"].items()},
    }


def _trader(trader: dict[str, Any]) -> dict[str, Any]:
    curve: Curve = [(time, float(value)) for time, value in trader["equity_curve"]]
    falls = drawdown(curve)
    shown = thin([value for _, value in curve], falls, POINTS_MAX)
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
        "curve": [[curve[i][0] - start, trader["equity_curve"][i][1], falls[i]] for i in shown],
        "trades": [[trade.get(name) for name in TRADE_COLUMNS] for trade in every[-TRADES_MAX:]],
        "trades_total": len(every),
        "marks": marks(every),
        "marks_total": len(every),
    }


def _guards(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a trader tells of its guards, of what is listed the latest, newest first."""
    if told is None:
        return None
    return told | {name: told[name][: -LISTED_MAX - 1 : -1] for name in ("closed", "stood")}


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


def drawdown(curve: Curve) -> list[float]:
    """How far below its running peak a curve is, as a fraction of the peak."""
    peak, falls = 0.0, []
    for _, value in curve:
        peak = max(peak, value)
        falls.append(round((peak - value) / peak, 6) if peak > 0 else 0.0)
    return falls


def thin(values: list[float], falls: list[float], most: int) -> list[int]:
    """Choose at most `most` points: the ends, and the extremes of every stretch between."""
    total = len(values)
    if total <= most:
        return list(range(total))
    stretches = max(1, (most - 2) // _KEPT_A_STRETCH)
    size = -(-total // stretches)
    kept = {0, total - 1}
    for start in range(0, total, size):
        stretch = range(start, min(start + size, total))
        kept.add(min(stretch, key=values.__getitem__))
        kept.add(max(stretch, key=values.__getitem__))
        kept.add(max(stretch, key=falls.__getitem__))
    return sorted(kept)


def _chart(chart: dict[str, Any]) -> dict[str, Any]:
    """Candles of an interval long enough that a screen can show all of them."""
    interval, candles = int(chart["interval_ms"]), chart["candles"]
    shown = [candle[:5] for candle in candles]
    longer = _steps(interval)
    while len(shown) > CANDLES_MAX:
        interval = next(longer)
        shown = _merged(candles, interval)
    return {"source": chart["source"], "interval_ms": interval, "candles": shown}


def _steps(interval_ms: int) -> Iterator[int]:
    """Intervals that people use, then whole days, that whole candles fit into."""
    usual = (minutes * MINUTE_MS for minutes in (3, 5, 15, 30, 60, 120, 240, 480, 720))
    days = (many * DAY_MS for many in count(1))
    return (step for step in chain(usual, days) if step > interval_ms and step % interval_ms == 0)


def _merged(candles: list[list[Any]], step: int) -> list[list[Any]]:
    longer = []
    for start, group in groupby(candles, key=lambda candle: candle[0] // step * step):
        rows = list(group)
        high = max((row[2] for row in rows), key=float)
        low = min((row[3] for row in rows), key=float)
        longer.append([start, rows[0][1], high, low, rows[-1][4]])
    return longer

"""The report as one HTML page that needs nothing else: no server, no network, no build."""

from importlib.resources import files
from itertools import groupby
from typing import Any

import msgspec

POINTS_MAX = 2000
CANDLES_MAX = 3000
TRADES_MAX = 500
MARKERS_MAX = 2000

_encode = msgspec.json.Encoder(order="deterministic").encode


def render_page(report: dict[str, Any]) -> str:
    """Put the page together.

    Args:
        report: as `virtual_exchange.application.report.build_report` returns it.
    """
    assets = files("virtual_exchange.application") / "report_assets"
    page = (assets / "page.html").read_text("utf-8")
    data = _encode(page_data(report)).decode().replace("<", "\\u003c")
    for mark, content in (
        ("/*STYLE*/", (assets / "page.css").read_text("utf-8")),
        ("/*SCRIPT*/", (assets / "page.js").read_text("utf-8")),
        ("/*CHARTS*/", (assets / "lightweight-charts.js").read_text("utf-8")),
        ("/*DATA*/", data),
    ):
        before, found, after = page.partition(mark)
        page = before + content + after if found else page
    return page


def page_data(report: dict[str, Any]) -> dict[str, Any]:
    """What the page draws: the report with long lists cut or thinned to what a screen can show."""
    result = report["result"]
    traders = {
        name: {"portfolio_metrics": trader["portfolio_metrics"], "bridge": trader["bridge"]}
        for name, trader in result["traders"].items()
    }
    return {
        "result": {**result, "traders": traders},
        "sha256": report["sha256"],
        "manifest": report["manifest"],
        "charts": {
            coin: {**chart, "candles": _coarser(chart["candles"], chart["interval_ms"])}
            | {"interval_ms": _coarse_interval(chart)}
            for coin, chart in report["charts"].items()
        },
        "series": {name: _series(trader) for name, trader in result["traders"].items()},
    }


def _series(trader: dict[str, Any]) -> dict[str, Any]:
    curve = [(time, float(value)) for time, value in trader["equity_curve"]]
    falls = _drawdown(curve)
    shown = thin([value for _, value in curve], POINTS_MAX)
    fills: dict[str, list[Any]] = {}
    for fill in trader["trades"][-MARKERS_MAX:]:
        row = [fill["time"], fill["side"], fill["size"], fill["price"]]
        fills.setdefault(fill["coin"], []).append(row)
    every = [*trader["completed_trades"], *trader["open_trades"]]
    return {
        "equity": [curve[i] for i in shown],
        "drawdown": [falls[i] for i in shown],
        "fills": fills,
        "marked": len(trader["trades"]),
        "trades": every[-TRADES_MAX:],
        "trades_total": len(every),
    }


def _drawdown(curve: list[tuple[int, float]]) -> list[tuple[int, float]]:
    peak, falls = curve[0][1], []
    for time, value in curve:
        peak = max(peak, value)
        falls.append((time, round((peak - value) / peak, 6) if peak > 0 else 0.0))
    return falls


def thin(values: list[float], most: int) -> list[int]:
    """Choose at most `most` rows: the first, the last, and the extremes of every stretch."""
    if len(values) <= most:
        return list(range(len(values)))
    size = -(-len(values) * 2 // (most - 2))
    kept = {0, len(values) - 1}
    for start in range(0, len(values), size):
        stretch = range(start, min(start + size, len(values)))
        kept.add(min(stretch, key=values.__getitem__))
        kept.add(max(stretch, key=values.__getitem__))
    return sorted(kept)


def _coarse_interval(chart: dict[str, Any]) -> int:
    many = -(-len(chart["candles"]) // CANDLES_MAX)
    return int(chart["interval_ms"]) * max(1, many)


def _coarser(candles: list[list[Any]], interval_ms: int) -> list[list[Any]]:
    """Candles of an interval long enough that a screen can show all of them."""
    many = -(-len(candles) // CANDLES_MAX)
    if many <= 1:
        return candles
    step = interval_ms * many
    longer = []
    for start, group in groupby(candles, key=lambda candle: candle[0] // step * step):
        rows = list(group)
        high = max((row[2] for row in rows), key=float)
        low = min((row[3] for row in rows), key=float)
        longer.append([start, rows[0][1], high, low, rows[-1][4]])
    return longer

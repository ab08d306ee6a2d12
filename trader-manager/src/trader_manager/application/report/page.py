"""The arena as one HTML page that needs nothing else: no server, no network, no build.

The page holds what `Bounds` lets it hold of each trader, in columns of whole numbers where there
are many; what is left out is said on it. What is shown of one trader only is read when it is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

import msgspec
import numpy as np

from strategy_core.risk.rules import RULES
from suite.bars import F64, I64
from suite.fixed import USD_ONE
from suite.page.assembling import assemble
from suite.page.thinning import drawdown, thin
from trader_manager.application.report.tracing import DecisionPicker
from trader_manager.application.report.view import (
    ArenaView,
    Bounds,
    Curve,
    DecisionView,
    FillView,
    PriceView,
    TraderPage,
    TradeView,
)

CURVES_MAX: Final = 24
"""Curves that are drawn at first; of more traders the best, the baselines, and how all spread."""
TEXT_MAX: Final = 2000
_NOTES_MAX: Final = 20
_BAND_POINTS: Final = 200
_BANDS: Final = {"Best tenth": 0.9, "Median": 0.5, "Worst tenth": 0.1}
_SCRIPTS: Final = ("trace.js", "trader.js", "arena.js")
_CENT: Final = USD_ONE // 100


def render_page(view: ArenaView, bounds: Bounds | None = None) -> str:
    """Put the page together.

    Args:
        view: what is shown; of each trader the latest that `bounds` lets in.
        bounds: as many as fit a page of so many traders when not given.
    """
    assets = files("trader_manager.application.report") / "assets"
    bounds = bounds or Bounds.for_traders(len(view.traders), len(view.prices))
    pages = [_bounded(page, bounds) for page in view.traders]
    data: dict[str, Any] = {"data": _overview(view, pages, bounds)}
    for place, page in enumerate(pages):
        data[f"t{place}"] = _details(page)
    return assemble(
        (assets / "arena.html").read_text("utf-8"),
        title="Arena",
        data=data,
        scripts=[(assets / name).read_text("utf-8") for name in _SCRIPTS],
        style=(assets / "arena.css").read_text("utf-8"),
    )


def _bounded(page: TraderPage, bounds: Bounds) -> TraderPage:
    decisions = page.decisions
    if decisions is not None and len(decisions) > bounds.decisions:
        picker = DecisionPicker(bounds.decisions)
        for decision in decisions:
            picker.take(decision)
        decisions = picker.chosen()
    return replace(
        page,
        trades=page.trades[-bounds.trades :],
        fills=page.fills[-bounds.fills :],
        decisions=decisions,
    )


def _overview(view: ArenaView, pages: Sequence[TraderPage], bounds: Bounds) -> dict[str, Any]:
    """What all traders have in common, the board, and the curves."""
    curves = [None if page.curve is None else _curve(page.curve, bounds.points) for page in pages]
    return {
        "kind": view.kind,
        "from": view.from_ms,
        "to": view.to_ms,
        "window": view.window,
        "synthetic": view.synthetic,
        "board_note": view.board_note,
        "notes": view.notes,
        "models": view.models,
        "facts": view.facts,
        "made": view.made,
        "groups": [msgspec.to_builtins(group) for group in view.groups],
        "missing_baselines": view.missing_baselines,
        "left_out": _left_out(view, pages),
        "rules": {name: rule.meaning for name, rule in RULES.items()},
        "prices": {coin: _prices(price) for coin, price in view.prices.items()},
        "coins": sorted(
            view.prices.keys() | {fill.coin for page in view.traders for fill in page.fills}
        ),
        "board": [_board_row(page) for page in pages],
        "curves": curves,
        "bands": _bands(pages) if len(pages) > CURVES_MAX else None,
        "curves_max": CURVES_MAX,
    }


def _left_out(view: ArenaView, pages: Sequence[TraderPage]) -> list[str]:
    """Say what a reader could look for and not find."""
    told = []
    points = sum(len(page.curve.time_ms) for page in pages if page.curve is not None)
    most = max((len(page.curve.time_ms) for page in pages if page.curve is not None), default=0)
    bounds = Bounds.for_traders(len(pages), len(view.prices))
    if points and most > bounds.points:
        told.append(
            f"Curves: at most {bounds.points:,} points a trader of up to {most:,}; the highest and"
            " lowest value and the deepest drawdown of each stretch are kept."
        )
    for what, shown, total in (
        ("fills", (len(page.fills) for page in pages), (page.fills_total for page in pages)),
        ("trades", (len(page.trades) for page in pages), (page.trades_total for page in pages)),
        (
            "decisions",
            (len(page.decisions or ()) for page in pages),
            (page.decisions_total if page.decisions is not None else 0 for page in pages),
        ),
    ):
        pairs = list(zip(shown, total, strict=True))
        if less := [pair for pair in pairs if pair[0] < pair[1]]:
            kept, every = (sum(side) for side in zip(*pairs, strict=True))
            told.append(
                f"{what.capitalize()}: {kept:,} of {every:,}; of {_traders(len(less))} the latest"
                + (" that did something, then the latest." if what == "decisions" else ".")
            )
    without = sum(page.decisions is None for page in pages)
    if without:
        told.append(
            f"Decisions of {_traders(without)}: none is recorded, so no such fill has a trace."
        )
    intervals = {price.interval_ms // 60_000 for price in view.prices.values()}
    if intervals:
        told.append(f"Prices: candles of {'/'.join(str(i) for i in sorted(intervals))} minutes.")
    else:
        told.append("Prices: there are no candles, so charts show fills only.")
    return told


def _traders(count: int) -> str:
    return f"{count:,} trader{'' if count == 1 else 's'}"


def _board_row(page: TraderPage) -> dict[str, Any]:
    row = msgspec.to_builtins(page.row)
    known = {key: value for key, value in row.items() if value is not None and value != []}
    for key in ("return_interval", "sharpe_interval"):
        if key in known:
            known[key] = [known[key]["low"], known[key]["high"]]
    return known | {
        "name": page.name,
        "kind": str(page.strategy.get("kind", "")),
        "flags": page.flags,
        "note": page.note,
        "fills": page.fills_total,
        "fees": _text(page.fees_usd),
        "funding": _text(page.funding_usd),
    }


def _curve(curve: Curve, most: int) -> dict[str, Any]:
    """Columns: seconds, cents, millionths of growth where that is not the equity's, and the fall.

    All but the fall as differences to the value before.
    """
    growth: list[float] = curve.growth.tolist()
    falls = drawdown(growth)
    kept = thin(growth, falls, most)
    equity = curve.equity_usd[kept]
    own = curve.growth[kept]
    columns: dict[str, Any] = {
        "t": _steps(curve.time_ms[kept] // 1000),
        "e": _steps(np.round(equity / _CENT).astype(np.int64)),
        "f": [round(falls[place] * 1e5) for place in kept],
    }
    first = equity[0] if len(equity) else 0
    if first <= 0 or not np.allclose(own, np.maximum(equity, 0) / first, atol=2e-6):
        columns["g"] = _steps(np.round(own * 1e6).astype(np.int64))
    return columns


def _steps(values: I64) -> list[int]:
    steps: list[int] = np.diff(values, prepend=0).tolist()
    return steps


def _bands(pages: Sequence[TraderPage]) -> dict[str, Any] | None:
    """How all traders spread: quantiles of their growth at common moments."""
    curves = [page.curve for page in pages if page.curve is not None and len(page.curve.time_ms)]
    if not curves:
        return None
    start = min(int(curve.time_ms[0]) for curve in curves)
    end = max(int(curve.time_ms[-1]) for curve in curves)
    moments = np.linspace(start, end, _BAND_POINTS).astype(np.int64)
    rows: list[F64] = []
    for curve in curves:
        places = np.searchsorted(curve.time_ms, moments, side="right") - 1
        values = curve.growth[np.clip(places, 0, None)].astype(np.float64)
        values[(places < 0) | (moments > curve.time_ms[-1])] = np.nan
        rows.append(values)
    stacked = np.vstack(rows)
    bands = {
        name: np.nanquantile(stacked, share, axis=0).round(6).tolist()
        for name, share in _BANDS.items()
    }
    return {"t": (moments // 1000).tolist(), "bands": bands}


def _prices(price: PriceView) -> dict[str, Any]:
    """Candles as whole numbers: a step of time, open less last close, the others less open."""
    texts = [text for candle in price.candles for text in candle[1:5]]
    digits = max((len(text.partition(".")[2]) for text in texts), default=0)
    rows: list[int] = []
    before_ms, last = 0, 0
    for moment, *values in price.candles:
        start, high, low, end = (int(Decimal(value).scaleb(digits)) for value in values[:4])
        step = (moment - before_ms) // price.interval_ms if before_ms else 0
        rows += (step, start - last, high - start, low - start, end - start)
        before_ms, last = moment, end
    first = price.candles[0][0] if price.candles else 0
    return {"from": first, "interval_ms": price.interval_ms, "digits": digits, "rows": rows}


def _details(page: TraderPage) -> dict[str, Any]:
    return {
        "note": page.note,
        "strategy": page.strategy,
        "metrics": page.metrics,
        "bridge": _texts(page.bridge),
        "split": page.split,
        "guards": _guards(page.guards),
        "positions_ms": page.positions_ms,
        "positions": [
            {
                "coin": one.coin,
                "size": _text(one.size),
                "entry": _text(one.entry_price),
                "mark": _text(one.mark_price),
                "unrealized": _text(one.unrealized_usd),
                "leverage": one.leverage,
                "liquidation": _text(one.liquidation_price),
            }
            for one in page.positions
        ],
        "trades": [_trade(trade) for trade in page.trades],
        "trades_total": page.trades_total,
        "fills": [_fill(fill) for fill in page.fills],
        "fills_total": page.fills_total,
        "decisions": None if page.decisions is None else [_decision(one) for one in page.decisions],
        "decisions_total": page.decisions_total,
    }


def _guards(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """With what is listed newest first."""
    if told is None:
        return None
    return {**told, **{name: list(told[name])[::-1] for name in ("closed", "stood")}}


def _trade(trade: TradeView) -> list[Any]:
    prices = (trade.size, trade.entry_price, trade.exit_price, trade.stop)
    money = (trade.fees_usd, trade.funding_usd, trade.net_usd, trade.r_multiple)
    return [
        trade.coin,
        trade.side,
        trade.entry_ms,
        trade.exit_ms,
        *map(_text, prices),
        *map(_text, money),
        trade.ended_by,
        trade.rule,
        trade.entry_decision,
        trade.exit_decision,
    ]


def _fill(fill: FillView) -> list[Any]:
    return [
        fill.time_ms,
        fill.coin,
        fill.side,
        *map(_text, (fill.price, fill.size, fill.fee_usd, fill.realized_usd, fill.mid)),
        int(fill.is_taker),
        fill.cause,
        fill.oids[0] if fill.oids else None,
        fill.decision,
        _text(fill.start),
    ]


def _decision(decision: DecisionView) -> dict[str, Any]:
    """A turn without what says nothing; of verdicts that only accept, no more than that."""
    body = dict(decision.body)
    for name in ("trader_id", "decision", "now_ms", "asked"):
        body.pop(name, None)
    body["reasoning"] = _cut(body.get("reasoning"))
    body["fault"] = _cut(body.get("fault"))
    body["notes"] = [_cut(note) for note in (body.get("notes") or ())[:_NOTES_MAX]]
    verdicts = body.pop("verdicts", None) or ()
    judged: dict[int, Any] = {}
    for verdict in verdicts:
        judged[verdict["action"]] = 1 if verdict["outcome"] == "accepted" else _pruned(verdict)
    return {
        "n": decision.number,
        "t": decision.time_ms,
        "asked": bool(decision.body.get("asked", True)),
        "v": [[place, verdict] for place, verdict in judged.items()],
        **_pruned(body),
    }


def _pruned(value: Any) -> Any:
    """Plain values without those that say nothing."""
    if isinstance(value, Mapping):
        kept = {key: _pruned(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, "", [], {}, False)}
    if isinstance(value, list | tuple):
        return [_pruned(item) for item in value]
    return value


def _cut(text: Any) -> str:
    told = str(text or "")
    return told if len(told) <= TEXT_MAX else f"{told[:TEXT_MAX]} … ({len(told):,} characters)"


def _texts(amounts: Mapping[str, Decimal] | None) -> dict[str, str] | None:
    return None if amounts is None else {key: f"{value:f}" for key, value in amounts.items()}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"

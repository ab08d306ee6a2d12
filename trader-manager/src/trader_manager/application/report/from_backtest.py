"""The view of a backtest: its report, and the journals of its traders where there are any.

The report is virtual-exchange's (`docs/report.md`), the journals are strategy-agent's; both are
read as data, as anybody else could.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, get_args

import msgspec
import numpy as np

from strategy_core.llm.use import bill_at, hit_rate
from suite.contracts.guards import ModelUse
from suite.contracts.leaderboard import (
    Baseline,
    ConfidenceInterval,
    LeaderboardGroup,
    LeaderboardRow,
)
from suite.errors import BadRequest
from suite.fixed import USD_DECIMALS, parse_fixed
from suite.moments import format_moment
from suite.page.thinning import fit_candles
from trader_manager.application.report.tracing import (
    DecisionPicker,
    latest_turns,
    link_fills,
    link_trades,
)
from trader_manager.application.report.view import (
    ArenaView,
    Bounds,
    Curve,
    DecisionView,
    FillView,
    PositionView,
    PriceView,
    TraderPage,
    TradeView,
)

SCHEMA: Final = "autocryptotrader-report/2"
Journal = Callable[[str], Iterable[DecisionView] | None]
"""Decisions of a trader, oldest first; None where it has no journal."""


class SeedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Traders that differ by their seed; numbers are texts, as in the report."""

    group: str
    seeds: int
    unknown_seeds: int = 0
    mean_return: str | None = None
    return_interval: tuple[str | None, str | None] | None = None
    traders: tuple[str, ...] = ()


class ArenaNotes(msgspec.Struct, frozen=True, kw_only=True):
    """What the arena knows beside its report, `arena.json`.

    Attributes:
        failed: traders that did not come to their end, and why.
    """

    failed: dict[str, str] = {}
    groups: tuple[SeedGroup, ...] = ()


def view_of_backtest(
    report: Mapping[str, Any],
    journal: Journal,
    *,
    notes: ArenaNotes | None = None,
    bounds: Bounds | None = None,
) -> ArenaView:
    """Fill the view from a report.

    Args:
        report: report.json.
        journal: of each trader.
        notes: of the arena; who failed is on the board, unknown.
        bounds: what a page holds of each; as many as fit when not given.

    Raises:
        BadRequest: it is no such report.
    """
    result = report.get("result")
    if not isinstance(result, dict) or result.get("schema") != SCHEMA:
        raise BadRequest(f"this is no report of the schema {SCHEMA}")
    notes = notes or ArenaNotes()
    failed, groups = notes.failed, _groups(notes)
    bounds = bounds or Bounds.for_traders(
        len(result["traders"]) + len(failed), len(report["charts"])
    )
    pages = [
        _page(report, {"group": groups.get(row["trader_id"]), **row}, journal, bounds)
        for row in report.get("charged") or result["leaderboard"]
        if row["trader_id"] not in failed
    ]
    period, manifest = result["period"], report["manifest"]
    warnings = [] if result["finished"] else ["Not finished: the run ended before its period did."]
    if manifest.get("mask"):
        warnings.append(
            "The world was masked: decisions show the names, prices and dates that traders saw,"
            " everything else the recorded ones."
        )
    return ArenaView(
        kind="backtest",
        from_ms=period["from_ms"],
        to_ms=period["to_ms"],
        traders=(
            *pages,
            *(_failed(name, why, groups.get(name)) for name, why in sorted(failed.items())),
        ),
        prices={coin: _price(chart, bounds.candles) for coin, chart in report["charts"].items()},
        board_note=result["leaderboard_note"],
        synthetic=result["synthetic"],
        facts=(("Run", str(manifest.get("run_id", ""))), ("Result SHA-256", report["sha256"])),
        made={"What the market model assumes": result["rules"], "Manifest": manifest},
        notes=tuple(warnings),
        models=tuple(hit_rate(_uses(report), failed)),
        groups=tuple(map(_group, notes.groups)),
    )


def _page(
    report: Mapping[str, Any], row: Mapping[str, Any], journal: Journal, bounds: Bounds
) -> TraderPage:
    name = row["trader_id"]
    trader, guards = report["result"]["traders"][name], report["guards"].get(name)
    orders = {order["oid"]: order for order in trader["orders"]}
    fills = [_fill(fill, orders) for fill in trader["trades"][-bounds.fills :]]
    every = [*trader["completed_trades"], *trader["open_trades"]]
    trades = [_trade(trade) for trade in every[-bounds.trades :]]
    told = journal(name)
    picker = _pick(told, fills, trades, bounds)
    chosen = picker.chosen()
    linked = link_fills(fills, chosen)
    return TraderPage(
        trader_id=name,
        name="",
        row=_row(row, trader, (report.get("models") or {}).get(name) or {}),
        curve=_curve(trader["equity_curve"], _use(report, name)),
        strategy=trader["strategy"],
        fees_usd=Decimal(trader["bridge"]["fees"]),
        funding_usd=Decimal(trader["bridge"]["funding"]),
        flags=_flags(trader, guards),
        note=_pause(guards),
        metrics=dict(trader["portfolio_metrics"]),
        bridge={key: Decimal(value) for key, value in trader["bridge"].items()},
        split=trader["profit_split"],
        positions=_positions(trader, report["charts"]),
        positions_ms=report["result"]["period"]["to_ms"],
        trades=link_trades(trades, linked, guards, picker.closed),
        trades_total=len(every),
        fills=linked,
        fills_total=len(trader["trades"]),
        guards=guards,
        decisions=None if told is None else chosen,
        decisions_total=picker.total,
    )


def _pick(
    told: Iterable[DecisionView] | None,
    fills: Sequence[FillView],
    trades: Sequence[TradeView],
    bounds: Bounds,
) -> DecisionPicker:
    """Look through a journal; what led to trades counts more than what led to fills."""
    ends = {(t.coin, moment) for t in trades for moment in (t.entry_ms, t.exit_ms)}
    known = [fill for fill in fills if (fill.coin, fill.time_ms) in ends]
    picker = DecisionPicker(
        bounds.decisions,
        oids={oid for fill in known for oid in fill.oids},
        cloids={fill.cloid for fill in known if fill.cloid},
    )
    for decision in latest_turns(told or ()):
        picker.take(decision)
    return picker


def _use(report: Mapping[str, Any], name: str) -> ModelUse | None:
    """What a trader tells of its language models; None where it tells nothing."""
    told = ((report.get("models") or {}).get(name) or {}).get("use")
    return None if told is None else msgspec.convert(told, ModelUse)


def _uses(report: Mapping[str, Any]) -> list[ModelUse]:
    return [use for name in report.get("models") or {} if (use := _use(report, name))]


def _row(
    row: Mapping[str, Any], trader: Mapping[str, Any], models: Mapping[str, Any]
) -> LeaderboardRow:
    metrics = trader["portfolio_metrics"]
    baseline = row["baseline"]
    return LeaderboardRow(
        trader_id=row["trader_id"],
        group=row.get("group"),
        seed=row.get("seed"),
        baseline=baseline if baseline in get_args(Baseline) else None,
        standing="ruined" if Decimal(row["final_equity"]) <= 0 else "ranked",
        rank=row["rank"],
        rank_worst=row["rank_worst"],
        tied_with=tuple(row["tied_with"]),
        profit_usd=_micro(row["total_pnl"]),
        equity_usd=_micro(row["final_equity"]),
        cost_usd=_micro(models["cost"]) if models.get("cost") is not None else None,
        tokens=models["use"]["tokens"] if models.get("use") else None,
        is_replayed=bool(models.get("is_replayed")),
        memory=models.get("memory"),
        total_return=_number(row["total_return"]),
        return_interval=_interval(row["return_interval"]),
        sharpe=_number(row["sharpe"]),
        sharpe_interval=_interval(row["sharpe_interval"]),
        max_drawdown=_number(row["max_drawdown"]),
        win_rate=_number(row["win_rate"]),
        trades=row["total_trades"],
        sortino=_number(metrics.get("sortino")),
        calmar=_number(metrics.get("calmar")),
        profit_factor=_number(metrics.get("profit_factor")),
        exposure=_number(metrics.get("exposure")),
        mean_leverage=_number(metrics.get("mean_leverage")),
        turnover=_number(metrics.get("turnover")),
    )


def _groups(notes: ArenaNotes) -> dict[str, str]:
    return {name: one.group for one in notes.groups for name in one.traders}


def _group(told: SeedGroup) -> LeaderboardGroup:
    return LeaderboardGroup(
        group=told.group,
        seeds=told.seeds,
        unknown_seeds=told.unknown_seeds,
        mean_return=_number(told.mean_return),
        return_interval=_interval(told.return_interval),
    )


def _failed(name: str, why: str, group: str | None) -> TraderPage:
    """One that has no result: on the board, and unknown."""
    row = LeaderboardRow(trader_id=name, group=group, seed=None, baseline=None, standing="stale")
    return TraderPage(
        trader_id=name, name="", row=row, curve=None, strategy={}, flags=("failed",), note=why
    )


def _flags(trader: Mapping[str, Any], guards: Mapping[str, Any] | None) -> tuple[str, ...]:
    stood = guards["stood"] if guards else ()
    flags = ["degraded"] if trader["degraded"] else []
    if guards and guards["faults"]:
        flags.append("failed")
    if stood and stood[-1]["until_ms"] is None:
        flags.append(stood[-1]["status"].lower())
    return tuple(flags)


def _pause(guards: Mapping[str, Any] | None) -> str:
    """Say since when and why a trader was paused or stopped at the end; empty where it was not."""
    stood = guards["stood"] if guards else ()
    if not stood or stood[-1]["until_ms"] is not None:
        return ""
    last = stood[-1]
    causes = ", ".join(name.replace("_", " ") for name in last["causes"])
    why = ": ".join(filter(None, (causes, last["reason"]))) or "no reason is told"
    return f"{last['status'].capitalize()} from {format_moment(last['from_ms'])} on: {why}"


def _curve(points: Sequence[Sequence[Any]], use: ModelUse | None) -> Curve:
    equity = np.array([_micro(value) for _, value in points], dtype=np.int64)
    time_ms = np.array([time for time, _ in points], dtype=np.int64)
    first = equity[0] if len(equity) and equity[0] > 0 else 1
    value = equity if use is None else equity - bill_at(use, time_ms)
    return Curve(time_ms=time_ms, equity_usd=equity, growth=np.maximum(value, 0) / first)


def _fill(fill: Mapping[str, Any], orders: Mapping[int, Mapping[str, Any]]) -> FillView:
    order = orders.get(fill["oid"], {})
    parent = order.get("parent_oid")
    cause = fill["cause"]
    return FillView(
        time_ms=fill["time"],
        coin=fill["coin"],
        side=fill["side"],
        price=Decimal(fill["price"]),
        size=Decimal(fill["size"]),
        fee_usd=Decimal(fill["fee"]),
        realized_usd=Decimal(fill["realized_pnl"]),
        is_taker=fill["liquidity"] == "taker",
        start=Decimal(fill["start_position"]),
        oids=(fill["oid"], parent) if parent else (fill["oid"],),
        cloid=order.get("cloid"),
        mid=Decimal(fill["mid"]),
        cause=order.get("kind", cause) if order.get("kind") in ("stop", "take_profit") else cause,
    )


def _trade(trade: Mapping[str, Any]) -> TradeView:
    return TradeView(
        coin=trade["coin"],
        side=trade["side"],
        entry_ms=trade["entry_time"],
        exit_ms=trade.get("exit_time"),
        size=Decimal(trade["qty"]),
        entry_price=_decimal(trade["avg_entry_price"]),
        exit_price=_decimal(trade.get("avg_exit_price")),
        fees_usd=Decimal(trade["fees"]),
        funding_usd=Decimal(trade["funding"]),
        net_usd=Decimal(trade["pnl"]),
        stop=_decimal(trade.get("initial_sl_price")),
        r_multiple=_decimal(trade.get("r_multiple")),
    )


def _positions(
    trader: Mapping[str, Any], charts: Mapping[str, Mapping[str, Any]]
) -> tuple[PositionView, ...]:
    """What was held at the end: sizes by the last fill, marks by the last candle."""
    held = {fill["coin"]: fill for fill in trader["trades"]}
    found = []
    for trade in trader["open_trades"]:
        coin, entry = trade["coin"], Decimal(trade["avg_entry_price"])
        size = Decimal(trade["qty"]) * (1 if trade["side"] == "long" else -1)
        if (fill := held.get(coin)) is not None:
            sign = 1 if fill["side"] == "buy" else -1
            size = Decimal(fill["start_position"]) + sign * Decimal(fill["size"])
        candles = charts[coin]["candles"] if coin in charts else ()
        mark = Decimal(candles[-1][4]) if candles else None
        whole = mark is not None and not trade.get("exit_fills")
        found.append(
            PositionView(
                coin=coin,
                size=size,
                entry_price=entry,
                mark_price=mark,
                unrealized_usd=size * (mark - entry) if mark is not None and whole else None,
            )
        )
    return tuple(found)


def _price(chart: Mapping[str, Any], most: int) -> PriceView:
    interval_ms, candles = fit_candles(chart["candles"], int(chart["interval_ms"]), most)
    return PriceView(interval_ms=interval_ms, candles=tuple(map(tuple, candles)))


def _interval(ends: Sequence[str | None] | None) -> ConfidenceInterval | None:
    low, high = map(_number, ends or (None, None))
    if low is None or high is None:
        return None
    return ConfidenceInterval(low=low, high=high)


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _micro(usd: str) -> int:
    return int(parse_fixed(usd, USD_DECIMALS))

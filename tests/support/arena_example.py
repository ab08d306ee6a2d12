"""An arena's folder of made-up numbers: a report, and journals that its fills follow from."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.example_report import HOUR_MS, START_MS, example_report

REASON = "the fast mean crossed above the slow one"
CLAMPED, STOPPED = 3, 5
"""Places of the closed trades whose entry was clamped, and that their stop ended."""


def arena_report(
    names: tuple[str, ...],
    *,
    days: int = 3,
    trades: int = 20,
    candle_interval_ms: int = 15 * 60_000,
    equity_interval_ms: int = HOUR_MS,
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Make a report with fills and orders, and the decisions of each trader."""
    report = example_report(
        names,
        days=days,
        trades=trades,
        candle_interval_ms=candle_interval_ms,
        equity_interval_ms=equity_interval_ms,
    )
    journals = {name: _traded(trader) for name, trader in report["result"]["traders"].items()}
    return report, journals


def write_arena(
    folder: Path, report: dict[str, Any], journals: dict[str, list[dict[str, Any]]]
) -> Path:
    """Write the folder as a backtest leaves it."""
    (folder / "journals").mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    for name, decisions in journals.items():
        if "/" in name:
            continue  # no name of a file
        lines = [{"type": "run", "run": {"continued": False}}]
        lines += [{"type": "decision", "decision": one} for one in decisions]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (folder / "journals" / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def _traded(trader: dict[str, Any]) -> list[dict[str, Any]]:
    """Give each closed trade its two fills, three orders, and the decisions for them."""
    decisions: list[dict[str, Any]] = []
    for place, trade in enumerate(trader["completed_trades"]):
        oid, stopped = 1000 + 10 * place, place == STOPPED
        trade["initial_sl_price"] = f"{float(trade['avg_entry_price']) * 0.98:.6g}"
        is_buy = trade["side"] == "long"
        trader["orders"] += _orders(trade, oid, is_buy=is_buy)
        trader["trades"] += [
            _fill(trade, "entry", oid, is_buy=is_buy),
            _fill(trade, "exit", oid + (1 if stopped else 2), is_buy=not is_buy),
        ]
        decisions.append(_entry(trade, oid, is_buy=is_buy, clamped=place == CLAMPED))
        if not stopped:
            decisions.append(_exit(trade, oid + 2, is_buy=not is_buy))
    trader["trades"].sort(key=lambda fill: fill["time"])
    decisions += [_turn(START_MS + hour * HOUR_MS) for hour in range(24)]
    decisions.sort(key=lambda one: one["now_ms"])
    return [{**one, "decision": number} for number, one in enumerate(decisions, start=1)]


def _orders(trade: dict[str, Any], oid: int, *, is_buy: bool) -> Iterable[dict[str, Any]]:
    for step, kind in enumerate(("market", "stop", "market")):
        yield {
            "oid": oid + step,
            "cloid": cloid_of(oid + step) if kind == "market" else None,
            "coin": trade["coin"],
            "kind": kind,
            "side": "buy" if is_buy == (step == 0) else "sell",
            "parent_oid": oid if kind == "stop" else None,
        }


def cloid_of(oid: int) -> str:
    return f"0x{oid:032x}"


def _fill(trade: dict[str, Any], end: str, oid: int, *, is_buy: bool) -> dict[str, Any]:
    return {
        "time": trade[f"{end}_time"],
        "coin": trade["coin"],
        "side": "buy" if is_buy else "sell",
        "size": trade["qty"],
        "price": trade[f"avg_{end}_price"],
        "mid": trade[f"avg_{end}_price"],
        "reference_price": trade[f"avg_{end}_price"],
        "fee": "0.675",
        "slippage": "0",
        "realized_pnl": "0" if end == "entry" else trade["pnl_before_fees"],
        "start_position": "0" if end == "entry" else f"{'-' * is_buy}{trade['qty']}",
        "liquidity": "taker",
        "cause": "order",
        "oid": oid,
        "tid": oid,
    }


def _turn(now_ms: int, **more: Any) -> dict[str, Any]:
    return {
        "trader_id": "", "decision": 0, "asked": True, "now_ms": now_ms, "woke_by": ["time"],
        "status": "LIVE", "changes": [], "equity": "10000", "reasoning": "no cross", "fault": "",
        "notes": [], "closed": [], "actions": [], "verdicts": [], "sent": [], "results": [],
        **more,
    }  # fmt: skip


def _order(trade: dict[str, Any], *, is_buy: bool, **more: Any) -> dict[str, Any]:
    return {
        "type": "order", "coin": trade["coin"], "is_buy": is_buy, "sz": trade["qty"],
        "limit_px": "0", "order_type": {"limit": {"tif": "Ioc"}, "trigger": None},
        "reduce_only": False, "cloid": None, "stop_loss": None, "take_profit": None, **more,
    }  # fmt: skip


def _filled(trade: dict[str, Any], oid: int, price: str) -> dict[str, Any]:
    told = {"totalSz": trade["qty"], "avgPx": price, "oid": oid, "cloid": cloid_of(oid)}
    return {
        "status": "ok",
        "response": {
            "type": "order",
            "data": {"statuses": [{"filled": told}, "waitingForTrigger"]},
        },
    }


def _entry(trade: dict[str, Any], oid: int, *, is_buy: bool, clamped: bool) -> dict[str, Any]:
    order = _order(trade, is_buy=is_buy, stop_loss={"price": trade["initial_sl_price"]})
    verdict = {"action": 0, "outcome": "accepted", "rule": "", "before": "1", "after": "1"}
    if clamped:
        verdict = {**verdict, "outcome": "clamped", "rule": "max_coin_exposure", "after": "0.5"}
    refused = _order(trade, is_buy=is_buy, sz="0.000001")
    return _turn(
        trade["entry_time"],
        reasoning=REASON,
        actions=[order, refused] if clamped else [order],
        verdicts=[
            verdict,
            *(
                [{"action": 1, "outcome": "rejected", "rule": "min_notional", "reason": ""}]
                if clamped
                else []
            ),
        ],
        sent=[{**order, "cloid": cloid_of(oid)}],
        results=[_filled(trade, oid, trade["avg_entry_price"])],
    )


def _exit(trade: dict[str, Any], oid: int, *, is_buy: bool) -> dict[str, Any]:
    order = _order(trade, is_buy=is_buy, reduce_only=True)
    return _turn(
        trade["exit_time"],
        reasoning="it crossed back",
        actions=[order],
        verdicts=[{"action": 0, "outcome": "accepted"}],
        sent=[{**order, "cloid": cloid_of(oid)}],
        results=[_filled(trade, oid, trade["avg_exit_price"])],
    )

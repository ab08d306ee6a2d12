"""The leaderboard of a report: the suite's, over the one period that all accounts share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from strategy_core.llm.use import bill_at
from suite.bars import I64
from suite.canonical import number
from suite.contracts.leaderboard import Baseline, ConfidenceInterval, LeaderboardRow
from suite.leaderboard import BoardRules, build_leaderboard, step_of
from suite.trader_history import TraderHistory
from virtual_exchange.application.info.values import usd
from virtual_exchange.domain.record import AccountRecord, RunRecord

LEADERBOARD_NOTE = (
    "Ranked by what this one period bears out: traders that luck may have put apart share a rank,"
    " in the order of their returns. Intervals are 95 %; another period may have another order."
)
_BASELINES: dict[str, Baseline] = {"hodl": "hodl", "random": "random", "flat": "flat"}


def leaderboard_rows(record: RunRecord, traders: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows by rank, then return.

    Args:
        record: of the run.
        traders: by id, as the report has them.
    """
    return [
        {
            "rank": row.rank,
            "rank_worst": row.rank_worst,
            "tied_with": list(row.tied_with),
            "trader_id": row.trader_id,
            "baseline": row.baseline,
            "total_return": traders[row.trader_id]["total_return"],
            "return_interval": _interval(row.return_interval),
            "total_pnl": traders[row.trader_id]["total_pnl"],
            "final_equity": traders[row.trader_id]["final_equity"],
            "sharpe": traders[row.trader_id]["portfolio_metrics"]["sharpe"],
            "sharpe_interval": _interval(row.sharpe_interval),
            "max_drawdown": traders[row.trader_id]["max_drawdown"],
            "win_rate": traders[row.trader_id]["win_rate"],
            "total_trades": traders[row.trader_id]["total_trades"],
            "fees": traders[row.trader_id]["bridge"]["fees"],
            "funding": traders[row.trader_id]["bridge"]["funding"],
            "degraded": traders[row.trader_id]["degraded"],
        }
        for row in _board(record, [_history(record, one) for one in record.accounts])
    ]


def charged_rows(record: RunRecord, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The same rows with the bills of language models taken off, anew by rank.

    A bill is what a trader tells of itself, so no number of `result` is made of it; the board that
    people look at is.

    Args:
        record: of the run.
        rows: without the bills.

    Returns:
        None where nobody tells of a bill.
    """
    if not any(_bill(record, account)[-1] for account in record.accounts):
        return None
    told = {row["trader_id"]: row for row in rows}
    board = _board(record, [_history(record, one, charged=True) for one in record.accounts])
    return [told[row.trader_id] | _charged(row) for row in board]


def _charged(row: LeaderboardRow) -> dict[str, Any]:
    """What a bill changes."""
    placed = {
        "rank": row.rank,
        "rank_worst": row.rank_worst,
        "tied_with": list(row.tied_with),
        "return_interval": _interval(row.return_interval),
        "sharpe_interval": _interval(row.sharpe_interval),
    }
    if not row.cost_usd:
        return placed
    return placed | {
        "total_return": number(row.total_return),
        "total_pnl": usd(row.profit_usd or 0),
        "sharpe": number(row.sharpe),
        "max_drawdown": number(row.max_drawdown),
    }


def _board(record: RunRecord, histories: Sequence[TraderHistory]) -> tuple[LeaderboardRow, ...]:
    from_ms, now_ms = int(record.equity_time_ms[0]), int(record.equity_time_ms[-1])
    rules = BoardRules(now_ms=now_ms, step_ms=step_of(now_ms - from_ms), with_flat=False)
    return build_leaderboard(histories, rules).rows


def leaderboard_groups(record: RunRecord, groups: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of traders that differ by chance only.

    Args:
        record: of the run.
        groups: name of the group by trader id; of those that are in one, with those who have not
            come to their end.
    """
    histories = [
        replace(_history(record, account), group=groups[account.account_id])
        for account in record.accounts
        if account.account_id in groups
    ]
    if not histories:
        return []
    from_ms, now_ms = int(record.equity_time_ms[0]), int(record.equity_time_ms[-1])
    rules = BoardRules(now_ms=now_ms, step_ms=step_of(now_ms - from_ms), with_flat=False)
    return [
        {
            "group": row.group,
            "seeds": row.seeds,
            "unknown_seeds": sum(row.group == group for group in groups.values()) - row.seeds,
            "mean_return": number(row.mean_return),
            "return_interval": _interval(row.return_interval),
            "traders": sorted(name for name, group in groups.items() if group == row.group),
        }
        for row in build_leaderboard(histories, rules).groups
    ]


def _bill(record: RunRecord, account: AccountRecord) -> I64:
    """What its models had cost by each sample, micro-USD."""
    use = None if account.guards is None else account.guards.models
    return np.zeros_like(account.equity_usd) if use is None else bill_at(use, record.equity_time_ms)


def _history(record: RunRecord, account: AccountRecord, *, charged: bool = False) -> TraderHistory:
    """An account's equity, from which money that came and went is already taken off."""
    nothing = np.zeros_like(account.equity_usd)
    return TraderHistory(
        trader_id=account.account_id,
        time_ms=record.equity_time_ms,
        equity_usd=account.equity_usd,
        deposits_usd=nothing,
        costs_usd=_bill(record, account) if charged else nothing,
        notional_usd=account.exposure_usd,
        traded_usd=nothing,
        tokens=nothing,
        baseline=_BASELINES.get(str(account.strategy.get("kind", ""))),
    )


def _interval(interval: ConfidenceInterval | None) -> list[str | None] | None:
    return None if interval is None else [number(interval.low), number(interval.high)]

"""The leaderboard of a report: the suite's, over the one period that all accounts share."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.contracts.leaderboard import Baseline, ConfidenceInterval
from suite.leaderboard import BoardRules, build_leaderboard, step_of
from suite.trader_history import TraderHistory
from virtual_exchange.application.report.rows import number
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
    from_ms, now_ms = int(record.equity_time_ms[0]), int(record.equity_time_ms[-1])
    rules = BoardRules(now_ms=now_ms, step_ms=step_of(now_ms - from_ms), with_flat=False)
    board = build_leaderboard([_history(record, account) for account in record.accounts], rules)
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
        for row in board.rows
    ]


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


def _history(record: RunRecord, account: AccountRecord) -> TraderHistory:
    """An account's equity, from which money that came and went is already taken off."""
    nothing = np.zeros_like(account.equity_usd)
    return TraderHistory(
        trader_id=account.account_id,
        time_ms=record.equity_time_ms,
        equity_usd=account.equity_usd,
        deposits_usd=nothing,
        costs_usd=nothing,
        notional_usd=account.exposure_usd,
        traded_usd=nothing,
        tokens=nothing,
        baseline=_BASELINES.get(str(account.strategy.get("kind", ""))),
    )


def _interval(interval: ConfidenceInterval | None) -> list[str | None] | None:
    return None if interval is None else [number(interval.low), number(interval.high)]

"""The report: exact sums, one hash for one run."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.runs import random_run, renamed

from suite.bars import HOUR_MS
from suite.canonical import canonical_bytes, number
from virtual_exchange.application.report.board import leaderboard_rows
from virtual_exchange.application.report.building import build_report
from virtual_exchange.domain.trades import trades_of

SEEDS = st.integers(0, 10_000)


def floats_in(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in floats_in(item)]
    if isinstance(value, list | tuple):
        return [found for item in value for found in floats_in(item)]
    return [value] if isinstance(value, float) else []


@given(SEEDS)
def test_trades_add_up_to_the_account_to_the_micro_usd(seed: int) -> None:
    """What closed and open trades earned, paid and received is what all fills and funding did."""
    record = random_run(seed)
    for account in record.accounts:
        trades = trades_of(account.fills, account.funding)
        every = [*trades.closed, *trades.open]
        assert sum(t.realized_usd for t in every) == sum(f.realized_pnl_usd for f in account.fills)
        assert sum(t.fees_usd for t in every) == sum(f.fee_usd for f in account.fills)
        assert sum(t.funding_usd for t in every) == sum(p.usd for p in account.funding)
        assert all(t.entry_size == t.exit_size for t in trades.closed)
        assert all(t.exit_ms is None for t in trades.open)


@given(SEEDS)
@example(420)  # the insurance keeps what a liquidation left
@example(1082)  # the insurance pays what an account could not
def test_gross_less_costs_is_net_to_the_micro_usd(seed: int) -> None:
    """realized + unrealized - fees + funding + insurance = final equity - initial balance."""
    for trader in build_report(random_run(seed))["result"]["traders"].values():
        bridge = {name: Decimal(value) for name, value in trader["bridge"].items()}
        gross = bridge["realized"] + bridge["unrealized"]
        assert bridge["net"] == gross - bridge["fees"] + bridge["funding"] + bridge["insurance"]
        assert bridge["net"] == Decimal(trader["final_equity"]) - Decimal(trader["initial_balance"])
        closed = sum(Decimal(trade["pnl"]) for trade in trader["completed_trades"])
        opened = sum(Decimal(trade["pnl"]) for trade in trader["open_trades"])
        assert bridge["net"] - bridge["unrealized"] - bridge["insurance"] == closed + opened


def test_the_result_has_no_floats_and_its_hash_covers_nothing_else() -> None:
    """Commit, paths and transport may differ; the hash may not."""
    record = random_run(1)
    report = build_report(record)
    assert floats_in(report["result"]) == []
    other = build_report(renamed(record, manifest={**record.manifest, "commit": "abc"}))
    assert report["sha256"] == other["sha256"]
    changed = build_report(renamed(record, finished=False))
    assert report["sha256"] != changed["sha256"]


def test_every_field_of_a_backtest_report_is_there() -> None:
    """What users of other backtesters look for, by its name."""
    report = build_report(random_run(2))
    trader = report["result"]["traders"]["trader-0"]
    assert set(trader) >= {
        "total_pnl",
        "win_rate",
        "max_drawdown",
        "total_trades",
        "equity_curve",
        "trades",
        "completed_trades",
        "portfolio_metrics",
    }
    assert set(trader["portfolio_metrics"]) >= {
        "win_rate",
        "avg_win",
        "avg_loss",
        "profit_factor",
        "exposure",
        "turnover",
        "mdd_duration_ms",
        "win_count",
        "loss_count",
        "breakeven_count",
        "avg_r_multiple",
    }
    assert set(trader["completed_trades"][0]) >= {
        "pair",
        "side",
        "entry_fills",
        "exit_fills",
        "entry_time",
        "exit_time",
        "qty",
        "avg_entry_price",
        "avg_exit_price",
        "fees",
        "slippage",
        "pnl",
        "pnl_before_fees",
        "duration_ms",
        "r_multiple",
        "initial_sl_price",
    }
    assert {"margin_held", "margin_refunded"} <= set(trader["orders"][0])
    assert report["result"]["win_rate_definition"]
    assert report["result"]["breakeven_threshold"] == "0"


def test_equal_returns_share_a_rank() -> None:
    """Nobody is above another by the order of their names."""
    record = random_run(3)
    record.accounts[1] = replace(record.accounts[0], account_id="trader-1")
    board = build_report(record)["result"]["leaderboard"]
    assert [row["rank"] for row in board] == [1, 1]


def test_the_board_tells_apart_only_what_the_period_bears_out() -> None:
    """Forty days of the same noise; then one gains and the other loses a little every hour."""
    record = random_run(3)
    traders = build_report(record)["result"]["traders"]
    hours = 40 * 24
    record = replace(record, equity_time_ms=np.arange(hours + 1, dtype=np.int64) * HOUR_MS)
    for gain, expected in (
        (0.0, {"trader-0": 1, "trader-1": 1}),
        (5e-4, {"trader-0": 1, "trader-1": 2}),
    ):
        for place, account in enumerate(record.accounts):
            steps = np.random.default_rng(place).normal(0, 2e-3, hours) + (-gain if place else gain)
            curve = 1e10 * np.exp(np.concatenate([[0.0], np.cumsum(steps)]))
            equity = np.round(curve).astype(np.int64)
            record.accounts[place] = replace(
                account, equity_usd=equity, exposure_usd=np.zeros_like(equity)
            )
        rows = leaderboard_rows(record, traders)
        assert expected == {row["trader_id"]: row["rank"] for row in rows}
        for row in rows:
            low, high = (Decimal(end) for end in row["return_interval"])
            assert -1 < low < high
            assert (row["rank"] == row["rank_worst"]) == (gain > 0)
            assert bool(row["tied_with"]) == (gain == 0)
    assert floats_in(rows) == []


def test_a_run_of_minutes_has_no_interval() -> None:
    """Two hours say nothing, and the report says so."""
    for row in build_report(random_run(3))["result"]["leaderboard"]:
        assert (1, None, None) == (row["rank"], row["return_interval"], row["sharpe_interval"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), (0.0, "0"), (-0.0, "0"), (1 / 3, "0.3333333333"), (1e-7, "0.0000001")],
)
def test_a_metric_has_ten_digits_and_no_exponent(value: float | None, text: str | None) -> None:
    """The last digits of a float differ between machines; these do not."""
    assert text == number(value)


SCRIPT = """
from tests.support.runs import random_run
from virtual_exchange.application.report.building import build_report
print(build_report(random_run(7))["sha256"])
"""


@pytest.mark.process
def test_the_hash_does_not_depend_on_the_process() -> None:
    """Hash seed, time zone and locale are of no account."""
    root = Path(__file__).parents[3]

    def digest(**extra: str) -> str:
        env = {**os.environ, "PYTHONPATH": str(root), **extra}
        command = [sys.executable, "-c", SCRIPT]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    assert digest(PYTHONHASHSEED="1", TZ="UTC") == digest(
        PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C"
    )


def test_canonical_bytes_read_back_as_they_were() -> None:
    """Canonical JSON is JSON."""
    result = build_report(random_run(4))["result"]
    assert json.loads(canonical_bytes(result)) == json.loads(json.dumps(result))

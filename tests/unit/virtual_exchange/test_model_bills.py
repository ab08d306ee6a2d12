"""What models cost, on the board of a report: taken off there, and nowhere in `result`."""

import json
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from tests.support.runs import random_run

from suite.bars import DAY_MS
from suite.contracts.guards import GuardSummary, ModelDay, ModelUse
from trader_manager.application.report.from_backtest import ArenaNotes, view_of_backtest
from virtual_exchange.application.report.building import build_report, encode_report
from virtual_exchange.application.report.console import leaderboard, remarks
from virtual_exchange.application.report.page import page_data
from virtual_exchange.domain.record import RunRecord

COST = 1_500_000


def run_with(*, replayed: bool, cost: int = COST, **params: Any) -> RunRecord:
    """The first of two traders asks a model."""
    record = random_run(3)
    record.markets = [replace(market, synthetic=False) for market in record.markets]
    paid, recorded = (0, cost) if replayed else (cost, 0)
    use = ModelUse(
        questions=4, answers={"replay" if replayed else "live": 4}, tokens=900,
        paid_usd=paid, recorded_usd=recorded, days=(ModelDay(from_ms=0, cost_usd=cost),),
    )  # fmt: skip
    record.accounts[0].strategy = {"kind": "llm", "params": params}
    record.accounts[0].guards = GuardSummary(models=use)
    return record


def report_of(record: RunRecord) -> dict[str, Any]:
    built: dict[str, Any] = json.loads(encode_report(build_report(record)))
    return built


def row_of(rows: list[dict[str, Any]], name: str = "trader-0") -> dict[str, Any]:
    return next(row for row in rows if row["trader_id"] == name)


@pytest.mark.parametrize("replayed", [True, False])
def test_report_page_and_arena_agree_on_the_bill(replayed: bool) -> None:
    report = report_of(run_with(replayed=replayed))
    plain, charged = row_of(report["result"]["leaderboard"]), row_of(report["charged"])
    assert Decimal("1.5") == Decimal(plain["total_pnl"]) - Decimal(charged["total_pnl"])
    assert float(charged["total_return"]) < float(plain["total_return"])
    assert page_data(report)["leaderboard"] == report["charged"]
    view = view_of_backtest(report, lambda _name: None)
    page = next(page for page in view.traders if page.trader_id == "trader-0")
    assert (COST, 900, replayed) == (page.row.cost_usd, page.row.tokens, page.row.is_replayed)
    assert float(charged["total_return"]) == page.row.total_return
    assert page.curve is not None
    assert float(charged["total_return"]) == pytest.approx(page.curve.growth[-1] - 1)
    assert any("1.5000 USD" in line for line in view.models)
    other = row_of(report["charged"], "trader-1")
    assert other["total_pnl"] == row_of(report["result"]["leaderboard"], "trader-1")["total_pnl"]


def test_no_number_of_the_hashed_result_is_made_of_what_a_trader_tells() -> None:
    assert (
        report_of(run_with(replayed=True))["sha256"]
        == (report_of(run_with(replayed=True, cost=9 * COST))["sha256"])
    )


def test_a_free_model_leaves_the_board_as_it_is() -> None:
    report = report_of(run_with(replayed=True, cost=0))
    assert None is report["charged"]
    assert 0 == Decimal(report["models"]["trader-0"]["cost"])


def test_the_terminal_says_that_a_bill_was_that_of_the_recording() -> None:
    report = report_of(run_with(replayed=True))
    written = StringIO()
    Console(width=160, file=written).print(leaderboard(report))
    assert "1.5000 (recorded)" in written.getvalue()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "trader-0: the model may have seen this period"),
        ({"training_cutoff": "1970-01-01"}, "trader-0: the whole run is after the model's"),
    ],
)
def test_what_a_model_may_remember_is_told(params: dict[str, Any], said: str) -> None:
    record = run_with(replayed=True, **params)
    record.from_ms = 2 * DAY_MS
    assert any(line.startswith(said) for line in remarks(report_of(record)))


def test_a_trader_that_missed_is_in_the_hit_rate() -> None:
    notes = ArenaNotes(failed={"gone": "cassette_miss: no answer to this question"})
    view = view_of_backtest(report_of(run_with(replayed=True)), lambda _name: None, notes=notes)
    assert "cassette: 4 hits, 1 miss (80.0 % found)" in view.models

"""A backtest's folder becomes the view: the report's own numbers, and what led to each of them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.arena_example import CLAMPED, REASON, STOPPED, arena_report, write_arena
from tests.support.example_report import NAMES
from tests.support.runs import random_run

from suite.errors import BadRequest
from trader_manager.adapters.backtest_folder import read_backtest, write_page
from trader_manager.application.report.from_backtest import view_of_backtest
from trader_manager.application.report.view import ArenaView, Bounds, TraderPage
from virtual_exchange.application.report.building import build_report, encode_report

BUSY = "momentum-1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_arena(tmp_path_factory.mktemp("arena") / "out", *arena_report(NAMES))


@pytest.fixture(scope="module")
def view(folder: Path) -> ArenaView:
    return read_backtest(folder)


def page_of(view: ArenaView, name: str = BUSY) -> TraderPage:
    return next(page for page in view.traders if page.trader_id == name)


def test_every_number_of_a_real_report_is_taken_over() -> None:
    """To the micro-USD, of each trader and of the board."""
    report = json.loads(encode_report(build_report(random_run(7))))
    view = view_of_backtest(report, lambda _name: None)
    rows = report["result"]["leaderboard"]
    assert [row["trader_id"] for row in rows] == [page.trader_id for page in view.traders]
    for row, page in zip(rows, view.traders, strict=True):
        told = report["result"]["traders"][page.trader_id]
        assert page.curve is not None
        assert Decimal(row["final_equity"]) == Decimal(page.row.equity_usd or 0) / 10**6
        assert Decimal(row["total_pnl"]) == Decimal(page.row.profit_usd or 0) / 10**6
        assert float(row["total_return"]) == page.row.total_return
        assert float(row["total_return"]) == pytest.approx(page.curve.growth[-1] - 1)
        assert (row["rank"], tuple(row["tied_with"])) == (page.row.rank, page.row.tied_with)
        assert [Decimal(t["pnl"]) for t in told["completed_trades"] + told["open_trades"]] == [
            trade.net_usd for trade in page.trades
        ]
        assert sum((Decimal(f["fee"]) for f in told["trades"]), Decimal(0)) == sum(
            fill.fee_usd for fill in page.fills
        )
        held = {one.coin: one.size for one in page.positions}
        assert held == {coin: size for coin, size in _held(told["trades"]).items() if size}
        assert page.bridge is not None
        parts = page.bridge
        assert parts["net"] == (
            parts["realized"] + parts["unrealized"] - parts["fees"]
            + parts["funding"] + parts["insurance"]
        )  # fmt: skip


def _held(fills: list[dict[str, Any]]) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for fill in fills:
        sign = 1 if fill["side"] == "buy" else -1
        held[fill["coin"]] = held.get(fill["coin"], Decimal(0)) + sign * Decimal(fill["size"])
    return held


def test_a_fill_names_the_decision_that_its_order_came_from(view: ArenaView) -> None:
    page = page_of(view)
    assert page.decisions is not None
    by_number = {decision.number: decision for decision in page.decisions}
    assert all(fill.decision in by_number for fill in page.fills)
    entry = page.trades[CLAMPED]
    decision = by_number[entry.entry_decision or 0]
    assert (REASON, entry.entry_ms) == (decision.body["reasoning"], decision.time_ms)
    assert ["clamped", "rejected"] == [one["outcome"] for one in decision.body["verdicts"]]


def test_the_fill_of_a_stop_leads_to_the_entry_that_set_it(view: ArenaView) -> None:
    """No decision names the stop's own id: the entry that it protected does."""
    page = page_of(view)
    trade = page.trades[STOPPED]
    assert trade.entry_decision == trade.exit_decision
    stop = next(fill for fill in page.fills if fill.time_ms == trade.exit_ms)
    assert ("stop", trade.entry_decision) == (stop.cause, stop.decision)


def test_what_ended_a_trade_is_known_from_journal_guard_or_fill(tmp_path: Path) -> None:
    """A guard tells of its latest closings only; the journal has all, and a stop says it itself."""
    report, journals = arena_report(NAMES)
    trades = report["result"]["traders"][BUSY]["completed_trades"]
    first, last = trades[0], trades[7]
    report["guards"][BUSY] = {**report["guards"][BUSY], "closed": []}
    journals[BUSY][3]["closed"] = [
        {"coin": first["coin"], "closed_at_ms": first["exit_time"], "kind": "time", "rule": "x"},
        {"coin": 3},
    ]
    page = page_of(read_backtest(write_arena(tmp_path / "out", report, journals)))
    assert ("time", "x") == (page.trades[0].ended_by, page.trades[0].rule)
    assert "stop" == page.trades[STOPPED].ended_by
    assert "" == page.trades[7].ended_by
    told = {"coin": last["coin"], "closed_ms": last["exit_time"], "kind": "roe", "rule": ""}
    report["guards"][BUSY]["closed"] = [told]
    page = page_of(view_of_backtest(report, lambda _name: None))
    assert "roe" == page.trades[7].ended_by


def test_a_pause_at_the_end_is_noted_with_its_reason() -> None:
    """One that is over is not."""
    report, _ = arena_report(NAMES)
    stood = {"status": "PAUSED", "from_ms": 1_748_705_400_000, "until_ms": None,
             "causes": ["day_loss"], "reason": "equity 9 <= 10 USD"}  # fmt: skip
    report["guards"][BUSY]["stood"] = [stood]
    page = page_of(view_of_backtest(report, lambda _name: None))
    assert ("paused",) == page.flags
    assert "Paused from 2025-05-31 15:30" in page.note
    assert page.note.endswith("on: day loss: equity 9 <= 10 USD")
    stood["until_ms"] = 1_748_736_000_000
    assert "" == page_of(view_of_backtest(report, lambda _name: None)).note


def test_without_a_journal_there_are_no_decisions_and_that_is_said(tmp_path: Path) -> None:
    report, journals = arena_report(NAMES)
    page = page_of(read_backtest(write_arena(tmp_path / "out", report, {BUSY: journals[BUSY]})))
    assert page.decisions
    silent = page_of(read_backtest(tmp_path / "out"), NAMES[2])
    assert silent.decisions is None
    assert "Decisions of 3 traders: none is recorded" in write_page(tmp_path / "out").read_text(
        "utf-8"
    )


def test_a_journal_in_parts_with_a_line_cut_short_is_read_in_order(tmp_path: Path) -> None:
    """A turn told twice is one; half a line is passed over."""
    report, journals = arena_report(NAMES)
    folder = write_arena(tmp_path / "out", report, journals)
    file = folder / "journals" / f"{BUSY}.jsonl"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.with_suffix(".1.jsonl").write_text("".join(lines[:9]), encoding="utf-8")
    unanswered = json.loads(lines[9])
    unanswered["decision"]["results"] = None
    rest = [json.dumps(unanswered) + "\n", *lines[9:], '{"type": "decision", "dec']
    file.write_text("".join(rest), encoding="utf-8")
    whole = read_backtest(write_arena(tmp_path / "whole", report, journals))
    assert page_of(whole).decisions == page_of(read_backtest(folder)).decisions


def test_a_trader_that_failed_is_on_the_board_and_unknown(tmp_path: Path) -> None:
    folder = write_arena(tmp_path / "out", *arena_report(NAMES))
    group = {"group": "coins", "seeds": 2, "unknown_seeds": 1, "mean_return": "0.25",
             "return_interval": None, "traders": [BUSY, NAMES[3], "broken"]}  # fmt: skip
    told = {"failed": {"broken": "its strategy does not import"}, "groups": [group]}
    (folder / "arena.json").write_text(json.dumps(told), encoding="utf-8")
    view = read_backtest(folder)
    page = page_of(view, "broken")
    assert ["coins", "coins"] == [one.row.group for one in (page, page_of(view))]
    assert [(2, 1, 0.25)] == [
        (one.seeds, one.unknown_seeds, one.mean_return) for one in view.groups
    ]
    assert ("stale", None, None) == (page.row.standing, page.row.total_return, page.curve)
    assert (("failed",), "its strategy does not import") == (page.flags, page.note)


def test_of_many_decisions_those_that_did_something_are_kept_first() -> None:
    report, journals = arena_report(NAMES, trades=20)
    bounds = Bounds(points=100, fills=10, trades=4, decisions=12, candles=1000)
    view = view_of_backtest(report, lambda name: _views(journals[name]), bounds=bounds)
    page = page_of(view)
    assert (10, 4, 12) == (len(page.fills), len(page.trades), len(page.decisions or ()))
    assert all(decision.acts for decision in page.decisions or ())
    assert (40, 21, 63) == (page.fills_total, page.trades_total, page.decisions_total)
    ends = {trade.entry_decision for trade in page.trades if trade.exit_ms is not None}
    assert None not in ends


def _views(decisions: list[dict[str, Any]]) -> Any:
    from trader_manager.application.report.view import DecisionView

    return (DecisionView(number=d["decision"], time_ms=d["now_ms"], body=d) for d in decisions)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "no report of the schema"),
        ("{", "cannot be read"),
        ('{"result": {"schema": "autocryptotrader-report/2", "traders": {}}}', "not as expected"),
    ],
)
def test_what_is_no_report_is_refused_in_a_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadRequest, match=reason):
        read_backtest(tmp_path)


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"report\.json: No such file"):
        read_backtest(tmp_path)

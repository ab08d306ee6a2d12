"""The page: all in one file, nothing let in, every number of the board on it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.runs import random_run

from virtual_exchange.application.report import build_report
from virtual_exchange.application.report_page import page_data, render_page, thin
from virtual_exchange.application.results import leaderboard, write_results

HOSTILE = '</script><img src=x onerror="alert(1)">'


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_asks_for_nothing_else() -> None:
    """No address is loaded, and a policy in the page forbids it."""
    page = render_page(build_report(random_run(1)))
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "default-src 'none'" in page
    assert "url(http" not in page
    for mark in ("/*STYLE*/", "/*DATA*/", "/*CHARTS*/", "/*SCRIPT*/"):
        assert mark not in page


def test_a_hostile_name_stays_text() -> None:
    """What users call their traders cannot leave the data."""
    record = random_run(1)
    record.accounts[0].account_id = HOSTILE
    page = render_page(build_report(record))
    assert HOSTILE not in page
    assert HOSTILE in data_of(page)["series"]
    script = page.rpartition("<script>")[2]
    assert "innerHTML" not in script
    assert "document.write" not in script


def test_the_page_shows_what_the_report_says() -> None:
    """Leaderboard, metrics, rules and hash come over unchanged."""
    report = build_report(random_run(2))
    data = data_of(render_page(report))
    assert data["result"]["leaderboard"] == report["result"]["leaderboard"]
    assert data["result"]["rules"] == report["result"]["rules"]
    assert data["sha256"] == report["sha256"]


@pytest.mark.parametrize("most", [10, 11, 100])
def test_a_thinned_curve_keeps_its_ends_and_extremes(most: int) -> None:
    """What a screen cannot show is left out, never a high or a low."""
    values = [float((i * 7919) % 1009) for i in range(1000)]
    kept = thin(values, most)
    assert len(kept) <= most + 2
    assert kept[0] == 0
    assert kept[-1] == 999
    assert max(values) in [values[i] for i in kept]
    assert min(values) in [values[i] for i in kept]


def test_many_candles_become_fewer_and_longer() -> None:
    """The highest and the lowest price stay."""
    report = build_report(random_run(3))
    chart = report["charts"]["BTC"]
    chart["candles"] = [
        [60_000 * i, "100.0", f"{100 + i % 97}.0", f"{100 - i % 89}.0", "100.0", "1.0"]
        for i in range(10_000)
    ]
    shown = page_data(report)["charts"]["BTC"]
    assert len(shown["candles"]) <= 3000
    assert shown["interval_ms"] == 4 * 60_000
    assert max(float(row[2]) for row in shown["candles"]) == 196
    assert min(float(row[3]) for row in shown["candles"]) == 12


def test_a_trader_that_never_traded_has_a_page_too() -> None:
    """No trades, no fills, no Sharpe: no error."""
    record = random_run(4)
    account = record.accounts[0]
    account.fills, account.funding, account.orders = [], [], []
    account.equity_usd = account.equity_usd * 0 + account.initial_balance_usd
    account.exposure_usd = account.exposure_usd * 0
    data = data_of(render_page(build_report(record)))
    assert data["series"]["trader-0"]["trades"] == []
    assert data["result"]["traders"]["trader-0"]["portfolio_metrics"]["sharpe"] is None


def test_results_are_written_whole(tmp_path: Path) -> None:
    """JSON and page lie side by side, with the hash that is told."""
    results = write_results(random_run(5), tmp_path / "new" / "folder")
    written = json.loads((tmp_path / "new" / "folder" / "report.json").read_bytes())
    assert results.sha256 == written["sha256"]
    assert results.path.read_text("utf-8").startswith("<!doctype html>")


def test_the_console_board_says_that_a_market_is_synthetic() -> None:
    """The label is in every output."""
    table = leaderboard(build_report(random_run(6)))
    assert "SYNTHETIC" in str(table.title)
    assert table.row_count == 2

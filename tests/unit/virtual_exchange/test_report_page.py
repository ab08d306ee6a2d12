"""The page: all in one file, nothing let in, every number of the board on it."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.support.example_report import HOUR_MS, NAMES, example_report
from tests.support.runs import random_run

from virtual_exchange.application.report import page as report_page
from virtual_exchange.application.report.building import build_report
from virtual_exchange.application.report.console import leaderboard
from virtual_exchange.application.report.page import render_page
from virtual_exchange.application.report.results import write_results

HOSTILE = '</script><img src=x onerror="alert(1)">'


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_a_trader_that_never_traded_has_a_page_too() -> None:
    """No trades, no fills, no Sharpe: no error."""
    record = random_run(4)
    account = record.accounts[0]
    account.fills, account.mids, account.funding, account.orders = [], [], [], []
    account.insurance = []
    account.equity_usd = account.equity_usd * 0 + account.initial_balance_usd
    account.exposure_usd = account.exposure_usd * 0
    data = data_of(render_page(build_report(record)))
    assert data["traders"]["trader-0"]["trades"] == []
    assert data["traders"]["trader-0"]["metrics"]["sharpe"] is None


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


def test_every_board_says_what_one_period_bears_out() -> None:
    """In the report, on the page and in the console."""
    report = build_report(random_run(6))
    note = report["result"]["leaderboard_note"]
    assert "luck may have put apart share a rank" in note
    assert note == data_of(render_page(report))["leaderboard_note"]
    assert note == leaderboard(report).caption


def told(report: dict[str, Any]) -> str:
    written = StringIO()
    Console(width=180, file=written).print(leaderboard(report))
    return written.getvalue()


def own_script(page: str) -> str:
    """The page's scripts without the library."""
    return "".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[1:])


def test_a_self_contained_page_names_no_address_but_the_attribution() -> None:
    """Only a namespace, the library's licence and its attribution link are addresses."""
    page = report_page.render_page(example_report(days=2, trades=5))
    addresses = set(re.findall(r"https?://[\w.-]+", page))
    assert addresses == {
        "http://www.w3.org",
        "https://www.apache.org",
        "https://www.tradingview.com",
    }
    assert not re.search(r'\s(?:src|href)="(?!#)', page.partition("<script")[0])
    assert not re.search(r"@import|url\(", page.partition("</style>")[0])
    for mark in ("/*POLICY*/", "/*STYLE*/", "<!--HEAD-->", "<!--DATA-->", "<!--SCRIPTS-->"):
        assert mark not in page


def test_the_policy_of_a_page_lets_only_its_own_scripts_run() -> None:
    """Every script is named by its hash, and nothing may be fetched."""
    page = report_page.render_page(example_report(days=2, trades=5))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "connect-src" not in policy[1]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    allowed = re.findall(r"'sha256-([^']+)'", policy[1])
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert allowed == hashes


@pytest.mark.parametrize("name", [HOSTILE, "<img onerror=alert(1) src=x>", "<!--<script>"])
def test_a_hostile_trader_id_is_only_ever_text(name: str) -> None:
    """It is escaped in the data, and no script makes markup of data."""
    page = report_page.render_page(example_report((name,), days=2, trades=5))
    assert name not in page
    assert name in data_of(page)["traders"]
    script = own_script(page)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


def test_a_page_of_four_traders_and_51_days_is_small() -> None:
    """At most 3 MB with minute candles of three coins."""
    report = example_report(equity_interval_ms=5 * 60_000, trades=2000)
    page = report_page.render_page(report)
    assert len(page.encode()) <= 3_000_000
    data = data_of(page)
    assert all(len(chart["candles"]) <= 3000 for chart in data["charts"].values())
    assert all(len(trader["curve"]) <= 2000 for trader in data["traders"].values())
    listed = {name: len(trader["trades"]) for name, trader in data["traders"].items()}
    assert listed == dict(zip(NAMES, (500, 41, 500, 500), strict=True))


def test_a_page_and_the_terminal_hold_the_leaderboard() -> None:
    """The page has every number as the report wrote it; the terminal shows them rounded."""
    report = example_report(days=31, trades=50, candle_interval_ms=HOUR_MS)
    page, summary = report_page.render_page(report), told(report)
    for row in report["result"]["leaderboard"]:
        for value in row.values():
            assert json.dumps(value, separators=(",", ":")) in page
        assert row["trader_id"] in summary
        assert f"{float(row['total_pnl']):,.2f}" in summary


def test_every_closing_that_a_trader_tells_of_is_listed_newest_first() -> None:
    """All of the latest 200 that the report has."""
    report = example_report(days=2, trades=5)
    told = report["guards"][NAMES[0]]
    told["closed"] = [{**told["closed"][0], "closed_ms": moment} for moment in range(200)]
    listed = data_of(report_page.render_page(report))["guards"][NAMES[0]]["closed"]
    assert list(reversed(range(200))) == [one["closed_ms"] for one in listed]


def test_merged_candles_have_an_interval_that_people_use() -> None:
    """51 days of minutes become half hours, and keep their highest and lowest price."""
    report = example_report(coins=("BTC",), trades=0)
    before = report["charts"]["BTC"]["candles"]
    shown = report_page.page_data(report)["charts"]["BTC"]
    assert shown["interval_ms"] == 30 * 60_000
    assert len(shown["candles"]) == 51 * 48
    assert max(float(row[2]) for row in before) == max(float(r[2]) for r in shown["candles"])
    assert min(float(row[3]) for row in before) == min(float(r[3]) for r in shown["candles"])


def test_market_structure_is_drawn_where_a_trader_saw_it() -> None:
    """Of the candles that are shown, as the features see them; the page of others is without."""
    report = example_report(days=3, trades=5)
    without = data_of(render_page(report))["charts"]
    assert [] == [row for chart in without.values() for row in chart["structures"]]
    report["result"]["traders"][NAMES[0]]["strategy"]["kind"] = "ict_xgboost"
    for chart in data_of(render_page(report))["charts"].values():
        kinds = {row[0] for row in chart["structures"]}
        assert {"swing", "sweep", "break", "change", "order_block", "fair_value_gap"} == kinds
        end = chart["candles"][-1][0] + chart["interval_ms"]
        assert all(start < known <= end for _, _, known, start, *_ in chart["structures"])


def test_one_trader_without_trades_has_a_page_and_a_summary() -> None:
    """No Sharpe, no win rate, no trade, a single candle: no error."""
    report = example_report(("idle",), days=1, coins=("BTC",), trades=0)
    chart = report["charts"]["BTC"]
    chart["candles"], chart["interval_ms"] = chart["candles"][:1], 0
    data = data_of(report_page.render_page(report))
    assert data["leaderboard"][0]["sharpe"] is None
    assert data["traders"]["idle"]["trades"] == []
    assert "n/a" in told(report)


@pytest.mark.parametrize("synthetic", [True, False])
def test_the_synthetic_label_is_shown_when_it_is_due(synthetic: bool) -> None:
    """A recorded market never carries it."""
    report = example_report(days=2, trades=5, synthetic=synthetic)
    assert data_of(report_page.render_page(report))["synthetic"] is synthetic
    assert ("SYNTHETIC MARKET" in told(report)) is synthetic


def test_a_page_of_a_real_run_takes_the_report_as_it_is_built() -> None:
    """The shape of `build_report` is the shape the page reads."""
    report = build_report(random_run(7))
    data = data_of(report_page.render_page(report))
    assert data["run_id"] == "run"
    assert data["leaderboard"] == report["result"]["leaderboard"]
    for name, trader in report["result"]["traders"].items():
        assert data["traders"][name]["bridge"] == trader["bridge"]
        assert data["traders"][name]["profit_split"] == trader["profit_split"]


def test_a_name_with_console_markup_is_printed_as_it_is() -> None:
    """Terminals get no styles from user input."""
    assert "[red]evil[/red]" in told(example_report(("[red]evil[/red]",), days=1, trades=0))

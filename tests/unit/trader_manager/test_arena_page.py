"""The arena page: one file, nothing let in, bounded, and what is left out is said."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.arena_example import REASON, arena_report, write_arena
from tests.support.example_report import NAMES

from trader_manager.adapters.backtest_folder import read_backtest
from trader_manager.application.report.page import CURVES_MAX, render_page
from trader_manager.application.report.view import ArenaView, Bounds

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> ArenaView:
    return read_backtest(
        write_arena(tmp_path_factory.mktemp("arena") / "out", *arena_report(NAMES, days=30))
    )


def data_of(page: str) -> dict[str, Any]:
    """All JSON of the page, by the id of its element."""
    found = re.findall(
        r'<script type="application/json" id="(\w+)">(.*?)</script>', page, re.DOTALL
    )
    return {name: json.loads(text) for name, text in found}


def many(view: ArenaView, count: int) -> ArenaView:
    pages = []
    for place in range(count):
        page = view.traders[place % len(view.traders)]
        name = f"trader-{place:04}"
        pages.append(
            replace(page, trader_id=name, row=replace_row(page.row, trader_id=name, rank=place + 1))
        )
    return replace(view, traders=tuple(pages))


def busiest(view: ArenaView) -> int:
    """Place of the trader whose every trade has its decisions."""
    return [page.trader_id for page in view.traders].index(NAMES[0])


def replace_row(row: Any, **more: Any) -> Any:
    return type(row)(**{name: getattr(row, name) for name in row.__struct_fields__} | more)


def test_the_page_names_no_address_but_the_attribution(view: ArenaView) -> None:
    page = render_page(view)
    assert {
        "http://www.w3.org",
        "https://www.apache.org",
        "https://www.tradingview.com",
    } == set(re.findall(r"https?://[\w.-]+", page))
    assert "default-src 'none'" in page
    assert "connect-src" not in page
    assert not re.search(r"@import|url\(", page.partition("</style>")[0])


def test_one_trader_is_written_as_one_and_the_board_has_its_fills(view: ArenaView) -> None:
    """Who bought once and holds has traded, though no trade is closed."""
    first = replace(view.traders[0], decisions=None, fills_total=5000)
    data = data_of(render_page(replace(view, traders=(first, *view.traders[1:]))))["data"]
    told = " ".join(data["left_out"])
    assert "Decisions of 1 trader: none" in told
    assert "of 1 trader the latest" in told
    assert [5000, *(page.fills_total for page in view.traders[1:])] == [
        row["fills"] for row in data["board"]
    ]


@pytest.mark.parametrize("name", ["</script><img src=x onerror=alert(1)>", "<!--<script>", "a/b#c"])
def test_a_hostile_name_is_only_ever_text(tmp_path: Path, name: str) -> None:
    """Of a trader, in its reasoning, in its failure: nothing of it becomes markup."""
    report, _ = arena_report((name, *NAMES[1:]))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text(json.dumps(report), encoding="utf-8")
    view = read_backtest(tmp_path / "out")
    first = replace(view.traders[0], note=name, flags=(name,))
    page = render_page(replace(view, traders=(first, *view.traders[1:]), notes=(name,)))
    if "<" in name:
        assert name not in page
    data = data_of(page)
    assert name in {row["trader_id"] for row in data["data"]["board"]}
    scripts = "".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[1:])
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in scripts


def test_the_board_has_every_number_as_it_is_known(view: ArenaView) -> None:
    board = data_of(render_page(view))["data"]["board"]
    for row, page in zip(board, view.traders, strict=True):
        assert (page.trader_id, page.row.rank) == (row["trader_id"], row["rank"])
        assert page.row.total_return == row["total_return"]
        assert page.row.return_interval is not None
        assert [page.row.return_interval.low, page.row.return_interval.high] == row[
            "return_interval"
        ]
        assert ("sharpe" in row) is (page.row.sharpe is not None)  # unknown is absent, never 0


def test_a_curve_is_read_back_as_it_was(view: ArenaView) -> None:
    """To the cent, and to a millionth of growth, at the points that are kept."""
    told = data_of(render_page(view))["data"]["curves"]
    for page, columns in zip(view.traders, told, strict=True):
        assert page.curve is not None
        times = np.cumsum(columns["t"]) * 1000
        places = np.searchsorted(page.curve.time_ms, times)
        assert (page.curve.time_ms[places] == times).all()
        assert (np.round(page.curve.equity_usd[places] / 10_000) == np.cumsum(columns["e"])).all()
        growth = page.curve.growth
        deepest = float(np.max(1 - growth / np.maximum.accumulate(growth)))
        assert deepest == pytest.approx(max(columns["f"]) / 1e5, abs=2e-5)


def test_growth_is_told_where_it_is_not_the_equitys(view: ArenaView) -> None:
    """Who paid in: the equity doubles, the return does not."""
    curve = view.traders[0].curve
    assert curve is not None
    paid = replace(curve, equity_usd=curve.equity_usd * 2, growth=np.ones(len(curve.growth)))
    paid.equity_usd[0] //= 2
    pages = (replace(view.traders[0], curve=paid), *view.traders[1:])
    curves = data_of(render_page(replace(view, traders=pages)))["data"]["curves"]
    assert {10**6} == set(np.cumsum(curves[0]["g"]).tolist())
    assert "g" not in curves[1]


def test_candles_are_read_back_as_they_were(view: ArenaView) -> None:
    told = data_of(render_page(view))["data"]["prices"]["BTC"]
    rows = np.array(told["rows"]).reshape(-1, 5)
    last, unit = 0, 10 ** told["digits"]
    for row, candle in zip(rows.tolist(), view.prices["BTC"].candles, strict=True):
        start = last + row[1]
        values = [start, start + row[2], start + row[3], start + row[4]]
        assert [round(float(text) * unit) for text in candle[1:5]] == values
        last = start + row[4]


def test_1000_traders_of_30_days_fit_one_file_and_what_is_left_out_is_said(
    view: ArenaView,
) -> None:
    page = render_page(many(view, 1000))
    assert len(page) <= 20 * MEGABYTE
    data = data_of(page)
    assert len(data) == 1001
    assert all(len(told["decisions"] or ()) <= 30 for name, told in data.items() if name != "data")
    assert list(data["data"]["bands"]["bands"]) == ["Best tenth", "Median", "Worst tenth"]
    said = " ".join(data["data"]["left_out"])
    for what in ("Curves: at most 150 points a trader of up to 721", "Decisions:", "Fills:"):
        assert what in said


def test_of_ten_traders_nothing_is_left_out(view: ArenaView) -> None:
    """30 days of decisions every quarter of an hour."""
    bounds = Bounds.for_traders(10, 3)
    assert bounds.decisions >= 30 * 96
    data = data_of(render_page(many(view, 10)))
    assert data["data"]["bands"] is None
    assert CURVES_MAX > 10
    for name, told in data.items():
        if name != "data" and told["decisions"] is not None:
            assert told["decisions_total"] == len(told["decisions"])
            assert told["fills_total"] == len(told["fills"])
    said = " ".join(data["data"]["left_out"])
    assert not any(word in said for word in ("Fills", "Trades:", "latest"))


def test_a_long_reasoning_is_cut_and_says_so(view: ArenaView) -> None:
    page = view.traders[0]
    assert page.decisions
    spoken = replace(page.decisions[0], body={**page.decisions[0].body, "reasoning": "x" * 5000})
    told = replace(page, decisions=(spoken, *page.decisions[1:]))
    data = data_of(render_page(replace(view, traders=(told,))))
    reasoning = data["t0"]["decisions"][0]["reasoning"]
    assert reasoning == "x" * 2000 + " … (5,000 characters)"


def test_a_turn_on_the_page_keeps_what_was_asked_judged_sent_and_answered(view: ArenaView) -> None:
    told = data_of(render_page(view))[f"t{busiest(view)}"]["decisions"]
    clamped = next(one for one in told if any(verdict != 1 for _, verdict in one["v"]))
    assert REASON == clamped["reasoning"]
    assert "clamped" == clamped["v"][0][1]["outcome"]
    assert ("1", "0.5") == (clamped["v"][0][1]["before"], clamped["v"][0][1]["after"])
    assert (2, 1, 1) == tuple(len(clamped[key]) for key in ("actions", "sent", "results"))


def test_a_run_in_which_nobody_traded_has_a_page(tmp_path: Path) -> None:
    report, _ = arena_report(("idle",), trades=0)
    report["charts"] = {}
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    data = data_of(render_page(read_backtest(tmp_path)))
    assert ([], [], None) == tuple(data["t0"][name] for name in ("trades", "fills", "decisions"))
    assert "Prices: there are no candles, so charts show fills only." in data["data"]["left_out"]

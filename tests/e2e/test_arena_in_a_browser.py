"""The arena page as a reader uses it: the board, a trader, what led to a fill, in a Chromium."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from tests.support.arena_example import CLAMPED, REASON, STOPPED, arena_report, write_arena
from tests.support.browser import Browser, Page, opened
from tests.support.example_report import NAMES

from trader_manager.adapters.backtest_folder import read_backtest, write_page
from trader_manager.application.report.page import render_page

pytestmark = pytest.mark.process

BUSY = "momentum-1"
HOSTILE = "<script>alert(1)</script>"
REQUESTS = "performance.getEntriesByType('resource').map((one) => one.name)"
LINK = "#main .board tbody tr:nth-child({}) .who a"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arena") / "out"
    return write_page(write_arena(folder, *arena_report((*NAMES, HOSTILE), trades=30)))


@pytest.fixture
def arena(browser: Browser, written: Path) -> Iterator[Page]:
    """The page in a tab of its own; nothing it does may end in an error or ask anybody."""
    with opened(browser, written) as page:
        yield page
        assert [] == page.read(REQUESTS)


def go(page: Page, *parts: object) -> None:
    """Follow an address inside of the page."""
    address = "/".join(quote(str(part), safe="") for part in parts)
    page.read(f"location.hash = {address!r}")
    page.wait(f"document.querySelector('main').dataset.shows === '#' + {address!r}")


def test_the_board_shows_ranks_ties_baselines_and_intervals(arena: Page) -> None:
    assert "5 traders on BTC, ETH, and SOL" == arena.text("h1")
    ranks = arena.texts(".board tbody .rank b")
    assert {"=1"} == set(ranks[:2])
    assert 2 <= arena.read("document.querySelectorAll('.board tr[class*=tied]').length")
    rows = arena.texts(".board tbody tr")
    baseline = next(row for row in rows if "buy-and-hold" in row)
    assert "baseline" in baseline
    assert any(" to " in text for text in arena.texts(".board td small"))
    assert arena.read("document.querySelectorAll('.legend .apart').length") == 1
    assert arena.read("document.querySelectorAll('.chart canvas').length") >= 4


def test_a_hostile_name_is_read_as_it_is_written(arena: Page) -> None:
    assert HOSTILE in arena.texts(".board .who a")
    go(arena, "trader", HOSTILE)
    assert HOSTILE == arena.text("h1")


def test_a_trader_of_the_board_has_a_page_of_its_own_and_back(arena: Page) -> None:
    name = arena.text(LINK.format(1))
    arena.click(LINK.format(1))
    arena.wait("document.querySelector('main').dataset.shows.startsWith('#trader/')")
    assert name == arena.text("h1")
    titles = arena.texts("section h2")
    for title in ("Trades", "Positions", "Where profit came from", "What guarded it", "Fills"):
        assert title in titles
    assert "H1" == arena.read("document.activeElement.tagName")
    arena.click(".crumbs a")
    arena.wait("document.querySelector('.board')")


def test_a_click_on_a_fill_shows_the_decision_that_led_to_it(arena: Page) -> None:
    go(arena, "trader", BUSY)
    fills = "[...document.querySelectorAll('section')].find((one) => one.innerText"
    arena.read(f"{fills}.startsWith('Fills')).id = 'fills'")
    arena.click("#fills tbody tr:nth-child(2) a")
    arena.wait("document.querySelector('main').dataset.shows.includes('/fill/')")
    steps = arena.texts(".chain > li")
    assert steps[0].startswith("The decision")
    assert any(reason in steps[0] for reason in (REASON, "it crossed back"))
    assert "accepted" in steps[1]
    assert "filled" in steps[2]
    assert steps[3].startswith("The fill")
    assert "USD" in steps[4]
    assert 2 <= arena.read("document.querySelectorAll('.chart canvas').length")


def test_what_the_guard_changed_and_refused_is_told_with_its_rule(arena: Page) -> None:
    go(arena, "trader", BUSY, "trade", CLAMPED)
    asked = arena.texts(".chain > li")[1]
    assert "clamped 1 → 0.5 by max coin exposure" in asked
    assert "rejected by min notional" in asked
    assert "exposure of the coin" in asked  # what the rule means
    assert "The decision to leave" in " ".join(arena.texts(".chain h3"))


def test_a_trade_that_its_stop_ended_leads_to_its_entry(arena: Page) -> None:
    go(arena, "trader", BUSY, "trade", STOPPED)
    told = " ".join(arena.texts(".chain > li"))
    assert REASON in told
    fills = arena.read("[...document.querySelectorAll('.chain > li')].at(-2).innerText")
    assert "stop" in fills
    assert "The decision to leave" not in told


def test_a_decision_and_an_address_of_nothing_have_a_page(arena: Page) -> None:
    go(arena, "trader", BUSY, "decision", 1)
    assert arena.text("h1") == "What came of decision 1"
    go(arena, "trader", BUSY, "decision", 99999)
    assert "This page does not hold it." in arena.text("main")
    go(arena, "trader", "nobody")
    assert arena.read("Boolean(document.querySelector('.board'))")


def test_figures_say_what_they_are(arena: Page) -> None:
    """In the legend, and of trades: closed ones, and the fills."""
    legend = arena.texts(".legend output:last-child")
    assert all(text == "at its peak" or text.endswith("% off peak") for text in legend)
    assert "Closed trades" in arena.texts(".board thead th")
    assert any(text.endswith(" fills") for text in arena.texts(".board td small"))


def test_a_rank_above_one_that_earned_more_is_explained_where_it_happens(
    arena: Page, written: Path, tmp_path: Path
) -> None:
    """Not on a board where every rank follows the returns."""
    said = "A rank tells what is proven"
    assert said not in arena.text("main")
    view = read_backtest(written.parent)
    last = view.traders[-1]
    row = msgspec.structs.replace(last.row, rank=9, rank_worst=9, tied_with=(), total_return=0.5)
    page = tmp_path / "page.html"
    changed = replace(view, traders=(*view.traders[:-1], replace(last, row=row)))
    page.write_text(render_page(changed), encoding="utf-8")
    arena.open(page.as_uri())
    told = next(text for text in arena.texts(".note") if said in text)
    assert f"stands above {last.trader_id} (+50.00%)" in told


def test_figures_of_a_shared_window_are_told_from_those_of_all_time(
    arena: Page, written: Path, tmp_path: Path
) -> None:
    """Where traders began at different times; else there is nothing to tell apart."""
    go(arena, "trader", BUSY)
    assert any(text.endswith(" in all") for text in arena.texts(".tile .under"))
    assert not any("of the window" in text for text in arena.texts(".note"))
    view = read_backtest(written.parent)
    assert view.from_ms is not None
    assert view.to_ms is not None
    page = tmp_path / "page.html"
    later = replace(view, window=(view.from_ms + 3_600_000, view.to_ms))
    page.write_text(render_page(later), encoding="utf-8")
    arena.open(page.as_uri())
    assert any(text.startswith("Each from its own start") for text in arena.texts(".lead"))
    go(arena, "trader", BUSY)
    assert any(text.endswith(" in the window") for text in arena.texts(".tile .under"))
    assert any("of the window that all share" in text for text in arena.texts(".note"))


def test_a_fill_that_turns_a_position_tells_of_both_trades(
    arena: Page, written: Path, tmp_path: Path
) -> None:
    """The long that it closed, and the short that it opened."""
    view = read_backtest(written.parent)
    place = [page.trader_id for page in view.traders].index(BUSY)
    busy = view.traders[place]
    first = replace(busy.trades[0], side="long")
    assert first.exit_ms is not None
    second = replace(first, side="short", entry_ms=first.exit_ms, exit_ms=None, exit_price=None)
    fill = replace(busy.fills[0], coin=first.coin, time_ms=first.exit_ms, side="sell")
    turned = replace(busy, trades=(first, second), fills=(fill,), trades_total=2, fills_total=1)
    traders = [turned if one is busy else one for one in view.traders]
    page = tmp_path / "page.html"
    page.write_text(render_page(replace(view, traders=tuple(traders))), encoding="utf-8")
    arena.open(page.as_uri())
    go(arena, "trader", BUSY, "fill", 0)
    about = arena.text(".about")
    assert about.startswith("It closed a long of ")
    assert "and opened a short of " in about
    assert "still open" in about


def test_curves_show_return_or_equity(arena: Page) -> None:
    switch = ".switch button:nth-child({})"
    assert any(text.endswith("%") for text in arena.texts(".legend output"))
    arena.click(switch.format(2))
    assert "true" == arena.read(f"document.querySelector('{switch.format(2)}').ariaPressed")
    assert arena.texts("#main .head .lead")[0].startswith("At the end: equity in USD")


def test_decisions_are_narrowed_to_those_that_the_guard_held_back(arena: Page) -> None:
    go(arena, "trader", BUSY)
    every = "[...document.querySelectorAll('section')].find((one) => one.innerText"
    arena.read(f"{every}.startsWith('Decisions')).id = 'decisions'")
    assert 25 == len(arena.texts("#decisions tbody tr"))
    arena.click("#decisions .switch button:nth-child(3)")
    assert 1 == len(arena.texts("#decisions tbody tr"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_narrow_screen_scrolls_tables_and_not_the_page(arena: Page, theme: str) -> None:
    arena.prefer(theme)
    arena.resize(390, 800)
    for parts in (["board"], ["trader", BUSY], ["trader", BUSY, "trade", CLAMPED]):
        go(arena, *parts)
        arena.wait(f"document.documentElement.dataset.theme === '{theme}'")
        assert 390 >= arena.read("document.scrollingElement.scrollWidth")


def test_keyboard_alone_reaches_a_trader_and_its_trade(arena: Page) -> None:
    arena.press("Tab")
    assert "skip" == arena.read("document.activeElement.className")
    arena.focus(LINK.format(1))
    arena.press("Enter")
    arena.wait("document.querySelector('main').dataset.shows.startsWith('#trader/')")
    arena.press("Tab")
    assert "Equity and drawdown" == arena.read("document.activeElement.innerText")
    unnamed = arena.read(
        """[...document.querySelectorAll("button, select, input, summary, a[href]")].filter((one) =>
          !(one.ariaLabel || one.innerText.trim() || one.title || one.labels?.length))
          .map((one) => one.outerHTML)"""
    )
    assert [] == [html for html in unnamed if "tradingview" not in html]

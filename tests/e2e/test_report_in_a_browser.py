"""The report page as a reader uses it: sorting, colours, zoom, keys, in a real Chromium."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.browser import Browser, Page, opened
from tests.support.example_report import NAMES, example_report

from virtual_exchange.application.report.page import render_page

pytestmark = pytest.mark.process

Open = Callable[..., Page]
TRADES = 450
"""Of each trader but one: all are listed, and more of a coin than are marked at a time."""
PNL, EXIT = 11, 6
"""Columns of the trades, from 1."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(example_report(days=31, trades=TRADES)), encoding="utf-8")
    return path


@pytest.fixture
def report(browser: Browser, written: Path) -> Iterator[Page]:
    with opened(browser, written) as page:
        yield page


def header(column: int) -> str:
    return f"#trades th:nth-child({column}) button"


def cells(page: Page, column: int) -> list[str]:
    return page.texts(f"#trades tbody td:nth-child({column})")


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace(",", "").replace("\u2212", "-")) for text in texts]


def colours(page: Page) -> tuple[str, str]:
    """Theme and background."""
    return (
        page.read("document.documentElement.dataset.theme"),
        page.read("getComputedStyle(document.body).backgroundColor"),
    )


def read_at(page: Page, chart: str, across: float) -> str:
    """What a chart tells of the place under the mouse."""
    page.point(f"#{chart}", across=across - 0.05, down=0.3)
    page.point(f"#{chart}", across=across, down=0.3)
    page.wait(f"/^\\d{{4}}-/.test(document.querySelector('#{chart}-at').textContent)")
    page.read("new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok)))")
    return page.text(f"#{chart}-at")[: len("2025-05-05 00:00")]


def test_page_draws_its_tables_and_charts_without_an_error(report: Page) -> None:
    assert "4 traders on BTC, ETH, and SOL" == report.text("h1")
    assert sorted(NAMES) == sorted(report.texts("#board .name > span:nth-child(2)"))
    assert report.read("document.querySelectorAll('.chart canvas').length") >= 4
    assert 1 == report.read(
        "Math.max(...[...document.querySelectorAll('.chart')].map((one) => one.clientHeight > 150))"
    )


def test_parts_of_the_profit_stand_on_both_sides_of_zero_and_add_up(report: Page) -> None:
    """One stack a trader: what was gained right of the line, what it cost left of it."""
    cards = "[...document.querySelectorAll('#split > div')]"
    assert len(NAMES) == report.read(f"{cards}.length")
    amounts = report.read(
        f"{cards}.map((card) => [...card.querySelectorAll('.part > :last-child')]"
        ".map((cell) => cell.title))"
    )
    for *parts, net in amounts:
        assert Decimal(net) == sum(Decimal(part) for part in parts)
    sides = report.read(
        f"{cards}.flatMap((card) => {{"
        "const zero = card.querySelector('.stack').getBoundingClientRect(),"
        " at = parseFloat(card.querySelector('.stack').style.getPropertyValue('--zero')) / 100"
        " * zero.width + zero.left;"
        "return [...card.querySelectorAll('.stack b:not([hidden])')].map((bar) => {"
        "const box = bar.getBoundingClientRect(), gain = !bar.title.includes(' -');"
        "return gain ? box.left >= at - 1 : box.right <= at + 3; }); })"
    )
    assert len(sides) >= 3 * len(NAMES)
    assert all(sides)


def test_trades_are_sorted_by_any_column_both_ways(report: Page) -> None:
    before = cells(report, PNL)
    report.click(header(PNL))
    assert "descending" == report.read(
        f"document.querySelector('{header(PNL)}').parentNode.ariaSort"
    )
    falling = numbers(cells(report, PNL))
    assert sorted(falling, reverse=True) == falling
    report.click(header(PNL))
    assert "ascending" == report.read(
        f"document.querySelector('{header(PNL)}').parentNode.ariaSort"
    )
    assert falling[::-1] == numbers(cells(report, PNL))
    assert sorted(before) == sorted(cells(report, PNL))
    report.click(header(1))
    assert 1 == report.read("document.querySelectorAll('#trades th[aria-sort]').length")
    times = cells(report, 1)
    assert sorted(times, reverse=True) == times


def test_what_has_no_value_is_last_in_both_directions(report: Page) -> None:
    """The open trade has no exit price."""
    for _ in range(2):
        report.click(header(EXIT))
        exits = cells(report, EXIT)
        assert ("open", 1) == (exits[-1], exits.count("open"))


def test_theme_is_the_systems_until_the_reader_chooses(report: Page) -> None:
    light = colours(report)
    assert ("light", "Dark") == (light[0], report.text("#theme"))
    report.prefer("dark")
    report.wait("document.documentElement.dataset.theme === 'dark'")
    dark = colours(report)
    assert dark[1] != light[1]
    report.click("#theme")
    assert light == colours(report)
    report.prefer("light")
    report.prefer("dark")
    assert light == colours(report)
    report.click("#theme")
    assert dark == colours(report)
    assert "Switch to light colours" == report.read("document.querySelector('#theme').ariaLabel")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_address_of_the_page_can_force_a_theme(report: Page, written: Path, theme: str) -> None:
    report.prefer("light" if theme == "dark" else "dark")
    report.open(f"{written.as_uri()}#{theme}")
    assert theme == colours(report)[0]


def test_charts_change_their_colours_with_the_theme(report: Page) -> None:
    ground = """(() => {
      const canvas = document.querySelector("#equity canvas");
      return [...canvas.getContext("2d").getImageData(2, canvas.height - 2, 1, 1).data].join();
    })()"""
    light = report.read(ground)
    report.click("#theme")
    report.wait(f"{ground} !== '{light}'")


@pytest.mark.parametrize("chart", ["equity", "price"])
def test_zoom_buttons_show_less_more_and_all(report: Page, chart: str) -> None:
    """The time under the same place of the chart tells how much is shown."""
    place = 0.2
    out, closer, everything = (f"#{chart}-zoom button:nth-child({n})" for n in (1, 2, 3))
    whole = read_at(report, chart, place)
    report.click(closer)
    near = read_at(report, chart, place)
    report.click(closer)
    nearer = read_at(report, chart, place)
    assert whole < near < nearer
    report.click(out)
    assert near == read_at(report, chart, place)
    report.click(everything)
    assert whole == read_at(report, chart, place)


def test_crosshair_tells_the_values_of_its_time(report: Page) -> None:
    at_the_end = report.texts("#legend output")
    assert report.text("#equity-at").startswith("At the end")
    read_at(report, "equity", 0.3)
    assert at_the_end != report.texts("#legend output")
    assert read_at(report, "price", 0.4) < "2025-07"
    assert all(f" {word} " in report.text("#price-at") for word in ("open", "high", "low", "close"))


def test_fewer_trades_in_view_are_all_marked(report: Page) -> None:
    assert "with the largest results are marked" in report.text("#price-note")
    for _ in range(5):
        report.click("#price-zoom button:nth-child(2)")
    report.wait("document.querySelector('#price-note').textContent === ''")


def test_trader_of_the_legend_is_hidden_and_shown(report: Page) -> None:
    pressed = "document.querySelector('#legend button').ariaPressed"
    for expected in ("false", "true"):
        report.click("#legend button")
        assert expected == report.read(pressed)


def test_trader_and_coin_are_chosen(report: Page) -> None:
    """By keys, as a list is: charts and trades follow."""
    first = report.text("#trades-of")
    report.focus("#trader")
    report.press("ArrowDown")
    report.wait(f"document.querySelector('#trades-of').textContent !== {first!r}")
    chosen = report.read("document.querySelector('#trader').value")
    assert f"of {chosen}" == report.text("#trades-of")
    report.focus("#coin")
    report.press("End")
    report.wait("document.querySelector('#price-at').textContent.startsWith('SOL in candles')")
    assert report.text("#price-at").endswith(f"of {chosen}")


def test_time_of_a_trade_shows_it_on_the_chart(report: Page) -> None:
    row = "#trades tbody tr:nth-child(7)"
    when, coin = report.texts(f"{row} td")[:2]
    whole = read_at(report, "price", 0.02)
    report.click(f"{row} button")
    report.wait(f"document.querySelector('#coin').value === {coin!r}")
    report.wait("Math.abs(document.querySelector('#price-title').getBoundingClientRect().y) < 60")
    shown = [read_at(report, "price", across) for across in (0.02, 0.9)]
    assert whole < shown[0] < when < shown[1]


def test_keyboard_alone_is_enough(report: Page) -> None:
    """Skip link, theme, zoom, sorting, a list that opens: by Tab, Enter and the space bar."""
    focused = "document.activeElement"
    report.press("Tab")
    assert "skip" == report.read(f"{focused}.className")
    report.press("Tab")
    assert "theme" == report.read(f"{focused}.id")
    assert "none" != report.read(f"getComputedStyle({focused}).outlineStyle")
    report.press(" ")
    assert "dark" == colours(report)[0]
    report.press("Enter")
    assert "light" == colours(report)[0]

    whole = read_at(report, "equity", 0.2)
    report.focus("#equity-zoom button:nth-child(1)")
    report.press("Tab", "Enter")
    assert "Zoom in" == report.read(f"{focused}.ariaLabel")
    assert whole < read_at(report, "equity", 0.2)
    report.press("Tab", " ")
    assert whole == read_at(report, "equity", 0.2)

    report.focus(header(PNL - 1))
    report.press("Tab", "Enter")
    assert "descending" == report.read(f"{focused}.parentNode.ariaSort")
    report.press(" ")
    assert "ascending" == report.read(f"{focused}.parentNode.ariaSort")
    report.press("Tab")
    report.press("Tab", shift=True)
    assert "Net PnL USD" == report.read(f"{focused}.innerText")

    report.focus("details summary")
    report.press("Enter")
    assert report.read("document.querySelector('details').open")


def test_skip_link_goes_to_the_leaderboard(report: Page) -> None:
    report.press("Tab", "Enter")
    report.wait("location.hash === '#board-title'")
    report.press("Tab")
    assert report.read("document.querySelector('main').contains(document.activeElement)")


def test_every_control_is_reached_by_tab_and_has_a_name(report: Page) -> None:
    controls = "button, select, summary, a[href]"
    unnamed = report.read(
        f"""[...document.querySelectorAll("{controls}")].filter((one) => !(
          one.ariaLabel || one.innerText.trim() || one.title || one.labels?.length
        )).map((one) => one.outerHTML)"""
    )
    assert [] == [html for html in unnamed if "tradingview" not in html]
    out_of_reach = f":is({controls})[tabindex='-1']"
    assert 0 == report.read(f'document.querySelectorAll("{out_of_reach}").length')


def test_hash_is_copied(report: Page) -> None:
    report.click("#facts button")
    report.wait("document.querySelector('#facts button').textContent === 'Copied'")
    report.wait("document.querySelector('#facts button').textContent === 'Copy'")


def test_narrow_screen_scrolls_tables_and_not_the_page(report: Page) -> None:
    report.resize(390, 800)
    report.wait("innerWidth === 390")
    wide = "document.scrollingElement.scrollWidth"
    assert 390 >= report.read(wide)
    report.read("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    report.click(header(PNL))
    assert 390 >= report.read(wide)


@pytest.mark.parametrize(
    ("late", "fact"), [({}, None), ({"momentum": 3, "idle": 1}, "idle 1 bar, momentum 3 bars")]
)
def test_late_decisions_are_told_where_there_were_any(
    browser: Browser, tmp_path: Path, late: dict[str, int], fact: str | None
) -> None:
    report: dict[str, Any] = example_report(days=2, trades=5)
    if late:
        report["manifest"]["late_bars"] = late
    path = tmp_path / "report.html"
    path.write_text(render_page(report), encoding="utf-8")
    page = browser.page()
    page.open(path.as_uri())
    told = dict(zip(page.texts("#facts dt"), page.texts("#facts dd"), strict=True))
    assert fact == told.get("Late decisions")
    assert [] == page.errors
    page.call("Page.close")


def test_market_structure_is_shown_where_it_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    """The chart is another picture with it, and the same again without."""
    report: dict[str, Any] = example_report(days=2, trades=5)
    report["result"]["traders"][NAMES[0]]["strategy"]["kind"] = "ict_xgboost"
    path = tmp_path / "report.html"
    path.write_text(render_page(report), encoding="utf-8")
    page = browser.page()
    page.prefer("light")
    page.open(path.as_uri())
    drawn = (
        "new Promise((ok) => setTimeout(() => ok([...document.querySelectorAll('#price canvas')]"
        ".map((one) => one.toDataURL()).join('')), 300))"
    )
    assert page.read("document.querySelector('#structured-note').hidden")
    without = page.read(drawn)
    page.click("#structured")
    assert not page.read("document.querySelector('#structured-note').hidden")
    assert without != page.read(drawn)
    page.click("#structured")
    assert without == page.read(drawn)
    assert [] == page.errors
    page.call("Page.close")


def test_what_guarded_each_trader_is_told_on_its_card(report: Page) -> None:
    """Verdicts and exits with their counts, standstills and closed positions in lists."""
    cards = "[...document.querySelectorAll('#guards > div')]"
    texts: list[str] = report.read(f"{cards}.map((card) => card.innerText)")
    names = report.texts("#board .name > span:nth-child(2)")
    told = {text.splitlines()[0]: " ".join(text.split()) for text in texts}
    assert names == list(told)
    much, failed, nothing, silent = (told[name] for name in NAMES)
    assert "Actions clamped 29 max coin exposure 27 margin 2" in much
    assert "Positions closed by 103 stop loss 88 structure invalidation 12 time stop 3" in much
    assert "Failed 17 First at 2025-05-08 00:00: KeyError: 'funding'" in failed
    assert "Failed" not in nothing
    assert "Pauses and stops 0" in nothing
    assert "This trader has not reported." in silent
    lists = report.read("[...document.querySelectorAll('#guards summary')].map((s) => s.innerText)")
    assert "What closed its positions, the latest 2" in lists
    assert "When it was paused or stopped" in lists
    report.read("document.querySelectorAll('#guards details').forEach((d) => { d.open = true; })")
    rules = report.texts("#guards details:last-child td:last-child")
    assert "close(4h) < 2710 and macd_hist(4h) <= 0" in rules
    flags = dict(zip(names, report.texts("#board .name"), strict=True))
    assert flags[NAMES[0]].endswith("stopped")
    assert flags[NAMES[1]].endswith("paused")
    assert flags[NAMES[3]].endswith(NAMES[3])

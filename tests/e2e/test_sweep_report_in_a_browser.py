"""The report of a sweep in a real Chromium: it draws what it was given, in light and in dark."""

from pathlib import Path

import pytest
from tests.support.browser import Browser
from tests.support.sweep_folders import daily_of, grid, write_sensitivity, write_sweep

from virtual_exchange.research.report import write_report

pytestmark = pytest.mark.process


def test_pictures_are_drawn_and_follow_the_reader(browser: Browser, tmp_path: Path) -> None:
    params = grid(fast=[5, 10, 20, 40], slow=[60, 80, 100], side=["long", "both"])
    folder = write_sweep(tmp_path, daily_of(24, days=120), params, failed={3: "<b>no</b>"})
    write_sensitivity(folder)
    page = browser.page()
    page.prefer("light")
    page.open(write_report(folder).as_uri())
    assert "not distinguishable from luck" in page.text("#verdict")
    assert 12 == page.read("document.querySelectorAll('#heat rect.cell').length")
    assert 24 == page.read("document.querySelectorAll('#parallel path.line').length")
    assert 15 == page.read("document.querySelectorAll('#costs rect').length")
    for place in ("luck", "fan", "walk", "logits", "halves"):
        assert page.read(f"document.querySelectorAll('#{place} svg').length") == 1, place
    assert ["<b>no</b>"] == page.texts("#errors tbody td:first-child")
    assert 24 == page.read("document.querySelectorAll('#trials tbody tr').length")
    page.read(
        "(() => { const one = document.querySelectorAll('#heat-pick select')[1];"
        " one.value = '2'; one.onchange(); return true; })()"
    )
    assert 8 == page.read("document.querySelectorAll('#heat rect.cell').length")
    page.click("#theme")
    assert page.read("document.documentElement.dataset.theme") == "dark"
    assert [] == page.errors
    page.call("Page.close")


@pytest.mark.parametrize("trials", [1, 2])
def test_a_report_of_nothing_is_a_page_too(browser: Browser, tmp_path: Path, trials: int) -> None:
    params = grid(fast=[1, 2])[:trials]
    folder = write_sweep(
        tmp_path, daily_of(trials, days=3), params, failed=dict.fromkeys(range(trials), "x")
    )
    page = browser.page()
    page.open(write_report(folder).as_uri())
    assert "There is nothing to judge." in page.text("#verdict")
    assert page.read("document.getElementById('fan-section').hidden")
    assert [] == page.errors
    page.call("Page.close")

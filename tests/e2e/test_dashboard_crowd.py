"""The dashboard's own part, over a backend that is made up inside of the page.

What no small stack has: nobody, fifty traders with ten thousand points each, five hundred, traders
of which nothing is known, debts, thoughts in words, and a live proxy that was killed.
"""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from tests.support.accessibility import findings
from tests.support.browser import Browser, Page
from tests.support.dashboard import PAGES

from portfolio_service.entrypoint.web import add_web

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

BACKEND = (Path(__file__).parents[1] / "support/crowd.js").read_text("utf-8")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The files alone, without any service behind them."""
    app = FastAPI()
    add_web(app)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def opened(browser: Browser, url: str, count: int) -> Page:
    page = browser.page()
    page.call("Page.addScriptToEvaluateOnNewDocument", source=BACKEND)
    page.resize(1280, 800)
    page.open(f"{url}/?crowd={count}")
    page.wait("document.querySelector('#link.up') && document.querySelector('main h1')")
    return page


def go(page: Page, place: str) -> None:
    page.read(f"location.hash = '#/{place}'")
    name = place.partition("/")[0]
    page.wait(f"document.querySelector('main').dataset.page === '{name}'")
    page.wait("!document.querySelector('.waiting, #price-chart:not([data-bars])')")


def test_what_is_wrong_with_a_page_is_found(browser: Browser) -> None:
    page = browser.page()
    page.open(
        "data:text/html,<title>x</title><h1>a</h1><h3>b</h3><button></button><input>"
        "<p style='color:%23999'>pale</p><table><tr><th>c</table>"
    )
    told = " ".join(findings(page))
    for rule in ("no lang", "not one main", "leaves a level", "button has no name", "textbox has"):
        assert rule in told
    for rule in ("contrast", "no caption", "no scope"):
        assert rule in told


@pytest.mark.parametrize("count", [0, 50, 500])
def test_pages_are_sound_whoever_many_there_are(browser: Browser, url: str, count: int) -> None:
    page = opened(browser, url, count)
    for width in (1280, 390):
        page.resize(width, 800)
        for name in PAGES:
            if name == "trader" and not count:
                continue
            go(page, name)
            page.read("new Promise((ok) => setTimeout(ok, 200))")
            assert [] == findings(page), name
            edge = "document.documentElement"
            assert 0 == page.read(f"{edge}.scrollWidth - {edge}.clientWidth"), name
    assert [] == page.errors


@pytest.mark.parametrize("count", [50, 500])
def test_all_of_a_crowd_move_at_once(browser: Browser, url: str, count: int) -> None:
    page = opened(browser, url, count)
    page.wait(f"document.querySelectorAll('#leaderboard tbody tr').length === {count}")
    page.read("window.row = document.querySelector('#leaderboard tbody tr')")
    took = page.read(
        """(async () => {
          const spent = [];
          for (let i = 0; i < 20; i += 1) {
            const begun = performance.now();
            window.move();
            await new Promise((ok) => requestAnimationFrame(() => setTimeout(ok)));
            spent.push(performance.now() - begun);
          }
          return spent.sort((a, b) => a - b)[10];
        })()"""
    )
    print(f"{count} traders: a second's changes are on the screen within {took:.0f} ms")
    assert "1,020" in page.text(".figure dd")
    assert page.read("window.row === document.querySelector('#leaderboard tbody tr')")
    assert [] == page.errors


def test_nobody_is_told_as_nobody(browser: Browser, url: str) -> None:
    page = opened(browser, url, 0)
    assert "no traders yet" in page.text("#leaderboard")
    assert "–" == page.text(".figure dd")
    go(page, "trader")
    page.wait("document.querySelector('.empty')")
    assert [] == page.errors


def test_what_is_not_known_is_never_a_zero(browser: Browser, url: str) -> None:
    page = opened(browser, url, 50)
    go(page, "trader/t016")
    page.wait("document.querySelector('.trader-head .pill').textContent === 'unknown'")
    assert ["–", "–"] == page.texts(".figure dd:nth-of-type(1)")[:2]
    assert "it does not answer" in page.text("#why")
    go(page, "trader/t012")
    page.wait("document.querySelector('.figure + .figure dd').textContent === '−250.50'")


def test_words_of_a_trader_are_shown_and_never_run(browser: Browser, url: str) -> None:
    page = opened(browser, url, 50)
    go(page, "trader/t001")
    page.wait("document.querySelectorAll('.decisions > li').length > 3")
    page.click(".decisions > li summary")
    page.wait("document.querySelectorAll('.decisions details[open] .panel').length === 4")
    titles = page.texts(".decisions details[open] .panel summary")
    assert ["Prompt", "Reply", "Trace", "Counterfactual"] == titles
    assert "<b>with markup</b>" in page.text(".decisions details[open] summary")
    assert "0.0123" in page.text(".decisions details[open] .inside")
    assert "Stop Market" in page.text("#orders")


def test_a_kill_of_the_live_proxy_is_ended_with_its_own_words(browser: Browser, url: str) -> None:
    page = opened(browser, url, 50)
    go(page, "system")
    assert "killed" == page.text("#safety-level")
    assert "no progress for 60 s" in page.text("#safety-causes")
    page.click("#safety-causes button")
    page.wait("document.querySelector('dialog[open]')")
    words = "resume t000: positions and orders were looked at"
    assert words in page.text("dialog")
    page.focus("#confirm-word")
    page.call("Input.insertText", text=words)
    page.press("Enter")
    page.wait("window.posted.length === 1")
    path, body = page.read("window.posted[0]")
    assert "/api/safety/resume" == path
    assert {"trader": "t000", "confirmation": words, "reason": ""} == body


def test_what_is_not_set_is_said(browser: Browser, url: str) -> None:
    page = opened(browser, url, 50)
    go(page, "backtests")
    page.wait("!document.querySelector('#bt-unset').hidden")
    assert "VENUE_TOKEN_FILE" in page.text("#bt-unset")
    assert page.read("document.querySelector('#backtest').hidden")

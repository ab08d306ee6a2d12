"""The dashboard over a real stack in a real Chromium: every page, and every button.

With `DASHBOARD_SHOTS=FOLDER` a picture of each page is kept there, as CI does.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support import dashboard as support
from tests.support.accessibility import findings
from tests.support.browser import Browser
from tests.support.buttons import Buttons
from tests.support.dashboard import PAGES, Dashboard, Stack, running_stack, saved
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(300)]

TRADERS = """
traders:
  - {trader_id: anna, name: Anna, strategy: {kind: hodl}, symbols: [BTC], interval: 1m}
  - {trader_id: bert, strategy: {kind: random, params: {probability: 0.3}}, symbols: [ETH],
     interval: 1m}
  - {trader_id: carl, strategy: {kind: sma_cross}, symbols: [BTC], interval: 1m}
"""
NAMES = ("anna", "bert", "carl")
DANGEROUS = ("do-pause", "do-stop", "do-flatten", "preview", "save-limits", "bt-run", "safety-kill")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("venue"), TRADERS, speed=120) as started:
        rows = eventually(
            started.portfolio.traders,
            lambda found: all(found.get(n, {}).get("fills", 0) > 0 for n in NAMES),
            limit_s=120,
        )
        assert set(NAMES) <= set(rows)
        yield started


@pytest.fixture(scope="module")
def buttons(request: pytest.FixtureRequest) -> Buttons:
    return Buttons(request.config.cache)


@pytest.fixture(scope="module")
def operator(stack: Stack, browser: Browser, buttons: Buttons) -> Dashboard:
    dashboard = Dashboard(browser, stack.portfolio.url, buttons)
    dashboard.log_in(stack.portfolio.token())
    return dashboard


@pytest.fixture(autouse=True)
def unblamed(request: pytest.FixtureRequest) -> None:
    """What a test before has provoked is no error of this one."""
    if "operator" in request.fixturenames:
        request.getfixturevalue("operator").page.errors.clear()


# ---- getting in ---------------------------------------------------------------------------------


def test_a_wrong_token_is_told_and_a_right_one_lets_in(
    stack: Stack, browser: Browser, buttons: Buttons
) -> None:
    someone = Dashboard(browser, stack.portfolio.url, buttons)
    someone.page.open(stack.portfolio.url)
    someone.page.wait("document.querySelector('#login')")
    someone.shoot("login")
    assert [] == findings(someone.page)
    someone.page.click("#token")
    someone.type("act_" + "x" * 43)
    someone.page.press("Enter")
    someone.page.wait("document.querySelector('#login-trouble').textContent !== ''")
    assert "not known" in someone.page.text("#login-trouble")
    for language, word in (("zh", "登录"), ("en", "Log in")):
        someone.page.click("#login-language")
        someone.page.wait(f"document.documentElement.lang === '{language}'")
        assert word == someone.page.text("#login-go")
    someone.page.click("#login-go")
    someone.page.wait("document.activeElement.id === 'token'")
    someone.log_in(stack.portfolio.token())
    assert "Arena" == someone.page.text("h1")
    secrets = someone.page.read("document.cookie + JSON.stringify({ ...localStorage })")
    assert "portfolio_session" not in secrets
    assert stack.portfolio.token() not in someone.page.read("document.documentElement.outerHTML")
    someone.page.click("#logout")
    someone.page.wait("document.querySelector('#login')")
    assert 401 == someone.ask("GET", "/api/portfolio")


def test_who_may_only_look_sees_no_button_that_changes_anything(
    stack: Stack, browser: Browser
) -> None:
    viewer = Dashboard(browser, stack.portfolio.url)
    viewer.log_in(stack.portfolio.token("viewer"))
    for name in PAGES:
        viewer.go(name)
        there = viewer.page.read(
            f"{json.dumps(DANGEROUS)}.filter((id) => document.getElementById(id))"
        )
        assert [] == there, name
    writes: dict[str, Any] = {
        "/api/strategy/anna/pause": {},
        "/api/portfolio/rebalance": {"preview": True},
        "/api/backtests": {"name": "a", "request": {}},
        "/api/safety/kill": {"confirmation": "KILL"},
    }
    assert {403} == {viewer.ask("POST", path, body) for path, body in writes.items()}
    assert 403 == viewer.ask("PUT", "/api/portfolio/allocation/limits", {"weight_max": 0.5})


# ---- every page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["desk", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_sound(operator: Dashboard, name: str, size: tuple[int, int], scheme: str) -> None:
    page = operator.page
    page.read(f"document.documentElement.dataset.theme !== '{scheme}' && theme.click()")
    page.resize(*size)
    operator.go(name)
    page.wait("!document.querySelector('.waiting, #price-chart:not([data-bars])')")
    page.wait(
        "[...document.querySelectorAll('.figure dd')].some((one) => /[0-9]/.test(one.textContent))"
        " || document.querySelector('#new, #services')"
    )
    page.read("new Promise((ok) => setTimeout(ok, 700))")  # what it asks for is drawn
    operator.shoot(f"{name}-{'x'.join(map(str, size))}-{scheme}")
    assert 0 == operator.sideways()
    assert [] == findings(page)
    assert [] == page.errors


def test_nothing_is_left_in_english_where_chinese_is_spoken(operator: Dashboard) -> None:
    page, (left, chinese) = operator.page, support.words_of_both()
    page.resize(1280, 800)
    page.click("#language")
    page.wait("document.documentElement.lang === 'zh'")
    try:
        for name in PAGES:
            operator.go(name)
            page.wait(f"document.querySelector('h1').textContent === '{chinese[f'nav.{name}']}'")
            operator.shoot(f"{name}-chinese")
            texts = page.read(
                "[...document.querySelectorAll('body *')].filter((one) => !one.children.length)"
                ".map((one) => one.textContent.trim()).filter(Boolean)"
            )
            assert set() == left & set(texts), name
            assert 0 == operator.sideways()
    finally:
        page.click("#language")
        page.wait("document.documentElement.lang === 'en'")


def test_all_that_pages_load_is_ours_and_little(operator: Dashboard) -> None:
    for name in PAGES:
        operator.go(name)
    loaded = operator.page.read(
        "performance.getEntriesByType('resource').map((one) => [one.name, one.decodedBodySize])"
    )
    assert {True} == {url.startswith(operator.url) for url, _ in loaded}
    still = {url: size for url, size in loaded if "/api/" not in url}
    assert sum(still.values()) <= 600_000


def test_keys_alone_reach_the_pages_and_the_content(operator: Dashboard) -> None:
    page = operator.page
    page.open(operator.url)
    page.wait("document.querySelector('#link.up') && document.querySelector('main h1')")
    page.press("Tab")
    assert "skip" == page.read("document.activeElement.id")
    seen = []
    for _ in range(len(PAGES)):
        page.press("Tab")
        seen.append(page.read("document.activeElement.dataset.page ?? ''"))
    assert list(PAGES) == seen
    page.press("Enter")
    page.wait("document.activeElement.tagName === 'H1'")
    assert "System" == page.text("h1")


def test_links_at_the_top_lead_to_all_pages(operator: Dashboard) -> None:
    for name in reversed(PAGES):
        operator.page.click(f"#nav [data-page={name}]")
        operator.page.wait(f"document.querySelector('main').dataset.page === '{name}'")
        operator.page.wait(
            f"document.querySelector('#nav [aria-current]').dataset.page === '{name}'"
        )


def test_figures_move_without_being_asked_for(operator: Dashboard) -> None:
    """They come by the stream: no answer of the portfolio is asked for again."""
    page = operator.page
    operator.go("arena")
    page.wait("/[0-9]/.test(document.querySelector('.figure dd').textContent)")
    page.wait("document.querySelector('#curves [data-lines]')")
    page.read("performance.clearResourceTimings()")
    page.read("window.was = document.querySelector('.figures').innerText")
    page.wait("document.querySelector('.figures').innerText !== window.was")
    asked = page.read("performance.getEntriesByType('resource').map((one) => one.name)")
    assert [] == [url for url in asked if "/api/portfolio" in url or "/api/equity" in url]


# ---- buttons ------------------------------------------------------------------------------------


def test_a_trader_is_paused_resumed_flattened_stopped_and_started(
    stack: Stack, operator: Dashboard
) -> None:
    page = operator.page
    operator.go("trader/carl")
    operator.shows_status("live")
    page.wait("document.querySelectorAll('#price canvas').length >= 2")
    page.click("#price [data-value='BTC']")
    page.click("#do-pause")
    operator.confirm()
    operator.shows_status("paused")
    assert "PAUSED" == stack.portfolio.traders()["carl"]["status"]
    page.click("#do-resume")
    operator.confirm()
    operator.shows_status("live")
    operator.go("trader/anna")
    page.wait("!document.querySelector('#do-flatten').disabled")
    page.click("#do-flatten")
    operator.confirm()
    page.wait("document.querySelector('#said').textContent.includes('Flatten was told')")
    operator.go("trader/carl")
    operator.shows_status("live")
    page.click("#do-stop")
    operator.confirm()
    operator.shows_status("stopped")
    page.click("#do-start")
    operator.confirm()
    operator.shows_status("live")


def test_market_structure_is_drawn_where_it_is_asked_for(stack: Stack, operator: Dashboard) -> None:
    """Over price, and away again; the answer holds nothing that was known after the last bar."""
    page = operator.page
    operator.go("trader/anna")
    page.wait("document.querySelector('#price-chart[data-structures=\"0\"]')")
    page.click('.choices button[data-value="1m"]')
    page.wait("Number(document.querySelector('#price-chart').dataset.bars) > 30")
    at_ms = stack.portfolio.get("/api/portfolio")["venue_ms"]
    path = f"/api/structures?symbol=BTC&interval=1m&start={at_ms - 3_600_000}&end={at_ms}"
    assert stack.portfolio.get(path)["as_of_ms"]  # the first one loads what is compiled
    page.click("#structure")
    page.wait("Number(document.querySelector('#price-chart').dataset.structures) > 9")
    assert "order blocks" in page.text("#structure-legend")
    page.read("new Promise((ok) => setTimeout(ok, 300))")  # what it asks for is drawn
    operator.shoot("structure")
    assert [] == findings(page)
    told = page.read(
        "fetch(`/api/structures?symbol=BTC&interval=1m&start=0&end=${Date.now()}`)"
        ".then((reply) => reply.json())"
    )
    assert all(one["known_ms"] <= told["as_of_ms"] for one in told["structures"])
    page.click("#structure")
    page.wait("document.querySelector('#price-chart').dataset.structures === '0'")
    assert "" == page.text("#structure-legend")
    assert [] == page.errors


def test_decisions_open_with_their_verdicts(operator: Dashboard) -> None:
    page = operator.page
    operator.go("trader/bert")
    page.wait("document.querySelectorAll('.decisions > li').length > 3")
    page.click(".decisions > li summary")
    page.wait("document.querySelector('.decisions details[open] .inside').textContent !== ''")
    assert "UTC" in page.text(".decisions details[open] .inside")
    assert page.texts("#fills tbody tr")
    choices = ["ETH", "1m", "5m", "15m", "1h", "4h", "1d"]
    assert choices == operator.press_choices("#price")
    for zoom in ("zoom.in", "zoom.out", "all"):
        page.click(f"#price [data-zoom='{zoom}']")
    page.wait("!document.querySelector('#older').hidden")
    before = len(page.texts(".decisions > li"))
    page.click("#older")
    page.wait(f"document.querySelectorAll('.decisions > li').length > {before}")
    operator.set("#pick-trader", "anna")
    page.wait(
        "document.querySelector('#pick-trader').value === 'anna' && location.hash.endsWith('anna')"
    )
    assert [] == page.errors


def test_the_arena_shows_curves_by_return_and_by_money(operator: Dashboard) -> None:
    page = operator.page
    operator.go("arena")
    page.wait("document.querySelectorAll('#leaderboard tbody tr').length >= 3")
    page.wait("Number(document.querySelector('#curves .chart').dataset.lines) >= 3")
    page.click("#curves [data-value='equity']")
    page.focus("#curves canvas")
    page.press("End")
    page.wait("document.querySelector('#curves canvas').ariaValueText")
    told = page.read("document.querySelector('#curves canvas').ariaValueText")
    assert "Anna" in told
    page.click("#curves [data-value='return']")
    page.point("#curves canvas", across=0.5)
    page.wait("!document.querySelector('#curves .tip').hidden")
    page.wait("document.querySelectorAll('#feed li').length > 0")
    page.click("#leaderboard a")
    page.wait("location.hash.startsWith('#/trader/')")


def test_limits_are_changed_and_a_rebalance_is_previewed_and_run(
    stack: Stack, operator: Dashboard
) -> None:
    page = operator.page

    def is_the_method(method: str) -> bool:
        limits = stack.portfolio.get("/api/portfolio/allocation")["limits"]
        return bool(method == limits["method"])

    operator.go("portfolio")
    page.wait("document.querySelector('#limit-weight').value !== ''")
    operator.fill("#limit-weight", "50")
    page.click("#save-limits")
    page.wait("document.querySelector('#said').textContent.includes('Limits are saved')")
    assert 0.5 == stack.portfolio.get("/api/portfolio/allocation")["limits"]["weight_max"]
    for method in ("score", "equal"):
        operator.set("#limit-method", method)
        page.click("#save-limits")
        eventually(partial(is_the_method, method))
    operator.set("#rebalance-method", "equal")
    operator.fill("#rebalance-reason", "a browser's test")
    page.click("#preview")
    page.wait("!document.querySelector('#plan').hidden")
    assert len(page.texts("#plan tbody tr")) >= 3
    assert all(one["allocation"] is None for one in stack.portfolio.traders().values())
    operator.shoot("portfolio-preview")
    page.click("#run-plan")
    operator.confirm()
    page.wait("document.querySelector('#plan .pill').textContent === 'done'")
    told = stack.portfolio.traders()
    assert all(told[name]["allocation"] > 0 for name in NAMES)
    operator.shoot("portfolio-done")


@pytest.mark.parametrize(
    ("shares", "why"),
    [
        ({"anna": "45", "bert": "45", "carl": "45"}, "135"),
        ({"anna": "300"}, "anna"),
        ({"anna": "-5"}, "anna"),
    ],
)
def test_absurd_shares_are_refused_with_a_clear_message(
    stack: Stack, operator: Dashboard, shares: dict[str, str], why: str
) -> None:
    page = operator.page
    before = {n: one["allocation"] for n, one in stack.portfolio.traders().items()}
    operator.go("arena")
    operator.go("portfolio")
    page.wait("document.querySelector('#rebalance-method').options.length > 3")
    operator.set("#rebalance-method", "own")
    for name, share in shares.items():
        operator.fill(f"[data-trader={name}]", share)
    page.click("#preview")
    page.wait("document.querySelector('#rebalance-trouble').textContent !== ''")
    assert why in page.text("#rebalance-trouble")
    assert page.read("document.querySelector('#plan').hidden")
    assert before == {n: one["allocation"] for n, one in stack.portfolio.traders().items()}
    page.errors.clear()  # the refusal itself, 400 or 422


def test_files_are_saved(operator: Dashboard, tmp_path: Path) -> None:
    operator.page.save_files_in(tmp_path)
    operator.go("portfolio")
    operator.page.wait("document.querySelectorAll('#exports a').length === 8")
    for kind in ("portfolio", "equity", "trades", "decisions"):
        for form in ("csv", "parquet"):
            operator.page.click(f"#exports [data-export='{kind} {form}']")
            assert saved(tmp_path, f"*-all-{kind}.{form}").stat().st_size > 0


def test_rebalances_by_themselves_are_set_and_turned_off(stack: Stack, operator: Dashboard) -> None:
    page = operator.page

    def is_told(wanted: tuple[str | None, bool]) -> bool:
        one = stack.portfolio.get("/api/portfolio/allocation")["automatic"]
        return wanted == (one["daily_at"], one["on_change"])

    operator.go("portfolio")
    page.wait("document.querySelector('#auto-next').textContent === 'It is off.'")
    for wanted in (("06:00", True), (None, False)):
        page.click("#auto-daily")
        page.click("#auto-change")
        page.click("#save-automatic")
        eventually(partial(is_told, wanted))
    page.wait("document.querySelector('#auto-next').textContent === 'It is off.'")
    page.wait("document.querySelector('#said .close')")
    page.click("#said .close")
    page.wait("!document.querySelector('#said p')")


def test_backtests_are_begun_read_compared_canceled_and_refused(
    operator: Dashboard, tmp_path: Path
) -> None:
    page = operator.page
    operator.go("backtests")
    operator.run_backtest("bad", "hodl", "{")
    page.wait("document.querySelector('#bt-trouble').textContent !== ''")
    runs = (("bad", "no_such_strategy"), ("one", "hodl"), ("two", "sma_cross"))
    for number, (name, kind) in enumerate(runs, start=1):
        operator.run_backtest(name, kind)
        eventually(lambda: page.texts("#runs tbody .pill"), support.all_ended(number), limit_s=90)
    assert ["done", "done", "failed"] == page.texts("#runs tbody .pill")
    assert "'no_such_strategy' is not one of" in page.text("#runs")
    page.click("#runs [data-open]")
    page.wait("!document.querySelector('#report').hidden")
    assert "Report of two" in page.text("#report h2")
    operator.shoot("backtests-report")
    assert [] == findings(page)
    for row in (1, 2):
        page.click(f"#runs tbody tr:nth-child({row}) input[type=checkbox]")
    page.wait("!document.querySelector('#compare').hidden")
    page.wait("document.querySelectorAll('#compare tbody tr').length === 2")
    operator.shoot("backtests-compared")
    operator.page.save_files_in(tmp_path)
    page.click("#whole-report")
    whole = saved(tmp_path, "two.json")
    assert "result" in json.loads(whole.read_text())
    operator.set("#bt-interval", "1m")
    operator.run_backtest("three", "random")
    page.wait("document.querySelector('[data-cancel]')")
    page.click("[data-cancel]")
    eventually(lambda: page.texts("#runs tbody .pill"), support.all_ended(4), limit_s=30)
    assert "canceled" == page.texts("#runs tbody .pill")[0]
    assert [] == page.errors


def test_data_says_what_is_stored(operator: Dashboard) -> None:
    page = operator.page
    operator.go("data")
    page.wait("document.querySelectorAll('#stored tbody tr').length === 2")
    operator.set("#data-coin", "ETH")
    page.wait("document.querySelector('#days h3').textContent.startsWith('ETH')")
    assert page.read("document.querySelectorAll('#days rect').length") >= 13
    assert "data-collector import" in page.text("#import-commands")


def test_the_switch_needs_its_word_and_reaches_all(stack: Stack, operator: Dashboard) -> None:
    page = operator.page

    def all_are(status: str) -> None:
        eventually(
            lambda: {stack.portfolio.traders()[name]["status"] for name in NAMES},
            lambda found: found == {status},
            limit_s=60,
        )

    operator.go("system")
    page.wait("document.querySelectorAll('#services tbody tr').length === 3")
    page.wait("document.querySelector('#locks').textContent.includes('DISABLE_REST_FALLBACK')")
    page.click("#safety-pause")
    operator.confirm()
    all_are("PAUSED")
    page.click("#safety-resume")
    operator.confirm("RESUME")
    all_are("LIVE")
    page.click("#safety-stop")
    operator.confirm("STOP")
    all_are("STOPPED")
    for name in NAMES:
        assert 200 == stack.portfolio.ask("POST", f"/api/strategy/{name}/start", {}).status_code
    all_are("LIVE")
    page.click("#safety-kill")
    page.wait("document.querySelector('dialog[open]')")
    page.click("#confirm-cancel")
    page.wait("!document.querySelector('dialog')")
    assert {"LIVE"} == {stack.portfolio.traders()[name]["status"] for name in NAMES}
    page.click("#safety-kill")
    page.wait("document.querySelector('dialog[open]')")
    operator.shoot("system-kill")
    assert [] == findings(page)
    page.focus("#confirm-word")
    operator.type("kill")
    assert page.read("document.querySelector('dialog button[type=submit]').disabled")
    operator.confirm("KILL")
    all_are("STOPPED")
    page.wait("document.querySelectorAll('#safety-outcome li').length >= 3")
    assert [] == page.errors


def test_every_button_of_every_page_has_been_pressed(operator: Dashboard, buttons: Buttons) -> None:
    """A list collected from the pages, held against what the tests above have pressed."""
    for name in PAGES:
        operator.go(name)
        operator.page.wait("!document.querySelector('.waiting, #price-chart:not([data-bars])')")
    operator.page.read("new Promise((ok) => requestAnimationFrame(() => setTimeout(ok)))")
    buttons.remember()
    assert len(buttons.seen) > 40
    assert set() == buttons.seen - buttons.pressed

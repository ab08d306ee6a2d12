"""The dashboard where money is real: the switch is the live proxy's own, at the last hop.

The venue is as strict as mainnet; between it and the traders is the proxy, as in `docs/live.md`.
"""

import signal
from collections.abc import Iterator

import httpx
import pytest
from tests.support.accessibility import findings
from tests.support.browser import Browser
from tests.support.dashboard import Dashboard, LiveDashboard, running_live, serving_data
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]

NAMES = ("anna", "bert")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDashboard]:
    with running_live(tmp_path_factory.mktemp("live"), *NAMES) as started:
        eventually(
            started.portfolio.traders,
            lambda rows: all(rows.get(n, {}).get("positions") for n in NAMES),
            limit_s=150,
        )
        yield started


@pytest.fixture(scope="module")
def operator(live: LiveDashboard, browser: Browser) -> Dashboard:
    dashboard = Dashboard(browser, live.portfolio.url)
    dashboard.log_in(live.portfolio.token())
    return dashboard


def levels(live: LiveDashboard) -> dict[str, str]:
    """What the proxy itself says of each trader."""
    reply = httpx.get(f"{live.proxy.url}/safety", headers=live.proxy.headers("operator"))
    assert 200 == reply.status_code, reply.text
    found: dict[str, str] = reply.json()["levels"]
    return found


def shown(operator: Dashboard, level: str) -> None:
    operator.page.wait(f"document.querySelector('#safety-level').textContent === '{level}'")


def test_the_books_of_a_live_account_agree(live: LiveDashboard, operator: Dashboard) -> None:
    """Through the proxy, with what it signed: fills and accounts of both say the same."""
    told = eventually(
        lambda: live.portfolio.get("/api/portfolio"),
        lambda seen: seen["sums"]["compared"] == len(NAMES),
        limit_s=60,
    )
    assert told["sums"]["ok"], told["sums"]
    assert {"fills"} == {row["source"] for row in told["strategies"]}
    operator.go("arena")
    operator.page.wait("document.querySelector('#world').textContent === 'LIVE'")
    operator.shoot("live-arena")
    operator.go("trader/anna")
    operator.page.wait("document.querySelector('#price-chart[data-bars]')")
    operator.shoot("live-trader")
    assert [] == operator.page.errors


def test_the_switch_is_the_proxys_own_and_needs_its_word(
    live: LiveDashboard, operator: Dashboard
) -> None:
    page = operator.page
    operator.go("system")
    shown(operator, "live")
    assert "proxy" in page.text("#safety-why")
    page.click("#safety-pause")
    operator.confirm()
    shown(operator, "paused")
    assert {"PAUSED"} == set(levels(live).values())
    page.wait("document.querySelector('#safety-causes').textContent.includes('all')")
    operator.shoot("live-paused")
    assert [] == findings(page)
    page.click("#safety-resume")
    operator.confirm("RESUME")
    shown(operator, "live")
    assert {"LIVE"} == set(levels(live).values())
    page.click("#safety-stop")
    operator.confirm("STOP")
    shown(operator, "stopped")
    assert {"STOPPED"} == set(levels(live).values())
    held = [live.portfolio.traders()[name]["positions"] for name in NAMES]
    assert all(held), "a stop keeps positions"
    page.click("#safety-resume")
    operator.confirm("RESUME")
    shown(operator, "live")
    assert [] == page.errors


def test_drift_is_pushed_and_unknown_while_the_proxy_is_silent(
    live: LiveDashboard, operator: Dashboard
) -> None:
    """No report, one that the command makes, and a proxy that is gone; both languages."""
    page, proxy = operator.page, live.proxy
    says = "document.querySelector('#drift-note').textContent"
    operator.go("system")
    page.wait(f"{says}.startsWith('No report was made yet')")
    with serving_data(live.store) as data_url:
        proxy.settings["DATA_SERVICE_URL"] = data_url
        told = proxy.run("drift", "--days", "1")
    assert 0 == told.returncode, told.stderr
    page.wait(f"{says}.startsWith('Orders since')")
    rows = page.texts("#drift tbody tr")
    assert [*(name for name in ("All traders", *NAMES))] == [row.split("\t")[0] for row in rows]
    (all_,) = [line for line in told.stdout.splitlines() if line.startswith("*: ")]
    assert all_.removeprefix("*: ").split()[0] == rows[0].split("\t")[1]
    operator.shoot("live-drift-system")
    assert [] == findings(page)
    operator.go("trader/anna")
    page.wait("document.querySelectorAll('#drift tbody tr').length === 1")
    assert rows[1].split("\t")[1:] == page.texts("#drift tbody tr")[0].split("\t")
    page.read("document.querySelector('#drift').scrollIntoView()")
    operator.shoot("live-drift-trader")
    page.click("#language")
    page.wait(f"{says}.includes('报告生成于')")
    page.read("document.querySelector('#drift').scrollIntoView()")
    operator.shoot("live-drift-trader-zh")
    assert [] == findings(page)
    page.click("#language")
    assert proxy.process is not None
    proxy.process.send_signal(signal.SIGSTOP)
    try:
        page.wait(f"{says}.startsWith('Unknown')")
        assert [] == page.texts("#drift tbody tr")
        operator.shoot("live-drift-unknown")
    finally:
        proxy.process.send_signal(signal.SIGCONT)
    page.wait(f"{says}.startsWith('Orders since')")


def test_a_kill_closes_everything_at_the_last_hop_and_only_its_own_token_ends_it(
    live: LiveDashboard, operator: Dashboard
) -> None:
    page = operator.page
    operator.go("system")
    shown(operator, "live")
    page.click("#safety-kill")
    page.wait("document.querySelector('dialog[open]')")
    page.focus("#confirm-word")
    operator.type("kill")
    assert page.read("document.querySelector('dialog button[type=submit]').disabled")
    page.click("#confirm-cancel")
    page.wait("!document.querySelector('dialog')")
    assert {"LIVE"} == set(levels(live).values())
    page.click("#safety-kill")
    operator.confirm("KILL")
    shown(operator, "killed")
    assert {"KILLED"} == set(levels(live).values())
    eventually(
        live.portfolio.traders,
        lambda rows: not any(rows[name]["positions"] for name in NAMES),
        limit_s=90,
    )
    operator.shoot("live-killed")
    page.errors.clear()
    page.click("#safety-causes button")
    page.wait("document.querySelector('dialog[open]')")
    words = page.read("document.querySelector('#confirm-word').closest('label').innerText")
    operator.fill("#confirm-word", words.removeprefix("Type ").removesuffix(" to confirm").strip())
    page.click("dialog button[type=submit]")
    page.wait("document.querySelector('dialog .bad').textContent !== ''")
    assert "resume" in page.text("dialog .bad")
    assert {"KILLED"} == set(levels(live).values())
    operator.shoot("live-kill-not-ended")
    page.click("#confirm-cancel")

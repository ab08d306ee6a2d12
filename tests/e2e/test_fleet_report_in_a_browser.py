"""`GET /report` of a running manager, as its operator reads it in a Chromium."""

from functools import partial
from pathlib import Path

import pytest
from tests.support.browser import Browser
from tests.support.manager_process import Manager, managing
from tests.support.venue_process import eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

TRADERS = """
traders:
  - {trader_id: anna, strategy: {kind: random, params: {probability: 0.9}}, symbols: [BTC],
     interval: 1m}
  - {trader_id: carl, strategy: {kind: sma_cross}, symbols: [BTC], interval: 1m}
"""


def _fills(manager: Manager, name: str) -> int:
    return int(manager.ask("GET", f"/traders/{name}/trades").json()["fills"])


def test_a_running_fleet_is_read_from_the_board_to_the_decision_behind_a_fill(
    home: Path, tmp_path: Path, browser: Browser
) -> None:
    """With the operator's token; nothing else is asked of anybody, and nothing ends in an error."""
    (home / "traders.yaml").write_text(TRADERS)
    with (
        running_venue(tmp_path / "venue", coins=("BTC",), speed=600) as venue,
        managing(
            home, venue, "--traders", "traders.yaml", TRADER_MANAGER_COLLECTING_PAUSE_S="0.1"
        ) as manager,
    ):
        eventually(partial(_fills, manager, "anna"), limit_s=90)
        token = (home / "var/tokens/operator.token").read_text().strip()
        page = browser.page()
        page.call("Network.enable")
        page.call("Network.setExtraHTTPHeaders", headers={"authorization": f"Bearer {token}"})
        page.open(f"{manager.url}/report")
        assert "PAPER" == page.text(".badge.paper")
        assert "2 traders on BTC" in page.text("h1") or "3 traders on BTC" in page.text("h1")
        assert {"anna", "carl"} <= set(page.texts(".board .who a"))
        assert page.read("document.querySelectorAll('.chart canvas').length") >= 4
        page.read("location.hash = 'trader/anna'")
        page.wait("document.querySelector('main').dataset.shows === '#trader/anna'")
        assert "anna" == page.text("h1")
        for title in ("Trades", "Positions", "Where profit came from", "Fills", "Decisions"):
            assert title in page.texts("section h2")
        page.read("location.hash = 'trader/anna/fill/0'")
        page.wait("document.querySelector('main').dataset.shows === '#trader/anna/fill/0'")
        steps = page.texts(".chain h3")
        assert "The decision" in steps[0]
        assert any(step.startswith("The fill") for step in steps)
        assert [] == page.errors
        assert [] == page.read("performance.getEntriesByType('resource').map((one) => one.name)")

"""A portfolio over a real manager with real traders at a real venue: what is told is what is."""

import os
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.manager_process import Manager, managing
from tests.support.portfolio_process import COMMAND, PortfolioUnderTest, serving_portfolio
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

from suite.addresses import account_address

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

TRADERS = """
traders:
  - {trader_id: anna, strategy: {kind: hodl}, symbols: [BTC], interval: 1m}
  - {trader_id: bert, name: Bert, strategy: {kind: random}, symbols: [BTC], interval: 1m}
  - {trader_id: carl, strategy: {kind: random}, symbols: [BTC], interval: 1m}
"""
NAMES = ("anna", "bert", "carl")


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path / "venue", coins=("BTC",), speed=60) as found:
        yield found


def all_run(manager: Manager) -> bool:
    return all(manager.state(name) == "running" for name in NAMES)


def serving(home: Path, manager: Manager, venue: VenueUnderTest) -> Any:
    token = (home / "var/tokens/operator.token").read_text().strip()
    return serving_portfolio(home / "portfolio", manager.url, token, TRADING_URL=venue.url)


def exact(value: float) -> Decimal:
    """A number of an answer, to the micro-USDC."""
    return Decimal(repr(value)).quantize(Decimal("0.000001"))


def test_sums_are_those_of_the_accounts_to_the_micro_usdc(
    venue: VenueUnderTest, home: Path
) -> None:
    """Fills, fees and funding of each trader make what its account has, and all of them the sum."""
    (home / "traders.yaml").write_text(TRADERS)
    with (
        managing(home, venue, "--traders", "traders.yaml") as manager,
        serving(home, manager, venue) as portfolio,
    ):
        eventually(lambda: all_run(manager), limit_s=90)
        found = eventually(
            lambda: portfolio.get("/api/portfolio"),
            lambda told: told["sums"]["compared"] == 3 and told["commission"] > 0,
            limit_s=60,
        )
        assert found["sums"]["ok"], found["sums"]
        rows = found["strategies"]
        assert list(NAMES) == [row["id"] for row in rows]
        assert {"fills"} == {row["source"] for row in rows}
        for row in rows:
            parts = ("realized_usd", "unrealized_usd", "funding_usd")
            made = sum((exact(row[name]) for name in parts), Decimal(0)) - exact(row["fees_usd"])
            assert made == exact(row["pnl"])
            assert made == exact(row["equity_usd"]) - exact(row["net_deposits_usd"])
        whole = sum((exact(row["pnl"]) for row in rows), Decimal(0))
        assert whole == exact(found["net_pnl"])
        assert exact(found["total_pnl"]) - exact(found["commission"]) == whole
        fees = sum(
            Decimal(fill["fee"])
            for fill in venue.info("userFillsByTime", user=account_address("anna"), startTime=0)
        )
        assert fees == exact(next(row for row in rows if row["id"] == "anna")["fees_usd"])
        looked_at(portfolio)
        previewed(portfolio)
        told_and_steered(portfolio, manager)
        assert 0 == portfolio.stop_while_watched()


def looked_at(portfolio: PortfolioUnderTest) -> None:
    """Whatever the page shows has an answer, and a viewer may see it and change nothing."""
    for path in (
        *("portfolio", "portfolio/allocation", "portfolio/rebalance", "risk-indicators"),
        *("funding-rates", "equity?points=8", "trades?limit=5", "trades?trader=anna"),
        *("decisions?limit=3", "decisions?trader=anna&limit=1", "leaderboard", "system"),
        *("session", "klines?symbol=BTC&interval=1m", "export?kind=portfolio"),
        *("export?kind=equity&form=parquet&trader=anna", "export?kind=decisions"),
    ):
        reply = portfolio.ask("GET", f"/api/{path}", by="viewer")
        assert 200 == reply.status_code, f"{path}: {reply.text}"
        assert reply.content, path
        assert 401 == portfolio.ask("GET", f"/api/{path}", by=None).status_code, path
    for method, path in (
        ("PUT", "/api/portfolio/allocation/limits"),
        ("POST", "/api/portfolio/rebalance"),
        *(
            ("POST", f"/api/strategy/anna/{what}")
            for what in ("pause", "resume", "stop", "flatten")
        ),
    ):
        assert 403 == portfolio.ask(method, path, {}, by="viewer").status_code, path
    (first, whole), (second, changes) = portfolio.events(2)
    assert ("snapshot", "changes") == (first, second)
    assert set(NAMES) == set(whole["traders"])
    assert changes["synced_ms"]


def previewed(portfolio: PortfolioUnderTest) -> None:
    """The command shows a plan and does nothing; what cannot be is one line."""

    def said(*options: str) -> tuple[int, str]:
        done = subprocess.run(
            [COMMAND, "rebalance", "--url", portfolio.url, *options],
            cwd=portfolio.folder,
            env=os.environ | {"COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    code, text = said("--preview", "--share", "anna=0.3", "--share", "bert=0.2")
    assert (0, True) == (code, "all of its account" in text), text
    assert "planned: of " in text
    assert {None} == {
        row["allocation"] for row in portfolio.get("/api/portfolio/allocation")["traders"]
    }
    code, text = said("--preview", "--share", "ann=0.3")
    assert (True, 1) == (code != 0, len(text.splitlines())), text
    assert "there is no trader 'ann', did you mean anna?" in text
    code, text = said("--share", "anna=0.3", "--share", "bert=0.2", "--share", "carl=0")
    assert (0, True) == (code, "is done" in text), text


def told_and_steered(portfolio: PortfolioUnderTest, manager: Manager) -> None:
    """PAUSED is kept until it is resumed, STOPPED until it is started."""
    told = portfolio.ask("POST", "/api/strategy/bert/pause", {"reason": "a look"})
    assert ["bert"] == told.json()["result"]["done"]
    eventually(lambda: portfolio.traders()["bert"]["status"] == "PAUSED")
    assert "a look" in portfolio.traders()["bert"]["reason"]
    assert 200 == portfolio.ask("POST", "/api/strategy/bert/resume", {"reason": "on"}).status_code
    eventually(lambda: portfolio.traders()["bert"]["status"] == "LIVE")
    assert 200 == portfolio.ask("POST", "/api/strategy/carl/stop", {}).status_code
    eventually(lambda: portfolio.traders()["carl"]["status"] == "STOPPED", limit_s=30)
    assert 200 == manager.ask("DELETE", "/traders/carl?force=true").status_code
    gone = eventually(
        lambda: portfolio.traders()["carl"], lambda row: bool(row["removed"]), limit_s=30
    )
    assert "the manager has it no more" == gone["reason"]
    assert 2 == portfolio.get("/api/portfolio")["total_count"]
    unknown = portfolio.ask("POST", "/api/strategy/ann/pause", {"reason": "x"})
    assert (404, "there is no trader 'ann', did you mean anna?") == (
        unknown.status_code,
        unknown.text,
    )

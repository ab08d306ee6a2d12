"""A portfolio whose manager goes away and comes back, and which is killed itself meanwhile."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.portfolio_process import PortfolioUnderTest, serving_portfolio
from tests.support.postgres_servers import open_folder
from tests.support.scripted_manager import TOKEN, scripted
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as found:
        yield found


def sources(portfolio: PortfolioUnderTest) -> set[str]:
    return {row["source"] for row in portfolio.traders().values()}


def test_without_its_manager_it_tells_what_was_last_known(folder: Path) -> None:
    """With its age, also after a restart; never 0. The token of a manager is in no answer."""
    with ExitStack() as manager:
        url = manager.enter_context(scripted(3))
        with serving_portfolio(folder, url, TOKEN) as portfolio:
            eventually(lambda: sources(portfolio) == {"fills"}, limit_s=30)
            known = portfolio.traders()
            manager.close()
            eventually(lambda: portfolio.get("/api/portfolio")["trouble"], limit_s=30)
            assert {"unknown"} == {row["status"] for row in portfolio.traders().values()}
            assert 503 == portfolio.ask("GET", "/ready", by=None).status_code
            refused = portfolio.ask("POST", "/api/strategy/trader-000/pause", {})
            assert (503, True) == (refused.status_code, "cannot be reached" in refused.text)
        with serving_portfolio(folder, url, TOKEN) as portfolio:
            rows = portfolio.traders()
            assert ({"last_known"}, set(known)) == (sources(portfolio), set(rows))
            assert all(row["pnl"] is not None and row["age_ms"] for row in rows.values())
            asked = {"method": "equal", "preview": True}
            early = portfolio.ask("POST", "/api/portfolio/rebalance", asked)
            assert (409, True) == (early.status_code, "has not answered yet" in early.text)
            port = int(url.rpartition(":")[2])
            manager.enter_context(scripted(3, port=port))
            eventually(lambda: sources(portfolio) == {"fills"}, limit_s=30)
            eventually(lambda: portfolio.get("/api/portfolio")["active_count"] == 3, limit_s=30)
            assert 200 == portfolio.ask("POST", "/api/portfolio/rebalance", asked).status_code
        assert TOKEN not in (folder / "portfolio.log").read_text()


def test_a_wrong_token_is_told_in_one_line(folder: Path) -> None:
    with (
        scripted(1) as url,
        serving_portfolio(folder, url, "act_of_somebody_else_altogether_and_nobody") as portfolio,
    ):
        words = "refuses MANAGER_TOKEN: unknown token"
        eventually(
            lambda: portfolio.get("/api/portfolio")["trouble"],
            lambda trouble: words in trouble,
            limit_s=20,
        )
        assert 0 == portfolio.get("/api/portfolio")["total_count"]

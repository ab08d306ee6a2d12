"""A portfolio whose manager goes away and comes back, and which is killed itself meanwhile."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import httpx
import pytest
from tests.support.portfolio_process import PortfolioUnderTest, serving_portfolio
from tests.support.postgres_servers import open_folder
from tests.support.scripted_manager import TOKEN, scripted
from tests.support.venue_process import eventually, running_venue

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
            eventually(  # who they are is asked for by itself
                portfolio.traders,
                lambda rows: {"unknown"} == {row["status"] for row in rows.values()},
                limit_s=30,
            )
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


def logged_in(portfolio: PortfolioUnderTest) -> dict[str, str]:
    """What a browser sends from then on."""
    body = {"token": portfolio.token()}
    reply = httpx.post(f"{portfolio.url}/api/login", json=body, trust_env=False)
    assert 200 == reply.status_code, reply.text
    return {"cookie": f"portfolio_session={reply.cookies['portfolio_session']}"}


def session(portfolio: PortfolioUnderTest, browser: dict[str, str]) -> int:
    return httpx.get(f"{portfolio.url}/api/session", headers=browser, trust_env=False).status_code


def test_logins_and_backtests_outlive_a_kill(folder: Path, tmp_path: Path) -> None:
    """A login is over once it is ended, or once its token is another one."""
    traders = [{"trader_id": "a", "strategy": {"kind": "hodl"}, "symbols": ["BTC"]}]
    body = {"symbols": ["BTC"], "from": "2025-05-05", "to": "2025-05-06", "traders": traders}
    with (
        running_venue(tmp_path, coins=("BTC",), speed=60) as venue,
        scripted(1) as url,
    ):

        def serving() -> AbstractContextManager[PortfolioUnderTest]:
            token_file = str(tmp_path / "var/tokens/operator.token")
            return serving_portfolio(
                folder, url, TOKEN, TRADING_URL=venue.url, VENUE_TOKEN_FILE=token_file
            )

        with serving() as portfolio:
            browser, other = logged_in(portfolio), logged_in(portfolio)
            asked = {"name": "kept", "request": body}
            assert 202 == portfolio.ask("POST", "/api/backtests", asked).status_code
            before = eventually(
                lambda: portfolio.get("/api/backtests")["jobs"],
                lambda jobs: jobs[0]["status"] == "done",
                limit_s=60,
            )
            portfolio.process.kill()
            portfolio.process.wait(20)
        with serving() as portfolio:
            assert [200, 200] == [session(portfolio, one) for one in (browser, other)]
            (job,) = portfolio.get("/api/backtests")["jobs"]
            assert ("kept", "done", before[0]["job_id"]) == (
                *(job["name"], job["status"]),
                job["job_id"],
            )
            report = portfolio.get(f"/api/backtests/{job['job_id']}/report")
            assert {"a"} == set(report["traders"])
            ended = httpx.post(f"{portfolio.url}/api/logout", headers=other, trust_env=False)
            assert 200 == ended.status_code
        (folder / "var/tokens/viewer.token").unlink()
        with serving() as portfolio:
            assert [200, 401] == [session(portfolio, one) for one in (browser, other)]
        (folder / "var/tokens/operator.token").unlink()
        with serving() as portfolio:
            assert 401 == session(portfolio, browser), "it has another token now"

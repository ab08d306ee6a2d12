"""The portfolio under schemathesis: what `/openapi.json` allows is never an error of ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.described import described_requests
from tests.support.portfolio_process import PortfolioUnderTest, serving_portfolio
from tests.support.postgres_servers import open_folder
from tests.support.scripted_manager import TOKEN, scripted
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

OURS = "^/api/(portfolio|strategy|risk|equity|trades|decisions|system|session|login|logout|export)"


@pytest.fixture(scope="module")
def portfolio() -> Iterator[PortfolioUnderTest]:
    with (
        scripted(5) as url,
        open_folder() as folder,
        serving_portfolio(folder, url, TOKEN) as running,
    ):
        eventually(lambda: running.get("/api/portfolio")["sums"]["compared"] == 5, limit_s=60)
        yield running


@pytest.mark.parametrize("token", ["operator", "viewer"])
def test_described_requests_are_answered_as_described(
    portfolio: PortfolioUnderTest, tmp_path: Path, token: str
) -> None:
    """Hundreds of requests of each; nobody finds a bug, and the sums still agree."""
    held, ours = portfolio.token(token), ("--include-path-regex", OURS)
    assert described_requests(portfolio.url, held, tmp_path, *ours) > 200
    told = portfolio.get("/api/portfolio")
    assert told["sums"]["ok"]
    assert told["allocated"] <= told["total_capital"]

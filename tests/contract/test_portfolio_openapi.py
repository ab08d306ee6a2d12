"""The portfolio under schemathesis: what `/openapi.json` allows is never an error of ours."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.portfolio_process import PortfolioUnderTest, serving_portfolio
from tests.support.postgres_servers import open_folder
from tests.support.scripted_manager import TOKEN, scripted
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
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
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{portfolio.url}/openapi.json",
            *("--header", f"Authorization: Bearer {portfolio.token(token)}"),
            *("--checks", ",".join(CHECKS)),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "6"),
            *("--seed", "7"),
            *("--request-timeout", "20"),
            *("--include-path-regex", OURS),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert passed is not None, done.stdout[-2000:]
    assert int(passed[1]) > 200
    told = portfolio.get("/api/portfolio")
    assert told["sums"]["ok"]
    assert told["allocated"] <= told["total_capital"]

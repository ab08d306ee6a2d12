"""The REST part under schemathesis: what `/openapi.json` allows is never an error of ours."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.venue_process import VenueUnderTest, running_venue

pytestmark = [
    pytest.mark.process,
    pytest.mark.client("schemathesis"),
    pytest.mark.step("REST as /openapi.json describes it"),
]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
OPERATED = "^/(worlds|faucet|transfers|backtest|clock/(give-up|advance))"
HELD = "^/clock/wait"
"""A wait is answered when its time has come, which may be never: it has tests of its own."""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("venue")
    options = ("--accounts", "alice")
    with running_venue(folder, *options, worlds_max=4, backtests_max=1) as running:
        yield running


@pytest.mark.parametrize(
    ("token", "chosen"),
    [
        ("alice", ("--exclude-path-regex", f"{OPERATED}|{HELD}")),
        ("operator", ("--include-path-regex", OPERATED)),
    ],
)
def test_described_requests_are_answered_as_described(
    venue: VenueUnderTest, tmp_path: Path, token: str, chosen: tuple[str, ...]
) -> None:
    """With the token of an account, and with the operator's: a thousand requests each."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{venue.url}/openapi.json",
            *("--header", f"Authorization: Bearer {venue.token(token)}"),
            *("--checks", ",".join(CHECKS)),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "6"),
            *("--seed", "7"),
            *("--request-timeout", "10"),
            *chosen,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert passed is not None, done.stdout[-2000:]
    assert passed[1] == passed[2]
    assert int(passed[1]) > 500
    assert venue.info("exchangeStatus")["time"] > 0

"""The REST part under schemathesis: what `/openapi.json` allows is never an error of ours."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.live_stack import LiveTrader, fetch, running_stack
from tests.support.live_target import await_accounts
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
LIVE_OPERATED = "^/(safety|drift|progress)"
HELD = "^/clock/wait"
"""A wait is answered when its time has come, which may be never: it has tests of its own."""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("venue")
    options = ("--accounts", "alice")
    with running_venue(folder, *options, worlds_max=4, backtests_max=1) as running:
        yield running


def run_on(url: str, token: str, folder: Path, *chosen: str) -> int:
    """Have requests made of a description, with a token; how many were answered as described."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{url}/openapi.json",
            *("--header", f"Authorization: Bearer {token}"),
            *("--checks", ",".join(CHECKS)),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "6"),
            *("--seed", "7"),
            *("--request-timeout", "10"),
            *chosen,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert passed is not None, done.stdout[-2000:]
    assert passed[1] == passed[2]
    return int(passed[1])


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
    assert run_on(venue.url, venue.token(token), tmp_path, *chosen) > 500
    assert venue.info("exchangeStatus")["time"] > 0


@pytest.mark.parametrize(
    ("token", "chosen", "least"),
    [
        ("alice", ("--exclude-path-regex", f"{LIVE_OPERATED}|{HELD}"), 500),
        ("operator", ("--include-path-regex", LIVE_OPERATED), 200),
        ("risk-resume", ("--include-path-regex", LIVE_OPERATED), 200),
    ],
)
def test_live_venue_answers_as_it_describes(
    tmp_path: Path, token: str, chosen: tuple[str, ...], least: int
) -> None:
    """A trader's requests, and those of who stops it and lets it go on."""
    (tmp_path / "client").mkdir()
    with running_stack(tmp_path, LiveTrader("alice")) as stack:
        await_accounts(stack)
        done = run_on(stack.url, stack.token(token), tmp_path / "client", *chosen)
        assert done > least
        assert 200 == fetch(f"{stack.url}/health")[0]

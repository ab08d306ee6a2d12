"""The REST part under schemathesis: what `/openapi.json` allows is never an error of ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.described import described_requests
from tests.support.live_stack import LiveTrader, fetch, running_stack
from tests.support.live_target import await_accounts
from tests.support.venue_process import VenueUnderTest, running_venue

pytestmark = [
    pytest.mark.process,
    pytest.mark.client("schemathesis"),
    pytest.mark.step("REST as /openapi.json describes it"),
]

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
    assert described_requests(venue.url, venue.token(token), tmp_path, *chosen) > 500
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
    with running_stack(tmp_path, LiveTrader("alice")) as stack:
        await_accounts(stack)
        done = described_requests(stack.url, stack.token(token), tmp_path / "client", *chosen)
        assert done > least
        assert 200 == fetch(f"{stack.url}/health")[0]

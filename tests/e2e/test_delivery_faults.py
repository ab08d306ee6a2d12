"""Orders through a faulty network to a real venue: none lost, none twice, none believed wrongly."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.delivery_runs import deliver, fault_table
from tests.support.http_faults import FAULTS
from tests.support.planted_gateways import NewKeys, NotFound, Trusting
from tests.support.venue_process import VenueUnderTest, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(600)]

ACCOUNTS = tuple(f"trader{number}" for number in range(8))


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    """A bar, and so the way of an order, takes 50 ms."""
    options = ("--accounts", ",".join(ACCOUNTS), "--option", "latency=60000")
    with running_venue(tmp_path, *options) as found:
        yield found


async def test_no_intent_is_lost_duplicated_or_believed_wrongly(
    venue: VenueUnderTest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every kind of fault, outages, and clients that crash."""
    outcome = await deliver(venue, tmp_path, accounts=ACCOUNTS, intents=400, fault_share=0.5)
    with capsys.disabled():
        print(f"\n{fault_table(outcome)}")
    assert [] == outcome.problems
    assert 0 == outcome.left_unknown
    assert 400 <= outcome.intents
    assert outcome.counts.decided == outcome.intents >= outcome.counts.sent
    assert outcome.crashes
    assert len(FAULTS) - 3 <= len(outcome.done)


@pytest.mark.parametrize(
    ("planted", "shares", "expected"),
    [
        (
            {"gateway": NewKeys},
            {"500 after executing": 0.3, "timeout after accept": 0.1},
            "duplicated",
        ),
        (
            {"gateway": NotFound},
            {"reset, executed later": 0.3, "504, executed later": 0.1},
            "executed, believed not",
        ),
        ({"gateway": Trusting}, {"answer of another request": 0.3}, "another order"),
        ({"forgets": True}, {"timeout after accept": 0.3}, "unknown"),
    ],
    ids=["retry with a new key", "resolve by not found", "believe any answer", "no durable intent"],
)
async def test_planted_fault_is_seen(
    venue: VenueUnderTest,
    tmp_path: Path,
    planted: dict[str, Any],
    shares: dict[str, float],
    expected: str,
) -> None:
    """What the usual clients do, each found by the same comparison."""
    outcome = await deliver(
        venue,
        tmp_path,
        accounts=ACCOUNTS,
        intents=80,
        shares=shares,
        late_s=3.0,
        crash_share=0.3 if "forgets" in planted else 0.0,
        **planted,
    )
    assert expected in outcome.problems

"""Clients that are killed while an order is on its way: the end is as if they never were."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.delivery_agent import POINTS
from tests.support.delivery_kills import kill
from tests.support.venue_process import VenueUnderTest, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(600)]

ACCOUNTS = ("alice", "bob", "carol")


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    options = ("--accounts", ",".join(ACCOUNTS), "--option", "latency=60000")
    with running_venue(tmp_path, *options) as found:
        yield found


async def test_killed_client_has_each_order_once(venue: VenueUnderTest, tmp_path: Path) -> None:
    """Between intent, first byte, answer and note, and at any other moment."""
    found = [await kill(venue, name, tmp_path, turns=16, moments=7) for name in ACCOUNTS]
    assert [] == [problem for kills in found for problem in kills.problems]
    for point in POINTS:
        assert len(ACCOUNTS) == sum(kills.at[point] for kills in found)
    assert sum(sum(kills.at.values()) for kills in found) >= 20

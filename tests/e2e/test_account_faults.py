"""What an account's stream does wrong is noticed in time, and asked about no more than once."""

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.account import Kept, address_of, keeping
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.silent_losses import lose_again_and_again
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.waiting import until

from suite.account.state import StateLimits
from suite.service.feed import FeedTimeouts

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

TIMEOUTS = FeedTimeouts(
    tick_s=0.05, ping_s=0.1, silence_s=30.0, first_pause_s=0.01, longest_pause_s=0.05
)
"""A feed that does not look after itself: what is measured is how the cache finds out."""
LIMITS = StateLimits(silence_s=1.0, push_s=2.0, cash_tolerance=Decimal(0))
SLACK_S = 5.0
CALM_S = 0.3


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path_factory.mktemp("faults"), "--accounts", "alice") as found:
        yield found


def stall(proxy: FaultProxy, kind: str) -> float:
    """Begin one; return the limit after which it must have been noticed."""
    if kind == "half-open":
        proxy.silent = True
        return LIMITS.silence_s
    proxy.pongs_only = True
    return LIMITS.push_s


async def settled(kept: Kept) -> None:
    """Wait until all is well and stays so: pongs come back before anything is told."""
    calm = False
    while not calm:
        await until(lambda: kept.well)
        try:
            await until(lambda: not kept.well, CALM_S)
        except TimeoutError:
            calm = True


@pytest.mark.parametrize("kind", ["half-open", "pongs alone"])
async def test_an_account_is_stale_within_its_limit_and_a_little(
    venue: VenueUnderTest, kind: str
) -> None:
    """T3: silence, and a connection that answers pings and tells nothing."""
    user = address_of("alice")
    async with (
        fault_proxy(venue.ws_url) as proxy,
        keeping(venue, user, url=proxy.url, timeouts=TIMEOUTS, limits=LIMITS) as kept,
    ):
        for _ in range(3):
            await settled(kept)
            began_s, limit_s = time.perf_counter(), stall(proxy, kind)
            await until(lambda: kept.cache.trouble, limit_s + SLACK_S)
            found_s = time.perf_counter() - began_s
            print(f"{kind}: noticed after {found_s:.2f} s, limit {limit_s:g} s")
            assert limit_s * 0.5 <= found_s <= limit_s + SLACK_S
            proxy.silent = proxy.pongs_only = False


async def test_nothing_is_asked_while_all_is_well(venue: VenueUnderTest) -> None:
    """T4: the reads of the connection, and no other for as long as it lives."""
    async with keeping(venue, address_of("alice"), limits=LIMITS) as kept:
        await until(lambda: kept.well)
        pushes = kept.cache.counts["pushes"]
        await until(lambda: kept.cache.counts["pushes"] > pushes + 100, 30)
        assert {"connect": 3} == dict(kept.keeper.rest_calls)
        assert 1 == kept.feed.feed.counts.connects


async def test_a_message_that_was_lost_is_missed_and_its_loss_healed(tmp_path: Path) -> None:
    """D6: one of each twenty-five; `tests/chaos` has one in a thousand."""
    found = await asyncio.wait_for(lose_again_and_again(tmp_path, 8, every=25, seed=2), 200)
    print(found)
    assert [] == found.missed
    assert len(found.found_s) >= 2
    assert max(found.found_s) <= 10

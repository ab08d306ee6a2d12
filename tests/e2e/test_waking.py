"""A trader that sleeps at a real venue is woken from outside."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.venue_calls import venue_calls
from tests.support.venue_process import VenueUnderTest, running_venue

from strategy_agent.adapters.venue_http import VenueHttp
from suite.contracts.clock import JoinRequest, WaitReply, WaitRequest, Want
from suite.contracts.venue import PlaceOrder

pytestmark = pytest.mark.process

NEVER_MS = 1 << 50


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueUnderTest]:
    """Time stands still: bob never joins."""
    options = ("--accounts", "alice,bob", "--clock", "lockstep")
    with running_venue(tmp_path, *options, coins=("BTC",)) as found:
        yield found


@asynccontextmanager
async def connected(venue: VenueUnderTest) -> AsyncIterator[VenueHttp]:
    adapter = VenueHttp(venue_calls(venue.url, venue.token("alice")))
    try:
        yield adapter
    finally:
        await adapter.close()


async def woken(adapter: VenueHttp, request: WaitRequest, after_s: float) -> WaitReply:
    waiting = asyncio.ensure_future(adapter.wait(request))
    await asyncio.sleep(after_s)
    adapter.wake()
    return await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("after_s", [0.3, 0.0])
async def test_a_wait_that_is_ended_from_outside_acts_once_and_the_next_step_goes_on(
    venue: VenueUnderTest, after_s: float
) -> None:
    """Also where the wake-up overtakes the step: numbers go on, orders are carried out once."""
    buy = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01"), cloid=f"0x{1:032x}")
    async with connected(venue) as adapter:
        adapter.wake()
        await adapter.join(JoinRequest(want=Want()))
        request = WaitRequest(step_seq=1, until_ms=NEVER_MS, orders=(buy,))
        if after_s:
            reply = await woken(adapter, request, after_s)
        else:
            waiting = asyncio.ensure_future(adapter.wait(request))
            await asyncio.sleep(0)  # it has begun, and nothing is on its way
            adapter.wake()
            await asyncio.sleep(0.3)
            reply = await asyncio.wait_for(waiting, 5)
        assert ("asked",) == reply.woke_by
        assert ["0.01"] == [fill.sz for fill in reply.fills]
        assert ["ok"] == [result.status for result in reply.results]
        again = await woken(adapter, WaitRequest(step_seq=2, until_ms=NEVER_MS), 0.3)
        assert again.account is not None
        assert [Decimal("0.01")] == [held.size for held in again.account.positions]
        assert () == again.fills

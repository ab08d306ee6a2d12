"""The account feed against a real venue: states, fills, orders and funding come by themselves."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from eth_utils.crypto import keccak
from tests.support.fault_proxy import fault_proxy
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.waiting import until

from strategy_agent.adapters.account_feed import AccountEvent, AccountFeed
from suite.service.clock import SystemClock
from suite.service.feed import Patience

pytestmark = pytest.mark.process

QUICK = Patience(tick_s=0.01, ping_s=0.05, silence_s=1.0, first_pause_s=0.01, longest_pause_s=0.05)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("account")
    with running_venue(folder, "--accounts", "alice") as found:
        yield found


def address(venue: VenueUnderTest) -> str:
    """Named by anybody, which is what funds it."""
    found = "0x" + keccak(text="account:alice")[-20:].hex()
    venue.info("clearinghouseState", user=found)
    return found


@asynccontextmanager
async def following(url: str, user: str) -> AsyncIterator[tuple[AccountFeed, list[AccountEvent]]]:
    events: list[AccountEvent] = []
    feed = AccountFeed(
        url, user, events.append, clock=SystemClock(), chance=random.Random(1), patience=QUICK
    )
    task = asyncio.create_task(feed.run())
    try:
        yield feed, events
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def of(events: list[AccountEvent], channel: str, *, news: bool = False) -> list[AccountEvent]:
    return [e for e in events if e.channel == channel and not (news and e.snapshot)]


async def test_what_happens_to_an_account_is_pushed_once_and_in_full(venue: VenueUnderTest) -> None:
    user = address(venue)
    async with following(venue.ws_url, user) as (feed, events):
        await until(lambda: {"webData2", "userFills"} <= {event.channel for event in events})
        order = {
            "coin": "ETH",
            "is_buy": True,
            "sz": 0.5,
            "limit_px": 0,
            "order_type": {"limit": {"tif": "Ioc"}},
            "reduce_only": False,
        }
        await asyncio.to_thread(venue.post, "/exchange/order", order, "alice")
        await until(lambda: of(events, "userFills", news=True))
        await until(lambda: of(events, "orderUpdates"))
        (fill,) = of(events, "userFills", news=True)[0].data["fills"]
        assert ("ETH", "0.5") == (fill["coin"], fill["sz"])

        def holds() -> bool:
            states = of(events, "webData2")
            held = states[-1].data["clearinghouseState"]["assetPositions"]
            return [item["position"]["coin"] for item in held] == ["ETH"]

        await until(holds)
        await until(lambda: of(events, "userFundings", news=True))
        assert feed.live
        assert 0 == feed.feed.counts.malformed
        assert abs(feed.last_message_ms - SystemClock().now_ms()) < 5_000


async def test_a_half_open_connection_is_found_and_replaced_by_one_with_snapshots(
    venue: VenueUnderTest,
) -> None:
    user = address(venue)
    async with fault_proxy(venue.ws_url) as proxy, following(proxy.url, user) as (feed, events):
        await until(lambda: of(events, "webData2"))
        proxy.pongs_only = True  # a venue that stands still has nothing to tell, and answers
        heard_ms = feed.last_message_ms
        await until(lambda: feed.last_message_ms > heard_ms + 1500)
        assert 0 == feed.feed.counts.stalls
        proxy.silent = True
        await until(lambda: 1 == feed.feed.counts.stalls)
        proxy.silent = proxy.pongs_only = False
        seen = len(events)
        await until(lambda: of(events[seen:], "webData2"))
        assert 2 <= feed.feed.counts.connects

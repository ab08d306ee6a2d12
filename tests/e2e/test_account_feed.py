"""An account kept over a real venue's stream: what happens to it is known at once, and in full."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.support.account import Kept, address_of, facts_of, keeping, read_of
from tests.support.fault_proxy import fault_proxy
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.waiting import until

from suite.service.clock import SystemClock

pytestmark = pytest.mark.process

ORDER = {
    "coin": "ETH",
    "is_buy": True,
    "sz": 0.5,
    "limit_px": 0,
    "order_type": {"limit": {"tif": "Ioc"}},
    "reduce_only": False,
}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("account")
    with running_venue(folder, "--accounts", "alice,bob") as found:
        yield found


async def send(venue: VenueUnderTest, **changed: object) -> None:
    await asyncio.to_thread(venue.post, "/exchange/order", ORDER | changed, "alice")


def held(kept: Kept) -> dict[str, str]:
    view = kept.state.view
    assert view is not None
    return {one.coin: str(one.size) for one in view.positions}


async def test_what_happens_to_an_account_is_known_at_once_and_in_full(
    venue: VenueUnderTest,
) -> None:
    user = address_of("alice")
    async with keeping(venue, user) as kept:
        await until(lambda: kept.well)
        await send(venue)
        await until(lambda: kept.state.fills)
        (fill,) = kept.state.fills
        assert ("ETH", "0.5") == (fill.coin, fill.sz)
        assert {"ETH": "0.5"} == held(kept)
        await until(lambda: kept.state.fundings)
        await send(venue, limit_px=venue.price("ETH", 0.5), order_type={"limit": {"tif": "Gtc"}})
        await until(lambda: kept.state.view and kept.state.view.open_orders)
        await until(lambda: kept.cache.agreed_ms == kept.state.as_of_ms)
        assert () == kept.cache.trouble
        assert {"connect": 3} == dict(kept.keeper.rest_calls)
        assert 0 == kept.cache.differences
        assert "BTC" in kept.keeper.prices.mids
        assert abs(kept.state.heard_ms - SystemClock().now_ms()) < 5_000


async def test_a_half_open_connection_is_found_and_replaced_by_one_with_snapshots(
    venue: VenueUnderTest,
) -> None:
    user = address_of("bob")
    async with fault_proxy(venue.ws_url) as proxy, keeping(venue, user, url=proxy.url) as kept:
        await until(lambda: kept.well)
        counts = kept.feed.feed.counts
        proxy.pongs_only = True  # a venue that stands still has nothing to tell, and answers
        heard_ms = kept.state.heard_ms
        await until(lambda: kept.state.heard_ms > heard_ms + 1500)
        assert 0 == counts.stalls
        proxy.silent = True
        await until(lambda: 1 == counts.stalls)
        assert "reconciling" in kept.cache.trouble
        proxy.silent = proxy.pongs_only = False
        await until(lambda: kept.well)
        assert 2 <= counts.connects
        assert kept.keeper.rest_calls["connect"] == 3 * counts.connects
        shown = kept.state.view
        assert shown is not None
        assert set(facts_of(read_of(kept.reads.account()))) == set(facts_of(shown))

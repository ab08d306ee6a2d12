"""D5 at the live venue: cut off again and again while it trades, and never wrong afterwards."""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.fault_proxy import fault_proxy
from tests.support.live_streams import watching
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]

BACK_S = 30.0
CUTS = int(os.environ.get("LIVE_CUTS", "200"))


async def trade(venue: VenueUnderTest, chance: random.Random) -> None:
    """Something that leaves fills and orders: a taker, a bid that rests, a cancel of all."""
    mid = venue.mid("BTC")
    body: dict[str, Any] = {"coin": "BTC", "is_buy": chance.random() < 0.5, "sz": "0.01"}
    if chance.random() < 0.3:
        body |= {"is_buy": True, "limit_px": str(int(mid * 0.8))}
    await asyncio.to_thread(venue.post, "/exchange/order", {"limit_px": 0, **body}, token="alice")
    if chance.random() < 0.3:
        rows = await asyncio.to_thread(venue.post, "/info", {"type": "openOrders"}, "alice")
        for row in rows:
            cancel = {"coin": "BTC", "oid": row["oid"]}
            await asyncio.to_thread(venue.post, "/exchange/cancel", cancel, token="alice")


async def test_no_cut_leaves_a_wrong_belief(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """Nothing differs after any of them, and all is known again within seconds."""
    chance, back_s = random.Random(8), []
    with running_venue(tmp_path, "--accounts", "alice", minutes=50_000, speed=240.0) as venue:
        async with (
            fault_proxy(venue.ws_url) as proxy,
            watching(venue.url, proxy.url, "alice") as live,
        ):
            await until(lambda: live.well("alice"))
            for _ in range(CUTS):
                trading = asyncio.create_task(trade(venue, chance))
                if chance.random() < 0.5:
                    await asyncio.sleep(0)
                else:
                    await trading
                begun = time.perf_counter()
                proxy.cut()
                await until(lambda: not live.well("alice"))
                await until(lambda: live.well("alice"), BACK_S)
                back_s.append(time.perf_counter() - begun)
                await trading
            state = await asyncio.to_thread(venue.post, "/info", {"type": "openOrders"}, "alice")
            oids = {row["oid"] for row in state}
            await until(lambda: oids == {order.oid for order in live.facts("alice").orders})
            cache = next(iter(live.watch.accounts.values())).cache
            print(
                f"{CUTS} cuts, {cache.book.applied} fills, {cache.differences} differences, back "
                f"after {statistics.median(back_s):.3f} s (median), {max(back_s):.3f} s at most"
            )
            figure(
                "D5",
                f"{CUTS} cuts of the live proxy's stream while it trades: {cache.differences} "
                "differences",
            )
            assert [] == live.safety.set
            assert 0 == cache.differences

"""A trader's process that is told to end while its orders are on their way to the venue."""

import asyncio
from pathlib import Path

import pytest
from tests.support.agent_process import running_agent
from tests.support.http_faults import http_faults
from tests.support.live_delivery import cloid_of
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

from suite.addresses import account_address

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

MAKER = """
traders:
  - {trader_id: alice, strategy: {kind: fixed_spread}, symbols: [BTC, ETH], interval: 1m}
"""
ON_THEIR_WAY_S = 3.0


async def test_orders_that_arrive_after_the_signal_are_canceled_too(tmp_path: Path) -> None:
    """What is on its way when the process is told to end is waited for, and canceled."""
    with running_venue(tmp_path, "--accounts", "alice", coins=("BTC", "ETH"), speed=1.0) as venue:
        async with http_faults(
            venue.url,
            {"slow": 1.0},
            seed=1,
            late_s=0,
            hold_s=ON_THEIR_WAY_S,
            name_of=cloid_of,
        ) as faults:
            seen = VenueUnderTest("faulty", faults.url, venue.folder)
            with running_agent(tmp_path, seen, MAKER, "alice", local_steps=True) as agent:
                await asyncio.to_thread(eventually, lambda: faults.done["slow"], limit_s=60)
                faults.heal()
                code, _, errors = await asyncio.to_thread(agent.stop)
                assert (0, "") == (code, errors)
            await faults.settle()
        user = account_address("alice")
        assert [] == venue.info("openOrders", user=user)
        rows = venue.info("historicalOrders", user=user)
        came = {row["order"]["oid"] for row in rows}
        assert came
        assert came == {row["order"]["oid"] for row in rows if row["status"] == "canceled"}
        assert "entries canceled: " in agent.said
        assert "entries canceled: 0" not in agent.said

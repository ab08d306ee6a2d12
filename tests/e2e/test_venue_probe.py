"""What the preflight asks, of a venue that is there: a stand-in as strict as mainnet."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.live_stack import LiveStack, LiveTrader, nonce, running_stack
from tests.support.sdk import IOC, one, trigger

from hyperliquid_exchange.adapters.venue_history import InfoHistory
from hyperliquid_exchange.adapters.venue_probe import VenueProbe, reached
from suite.service.clock import SystemClock

pytestmark = [pytest.mark.process]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    traders = (LiveTrader("alice"), LiveTrader("bob", has_sub_account=True))
    with running_stack(folder, *traders, starts=False) as found:
        yield found


def test_venue_of_the_stack_takes_what_mainnet_takes(stack: LiveStack) -> None:
    """The SDK on a local address signs for the test network, and is a stranger."""
    from hyperliquid.exchange import Exchange

    alice = stack.traders["alice"]
    exchange: Any = Exchange(alice.agent, stack.venue.url, account_address=alice.address)
    refused = exchange.order("ETH", True, 0.02, stack.venue.price("ETH", 1.02), IOC)
    assert "does not exist." in refused["response"]
    exchange.base_url, signed_for = "https://api.hyperliquid.xyz", exchange.base_url
    exchange._post_action = lambda action, signature, stamp: stack.venue.post(
        "/exchange", {"action": action, "nonce": stamp, "signature": signature}
    )
    assert signed_for == stack.venue.url
    price = stack.venue.price("ETH", 1.02)
    assert "filled" in one(exchange.order("ETH", True, 0.02, price, IOC))
    stop = stack.venue.price("ETH", 0.9)
    exchange.order("ETH", False, 0.02, stop, trigger(stop, "sl"), reduce_only=True)
    assert nonce() > 0


async def test_probe_tells_who_is_who(stack: LiveStack) -> None:
    """A master, its agent, a sub-account; and what the account may and pays."""
    probe = VenueProbe(stack.venue.url, SystemClock())
    alice, bob = stack.traders["alice"], stack.traders["bob"]
    for trader in (alice, bob):
        told = await probe.role(trader.agent.address)
        assert ("agent", trader.master.address.lower()) == told
    assert ("user", None) == await probe.role(alice.address)
    assert ("subAccount", bob.master.address.lower()) == await probe.role(bob.address)
    asked = await probe.account(bob.address, bob.master.address)
    assert ("subAccount", bob.master.address.lower()) == (asked.role, asked.of)
    assert asked.agents[bob.agent.address.lower()] is not None
    assert asked.requests_cap - asked.requests_used > 9000
    assert ("0.00045", "0.00015") == (asked.taker_fee, asked.maker_fee)
    await probe.close()


async def test_probe_tells_what_an_account_has(stack: LiveStack) -> None:
    """Positions, orders with their triggers, prices on the lattice, leverage."""
    probe, history = VenueProbe(stack.venue.url, SystemClock()), InfoHistory(stack.venue.url)
    alice = stack.traders["alice"]
    universe = await history.universe()
    facts, leverages = await probe.facts(alice.address, universe)
    eth = [instrument.coin for instrument in universe].index("ETH")
    assert {eth: 200} == facts.positions
    (stop,) = facts.orders
    assert ("sl", True, False, 200) == (stop.trigger, stop.reduce_only, stop.is_buy, stop.size)
    assert stop.trigger_price is not None
    assert stop.trigger_price < facts.mids[eth]
    assert {"ETH"} == leverages.keys()
    orders = await history.orders(alice.address)
    fills = await history.fills(alice.address, 0)
    assert 2 == len(orders)
    assert {order.oid for order in orders} >= {fill.oid for fill in fills}
    await asyncio.gather(probe.close(), history.close())


async def test_probe_reaches_the_venue_by_both_ways(stack: LiveStack) -> None:
    probe = VenueProbe(stack.venue.url, SystemClock())
    took, _, special, fault = await reached(probe)
    assert took is not None
    assert (None, "") == (special, fault)
    assert await probe.snapshots_ms([trader.address for trader in stack.traders.values()])
    assert await probe.header_skew_ms() is None  # this server tells no date
    assert (False, True) == (probe.is_encrypted, probe.is_loopback)
    await probe.close()


async def test_venue_that_is_away_is_told(stack: LiveStack) -> None:
    probe = VenueProbe("http://127.0.0.1:9", SystemClock())
    took, _, _, fault = await reached(probe)
    assert took is None
    assert "cannot be reached" in fault
    await probe.close()
    assert stack.url == ""

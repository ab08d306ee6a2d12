"""What the live venue knows of its traders' accounts: told by pushes, and true."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.fault_proxy import fault_proxy
from tests.support.live_streams import watching
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.waiting import until

from hyperliquid_exchange.application.adopting import Adopting
from hyperliquid_exchange.domain.facts import AccountFacts
from hyperliquid_exchange.domain.safety import Level
from suite.addresses import account_address
from suite.errors import Conflict
from suite.ids import TraderId

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

NAMES = ("alice", "bob", "carol")
SPEED = 240.0


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("watched")
    with running_venue(folder, "--accounts", ",".join(NAMES), speed=SPEED) as found:
        yield found


async def act(venue: VenueUnderTest, name: str, action: str, **body: Any) -> Any:
    told = await asyncio.to_thread(
        venue.post, f"/exchange/{action}", {"coin": "BTC", **body}, token=name
    )
    assert told["status"] == "ok", told
    return told["response"].get("data", {}).get("statuses")


def asset(facts: AccountFacts, coin: str) -> int:
    return [one.coin for one in facts.instruments].index(coin)


async def test_positions_orders_and_equity_are_those_of_the_venue(venue: VenueUnderTest) -> None:
    """In the instruments' units, trigger orders with their price, each trader its own."""
    async with watching(venue.url, venue.ws_url, *NAMES) as live:
        await until(lambda: all(live.well(name) for name in NAMES))
        await act(venue, "alice", "order", is_buy=True, sz="0.02", limit_px=0)
        low, stop = venue.price("BTC", 0.5), venue.price("BTC", 0.25)
        cloid = "0x" + "A1" * 16
        await act(venue, "alice", "order", is_buy=True, sz="0.01", limit_px=low, cloid=cloid)
        trigger = {"trigger": {"isMarket": True, "triggerPx": str(stop), "tpsl": "sl"}}
        await act(
            venue,
            "alice",
            "order",
            is_buy=False,
            sz="0.02",
            limit_px=stop,
            order_type=trigger,
            reduce_only=True,
        )
        await until(lambda: len(live.facts("alice").orders) == 2)
        await until(lambda: live.well("alice"))
        facts = live.facts("alice")
        btc = asset(facts, "BTC")
        one = facts.instruments[btc]
        assert {btc: one.parse_size("0.02")} == facts.positions
        limit, guard = sorted(facts.orders, key=lambda order: order.trigger is not None)
        assert (cloid.lower(), True, None) == (limit.cloid, limit.is_buy, limit.trigger)
        assert (one.parse_price(str(low)), one.parse_size("0.01")) == (limit.price, limit.size)
        assert ("sl", True) == (guard.trigger, guard.reduce_only)
        assert one.parse_price(str(stop)) == guard.trigger_price
        assert 1 == facts.executions
        assert 0 < facts.mids[btc]
        state = await asyncio.to_thread(
            venue.info,
            "clearinghouseState",
            user=account_address("alice"),
        )
        value = Decimal(state["marginSummary"]["accountValue"]) * 10**6
        assert abs(value - facts.equity_usd) < value / 10
        assert {} == live.facts("bob").positions
        assert 0 == live.facts("bob").executions
        assert [] == live.safety.set
        for row in facts.orders:
            await act(venue, "alice", "cancel", oid=row.oid)
        await until(lambda: not live.facts("alice").orders)


async def test_nothing_is_polled_but_what_is_listed(venue: VenueUnderTest) -> None:
    """T4: one read of `meta`, and none of an account, however long it is watched."""
    async with watching(venue.url, venue.ws_url, *NAMES) as live:
        await until(lambda: all(live.well(name) for name in NAMES))
        cache = live.watch.accounts[TraderId("alice")].cache
        pushes = cache.counts["pushes"]
        await until(lambda: cache.counts["pushes"] > pushes + 10, 30)
        assert {"exchange": 0, "info": 1} == live.upstream.requests
        assert len(NAMES) == live.streams.trunks


async def test_lost_connection_is_trouble_until_the_snapshots_are_merged(
    venue: VenueUnderTest,
) -> None:
    """D5: what happened meanwhile is known afterwards, and nothing differs."""
    async with (
        fault_proxy(venue.ws_url) as proxy,
        watching(venue.url, proxy.url, "bob") as live,
    ):
        await until(lambda: live.well("bob"))
        for _ in range(5):
            changes: list[TraderId] = []
            live.watch.listeners[:] = [changes.append]
            proxy.cut()
            await until(lambda: "reconciling" in live.facts("bob").trouble)
            await act(venue, "bob", "order", is_buy=True, sz="0.01", limit_px=0)
            fills = await asyncio.to_thread(venue.post, "/info", {"type": "userFills"}, "bob")
            await until(lambda: live.well("bob"))
            facts = live.facts("bob")
            size = facts.instruments[asset(facts, "BTC")].parse_size("0.01") * len(fills)
            await until(lambda: size == live.facts("bob").positions[asset(facts, "BTC")])  # noqa: B023
            assert changes
        assert [] == live.safety.set


async def test_loss_that_nobody_tells_pauses_the_trader(tmp_path: Path) -> None:
    """D6: a fill that never came is a position the venue has otherwise; then it is asked for."""
    with running_venue(tmp_path, "--accounts", "alice", speed=SPEED) as venue:
        async with (
            fault_proxy(venue.ws_url) as proxy,
            watching(venue.url, proxy.url, "alice") as live,
        ):
            await until(lambda: live.well("alice"))
            proxy.hides = lambda frame: b'"userFills"' in frame[:60]
            await act(venue, "alice", "order", is_buy=True, sz="0.01", limit_px=0)
            await until(lambda: live.safety.set, 20)
            cause = live.safety.set[0]
            assert ("alice", Level.PAUSED, "account") == (cause.scope, cause.level, cause.by)
            assert "position BTC" in cause.reason
            assert "account_differs" in live.facts("alice").trouble
            proxy.hides = lambda _: False
            live.watch._times = live.watch._times.__class__(heal_s=0.1, look_s=0.05)
            await until(lambda: live.well("alice"), 40)


async def test_operator_who_has_looked_believes_the_venue(tmp_path: Path) -> None:
    """Not while an action is under way, nor while the account is not followed."""
    with running_venue(tmp_path, "--accounts", "alice", speed=SPEED) as venue:
        async with (
            fault_proxy(venue.ws_url) as proxy,
            watching(venue.url, proxy.url, "alice") as live,
        ):
            busy = [True]
            accounts = {name: one.account for name, one in live.watch.accounts.items()}
            adopting = Adopting(accounts, live.watch, lambda _: busy[0])
            with pytest.raises(Conflict, match="not followed"):
                adopting.adopt("alice", by="operator", reason="looked")
            await until(lambda: live.well("alice"))
            proxy.hides = lambda frame: b'"userFills"' in frame[:60]
            await act(venue, "alice", "order", is_buy=True, sz="0.01", limit_px=0)
            await until(lambda: live.safety.set, 20)
            with pytest.raises(Conflict, match="fate"):
                adopting.adopt("alice", by="operator", reason="looked")
            assert "account_differs" in live.facts("alice").trouble
            busy[0] = False
            with capture_logs() as logs:
                told = adopting.adopt("alice", by="operator", reason="closed by hand")
            assert "position BTC" in str(told["adopted"])
            assert live.well("alice")
            (line,) = [one for one in logs if one["event"] == "account_adopted"]
            assert ("alice", "operator", "closed by hand") == (
                line["trader_id"],
                line["by"],
                line["reason"],
            )
            assert told["adopted"] == line["differed"]
            assert live.safety.set  # what was paused is resumed by a person, and not by this

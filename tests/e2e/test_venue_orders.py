"""The orders of an account over HTTP, at a real venue."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.intents import buy, cancel, close, intent
from tests.support.venue_calls import venue_calls
from tests.support.venue_process import VenueUnderTest, running_venue

from strategy_agent.adapters.venue_orders import VenueOrders
from strategy_agent.application.ports import DurableIntent
from strategy_core.port import instruments_of
from suite.account.events import FundingPayment
from suite.contracts.venue import Action, AdjustMargin, ModifyOrder, SetLeverage
from suite.errors import SuiteError, UpstreamTimeout

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    """Time stands still: bob never joins."""
    options = ("--accounts", "alice,bob", "--clock", "lockstep")
    with running_venue(tmp_path_factory.mktemp("venue"), *options, coins=("BTC",)) as found:
        yield found


@asynccontextmanager
async def connected(url: str, token: str | None) -> AsyncIterator[VenueOrders]:
    orders = VenueOrders(venue_calls(url, token, timeout_s=2.0, window_s=0.5))
    try:
        yield orders
    finally:
        await orders.close()


def decided(number: int, action: Action, *, after_ms: int = 60_000) -> DurableIntent:
    expires_ms = time.time_ns() // 1_000_000 + after_ms
    return DurableIntent(
        key=f"{number:032x}", action=action, decided_ms=number, expires_ms=expires_ms
    )


async def test_every_kind_of_action_is_answered_and_its_answer_found_again(
    venue: VenueUnderTest,
) -> None:
    """A re-send and a noop tell the same; the leverage is told apart from a key never used."""
    limit = buy(limit_px=Decimal(80_000), cloid=f"0x{7:032x}")
    lower = ModifyOrder(
        coin="BTC", is_buy=True, sz=limit.sz, limit_px=Decimal(70_000), cloid=limit.cloid
    )
    actions: list[Action] = [SetLeverage(coin="BTC", leverage=3, is_cross=False), buy(), limit]
    actions += [lower, AdjustMargin(coin="BTC", margin=Decimal(5)), close(), cancel(1)]
    async with connected(venue.url, venue.token("alice")) as orders:
        for number, action in enumerate(actions):
            one = decided(100 + number, action)
            reply = await orders.send(one)
            assert reply == await orders.send(one) == await orders.resolve(one)
        account = await orders.fetch_account()
        fills = await orders.fetch_fills(0)
        assert {"BTC"} == instruments_of(await orders.meta()).keys()
    assert [] == [row for row in account.state.assetPositions if Decimal(row.position.szi)]
    assert ["0.01", "0.01"] == [fill.sz for fill in fills]
    assert [limit.cloid] == [order.cloid for order in account.open_orders]
    expected = {"order": 6, "noop": 7, "leverage": 2, "modify": 2, "cancel": 2}
    reads = {"webData2": 1, "userFillsByTime": 1, "meta": 1, "isolated-margin": 2}
    assert expected | reads == orders.calls.requests


async def test_ended_key_is_proof_and_its_order_is_never_carried_out(
    venue: VenueUnderTest,
) -> None:
    async with connected(venue.url, venue.token("bob")) as orders:
        one = decided(1, buy())
        assert await orders.resolve(one) is None
        with pytest.raises(UpstreamTimeout, match="409"):
            await orders.send(one)
        assert await orders.resolve(one) is None
        assert () == await orders.fetch_fills(0)


async def test_ledger_is_read_from_its_beginning_and_from_a_time(venue: VenueUnderTest) -> None:
    sent = {"from": "alice", "to": "bob", "usd_micro": 1, "idempotency_key": "ledger"}
    now_ms = venue.post("/transfers", sent, "operator")["time_ms"]
    async with connected(venue.url, venue.token("bob")) as orders:
        rows = await orders.fetch_ledger(0)
        assert rows[-2:] == (await orders.fetch_ledger(now_ms))[-2:]
        assert () == await orders.fetch_ledger(now_ms + 1)
    assert ["deposit", "internalTransfer"] == [row.delta["type"] for row in rows if row.delta]


async def test_order_that_comes_too_late_is_refused_by_the_venue(venue: VenueUnderTest) -> None:
    async with connected(venue.url, venue.token("bob")) as orders:
        one = decided(2, buy(), after_ms=-1_000)
        reply = await orders.send(one)
        assert ("err", "Action already expired") == (reply.status, reply.response)
        assert reply == await orders.resolve(one)


async def test_what_is_no_answer_of_the_venue_leaves_the_fate_unknown(
    venue: VenueUnderTest,
) -> None:
    """A wrong token, a wrong gateway, nobody there: each says what it was."""
    there = venue.token("alice")
    for url, token, text in (
        (venue.url, None, "401"),
        (f"{venue.url}/w/nowhere", there, "403"),
        ("http://127.0.0.1:9", there, "cannot reach"),
    ):
        async with connected(url, token) as orders:
            with pytest.raises(UpstreamTimeout, match=text):
                await orders.send(intent(3))
            with pytest.raises(UpstreamTimeout, match=text):
                await orders.resolve(intent(3))


async def test_reads_are_tried_again_and_then_told() -> None:
    async with connected("http://127.0.0.1:9", None) as orders:
        with pytest.raises(SuiteError, match="cannot reach"):
            await orders.fetch_account()
        assert orders.calls.requests["webData2"] > 1


async def test_funding_is_told_as_the_account_received_it(tmp_path: Path) -> None:
    """A long pays the rate of an hour at each stamp; nothing is told twice."""
    options = ("--accounts", "alice", "--clock", "paced", "--speed", "3600")
    with running_venue(tmp_path, *options, coins=("BTC",)) as venue:
        async with connected(venue.url, venue.token("alice")) as orders:
            await orders.send(decided(1, buy()))
            paid: tuple[FundingPayment, ...] = ()
            for _ in range(200):
                if len(paid := await orders.fetch_fundings(0)) >= 2:
                    break
                await asyncio.sleep(0.1)
            later = await orders.fetch_fundings(paid[1].time)
    assert {"BTC"} == {row.coin for row in paid}
    assert sorted({row.time for row in paid}) == [row.time for row in paid]
    assert all(Decimal(row.usdc) < 0 < Decimal(row.szi) for row in paid)
    assert paid[1] == later[0]

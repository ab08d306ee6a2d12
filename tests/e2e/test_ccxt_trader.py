"""A whole trader over ccxt decides and does what one does over the venue contract."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from tests.support.account import address_of
from tests.support.ccxt_exchange import Followed, connected, followed
from tests.support.local_trader import LateSteps, drive
from tests.support.venue_calls import venue_calls
from tests.support.venue_process import VenueUnderTest, running_venue

from strategy_agent.adapters.ccxt_exchange.access import CcxtAccess
from strategy_agent.adapters.data_http import DataHttp
from strategy_agent.adapters.intent_file import IntentFile
from strategy_agent.adapters.kill_latch import KillLatch
from strategy_agent.adapters.venue_http import VenueHttp
from strategy_agent.application.budget import RateBudget
from strategy_agent.application.delivery import OrderDelivery
from strategy_agent.application.local_steps import LocalSteps
from strategy_agent.application.venue_time import VenueTime
from strategy_core.journal import DecisionRecord
from strategy_core.port import Strategy, instruments_of
from strategy_core.registry import build
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.service.clock import SystemClock

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

SPEED = 60.0
"""A minute in a second: ccxt signs in Python, and nobody waits for it."""
DECISIONS = 30
SPEC = TraderSpec(
    trader_id="alice",
    strategy=StrategySpec(kind="sma_cross", params={"fast": 2, "slow": 5}),
    symbols=("BTC", "ETH"),
    interval="1m",
)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path_factory.mktemp("ccxt"), "--clock", "lockstep", speed=None) as one:
        yield one


def world(venue: VenueUnderTest, wallet: LocalAccount, **more: Any) -> tuple[VenueUnderTest, str]:
    """Open a world in which a wallet signs for alice; return it and her token."""
    account = {"id": "alice", "agents": [wallet.address.lower()]}
    body = {"symbols": ["BTC", "ETH"], "from": "2025-05-08", "accounts": [account], **more}
    made = venue.post("/worlds", body, "operator")
    url = venue.url + "/w/" + made["world_id"]
    return VenueUnderTest("world", url, venue.folder), made["tokens"]["alice"]


def strategy(meta: object) -> Strategy:
    return build(SPEC, instruments=instruments_of(meta), seed=7, plugins={})


@asynccontextmanager
async def trader_over_ccxt(
    folder: Path, place: VenueUnderTest, wallet: LocalAccount, token: str
) -> AsyncIterator[tuple[LocalSteps, Followed]]:
    """Put a trader together whose orders and account go through ccxt."""
    user = address_of("alice")
    keys = {"walletAddress": user, "privateKey": "0x" + bytes(wallet.key).hex()}
    access = CcxtAccess(exchange="hyperliquid", keys=keys, url=place.url)
    calls = venue_calls(place.url, token=token, timeout_s=5.0)
    log = IntentFile(folder / "alice.intents")
    async with (
        connected(access, "BTC", "ETH") as exchange,
        followed(exchange, "BTC", "ETH") as account,
    ):
        delivery = OrderDelivery(
            exchange,
            log,
            SystemClock(),
            trader_id="alice",
            latch=KillLatch(folder / "alice.latch"),
            budget=RateBudget(monotonic, per_minute=100_000),
            jitter=random.Random(1),
        )
        try:
            steps = LocalSteps(
                time=VenueTime(await VenueHttp(calls).clock()),
                cache=account.cache,
                prices=account.keeper.prices,
                delivery=delivery,
                market=DataHttp(calls),
                user=user,
            )
            yield steps, account
        finally:
            await delivery.close()
            log.close()
            await calls.close()


async def test_trader_over_ccxt_gives_the_orders_that_it_gives_over_the_venue_contract(
    venue: VenueUnderTest, tmp_path: Path
) -> None:
    wallet = VenueUnderTest.wallet(VenueUnderTest("keys", venue.url))
    paced, token = world(venue, wallet, clock="paced", speed=SPEED)
    meta = await asyncio.to_thread(paced.info, "meta")

    def enough(record: DecisionRecord) -> bool:
        return record.decision >= DECISIONS

    async with trader_over_ccxt(tmp_path, paced, wallet, token) as (steps, account):
        ours = await drive(steps, SPEC, strategy(meta), meta, enough=enough)
        asked = dict(account.keeper.rest_calls)
        fills = len(account.cache.state.fills)
        differences = account.cache.differences
    lockstep, token = world(venue, wallet)
    calls = venue_calls(lockstep.url, token=token)
    try:
        late = LateSteps(VenueHttp(calls), ours[0].now_ms)
        theirs = await drive(late, SPEC, strategy(meta), meta, enough=enough)
    finally:
        await calls.close()
    assert [one.now_ms for one in theirs] == [one.now_ms for one in ours]
    assert [one.actions for one in theirs] == [one.actions for one in ours]
    assert [one.verdicts for one in theirs] == [one.verdicts for one in ours]
    assert sum(bool(one.actions) for one in ours) > DECISIONS // 5
    assert fills > 5
    assert {"connect": 2} == asked
    assert 0 == differences

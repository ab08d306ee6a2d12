"""Who keeps a cache true: what is asked of the venue, how often, and when it is connected anew."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from tests.support.account_wire import fill, fills, position, push, push_of, state
from tests.support.waiting import until

from strategy_agent.application.account_keeper import AccountKeeper, KeeperTimeouts
from suite.account.events import MidsPush, StatePush
from suite.account.state import AccountStateCache, StateLimits
from suite.contracts.hyperliquid_info import AssetPosition, LedgerRow, UserFill
from suite.errors import RateLimited, SuiteError, UpstreamUnavailable
from suite.service.clock import SystemClock

HASTE = KeeperTimeouts(
    tick_s=0.005, first_pause_s=0.001, longest_pause_s=0.01, first_heal_s=0.05, longest_heal_s=0.1
)
HELD = position("ETH", "1.0")


@dataclass
class Reads:
    """A venue's answers: faults first, then what it holds."""

    held: tuple[AssetPosition, ...] = ()
    fills: tuple[UserFill, ...] = ()
    faults: list[SuiteError] = field(default_factory=list)
    since: list[int] = field(default_factory=list)
    ledger: tuple[LedgerRow, ...] = ()
    ledger_since: list[int] = field(default_factory=list)

    async def fetch_account(self) -> StatePush:
        return push_of(state(*self.held, time=50))

    async def fetch_fills(self, start_ms: int) -> tuple[UserFill, ...]:
        self.since.append(start_ms)
        if self.faults:
            raise self.faults.pop()
        return self.fills

    async def fetch_ledger(self, start_ms: int) -> tuple[LedgerRow, ...]:
        self.ledger_since.append(start_ms)
        return self.ledger


@dataclass
class Stream:
    """A stream that a test speaks for."""

    reasons: list[str] = field(default_factory=list)

    async def run(self) -> None:
        await asyncio.Event().wait()

    def reconnect(self, reason: str) -> None:
        self.reasons.append(reason)


@dataclass
class Keeping:
    keeper: AccountKeeper
    cache: AccountStateCache
    reads: Reads
    stream: Stream

    def connect(self, *held: AssetPosition, told: tuple[UserFill, ...] = (), at: int = 50) -> None:
        self.keeper.connected()
        self.keeper.heard()
        self.keeper.received((fills(*told, snapshot=True), push(*held, at=at)))

    def trouble(self) -> tuple[str, ...]:
        return self.cache.trouble


@asynccontextmanager
async def keeping(reads: Reads, **limits: float) -> AsyncIterator[Keeping]:
    cache = AccountStateCache(clock=SystemClock(), limits=StateLimits(**{"dwell_s": 0, **limits}))  # type: ignore[arg-type]
    keeper = AccountKeeper(cache, reads, chance=random.Random(1), timeouts=HASTE)
    stream = Stream()
    task = asyncio.create_task(keeper.run(stream))
    try:
        yield Keeping(keeper, cache, reads, stream)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_each_connection_costs_one_read_and_nothing_is_asked_between_them() -> None:
    async with keeping(Reads()) as kept:
        for number, at in enumerate((50, 60), 1):
            kept.connect(at=at)
            await until(lambda: not kept.cache.trouble)
            assert {"connect": 3 * number} == dict(kept.keeper.rest_calls)
            await asyncio.sleep(0.05)
            assert {"connect": 3 * number} == dict(kept.keeper.rest_calls)
            kept.keeper.lost("gone")
            assert ("reconciling",) == kept.trouble()
        assert [50, 60] == kept.reads.since


async def test_the_ledger_is_read_from_its_beginning_and_then_from_its_newest_entry() -> None:
    row = LedgerRow(time=7, hash="0x1", delta={"type": "deposit", "usdc": "1000.0"})
    async with keeping(Reads(ledger=(row,))) as kept:
        for at in (50, 60):
            kept.connect(at=at)
            await until(lambda: not kept.cache.trouble)
            view = kept.cache.state.view
            assert view is not None
            assert Decimal(1000) == view.net_deposits
            kept.keeper.lost("gone")
        assert [0, 7] == kept.reads.ledger_since


async def test_a_read_that_fails_is_repeated_with_pauses_until_it_is_answered() -> None:
    faults: list[SuiteError] = [UpstreamUnavailable("down"), RateLimited("slow", retry_after_ms=20)]
    async with keeping(Reads(faults=faults)) as kept:
        kept.connect()
        await until(lambda: not kept.cache.trouble)
        assert (2, 5) == (kept.keeper.failed_reads, kept.keeper.rest_calls["connect"])


async def test_nothing_is_asked_before_the_stream_has_told_what_came_before_it() -> None:
    async with keeping(Reads()) as kept:
        kept.keeper.connected()
        kept.keeper.received((push(at=50),))
        await asyncio.sleep(0.03)
        assert {} == dict(kept.keeper.rest_calls)


async def test_what_the_connection_before_was_asked_for_does_not_count() -> None:
    async with keeping(Reads(faults=[UpstreamUnavailable("down")])) as kept:
        kept.connect()
        kept.keeper.lost("gone")
        await asyncio.sleep(0.03)
        assert ({}, ("reconciling",)) == (dict(kept.keeper.rest_calls), kept.trouble())


async def test_a_position_that_no_read_explains_is_told_after_some_tries() -> None:
    reads = Reads(held=(position("ETH", "3.0"),))
    async with keeping(reads, dwell_s=60) as kept:
        kept.connect(position("ETH", "3.0"), told=(fill(1, at=40),))
        await until(lambda: "account_differs" in kept.cache.trouble)
        assert HASTE.reads == len(reads.since)
        assert ("position ETH: 2",) == kept.cache.state.differences


async def test_an_account_that_differs_is_connected_anew_and_not_without_end() -> None:
    async with keeping(Reads()) as kept:
        kept.connect()
        await until(lambda: not kept.cache.trouble)
        for at in (60, 61):
            kept.keeper.received((push(HELD, at=at, cash="900.0"),))
        assert ("account_differs",) == kept.trouble()
        await until(lambda: 2 <= len(kept.stream.reasons))
        assert {"the account differs"} == set(kept.stream.reasons)
        await asyncio.sleep(0.12)
        assert len(kept.stream.reasons) <= 4
        kept.keeper.received((fills(fill(1, at=55)), push(HELD, at=62, cash="900.0")))
        assert () == kept.trouble()


async def test_a_connection_that_only_answers_is_replaced() -> None:
    async with keeping(Reads(), push_s=0.05) as kept:
        kept.connect()
        await until(lambda: kept.stream.reasons)
        assert ["no state of the account came"] == kept.stream.reasons[:1]


async def test_prices_and_flaws_go_where_they_belong() -> None:
    async with keeping(Reads()) as kept:
        kept.keeper.received((MidsPush(mids={"ETH": "1.0"}),))
        kept.keeper.flawed("malformed")
        assert {"ETH": "1.0"} == kept.keeper.prices.mids
        assert {"malformed": 1} == dict(kept.keeper.flaws)

"""Traders that replicas run: who gets which, and who is seen to have it."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from tests.unit.trader_manager.test_supervisor import stored

from suite.clock import ManualClock
from suite.errors import ConfigError, UpstreamUnavailable
from suite.ids import TraderId
from trader_manager.application.claims import REPLICAS, Claims, Holder
from trader_manager.application.runtime import Launch
from trader_manager.domain.lifecycle import Seen, Wanted, next_step
from trader_manager.domain.traders import Claim, DesiredState, Lease, LeaseLost, StoredTrader

ONE = Holder(name="p/1", control_url="http://p", control_token=SecretStr("t"))
TWO = replace(ONE, name="p/2")


class LeasedStore:
    """Leases in memory, by a clock that a test moves."""

    def __init__(self, clock: ManualClock, *traders: StoredTrader) -> None:
        self.traders = {one.trader_id: one for one in traders}
        self.clock = clock
        self.leases: dict[TraderId, Lease] = {}
        self.fence = self.lists = self.reads = self.claims = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def list_traders(self) -> tuple[StoredTrader, ...]:
        self.reads += 1
        return tuple(self.traders.values())

    async def list_leases(self) -> tuple[Lease, ...]:
        self.lists += 1
        now_ms = self.clock.now_ms()
        found = tuple(one for one in self.leases.values() if one.expires_ms > now_ms)
        await self.answers.wait()
        return found

    async def claim_trader(
        self, holder: str, *, ttl_ms: int, runtime: str, passed_over: Collection[str] = ()
    ) -> Claim | None:
        """As the store does; which trader, what is wanted of it and who has it decides."""
        self.claims += 1
        now_ms = self.clock.now_ms()
        held = {name for name, lease in self.leases.items() if lease.expires_ms > now_ms}
        free = sorted(
            one.trader_id
            for one in self.traders.values()
            if (one.runtime, one.desired) == (runtime, DesiredState.RUNNING)
            and one.trader_id not in held
            and one.trader_id not in passed_over
        )
        if not free:
            return None
        self.fence += 1
        return self._held(Lease(trader_id=free[0], holder=holder, fence=self.fence, expires_ms=0))

    def _held(self, lease: Lease) -> Claim:
        lease = replace(lease, expires_ms=self.clock.now_ms() + 30_000)
        self.leases[lease.trader_id] = lease
        return Claim(lease=lease, trader=self.traders[lease.trader_id])

    async def renew_lease(self, lease: Lease, *, ttl_ms: int, runtime: str) -> Claim:
        assert REPLICAS == runtime
        held = self.leases.get(lease.trader_id)
        if held is None or (held.fence, held.holder) != (lease.fence, lease.holder):
            raise LeaseLost("lost")
        return self._held(lease)

    async def release_lease(self, lease: Lease) -> None:
        self.leases.pop(lease.trader_id, None)


class ScriptedWays:
    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.asked: list[str] = []
        self.hangs = False

    async def launch(self, trader: StoredTrader, *, with_secrets: bool = True) -> Launch:
        assert not with_secrets, "they are names on the wire"
        self.asked.append(trader.trader_id)
        if self.hangs:
            await asyncio.sleep(60)
        if trader.trader_id in self.broken:
            raise ConfigError("no account")
        return Launch(
            trader_id=trader.trader_id,
            written=trader.spec,
            generation=trader.generation,
            venue_url="http://v",
            data_url="http://d",
        )


def made(*names: str, ttl_s: float = 30) -> tuple[Claims, LeasedStore, ScriptedWays, ManualClock]:
    clock, ways = ManualClock(1_000_000), ScriptedWays()
    store = LeasedStore(clock, *(stored(name, runtime=REPLICAS) for name in names))
    claims = Claims(store=store, access=ways, wall=clock, ttl_s=ttl_s)  # type: ignore[arg-type]
    return claims, store, ways, clock


async def taken(claims: Claims, holder: Holder, **more: Any) -> Lease | None:
    granted = await claims.claim(holder, **more)
    return None if granted is None else granted.claim.lease


async def test_each_asker_gets_another_trader_that_shall_run_here() -> None:
    claims, store, ways, _ = made("a", "b", "c", "d", "e")
    store.traders[TraderId("a")] = replace(store.traders[TraderId("a")], runtime="process")
    stopped = replace(store.traders[TraderId("b")], desired=DesiredState.STOPPED)
    store.traders[TraderId("b")] = stopped
    ways.broken = {"c"}
    first = await taken(claims, ONE, passed_over=["d"])
    assert first is not None
    assert "e" == first.trader_id
    second = await taken(claims, TWO)
    assert second is not None
    assert "d" == second.trader_id
    assert await taken(claims, ONE) is None
    broken = await claims.look("c")
    assert ("claimable", "no account", "") == (broken.actual, broken.reason, broken.holder)
    assert {"b", "c", "d", "e"} == set(await claims.look_all())


async def test_a_question_for_a_trader_does_not_read_them_all() -> None:
    claims, store, _, _ = made(*(f"t{number:04}" for number in range(1000)))
    assert await taken(claims, ONE) is not None
    assert (1, 0, 0) == (store.claims, store.reads, store.lists)


async def test_a_venue_that_hangs_is_asked_for_one_trader_and_not_for_each() -> None:
    """The trader is free again, and whoever asks is told."""
    claims, store, ways, _ = made("a", "b", "c", ttl_s=0.3)
    ways.hangs = True
    with pytest.raises(UpstreamUnavailable, match="the venue does not answer in time"):
        await taken(claims, ONE)
    assert (["a"], {}) == (ways.asked, store.leases)
    ways.hangs = False
    assert "a" == getattr(await taken(claims, ONE), "trader_id", "")


async def test_traders_that_cannot_be_started_are_tried_a_few_at_a_time() -> None:
    """And not with each question: the next one finds those behind them."""
    claims, _, ways, clock = made(*"abcdefgh")
    ways.broken = set("abcdefg")
    assert await taken(claims, ONE) is None
    assert [*"abcde"] == ways.asked
    assert "h" == getattr(await taken(claims, ONE), "trader_id", "")
    assert [*"abcdefgh"] == ways.asked
    clock.advance_to(1_010_000)
    ways.broken.clear()
    assert "a" == getattr(await taken(claims, TWO), "trader_id", "")


async def test_one_that_may_run_elsewhere_yet_is_not_given() -> None:
    """It was moved here, and its old process is still ending."""
    settled: set[str] = {"b"}
    claims, store, ways, _ = made("a", "b")
    claims.settled = lambda one: one.trader_id in settled
    assert "b" == getattr(await taken(claims, ONE), "trader_id", "")
    assert await taken(claims, TWO) is None
    assert (["b"], {"b"}) == (ways.asked, set(store.leases))
    assert "a may run elsewhere yet: it is ended first" == (await claims.look("a")).reason
    settled.add("a")
    assert "a" == getattr(await taken(claims, TWO), "trader_id", "")


async def test_a_holder_is_seen_until_its_lease_is_over() -> None:
    """Who it is, since when, and how old its word is; the supervisor has nothing to do."""
    claims, _, _, clock = made("a")
    lease = await taken(claims, ONE)
    assert lease is not None
    clock.advance_to(1_008_000)
    seen = await claims.look("a")
    assert ("running", "p/1", 8_000) == (seen.actual, seen.holder, seen.lease_age_ms)
    assert (1_000_000, "http://p", "t") == (
        seen.started_ms,
        seen.control_url,
        seen.control_token.get_secret_value(),
    )
    with pytest.raises(UpstreamUnavailable, match=r"p/1 has a and ends it .* 22 s from now"):
        await claims.stop("a")
    await claims.renew(lease, ONE, generation=1)
    renewed = await claims.look("a")
    assert (1_000_000, 0) == (renewed.started_ms, renewed.lease_age_ms)
    clock.advance_to(1_038_000)
    over = await claims.look("a")
    assert ("claimable", "") == (over.actual, over.holder)
    await claims.stop("a")
    again = await taken(claims, TWO)
    assert again is not None
    with pytest.raises(LeaseLost):
        await claims.renew(lease, ONE, generation=1)
    await claims.release(lease, reason="too late")
    assert "" == (await claims.look("a")).reason


async def test_a_manager_that_comes_back_starts_nobody_until_it_is_told() -> None:
    claims, store, ways, clock = made("a")
    lease = await taken(claims, ONE)
    assert lease is not None
    later = Claims(store=store, access=ways, wall=clock, ttl_s=30)  # type: ignore[arg-type]
    seen = await later.look("a")
    assert ("claimable", "p/1") == (seen.actual, seen.holder)
    await later.renew(lease, ONE, generation=1)
    assert "running" == (await later.look("a")).actual


async def test_a_trader_is_held_from_the_moment_that_its_lease_is_written() -> None:
    """Also for who looked a moment before: it may not start elsewhere."""
    claims, store, _, _ = made("a")
    assert "" == (await claims.look("a")).holder
    await store.claim_trader("p/1", ttl_ms=30_000, runtime=REPLICAS)
    with pytest.raises(UpstreamUnavailable, match="p/1 has a"):
        await claims.stop("a")
    assert "p/1" == (await claims.look("a")).holder


async def test_leases_read_before_a_claim_do_not_hide_it() -> None:
    claims, store, _, _ = made("a", "b")
    store.answers.clear()
    looking = asyncio.create_task(claims.look_all())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 1 == store.lists
    store.answers, late = asyncio.Event(), store.answers
    store.answers.set()
    assert await taken(claims, ONE) is not None
    late.set()
    seen = await looking
    assert {"a": "running", "b": "claimable"} == {n: one.actual for n, one in seen.items()}


async def test_a_look_at_all_reads_the_leases_once() -> None:
    claims, store, _, _ = made("a", "b", "c")
    await claims.look_all()
    assert 1 == store.lists


@pytest.mark.parametrize("desired", list(DesiredState))
def test_nobody_starts_a_trader_that_is_claimable(desired: DesiredState) -> None:
    wanted = Wanted(desired=desired, generation=2)
    assert ("none", 0) == next_step(wanted, Seen(actual="claimable"), now_ms=0)

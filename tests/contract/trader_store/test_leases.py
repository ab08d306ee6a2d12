"""No trader is ever run by two, and who lost one cannot write in its name."""

import asyncio
from dataclasses import replace

import pytest
from tests.support.stored_traders import decision, sample, trade, wanted

from suite.errors import BadRequest, Conflict, NotFound
from suite.ids import TraderId
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.application.ports import Store
from trader_manager.domain.records import Batch
from trader_manager.domain.traders import Claim, DesiredState, LeaseLost

A = TraderId("a")
LONG = 60_000


async def claimed(store: Store, holder: str, *, ttl_ms: int = LONG) -> Claim:
    claim = await store.claim_trader(holder, ttl_ms=ttl_ms)
    assert claim is not None
    return claim


async def expired(store: Store) -> None:
    """Wait until no lease is left."""
    for _ in range(1000):
        if not await store.list_leases():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the lease does not run out")


async def test_a_claim_brings_the_trader_and_its_lease(store: Store) -> None:
    saved = await store.save_trader(wanted("a"))
    claim = await claimed(store, "h1")
    assert (saved, "h1", 1) == (claim.trader, claim.lease.holder, claim.lease.fence)
    assert (claim.lease,) == await store.list_leases()
    assert None is await store.claim_trader("h2", ttl_ms=LONG)
    assert None is await store.claim_trader("h2", ttl_ms=LONG, trader_id=A)


async def test_only_what_shall_run_and_fits_is_given(store: Store) -> None:
    await store.save_trader(wanted("stopped", desired=DesiredState.STOPPED))
    await store.save_trader(wanted("removed"))
    await store.remove_trader(TraderId("removed"))
    await store.save_trader(wanted("fleet", runtime="in_process"))
    assert None is await store.claim_trader("h", ttl_ms=LONG, runtime="process")
    claim = await store.claim_trader("h", ttl_ms=LONG, runtime="in_process")
    assert claim is not None
    assert "fleet" == claim.trader.trader_id


async def test_the_same_holder_asking_again_gets_the_same_lease(store: Store) -> None:
    await store.save_trader(wanted("a"))
    first = await store.claim_trader("h", ttl_ms=LONG, trader_id=A)
    again = await store.claim_trader("h", ttl_ms=2 * LONG, trader_id=A)
    assert first is not None
    assert again is not None
    assert first.lease.fence == again.lease.fence
    assert first.lease.expires_ms < again.lease.expires_ms
    assert None is await store.claim_trader("h", ttl_ms=LONG)


async def test_a_renewal_tells_what_is_wanted_now(store: Store) -> None:
    await store.save_trader(wanted("a"))
    claim = await claimed(store, "h")
    await store.set_desired([A], DesiredState.STOPPED)
    renewed = await store.renew_lease(claim.lease, ttl_ms=2 * LONG)
    assert (2, DesiredState.STOPPED) == (renewed.trader.generation, renewed.trader.desired)
    assert claim.lease.fence == renewed.lease.fence
    assert claim.lease.expires_ms < renewed.lease.expires_ms


async def test_a_lease_that_ran_out_goes_to_the_next_with_a_higher_fence(store: Store) -> None:
    await store.save_trader(wanted("a"))
    old = await claimed(store, "h1", ttl_ms=1)
    await expired(store)
    new = await claimed(store, "h2")
    assert old.lease.fence < new.lease.fence
    with pytest.raises(LeaseLost, match="h1 does not hold trader a any more"):
        await store.renew_lease(old.lease, ttl_ms=LONG)
    await store.release_lease(old.lease)
    assert (new.lease,) == await store.list_leases()


async def test_a_lease_that_ran_out_is_kept_while_nobody_took_the_trader(store: Store) -> None:
    await store.save_trader(wanted("a"))
    claim = await claimed(store, "h", ttl_ms=1)
    await expired(store)
    renewed = await store.renew_lease(claim.lease, ttl_ms=LONG)
    assert claim.lease.fence == renewed.lease.fence
    assert None is await store.claim_trader("h2", ttl_ms=LONG)


@pytest.mark.parametrize("change", ["stopped", "moved"])
async def test_a_lease_that_ran_out_is_over_where_its_holder_shall_not_run(
    store: Store, change: str
) -> None:
    """Its trader runs elsewhere, or may: whoever slept over it does not get it back."""
    await store.save_trader(wanted("a", runtime="replicas"))
    claim = await claimed(store, "h", ttl_ms=1)
    if change == "stopped":
        await store.set_desired([A], DesiredState.STOPPED)
    else:
        await store.save_trader(wanted("a"), generation=1)
    await expired(store)
    with pytest.raises(LeaseLost, match="h does not hold trader a any more"):
        await store.renew_lease(claim.lease, ttl_ms=LONG, runtime="replicas")
    assert () == await store.list_leases()


async def test_a_trader_that_moves_ends_the_lease_that_ran_out(store: Store) -> None:
    """Nothing is written in its name from then on, also where the trader comes back."""
    await store.save_trader(wanted("a", runtime="replicas"))
    claim = await claimed(store, "h", ttl_ms=1)
    await expired(store)
    await store.save_trader(wanted("a"), generation=1)
    with pytest.raises(LeaseLost):
        await store.save_trade(trade("a", 1), lease=claim.lease)
    await store.save_trader(wanted("a", runtime="replicas"), generation=2)
    with pytest.raises(LeaseLost):
        await store.renew_lease(claim.lease, ttl_ms=LONG, runtime="replicas")


async def test_a_live_lease_outlasts_the_move_of_its_trader(store: Store) -> None:
    """Its holder hears of it with its next renewal, and ends the trader in order."""
    await store.save_trader(wanted("a", runtime="replicas"))
    claim = await claimed(store, "h")
    await store.save_trader(wanted("a"), generation=1)
    renewed = await store.renew_lease(claim.lease, ttl_ms=LONG, runtime="replicas")
    assert ("process", 2) == (renewed.trader.runtime, renewed.trader.generation)
    assert (renewed.lease,) == await store.list_leases()


async def test_a_trader_is_not_removed_under_a_live_lease(store: Store) -> None:
    """Who holds it may trade until that is over."""
    saved = await store.save_trader(wanted("a"))
    claim = await claimed(store, "h")
    with pytest.raises(Conflict, match="h has a: stop it, and remove it once that has ended"):
        await store.remove_trader(A)
    assert (saved,) == await store.list_traders()
    await store.release_lease(claim.lease)
    assert (await store.remove_trader(A)).removed_ms is not None


async def test_who_had_a_trader_that_was_removed_is_told_so(store: Store) -> None:
    """Nobody else has it, unlike one that is lost; where it is added again it is lost."""
    await store.save_trader(wanted("a"))
    claim = await claimed(store, "h", ttl_ms=1)
    await expired(store)
    await store.remove_trader(A)
    with pytest.raises(NotFound, match="no trader a any more"):
        await store.renew_lease(claim.lease, ttl_ms=LONG)
    await store.save_trader(wanted("a"))
    with pytest.raises(LeaseLost):
        await store.renew_lease(claim.lease, ttl_ms=LONG)


async def test_those_that_are_passed_over_are_not_given(store: Store) -> None:
    for name in ("a", "b", "c"):
        await store.save_trader(wanted(name))
    claim = await store.claim_trader("h", ttl_ms=LONG, passed_over={"a", "b", "nobody"})
    assert claim is not None
    assert "c" == claim.trader.trader_id
    assert None is await store.claim_trader("h", ttl_ms=LONG, passed_over={"a", "b"})


async def test_a_lease_that_ran_out_covers_what_is_written_until_the_next_claim(
    store: Store,
) -> None:
    """What its holder did is true, and nobody else can have done anything before that claim."""
    await store.save_trader(wanted("a"))
    old = await claimed(store, "h1", ttl_ms=1)
    await expired(store)
    assert 1 == await store.save_trade(trade("a", 1), lease=old.lease)
    new = await claimed(store, "h2")
    with pytest.raises(LeaseLost):
        await store.save_trade(trade("a", 2), lease=old.lease)
    assert 1 == await store.save_trade(trade("a", 2), lease=new.lease)


async def test_a_trader_given_back_is_free_at_once(store: Store) -> None:
    await store.save_trader(wanted("a"))
    old = await claimed(store, "h1")
    await store.release_lease(old.lease)
    assert () == await store.list_leases()
    new = await claimed(store, "h1")
    assert old.lease.fence < new.lease.fence


@pytest.mark.parametrize("end", ["taken", "released", "removed"])
async def test_a_stale_fence_writes_nothing(store: Store, end: str) -> None:
    await store.save_trader(wanted("a"))
    old = await claimed(store, "h1", ttl_ms=1)
    await expired(store)
    if end == "taken":
        await claimed(store, "h1")
    elif end == "released":
        await store.release_lease(old.lease)
    else:
        await store.remove_trader(A)
    batch = Batch(trades=(trade("a", 1),), equity=(sample("a", 1),), decisions=(decision("a", 0),))
    with pytest.raises(LeaseLost):
        await store.save_records(batch, lease=old.lease)
    assert {} == await store.get_progress(batch.trades[0].world)


async def test_a_lease_covers_its_own_trader_only(store: Store) -> None:
    await store.save_trader(wanted("a"))
    claim = await claimed(store, "h")
    batch = Batch(trades=(trade("a", 1), trade("b", 2)))
    with pytest.raises(BadRequest, match="trader b came under the lease of a"):
        await store.save_records(batch, lease=claim.lease)
    forged = replace(claim.lease, holder="h2")
    with pytest.raises(LeaseLost):
        await store.save_trade(trade("a", 1), lease=forged)
    assert 1 == await store.save_trade(trade("a", 1), lease=claim.lease)


async def test_many_claimers_in_two_pools_share_the_traders_out(address: str) -> None:
    """Thirty ask at once for twenty traders: each trader is given once."""
    stores = [PostgresStore(address), PostgresStore(address)]
    for store in stores:
        await store.open()
    try:
        await asyncio.gather(*(stores[0].save_trader(wanted(f"t{n}")) for n in range(20)))
        taken: list[TraderId] = []

        async def take(number: int) -> None:
            misses = 0
            while misses < 3:  # what is locked by another claimer is passed over, not waited for
                claim = await stores[number % 2].claim_trader(f"h{number}", ttl_ms=LONG)
                if claim is None:
                    misses += 1
                else:
                    taken.append(claim.trader.trader_id)

        await asyncio.gather(*(take(number) for number in range(30)))
        assert sorted(f"t{n}" for n in range(20)) == sorted(taken)
    finally:
        for store in stores:
            await store.close()


async def test_of_many_who_want_the_same_trader_one_gets_it_each_time(store: Store) -> None:
    await store.save_trader(wanted("a"))
    fences = []
    for _ in range(10):
        claims = await asyncio.gather(
            *(store.claim_trader(f"h{n}", ttl_ms=LONG, trader_id=A) for n in range(8))
        )
        (winner,) = [claim for claim in claims if claim is not None]
        fences.append(winner.lease.fence)
        await store.release_lease(winner.lease)
    assert sorted(set(fences)) == fences

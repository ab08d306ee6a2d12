"""Traders as they are wanted: added, changed, removed; crashes."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest
from tests.support.simulation.manager import MemoryStore, Tables
from tests.support.stored_traders import wanted

from suite.errors import BadRequest, Conflict, NotFound
from suite.ids import RunId, TraderId
from suite.service.clock import SystemClock
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.application.ports import Store
from trader_manager.application.supervisor import SupervisedStore
from trader_manager.domain.traders import Crash, DesiredState

A, B = TraderId("a"), TraderId("b")


@pytest.fixture(params=["database", "memory"])
def store(request: pytest.FixtureRequest, store: PostgresStore) -> SupervisedStore:
    """The database's, or what simulations have in its place."""
    if request.param == "database":
        return store
    return MemoryStore(Tables(SystemClock().now_ms))


async def test_a_trader_is_read_as_it_was_written(store: Store) -> None:
    written = wanted("a", strategy={"kind": "llm", "params": {"key": "${KEY}", "x": [1, 0.1]}})
    saved = await store.save_trader(written)
    assert written.spec == saved.spec
    assert (1, None) == (saved.generation, saved.removed_ms)
    assert saved == await store.get_trader(A)
    assert (saved,) == await store.list_traders()


async def test_every_change_raises_the_generation_and_no_change_does_not(store: Store) -> None:
    first = await store.save_trader(wanted("a"))
    assert first == await store.save_trader(wanted("a"))
    second = await store.save_trader(wanted("a", label="A"), generation=1)
    assert 2 == second.generation
    assert second == await store.save_trader(wanted("a", label="A"), generation=1)
    (stopped,) = await store.set_desired([A], DesiredState.STOPPED)
    assert (3, "stopped") == (stopped.generation, stopped.desired)
    assert (stopped,) == await store.set_desired([A], DesiredState.STOPPED)


async def test_a_file_that_brought_a_trader_is_remembered_and_that_it_is_not_in_there_any_more(
    store: Store,
) -> None:
    brought = replace(wanted("a"), origin="/traders.yaml")
    await store.save_trader(brought)
    await store.save_trader(wanted("b"))
    leaving = await store.save_trader(replace(brought, leaving=True), generation=1)
    assert (2, "/traders.yaml", True) == (leaving.generation, leaving.origin, leaving.leaving)
    started = await store.set_desired([A], DesiredState.STOPPED)
    assert [True] == [one.leaving for one in started]
    assert [("/traders.yaml", True), ("", False)] == [
        (one.origin, one.leaving) for one in await store.list_traders()
    ]
    await store.remove_trader(A)
    again = await store.save_trader(wanted("a"))
    assert ("", False) == (again.origin, again.leaving), "somebody else has added it"


async def test_one_of_two_changes_to_the_same_generation_wins(store: Store) -> None:
    await store.save_trader(wanted("a"))
    results = await asyncio.gather(
        *(store.save_trader(wanted("a", label=str(n)), generation=1) for n in range(8)),
        return_exceptions=True,
    )
    assert 7 == sum(isinstance(result, Conflict) for result in results)
    assert 2 == (await store.get_trader(A)).generation


async def test_a_trader_that_is_there_is_not_added_again(store: Store) -> None:
    await store.save_trader(wanted("a"))
    with pytest.raises(Conflict, match="there is a trader a already"):
        await store.save_trader(wanted("a", label="other"))
    with pytest.raises(NotFound, match="no trader b"):
        await store.save_trader(wanted("b"), generation=1)


async def test_an_account_has_one_trader_until_that_is_removed(store: Store) -> None:
    await store.save_trader(wanted("a", account="x"))
    with pytest.raises(Conflict, match="account x is another trader's"):
        await store.save_trader(wanted("b", account="x"))
    await store.remove_trader(A)
    assert 1 == (await store.save_trader(wanted("b", account="x"))).generation
    with pytest.raises(Conflict, match="account x"):
        await store.save_trader(wanted("a", account="x"))


async def test_of_many_at_once_one_gets_the_account(store: Store) -> None:
    results = await asyncio.gather(
        *(store.save_trader(wanted(f"t{n}", account="x")) for n in range(8)),
        return_exceptions=True,
    )
    assert 7 == sum(isinstance(result, Conflict) for result in results)
    assert 1 == len(await store.list_traders())


async def test_a_removed_trader_is_gone_and_may_come_back(store: Store) -> None:
    await store.save_trader(wanted("a"))
    removed = await store.remove_trader(A)
    assert (2, DesiredState.STOPPED) == (removed.generation, removed.desired)
    assert removed.removed_ms is not None
    assert removed == await store.remove_trader(A)
    assert () == await store.list_traders()
    assert (removed,) == await store.list_traders(with_removed=True)
    for call in (store.get_trader(A), store.set_desired([A], DesiredState.RUNNING)):
        with pytest.raises(NotFound, match="no trader a"):
            await call
    back = await store.save_trader(wanted("a"))
    assert (3, None) == (back.generation, back.removed_ms)


async def test_all_are_wanted_otherwise_or_none(store: Store) -> None:
    await store.save_trader(wanted("a"))
    with pytest.raises(NotFound, match="no trader b"):
        await store.set_desired([A, B], DesiredState.STOPPED)
    assert DesiredState.RUNNING == (await store.get_trader(A)).desired


@pytest.mark.parametrize("odd", [float("nan"), date(2026, 1, 1), {1: "x"}, "\0", "\ud800"])
async def test_what_json_cannot_say_is_refused(store: Store, odd: object) -> None:
    with pytest.raises(BadRequest):
        await store.save_trader(wanted("a", params=[odd]))
    assert () == await store.list_traders()


async def test_a_run_crashes_once(store: Store) -> None:
    await store.save_trader(wanted("a"))
    crash = Crash(trader_id=A, run_id=RunId("r1"), generation=1, reason="exit 137")
    noted = await store.save_crash(crash)
    assert noted.crashed_ms > 1_700_000_000_000
    assert noted == await store.save_crash(replace(crash, reason="other"))
    await store.save_crash(replace(crash, run_id=RunId("r2")))
    found = await store.list_crashes(A, window_ms=60_000)
    assert ["r1", "r2"] == [one.run_id for one in found]
    assert () == await store.list_crashes(A, window_ms=0)
    with pytest.raises(NotFound, match="no trader b"):
        await store.save_crash(replace(crash, trader_id=B))

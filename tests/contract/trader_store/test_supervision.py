"""One manager at a time supervises the traders of a database."""

import asyncio
from contextlib import suppress

from tests.support.simulation.manager import MemoryStore, Tables

from suite.errors import UpstreamUnavailable
from trader_manager.adapters.postgres import PostgresStore


async def opened(address: str) -> PostgresStore:
    store = PostgresStore(address)
    await store.open()
    return store


async def taken_over(store: PostgresStore) -> None:
    """Ask until the server has noticed that the other is gone."""
    async with asyncio.timeout(5):
        while not await store.claim_supervision():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_the_first_has_it_until_it_is_gone(address: str) -> None:
    """However often each asks, and also side by side; a killed one's connection ends with it."""
    first, second = await opened(address), await opened(address)
    try:
        assert [True, True] == list(
            await asyncio.gather(first.claim_supervision(), first.claim_supervision())
        )
        for _ in range(3):
            assert not await second.claim_supervision()
            assert await first.claim_supervision()
        await first.close()
        await taken_over(second)
    finally:
        await first.close()
        await second.close()


async def test_in_memory_too_the_first_has_it_until_it_is_gone() -> None:
    tables = Tables(lambda: 0)
    first, second = MemoryStore(tables), MemoryStore(tables)
    for _ in range(2):
        assert await first.claim_supervision()
        assert not await second.claim_supervision()
    await first.close()
    assert await second.claim_supervision()


async def test_it_ends_with_its_connection_and_not_unnoticed(address: str) -> None:
    """Who has lost it asks anew, and finds another there."""
    first, second = await opened(address), await opened(address)
    try:
        assert await first.claim_supervision()
        async with first._database.transaction() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            )
        await taken_over(second)
        assert not await _holds(first)
        assert await second.claim_supervision()
    finally:
        await first.close()
        await second.close()


async def _holds(store: PostgresStore) -> bool:
    """Ask until it is answered: the first time it learns that its connection is gone."""
    with suppress(UpstreamUnavailable):
        assert not await store.claim_supervision()
    return await store.claim_supervision()

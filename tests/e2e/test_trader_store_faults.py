"""The trader-manager's store while its database is killed, away or hangs."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.database_gate import gate_to
from tests.support.postgres_servers import open_folder
from tests.support.stored_traders import WORLD, decision, sample, trade, wanted

from suite.errors import SuiteError, UpstreamTimeout, UpstreamUnavailable
from suite.ids import TraderId
from suite.service.postgres import EmbeddedPostgres
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.domain.records import Batch

pytestmark = pytest.mark.process
A = TraderId("a")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as made:
        server = EmbeddedPostgres(made / "pg")
        server.start()
        yield made / "pg"
        server.stop()
        server.close()


@pytest.fixture
def server(folder: Path) -> EmbeddedPostgres:
    found = EmbeddedPostgres(folder)
    found.start()
    return found


@pytest.fixture
async def embedded(folder: Path) -> AsyncIterator[PostgresStore]:
    """A store that starts its server again by itself."""
    store = PostgresStore(f"embedded://{folder}")
    await cleared(store)
    yield store
    await store.close()


@pytest.fixture
async def external(server: EmbeddedPostgres) -> AsyncIterator[PostgresStore]:
    """A store that only knows an address."""
    store = PostgresStore(server.url, timeout_s=1)
    await cleared(store)
    yield store
    await store.close()
    await asyncio.to_thread(server.close)


async def cleared(store: PostgresStore) -> None:
    await store.open()
    async with store._database.transaction() as connection:
        await connection.execute(
            "TRUNCATE leases, crashes, traders, trader_trades, equity, decisions"
        )


def processes(folder: Path) -> list[psutil.Process]:
    server = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
    return [server, *server.children()]


async def at_last(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Call again while the database is away."""
    for _ in range(600):
        try:
            return await call()
        except SuiteError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(0.05)
    pytest.fail("the database does not come back")


async def test_what_was_acknowledged_outlives_kills(embedded: PostgresStore, folder: Path) -> None:
    """Four write as fast as they can while the server is killed three times."""
    acknowledged: set[int] = set()
    enough = asyncio.Event()

    async def write(first: int) -> None:
        tid = first
        while not enough.is_set():
            await at_last(lambda: embedded.save_trade(trade("a", tid)))  # noqa: B023
            acknowledged.add(tid)
            tid += 4

    async with asyncio.TaskGroup() as group:
        for first in range(4):
            group.create_task(write(first))
        for kill in range(1, 4):
            while len(acknowledged) < 100 * kill:  # noqa: ASYNC110  counts, not a flag
                await asyncio.sleep(0.01)
            processes(folder)[0].kill()
        while len(acknowledged) < 400:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        enough.set()
    trades = await at_last(lambda: embedded.get_trades(WORLD, A))
    stored = {found.tid for found in trades}
    assert acknowledged == stored


async def test_a_batch_that_a_kill_interrupts_is_there_or_not(
    embedded: PostgresStore, folder: Path
) -> None:
    for number in range(3):
        batch = Batch(
            trades=tuple(trade("a", number * 3000 + n) for n in range(3000)),
            equity=tuple(sample("a", number * 3000 + n) for n in range(3000)),
            decisions=(decision("a", number),),
        )
        saving = asyncio.create_task(embedded.save_records(batch))
        await asyncio.sleep(0.03 * number)
        processes(folder)[0].kill()
        (ended,) = await asyncio.gather(saving, return_exceptions=True)
        assert ended == 6001 or isinstance(ended, UpstreamUnavailable)
        progress = (await at_last(lambda: embedded.get_progress(WORLD))).get(A)
        there = 0 if progress is None else progress.trades
        series = await at_last(lambda: embedded.get_equity_series(WORLD))
        samples = len(series[A].time_ms) if A in series else 0
        decisions = 0 if progress is None else progress.decisions
        assert there in {number * 3000, (number + 1) * 3000}
        assert (there, there // 3000) == (samples, decisions)
        await at_last(lambda: embedded.save_records(batch))  # noqa: B023


async def test_a_database_that_is_away_is_told_and_used_again(
    external: PostgresStore, server: EmbeddedPostgres
) -> None:
    await external.save_trader(wanted("a"))
    await asyncio.to_thread(server.stop)
    for _ in range(3):
        for call in (external.list_traders, lambda: external.save_trade(trade("a", 1))):
            with pytest.raises(UpstreamUnavailable) as told:
                await call()
            assert told.value.retryable
            assert "\n" not in str(told.value)
    await asyncio.to_thread(server.start)
    assert ("a",) == tuple(found.trader_id for found in await external.list_traders())
    assert 1 == await external.save_trade(trade("a", 1))


async def test_a_database_that_hangs_is_told_in_time(external: PostgresStore, folder: Path) -> None:
    await external.save_trader(wanted("a"))
    frozen = processes(folder)
    for process in frozen:
        process.suspend()
    try:
        for _ in range(2):  # with a connection that was there, and with a new one
            async with asyncio.timeout(4):
                with pytest.raises(UpstreamTimeout, match="does not answer in time"):
                    await external.save_trade(trade("a", 1))
    finally:
        for process in frozen:
            process.resume()
    assert 1 >= await at_last(lambda: external.save_trade(trade("a", 1)))
    assert 1 == len(await external.get_trades(WORLD, A))


async def test_a_store_is_closed_in_time_while_the_database_hangs(
    server: EmbeddedPostgres, folder: Path
) -> None:
    store = PostgresStore(server.url, timeout_s=1)
    await store.open()
    await store.list_traders()
    frozen = processes(folder)
    for process in frozen:
        process.suspend()
    try:
        async with asyncio.timeout(10):
            await store.close()
    finally:
        for process in frozen:
            process.resume()
        await asyncio.to_thread(server.close)


async def test_a_call_that_is_given_up_writes_nothing_and_harms_no_other(
    external: PostgresStore,
) -> None:
    for number in range(20):
        batch = Batch(trades=tuple(trade("a", number * 500 + n) for n in range(500)))
        saving = asyncio.create_task(external.save_records(batch))
        await asyncio.sleep(0.001 * number)
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)
    assert 0 == len(await external.get_trades(WORLD, A)) % 500
    assert 1 == await external.save_trade(trade("b", 1))


async def test_a_lease_outlives_a_restart_of_the_database(
    embedded: PostgresStore, folder: Path
) -> None:
    await embedded.save_trader(wanted("a"))
    claim = await embedded.claim_trader("h", ttl_ms=60_000)
    assert claim is not None
    os.kill(processes(folder)[0].pid, signal.SIGKILL)
    renewed = await at_last(lambda: embedded.renew_lease(claim.lease, ttl_ms=60_000))
    assert claim.lease.fence == renewed.lease.fence
    # A process of the killed server may have answered that with its last breath.
    assert None is await at_last(lambda: embedded.claim_trader("h2", ttl_ms=60_000))


async def test_a_commit_whose_answer_is_lost_is_repeated_and_there_once(
    external: PostgresStore, server: EmbeddedPostgres
) -> None:
    """The connection is reset after COMMIT was sent and carried out: nobody can know of it."""
    async with gate_to(server.url) as gate:
        behind = PostgresStore(gate.url, timeout_s=5)
        await behind.open()
        try:
            for number in range(20):
                batch = Batch(
                    trades=tuple(trade("a", number * 10 + n) for n in range(10)),
                    equity=(sample("a", number),),
                    decisions=(decision("a", number),),
                )
                gate.lost = 1
                with pytest.raises(UpstreamUnavailable) as told:
                    await behind.save_records(batch)
                assert told.value.retryable
                assert 0 == await at_last(lambda: behind.save_records(batch))  # noqa: B023
        finally:
            await behind.close()
    progress = (await external.get_progress(WORLD))[A]
    assert (200, 20) == (progress.trades, progress.decisions)
    assert set(range(200)) == {found.tid for found in await external.get_trades(WORLD, A)}


async def test_more_than_the_connections_wait_and_none_is_forgotten(
    external: PostgresStore, server: EmbeddedPostgres
) -> None:
    """Two connections and sixty writers; while somebody holds both, a writer is told in time."""
    few = PostgresStore(server.url, connections=2, timeout_s=2)
    await few.open()
    try:
        written = await asyncio.gather(*(few.save_trade(trade("a", tid)) for tid in range(60)))
        assert [1] * 60 == written
        pool = few._database._pool
        async with pool.acquire(), pool.acquire():
            with pytest.raises(UpstreamTimeout, match="does not answer in time"):
                await few.save_trade(trade("a", 60))
        assert 1 == await few.save_trade(trade("a", 60))
    finally:
        await few.close()
    assert 61 == len(await external.get_trades(WORLD, A))

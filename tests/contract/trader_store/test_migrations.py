"""Tables are made once, by whoever is first, and only ever go forward."""

import asyncio
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest
from tests.support.postgres_servers import TestServer

from suite.errors import ConfigError, StorageError, UpstreamUnavailable
from suite.service.database import Database
from suite.service.migrations import Migration, read_migrations
from trader_manager.adapters.postgres import PostgresStore

FIRST = Migration(number=1, name="0001_a.sql", sql="CREATE TABLE a (n int); SELECT pg_sleep(0.2);")
SECOND = Migration(number=2, name="0002_b.sql", sql="ALTER TABLE a ADD COLUMN m int;")
OPEN = (
    "import asyncio, sys; from trader_manager.adapters.postgres import PostgresStore\n"
    "async def run():\n"
    "    store = PostgresStore(sys.argv[1]); await store.open(); await store.list_traders()\n"
    "    await store.close()\n"
    "sys.stdin.readline(); asyncio.run(run())"
)


async def brought(address: str, *migrations: Migration, schema: str = "part") -> None:
    database = Database(address, schema=schema, migrations=migrations)
    await database.open()
    await database.close()


async def value(address: str, query: str) -> object:
    connection = await asyncpg.connect(address)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.fixture
def empty(server: TestServer) -> str:
    return server.empty()


async def test_what_is_due_is_applied_once(empty: str) -> None:
    await brought(empty, FIRST)
    await brought(empty, FIRST, SECOND)
    await brought(empty, FIRST, SECOND)
    assert 2 == await value(empty, "SELECT count(*) FROM part.migrations")
    assert 0 == await value(empty, "SELECT count(m) FROM part.a")


async def test_two_at_once_apply_it_once(empty: str) -> None:
    await asyncio.gather(*(brought(empty, FIRST, SECOND) for _ in range(4)))
    assert 2 == await value(empty, "SELECT count(*) FROM part.migrations")


def test_two_processes_at_once_make_the_tables_once(empty: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, empty], stdin=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [0, 0] == [process.returncode for process in processes]
    known = "SELECT count(*) FROM trader_manager.migrations"
    assert 4 == asyncio.run(value(empty, known))


async def test_funding_of_samples_that_are_there_gets_the_sign_of_payments(empty: str) -> None:
    """Negative when paid."""
    migrations = read_migrations(files("trader_manager.adapters") / "migrations")
    await brought(empty, *migrations[:3], schema="trader_manager")
    connection = await asyncpg.connect(empty)
    await connection.execute(
        "INSERT INTO trader_manager.equity (world, trader_id, time_ms, equity, net_deposits, fees,"
        " funding, llm_cost, notional, llm_tokens) VALUES ('w', 'a', 1, 0, 0, 3, 7, 0, 0, 0)"
    )
    await connection.close()
    await brought(empty, *migrations, schema="trader_manager")
    assert -7 == await value(empty, "SELECT funding FROM trader_manager.equity")
    assert 3 == await value(empty, "SELECT fees FROM trader_manager.equity")


async def test_a_migration_that_fails_leaves_nothing(empty: str) -> None:
    wrong = Migration(number=2, name="0002_b.sql", sql="CREATE TABLE b (n int); SELECT 1 / 0;")
    with pytest.raises(StorageError, match=r"0002_b\.sql failed: division by zero"):
        await brought(empty, FIRST, wrong)
    assert None is await value(empty, "SELECT to_regnamespace('part')")
    await brought(empty, FIRST, SECOND)


async def test_a_migration_that_was_changed_is_refused(empty: str) -> None:
    await brought(empty, FIRST)
    changed = Migration(number=1, name="0001_a.sql", sql=f"{FIRST.sql} -- better")
    with pytest.raises(ConfigError, match=r"made with another 0001_a\.sql than this release"):
        await brought(empty, changed, SECOND)
    assert 1 == await value(empty, "SELECT count(*) FROM part.migrations")


async def test_a_newer_database_is_refused(empty: str) -> None:
    await brought(empty, FIRST, SECOND)
    with pytest.raises(ConfigError, match=r"newer than this release: it has 0002_b\.sql"):
        await brought(empty, FIRST)


async def test_services_do_not_share_tables(empty: str) -> None:
    await brought(empty, FIRST, schema="one")
    await brought(empty, FIRST, SECOND, schema="two")
    assert 1 == await value(empty, "SELECT count(*) FROM one.migrations")


async def test_who_may_not_make_a_schema_is_told(server: TestServer, empty: str) -> None:
    role = f"guest_{empty.partition('@/')[2].partition('?')[0]}"
    await asyncio.to_thread(server.run, f"CREATE ROLE {role} LOGIN")
    with pytest.raises(ConfigError, match="the database refuses: permission denied"):
        await brought(empty.replace("postgres@/", f"{role}@/"), FIRST)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("@/test", "@/absent_test"), "database .* does not exist"),
        (("postgres@/", "nobody_here@/"), "nobody_here"),
        (("postgresql://", "mysql://"), r"DATABASE_URL \(postgresql://.*\) must be"),
        (("port=5432", "port=none"), r"DATABASE_URL \(.*\) cannot be read$"),
    ],
)
async def test_a_wrong_address_is_told(empty: str, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await PostgresStore(empty.replace(*change)).open()


async def test_a_server_that_is_not_there_can_be_tried_again(empty: str) -> None:
    store = PostgresStore(empty.replace("port=5432", "port=1"))
    with pytest.raises(UpstreamUnavailable, match="cannot be used at present"):
        await store.open()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["0001_a.sql", "0003_b.sql"], "0003_b.sql should be migration 0002"),
        (["0001_a.sql", "0001_b.sql"], "0001_b.sql should be migration 0002"),
        (["1_a.sql"], "1_a.sql is not the name of a migration"),
    ],
)
def test_files_are_numbered_without_gaps(tmp_path: Path, names: list[str], said: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(ConfigError, match=said):
        read_migrations(tmp_path)

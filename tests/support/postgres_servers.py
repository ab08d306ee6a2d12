"""PostgreSQL servers for tests: one of a kind a session, with empty tables for each test."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from suite.service.postgres import EmbeddedPostgres

SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
KINDS = (
    "package",
    pytest.param(
        "system", marks=pytest.mark.skipif(not SYSTEM, reason="the system has no PostgreSQL")
    ),
)
_WITH_TABLES = "with_tables"
_TABLES = tuple(
    f"trader_manager.{name}"
    for name in (
        *("leases", "crashes", "traders"),
        *("trader_trades", "trader_positions", "equity", "decisions", "trader_funding"),
    )
)


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that the user `nobody` may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


class TestServer:
    """A server with a database that has the tables."""

    __test__ = False

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self._numbers = itertools.count()

    def address(self, database: str) -> str:
        return self.server.url.replace("@/postgres?", f"@/{database}?")

    def run(self, *statements: str, at: str = "") -> None:
        async def run() -> None:
            connection = await asyncpg.connect(at or self.server.url)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())

    def empty(self) -> str:
        """Make an empty database; its address."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.address(name)

    def cleared(self) -> str:
        """Empty the tables of the one database that has them, which is quick; its address."""
        with_tables = self.address(_WITH_TABLES)
        self.run(f"TRUNCATE {', '.join(_TABLES)}", at=with_tables)
        return with_tables


@contextmanager
def running(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestServer]:
    """Run a server of a kind of `KINDS`."""
    from trader_manager.adapters.postgres import PostgresStore

    if kind == "system":
        monkeypatch.setenv("PG_BINDIR", str(SYSTEM[-1]))
    else:
        monkeypatch.delenv("PG_BINDIR", raising=False)
    with open_folder() as folder:
        server = EmbeddedPostgres(folder / "pg")
        server.start()
        try:
            running = TestServer(server)
            # Databases are made and dropped all the time; what a power cut would do is no matter.
            running.run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            running.run(f"CREATE DATABASE {_WITH_TABLES}")

            async def make_tables() -> None:
                store = PostgresStore(running.address(_WITH_TABLES))
                await store.open()
                await store.close()

            asyncio.run(make_tables())
            yield running
        finally:
            server.stop()
            server.close()
            shutil.rmtree(folder / "pg", ignore_errors=True)

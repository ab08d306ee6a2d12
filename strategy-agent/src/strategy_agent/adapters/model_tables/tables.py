"""Shelves of models in the agents' own schema: what `suite.service.shelves` keeps in folders.

A trader never waits for the database: what it writes goes to a thread of its own, in its order, and
is tried until it is there. Only reading waits, which is done at the start and by commands.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from importlib.resources import files
from secrets import token_hex
from typing import Any, Final, Self, TypeVar

import structlog

from suite.errors import NotFound, SuiteError, UpstreamTimeout, one_line
from suite.service.database import Database
from suite.service.migrations import read_migrations
from suite.service.shelves import KEPT, Files
from suite.service.sql import Connection

SCHEMA: Final = "strategy_agent"
_PAUSE_S: Final = 1.0
_CLOSE_S: Final = 10.0
_READ_S: Final = 60.0
_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_Write = Callable[[Connection], Awaitable[None]]


class ModelTables:
    """The database of models; a context.

    Args:
        url: `postgresql://...`, or `embedded://FOLDER`.
        pause_s: between two tries to write while the database is away.

    Raises:
        ConfigError: the address is neither, or may not be used so.
        SuiteError: the database is away at the start.
    """

    def __init__(self, url: str, *, pause_s: float = _PAUSE_S) -> None:
        migrations = read_migrations(files(__package__) / "migrations")
        self._pause_s = pause_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._writing: asyncio.Task[None] | None = None
        try:
            self._database = self.wait(_made(url, migrations))
            self._queue: asyncio.Queue[_Write | None] = asyncio.Queue()
            self.wait(self._begin())
        except BaseException:
            self._stop()
            raise

    def shelf(self, name: str) -> "TableShelf":
        """Open the shelf of a trader."""
        return TableShelf(self, name)

    def shelves(self) -> tuple[str, ...]:
        """Tell all shelves that hold something."""
        query = "SELECT DISTINCT shelf FROM models ORDER BY shelf"
        return tuple(row["shelf"] for row in self.read(lambda it: it.fetch(query)))

    def read(self, query: Callable[[Connection], Awaitable[_T]]) -> _T:
        """Ask, after everything that was written before.

        Raises:
            SuiteError: the database is away.
        """
        return self.wait(self._read(query))

    def write(self, work: _Write) -> None:
        """Have something written, after everything before it; does not wait."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, work)

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run something in the thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(2 * _READ_S)

    def close(self) -> None:
        """Write what is left for as long as that may take, and let go."""
        self.wait(self._end())
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _begin(self) -> None:
        await self._database.open()
        self._writing = asyncio.create_task(self._write_all())

    async def _end(self) -> None:
        self._queue.put_nowait(None)
        if self._writing is not None:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await self._writing
            except TimeoutError:
                _log.error("models_not_written", left=self._queue.qsize())
        await self._database.close()

    async def _read(self, query: Callable[[Connection], Awaitable[_T]]) -> _T:
        written = asyncio.Event()

        async def mark(_: Connection) -> None:
            written.set()

        self._queue.put_nowait(mark)
        try:
            async with asyncio.timeout(_READ_S):
                await written.wait()
        except TimeoutError:
            raise UpstreamTimeout("the database of models is away") from None
        async with self._database.transaction() as connection:
            return await query(connection)

    async def _write_all(self) -> None:
        while (work := await self._queue.get()) is not None:
            while not await self._written(work):  # noqa: ASYNC110 - it waits for another machine
                await asyncio.sleep(self._pause_s)

    async def _written(self, work: _Write) -> bool:
        """Try to write; what the database will never take is told and left out."""
        try:
            async with self._database.transaction() as connection:
                await work(connection)
        except SuiteError as error:
            if error.retryable:
                return False
            _log.error("models_refused", reason=one_line(str(error)))
        return True

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class TableShelf:
    """The shelf of one trader.

    Args:
        tables: the database.
        name: of the shelf.
    """

    def __init__(self, tables: ModelTables, name: str) -> None:
        self._tables = tables
        self._name = name

    def models(self) -> tuple[tuple[str, Files], ...]:
        """Tell the model in use, and those before it."""
        rows = self._tables.read(
            lambda it: it.fetch(
                "SELECT name, file, content FROM models LEFT JOIN model_files USING (shelf, name)"
                " WHERE shelf = $1 ORDER BY place DESC, file",
                self._name,
            )
        )
        found: dict[str, dict[str, bytes]] = {}
        for row in rows:
            content = found.setdefault(row["name"], {})
            if row["file"] is not None:
                content[row["file"]] = row["content"]
        return tuple(found.items())

    def put(self, name: str, files: Files) -> None:
        """Put a model in use; whole or not at all."""
        shelf, kept = self._name, dict(files)

        async def work(it: Connection) -> None:
            await it.execute("DELETE FROM models WHERE shelf = $1 AND name = $2", shelf, name)
            await _to_front(it, shelf, name)
            for file, content in kept.items():
                await _keep_file(it, shelf, name, file, content)
            await it.execute(
                "DELETE FROM models WHERE shelf = $1 AND place NOT IN"
                " (SELECT place FROM models WHERE shelf = $1 ORDER BY place DESC LIMIT $2)",
                shelf,
                KEPT,
            )

        self._tables.write(work)

    def choose(self, name: str) -> None:
        """Put a model in use that is kept.

        Raises:
            NotFound: it is not kept.
        """
        self._check(name)
        self._tables.write(lambda it: _to_front(it, self._name, name))

    def attach(self, name: str, file: str, content: bytes) -> None:
        """Add a file to a model that is kept, or replace one.

        Raises:
            NotFound: it is not kept.
        """
        self._check(name)
        self._tables.write(lambda it: _keep_file(it, self._name, name, file, content))

    def note(self, line: bytes) -> None:
        """Add a line to the record."""
        self._line("attempt", line.rstrip(b"\n"))

    def attempts(self) -> tuple[bytes, ...]:
        """Tell the record, oldest first."""
        return self._lines("attempt")

    def rows(self) -> tuple[bytes, ...]:
        """Tell what was kept."""
        return self._lines("trades")

    def add_rows(self, content: bytes) -> None:
        """Keep labelled trades."""
        self._line("trades", content)

    def _check(self, name: str) -> None:
        known = [one for one, _ in self.models()]
        if name not in known:
            raise NotFound(f"{name} is not kept; kept are: {', '.join(known) or 'none'}")

    def _line(self, kind: str, content: bytes) -> None:
        shelf, key = self._name, token_hex(16)

        async def work(it: Connection) -> None:
            await it.execute(
                "INSERT INTO model_lines (shelf, kind, key, content) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (key) DO NOTHING",
                *(shelf, kind, key, content),
            )

        self._tables.write(work)

    def _lines(self, kind: str) -> tuple[bytes, ...]:
        rows = self._tables.read(
            lambda it: it.fetch(
                "SELECT content FROM model_lines WHERE shelf = $1 AND kind = $2 ORDER BY number",
                *(self._name, kind),
            )
        )
        return tuple(row["content"] for row in rows)


async def _made(url: str, migrations: Any) -> Database:
    """Make it in the thread whose loop it belongs to."""
    return Database(url, schema=SCHEMA, migrations=migrations, connections=2)


async def _to_front(it: Connection, shelf: str, name: str) -> None:
    await it.execute(
        "INSERT INTO models (shelf, name, place) SELECT $1, $2, coalesce(max(place), 0) + 1"
        " FROM models WHERE shelf = $1 ON CONFLICT (shelf, name)"
        " DO UPDATE SET place = EXCLUDED.place",
        *(shelf, name),
    )


async def _keep_file(it: Connection, shelf: str, name: str, file: str, content: bytes) -> None:
    await it.execute(
        "INSERT INTO model_files (shelf, name, file, content) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (shelf, name, file) DO UPDATE SET content = EXCLUDED.content",
        *(shelf, name, file, content),
    )

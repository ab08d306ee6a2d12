"""A service's own schema in PostgreSQL: connections, transactions, and faults as the suite's.

    database = Database("embedded://./var/pg", schema="trader_manager", migrations=...)
    await database.open()
    async with database.transaction() as connection:
        await connection.execute(...)

Connections are made when they are needed and again after they were lost, so a server that comes
back is simply used. A transaction is there as a whole or not at all. Where a fault is retryable the
effect of a commit under way is unknown: callers write so that the same write may be repeated.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from suite.errors import (
    BadRequest,
    ConfigError,
    StorageError,
    SuiteError,
    UpstreamTimeout,
    UpstreamUnavailable,
    one_line,
)
from suite.service.migrations import Migration, migrate
from suite.service.postgres import EmbeddedPostgres
from suite.service.postgres_binaries import MAJOR_MAX, MAJOR_MIN
from suite.service.sql import Connection

_ADDRESS: Final = "DATABASE_URL (postgresql://user:password@host:5432/name or embedded://./var/pg)"
_AWAY: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, crashed, starting
    asyncpg.TooManyConnectionsError,
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.ReadOnlySQLTransactionError,  # a standby, until it is promoted
    asyncpg.ConnectionDoesNotExistError,
)
_MISCONFIGURED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,
)
_BAD_VALUES: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    UnicodeError,
    OverflowError,
)


class Database:
    """Connections to the schema of one service.

    Args:
        url: `postgresql://...`, or `embedded://FOLDER` for a server of our own.
        schema: the service's, a plain lower-case name.
        migrations: what makes its tables.
        connections: at most.
        timeout_s: how long a transaction may take, the wait for a connection included.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str,
        migrations: Sequence[Migration],
        connections: int = 8,
        timeout_s: float = 10.0,
    ) -> None:
        self._embedded = EmbeddedPostgres.from_url(url)
        self._url = url if self._embedded is None else self._embedded.url
        if not self._url.startswith(("postgresql://", "postgres://")):
            raise ConfigError(f"{_ADDRESS} must be one of the two")
        self._schema = schema
        self._migrations = migrations
        self._connections = connections
        self._timeout_s = timeout_s
        self._pool: Any = None
        self._starting = asyncio.Lock()
        self._held: dict[str, Connection] = {}
        self._holding = asyncio.Lock()

    async def open(self) -> None:
        """Start the server where it is ours, and bring the tables up to date.

        Raises:
            ConfigError: the address, the rights, the server's version or its tables are wrong.
            UpstreamUnavailable: the server is away.
        """
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.start)
        try:
            with _translated():
                async with asyncio.timeout(60):
                    await self._prepare()
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=self._connections,
                    connect=self._connect,
                )
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of all connections, and of the server where it is ours."""
        while self._held:
            _drop(self._held.popitem()[1])
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pool.terminate()
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.close)

    async def hold(self, name: str) -> bool:
        """Hold a name that one process at a time may have, or make sure that it is held still.

        It is a lock of the server's on a connection of its own, so it ends with this process
        however that ends, and with the connection: ask again before each use.

        Returns:
            False where another process has it.

        Raises:
            UpstreamUnavailable: the server is away; the name may be another's by now.
            UpstreamTimeout: it does not answer in time; the same.
        """
        with _translated():
            async with asyncio.timeout(self._timeout_s), self._holding:
                held = self._held.pop(name, None)
                connection: Any = held or await self._connect(self._url)
                try:
                    if held is None:
                        key = hashlib.sha256(f"{self._schema} {name}".encode()).digest()[:8]
                        query = "SELECT pg_try_advisory_lock($1)"
                        is_mine = await connection.fetchval(
                            query, int.from_bytes(key, "big", signed=True)
                        )
                    else:
                        is_mine = await connection.fetchval("SELECT true")
                except asyncpg.InterfaceError as error:
                    _drop(connection)
                    raise _lost(error) from None
                except BaseException:
                    _drop(connection)
                    raise
                if is_mine:
                    self._held[name] = connection
                else:
                    _drop(connection)
                return bool(is_mine)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Do everything inside, or nothing.

        Raises:
            UpstreamUnavailable: the server is away; repeat it later.
            UpstreamTimeout: it does not answer in time; repeat it later.
            BadRequest: a value cannot be stored.
            StorageError: the server refuses.
        """
        if self._pool is None:
            raise StorageError("the database is not open")
        with _translated():
            async with asyncio.timeout(self._timeout_s):
                connection = await self._pool.acquire()
            try:
                async with asyncio.timeout(self._timeout_s):
                    transaction = connection.transaction()
                    await transaction.start()
                    try:
                        yield connection
                    except (SuiteError, asyncpg.PostgresError):
                        await transaction.rollback()
                        raise
                    await transaction.commit()
            except (SuiteError, asyncpg.PostgresError):
                raise
            except BaseException as error:
                was_lost = _drop(connection) and isinstance(error, asyncpg.InterfaceError)
                if was_lost:
                    raise _lost(error) from None
                raise
            finally:
                await self._pool.release(connection, timeout=self._timeout_s)

    async def _prepare(self) -> None:
        try:
            connection = await self._connect(self._url)
        except ValueError:  # whose text may have a part of the password in it
            raise ConfigError(f"{_ADDRESS} cannot be read") from None
        try:
            version = connection.get_server_version()
            if not MAJOR_MIN <= version.major <= MAJOR_MAX:
                raise ConfigError(
                    f"the database is PostgreSQL {version.major}; {MAJOR_MIN} to {MAJOR_MAX} work"
                )
            await migrate(connection, schema=self._schema, migrations=self._migrations)
        finally:
            connection.terminate()

    async def _connect(self, *args: Any, **options: Any) -> Any:
        """Make a connection; start the server again where it is ours and was killed."""
        own = {
            "timeout": self._timeout_s,
            "server_settings": {"search_path": self._schema, "application_name": self._schema},
        }
        try:
            connection = await asyncpg.connect(*args, **{**options, **own})
        except OSError:
            if self._embedded is None:
                raise
            async with self._starting:
                await asyncio.to_thread(self._embedded.start)
            connection = await asyncpg.connect(*args, **{**options, **own})
        await connection.set_type_codec(
            "jsonb",
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )
        return connection


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Raise the suite's faults for the library's."""
    try:
        yield
    except SuiteError:
        raise
    except TimeoutError:
        raise UpstreamTimeout("the database does not answer in time") from None
    except _MISCONFIGURED as error:
        raise ConfigError(f"the database refuses: {_why(error)}") from None
    except _AWAY as error:
        raise UpstreamUnavailable(
            f"the database cannot be used at present: {_why(error)}", retry_after_ms=1000
        ) from None
    except _BAD_VALUES as error:
        raise BadRequest(f"cannot be stored: {_why(error)}") from None
    # The library is confused when a server that dies says so between two statements.
    except asyncpg.InternalClientError as error:
        raise _lost(error) from None
    except asyncpg.PostgresError as error:
        raise StorageError(f"the database refuses: {_why(error)}") from None


def _drop(connection: Any) -> bool:
    """Close a connection without a farewell, which a server that hangs would not answer.

    Returns:
        Whether it was closed already.
    """
    try:
        was_closed: bool = connection.is_closed()
        connection.terminate()
    except asyncpg.InterfaceError:  # the pool has noticed, and taken it away
        return True
    return was_closed


def _lost(error: BaseException) -> UpstreamUnavailable:
    return UpstreamUnavailable(
        f"the connection to the database was lost: {_why(error)}", retry_after_ms=1000
    )


def _why(error: BaseException) -> str:
    text = one_line(str(error)) or type(error).__name__
    # What the library says of a server that hangs up at once says nothing to anybody.
    return "it ends connections as they begin" if "connection_lost()" in text else text

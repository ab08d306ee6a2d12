"""Tables of a service, made by numbered SQL files that only ever go forward.

`0001_traders.sql`, `0002_...sql`: each is applied once, in order, all that are due in one
transaction, by one process at a time. What was applied is written down with a checksum in the
table `migrations` of the service's schema, so a file that was changed afterwards is refused, and so
is a database that a newer release has changed.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Final

import asyncpg

from suite.errors import ConfigError, StorageError, one_line
from suite.service.sql import Connection, Row

_WRONG: Final = (
    asyncpg.SyntaxOrAccessError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
)
_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file.

    Attributes:
        number: from 1, without gaps.
        name: of the file.
        sql: statements; names without a schema are the service's own.
    """

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Traversable) -> tuple[Migration, ...]:
    """Read the files of a folder, in order.

    Raises:
        ConfigError: a name is not `0001_word.sql`, or a number is missing or there twice.
    """
    found = []
    for file in folder.iterdir():
        if file.name.endswith(".sql"):
            if (match := _NAME.fullmatch(file.name)) is None:
                raise ConfigError(f"{file.name} is not the name of a migration: 0001_word.sql")
            sql = file.read_text(encoding="utf-8").replace("\r\n", "\n")
            found.append(Migration(number=int(match[1]), name=file.name, sql=sql))
    found.sort(key=lambda migration: migration.number)
    for expected, migration in enumerate(found, 1):
        if migration.number != expected:
            raise ConfigError(f"{migration.name} should be migration {expected:04}")
    return tuple(found)


async def migrate(
    connection: Connection,
    *,
    schema: str,
    migrations: Sequence[Migration],
) -> int:
    """Bring a schema up to date; all of it or nothing.

    Args:
        connection: outside of a transaction.
        schema: a plain lower-case name; made when it is not there.
        migrations: all there are.

    Returns:
        How many were applied.

    Raises:
        ConfigError: an applied file was changed, or the database is newer than the files.
        StorageError: one of them fails.
    """
    async with connection.transaction():
        # One process at a time; the lock ends with the transaction.
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"migrations of {schema}"
        )
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        await connection.execute(f"SET LOCAL search_path TO {schema}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = await connection.fetch("SELECT number, name, checksum FROM migrations ORDER BY 1")
        _refuse_strangers(applied, migrations)
        due = migrations[len(applied) :]
        for migration in due:
            await _apply(connection, migration)
            await connection.execute(
                "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.checksum,
            )
    return len(due)


async def _apply(connection: Connection, migration: Migration) -> None:
    try:
        await connection.execute(migration.sql)
    except (
        asyncpg.SyntaxOrAccessError,
        asyncpg.DataError,
        asyncpg.IntegrityConstraintViolationError,
    ) as error:
        raise StorageError(f"{migration.name} failed: {one_line(str(error))}") from None


def _refuse_strangers(applied: Sequence[Row], migrations: Sequence[Migration]) -> None:
    for row, known in zip(applied, migrations, strict=False):
        if row["checksum"] != known.checksum or row["number"] != known.number:
            raise ConfigError(
                f"the database was made with another {row['name']} than this release has: use the"
                " release that made it, or restore a backup; applied migrations are never changed"
            )
    if len(applied) > len(migrations):
        raise ConfigError(
            f"the database is newer than this release: it has {applied[-1]['name']}, and"
            f" {len(migrations)} migrations are known here; update the service"
        )

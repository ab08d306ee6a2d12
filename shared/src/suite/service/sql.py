"""A connection to PostgreSQL as queries see it; `asyncpg`, which has no types of its own."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Row = Mapping[str, Any]


class Connection(Protocol):
    """One connection; parameters are `$1`, `$2`, ..."""

    async def execute(self, query: str, *args: object) -> str:
        """Run statements; the last one's word and count, e.g. `INSERT 0 3`."""
        ...

    async def fetch(self, query: str, *args: object) -> Sequence[Row]:
        """Read all rows."""
        ...

    async def fetchrow(self, query: str, *args: object) -> Row | None:
        """Read the first row."""
        ...

    async def fetchval(self, query: str, *args: object) -> Any:
        """Read the first column of the first row."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Begin a transaction."""
        ...

"""What the database says of itself, which says who may sign."""

import time
from typing import Final

from hyperliquid_exchange.application.preflight.access import DatabaseSeen
from suite.errors import UpstreamUnavailable

_TIMEOUT_S: Final = 5.0
_FACTS: Final = """
SELECT current_setting('server_version') AS version,
       current_setting('synchronous_commit') AS commits,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser
"""


async def look_at_database(url: str) -> DatabaseSeen | None:
    """Ask it, and commit a row of a table that goes with the connection.

    Returns:
        What it says; None of a server of our own, which is not started for this.

    Raises:
        UpstreamUnavailable: it cannot be reached, or refuses.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        return None
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=_TIMEOUT_S, command_timeout=_TIMEOUT_S)
        try:
            facts = await connection.fetchrow(_FACTS)
            await connection.execute("CREATE TEMP TABLE preflight (number integer)")
            begun = time.perf_counter()
            async with connection.transaction():
                await connection.execute("INSERT INTO preflight VALUES (1)")
            if await connection.fetchval("SELECT number FROM preflight") != 1:
                raise UpstreamUnavailable("the database does not read what was written")
            took_ms = round((time.perf_counter() - begun) * 1000)
        finally:
            await connection.close(timeout=_TIMEOUT_S)
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        # not its text: a part of the address may stand in it
        raise UpstreamUnavailable(f"cannot be used: {type(error).__name__}") from None
    return DatabaseSeen(
        version=str(facts["version"]).split()[0],
        waits_for_disk=facts["commits"] != "off",
        is_superuser=bool(facts["is_superuser"]),
        took_ms=took_ms,
    )

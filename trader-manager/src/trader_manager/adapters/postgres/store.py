"""All tables of the service as one store."""

from importlib.resources import files

from suite.service.database import Database
from suite.service.migrations import read_migrations
from trader_manager.adapters.postgres.boards import BoardTables
from trader_manager.adapters.postgres.leases import LeaseTables
from trader_manager.adapters.postgres.records import RecordTables
from trader_manager.adapters.postgres.traders import TraderTables

SCHEMA = "trader_manager"


class PostgresStore(TraderTables, LeaseTables, RecordTables, BoardTables):
    """The port `Store`.

    Args:
        url: `postgresql://...`, or `embedded://FOLDER`.
        connections: at most.
        timeout_s: how long one call may take.
    """

    def __init__(self, url: str, *, connections: int = 8, timeout_s: float = 10.0) -> None:
        super().__init__(
            Database(
                url,
                schema=SCHEMA,
                migrations=read_migrations(files("trader_manager.adapters") / "migrations"),
                connections=connections,
                timeout_s=timeout_s,
            )
        )

    async def open(self) -> None:
        """Connect and bring the tables up to date."""
        await self._database.open()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._database.close()

    async def claim_supervision(self) -> bool:
        """Become the one manager that supervises these traders, or make sure of being it."""
        return await self._database.hold("supervision")

"""Who may run which trader."""

from collections.abc import Collection
from typing import Final

from suite.errors import BadRequest, NotFound
from suite.ids import TraderId
from suite.service.sql import Connection, Row
from trader_manager.adapters.postgres.tables import Tables, epoch_ms
from trader_manager.adapters.postgres.traders import TRADER, trader_of
from trader_manager.domain.traders import Claim, Lease, LeaseLost

_LEASE: Final = f"l.trader_id, l.holder, l.fence, {epoch_ms('l.expires_at')}"
_END: Final = "clock_timestamp() + $2 * interval '1 millisecond'"
_FREE: Final = "(l.holder IS NULL OR l.expires_at <= clock_timestamp())"
_TRIES: Final = 100


class LeaseTables(Tables):
    """The table `leases`."""

    async def claim_trader(
        self,
        holder: str,
        *,
        ttl_ms: int,
        trader_id: TraderId | None = None,
        runtime: str | None = None,
        passed_over: Collection[str] = (),
    ) -> Claim | None:
        """Take a trader that should run and that nobody holds."""
        if not holder or ttl_ms <= 0:
            raise BadRequest("a claim names its holder and lasts longer than 0 ms")
        for _ in range(_TRIES):
            async with self._database.transaction() as connection:
                row = await _candidate(connection, holder, trader_id, runtime, passed_over)
                if row is None:
                    return None
                # The row is locked; its lease may have been taken since the statement began.
                lease = await connection.fetchrow(
                    "INSERT INTO leases AS l (trader_id, fence, holder, expires_at)"
                    f" VALUES ($1, 1, $3, {_END}) ON CONFLICT (trader_id) DO UPDATE SET"
                    f" fence = l.fence + CASE WHEN {_FREE} THEN 1 ELSE 0 END,"
                    " holder = excluded.holder, expires_at = excluded.expires_at"
                    f" WHERE {_FREE} OR (l.holder = $3 AND $4)"
                    f" RETURNING {_LEASE}",
                    row["trader_id"],
                    ttl_ms,
                    holder,
                    trader_id is not None,
                )
                if lease is not None:
                    return Claim(lease=_lease_of(lease), trader=trader_of(row))
        return None

    async def renew_lease(self, lease: Lease, *, ttl_ms: int, runtime: str | None = None) -> Claim:
        """Keep a lease; one that ran out where the trader shall still run there."""
        if ttl_ms <= 0:
            raise BadRequest("a lease lasts longer than 0 ms")
        async with self._database.transaction() as connection:
            # Locked first, as a claim does: what is wanted is not changed meanwhile.
            row = await connection.fetchrow(
                f"SELECT {TRADER} FROM traders t WHERE trader_id = $1 FOR SHARE", lease.trader_id
            )
            if row is None:  # by another database, maybe
                raise _lost(lease)
            if row["removed_ms"] is not None:
                raise NotFound(f"there is no trader {lease.trader_id} any more")
            shall_run = row["desired"] == "running" and runtime in {None, row["runtime"]}
            renewed = await connection.fetchrow(
                f"UPDATE leases l SET expires_at = {_END}"
                " WHERE trader_id = $1 AND fence = $3 AND holder = $4"
                f" AND ($5 OR expires_at > clock_timestamp()) RETURNING {_LEASE}",
                lease.trader_id,
                ttl_ms,
                lease.fence,
                lease.holder,
                shall_run,
            )
            if renewed is None:
                raise _lost(lease)
        return Claim(lease=_lease_of(renewed), trader=trader_of(row))

    async def release_lease(self, lease: Lease) -> None:
        """Give a trader back."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE leases SET holder = NULL, fence = fence + 1"
                " WHERE trader_id = $1 AND fence = $2 AND holder = $3",
                lease.trader_id,
                lease.fence,
                lease.holder,
            )

    async def list_leases(self) -> tuple[Lease, ...]:
        """Read those that have not run out, by trader."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                f"SELECT {_LEASE} FROM leases l WHERE NOT {_FREE} ORDER BY trader_id"
            )
        return tuple(_lease_of(row) for row in rows)


async def hold(connection: Connection, lease: Lease) -> None:
    """Make sure that a lease is not lost, and cannot be until the transaction ends.

    Raises:
        LeaseLost: it is.
    """
    held = await connection.fetchval(
        "SELECT true FROM leases WHERE trader_id = $1 AND fence = $2 AND holder = $3 FOR SHARE",
        lease.trader_id,
        lease.fence,
        lease.holder,
    )
    if not held:
        raise _lost(lease)


async def _candidate(
    connection: Connection,
    holder: str,
    trader_id: TraderId | None,
    runtime: str | None,
    passed_over: Collection[str],
) -> Row | None:
    # Who asks for any trader passes over those that another is about to take.
    waiting = "SKIP LOCKED" if trader_id is None else ""
    return await connection.fetchrow(
        f"SELECT {TRADER} FROM traders t LEFT JOIN leases l USING (trader_id)"
        " WHERE t.removed_at IS NULL AND t.desired = 'running'"
        " AND ($1::text IS NULL OR t.trader_id = $1) AND ($2::text IS NULL OR t.runtime = $2)"
        f" AND ({_FREE} OR (l.holder = $3 AND $1 IS NOT NULL))"
        " AND NOT t.trader_id = ANY($4::text[])"
        f" ORDER BY t.trader_id LIMIT 1 FOR UPDATE OF t {waiting}",
        trader_id,
        runtime,
        holder,
        list(passed_over),
    )


def _lease_of(row: Row) -> Lease:
    return Lease(
        trader_id=TraderId(row["trader_id"]),
        holder=row["holder"],
        fence=row["fence"],
        expires_ms=row["expires_ms"],
    )


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(
        f"{lease.holder} does not hold trader {lease.trader_id} any more (fence {lease.fence})"
    )

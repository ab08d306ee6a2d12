"""Traders as they are wanted, and ends of their runs."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from suite.errors import Conflict, NotFound
from suite.ids import AccountId, RunId, TraderId
from suite.service.sql import Connection, Row
from trader_manager.adapters.postgres.tables import Tables, epoch_ms, refuse_no_json
from trader_manager.domain.traders import Crash, DesiredState, StoredTrader, WantedTrader

TRADER: Final = ", ".join(
    [
        *("t.trader_id", "t.spec", "t.account_id", "t.desired", "t.runtime", "t.generation"),
        *("t.origin", "t.leaving"),
        *(epoch_ms(f"t.{name}") for name in ("created_at", "updated_at", "removed_at")),
    ]
)
_CRASH: Final = f"trader_id, run_id, generation, reason, {epoch_ms('crashed_at')}"


def trader_of(row: Row) -> StoredTrader:
    """Read a row of `TRADER`."""
    return StoredTrader(
        trader_id=TraderId(row["trader_id"]),
        spec=row["spec"],
        account_id=AccountId(row["account_id"]),
        desired=DesiredState(row["desired"]),
        runtime=row["runtime"],
        generation=row["generation"],
        origin=row["origin"],
        leaving=row["leaving"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        removed_ms=row["removed_ms"],
    )


class TraderTables(Tables):
    """The tables `traders` and `crashes`."""

    async def save_trader(
        self, trader: WantedTrader, *, generation: int | None = None
    ) -> StoredTrader:
        """Add a trader, or change one."""
        refuse_no_json(trader.spec, f"the spec of {trader.trader_id}")
        async with self._database.transaction() as connection:
            try:
                return await _save(connection, trader, generation)
            except asyncpg.UniqueViolationError:
                raise Conflict(
                    f"account {trader.account_id} is another trader's; trader {trader.trader_id}"
                    " needs one of its own"
                ) from None

    async def get_trader(self, trader_id: TraderId) -> StoredTrader:
        """Read one that is not removed."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                f"SELECT {TRADER} FROM traders t WHERE trader_id = $1 AND removed_at IS NULL",
                trader_id,
            )
        return trader_of(_there(row, trader_id))

    async def list_traders(self, *, with_removed: bool = False) -> tuple[StoredTrader, ...]:
        """Read all, by id."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                f"SELECT {TRADER} FROM traders t WHERE $1 OR removed_at IS NULL ORDER BY trader_id",
                with_removed,
            )
        return tuple(trader_of(row) for row in rows)

    async def set_desired(
        self, trader_ids: Sequence[TraderId], desired: DesiredState
    ) -> tuple[StoredTrader, ...]:
        """Want some to run or to stop."""
        async with self._database.transaction() as connection:
            found = await connection.fetch(
                "SELECT trader_id FROM traders WHERE trader_id = ANY($1) AND removed_at IS NULL"
                " ORDER BY trader_id FOR UPDATE",
                trader_ids,
            )
            known = {row["trader_id"] for row in found}
            if missing := [trader_id for trader_id in trader_ids if trader_id not in known]:
                raise NotFound(f"no trader {missing[0]}")
            await connection.execute(
                "UPDATE traders SET desired = $2, generation = generation + 1,"
                " updated_at = clock_timestamp() WHERE trader_id = ANY($1) AND desired <> $2",
                trader_ids,
                desired.value,
            )
            rows = await connection.fetch(
                f"SELECT {TRADER} FROM traders t WHERE trader_id = ANY($1) ORDER BY trader_id",
                trader_ids,
            )
        return tuple(trader_of(row) for row in rows)

    async def remove_trader(self, trader_id: TraderId) -> StoredTrader:
        """Forget a trader that nobody holds."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE traders SET removed_at = clock_timestamp(), desired = 'stopped',"
                " generation = generation + 1, updated_at = clock_timestamp()"
                " WHERE trader_id = $1 AND removed_at IS NULL",
                trader_id,
            )
            # The row is locked: no claim and no renewal comes in between.
            holder = await connection.fetchval(
                "SELECT holder FROM leases WHERE trader_id = $1 AND expires_at > clock_timestamp()",
                trader_id,
            )
            if holder is not None:
                raise Conflict(
                    f"{holder} has {trader_id}: stop it, and remove it once that has ended"
                )
            await connection.execute(
                "UPDATE leases SET holder = NULL, fence = fence + 1"
                " WHERE trader_id = $1 AND holder IS NOT NULL",
                trader_id,
            )
            row = await connection.fetchrow(
                f"SELECT {TRADER} FROM traders t WHERE trader_id = $1", trader_id
            )
        return trader_of(_there(row, trader_id))

    async def save_crash(self, crash: Crash) -> Crash:
        """Note a crash."""
        async with self._database.transaction() as connection:
            known = await connection.fetchval(
                "SELECT true FROM traders WHERE trader_id = $1", crash.trader_id
            )
            if not known:
                raise NotFound(f"no trader {crash.trader_id}")
            await connection.execute(
                "INSERT INTO crashes (trader_id, run_id, generation, reason)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                crash.trader_id,
                crash.run_id,
                crash.generation,
                crash.reason,
            )
            row = await connection.fetchrow(
                f"SELECT {_CRASH} FROM crashes WHERE trader_id = $1 AND run_id = $2",
                crash.trader_id,
                crash.run_id,
            )
        return _crash_of(_there(row, crash.trader_id))

    async def list_crashes(self, trader_id: TraderId, *, window_ms: int) -> tuple[Crash, ...]:
        """Read those of the last `window_ms`, oldest first."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                f"SELECT {_CRASH} FROM crashes WHERE trader_id = $1"
                " AND crashed_at > clock_timestamp() - $2 * interval '1 millisecond'"
                " ORDER BY crashed_at, run_id",
                trader_id,
                window_ms,
            )
        return tuple(_crash_of(row) for row in rows)


async def _save(
    connection: Connection, trader: WantedTrader, generation: int | None
) -> StoredTrader:
    values = (
        trader.trader_id,
        trader.spec,
        trader.account_id,
        trader.desired.value,
        trader.runtime,
        trader.origin,
        trader.leaving,
    )
    if generation is None:
        added = await connection.fetchrow(
            "INSERT INTO traders AS t"
            " (trader_id, spec, account_id, desired, runtime, origin, leaving, generation)"
            f" VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT (trader_id) DO NOTHING"
            f" RETURNING {TRADER}",
            *values,
        )
        if added is not None:
            return trader_of(added)
    row = await connection.fetchrow(
        f"SELECT {TRADER} FROM traders t WHERE trader_id = $1 FOR UPDATE", trader.trader_id
    )
    stored = trader_of(_there(row, trader.trader_id))
    if stored.removed_ms is None:
        if _same(stored, trader):
            return stored
        if generation is None:
            raise Conflict(f"there is a trader {trader.trader_id} already")
        if generation != stored.generation:
            raise Conflict(
                f"trader {trader.trader_id} was changed meanwhile: it is at generation"
                f" {stored.generation}, not {generation}"
            )
    elif generation is not None:
        raise NotFound(f"no trader {trader.trader_id}")
    if stored.runtime != trader.runtime:
        # It may run elsewhere from now on: who slept over its lease cannot have it back.
        await connection.execute(
            "UPDATE leases SET holder = NULL, fence = fence + 1 WHERE trader_id = $1"
            " AND holder IS NOT NULL AND expires_at <= clock_timestamp()",
            trader.trader_id,
        )
    changed = await connection.fetchrow(
        "UPDATE traders t SET spec = $2, account_id = $3, desired = $4, runtime = $5,"
        " origin = $6, leaving = $7, generation = generation + 1,"
        " updated_at = clock_timestamp(), removed_at = NULL"
        f" WHERE trader_id = $1 RETURNING {TRADER}",
        *values,
    )
    return trader_of(_there(changed, trader.trader_id))


def _same(stored: StoredTrader, wanted: WantedTrader) -> bool:
    return (
        stored.spec == wanted.spec
        and stored.account_id == wanted.account_id
        and stored.desired == wanted.desired
        and stored.runtime == wanted.runtime
        and (stored.origin, stored.leaving) == (wanted.origin, wanted.leaving)
    )


def _crash_of(row: Row) -> Crash:
    return Crash(
        trader_id=TraderId(row["trader_id"]),
        run_id=RunId(row["run_id"]),
        generation=row["generation"],
        reason=row["reason"],
        crashed_ms=row["crashed_ms"],
    )


def _there(row: Row | None, trader_id: TraderId) -> Row:
    if row is None:
        raise NotFound(f"no trader {trader_id}")
    return row

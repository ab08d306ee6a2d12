"""Allotments, plans and what was last known, in the service's own schema."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any, Final

from portfolio_service.application.ports import (
    Automatic,
    Kept,
    Limits,
    PlanStatus,
    StepDone,
    StoredPlan,
    StoredSession,
)
from portfolio_service.domain.allocating import Allocation, Plan, Step, Transfer
from portfolio_service.domain.weighing import Rules
from suite.errors import Conflict, NotFound
from suite.fixed import Usd
from suite.service.database import Database
from suite.service.migrations import read_migrations
from suite.service.sql import Connection, Row

SCHEMA: Final = "portfolio_service"
_PLAN: Final = "SELECT plan_id, status, note, body, made_ms FROM plans"
_STEPS: Final = (
    "SELECT number, key, trader_id, from_usd, to_usd, allotted_at IS NOT NULL AS allotted,"
    " told_at IS NOT NULL AS told FROM steps WHERE plan_id = $1 ORDER BY number"
)


class PostgresStore:
    """A `PlanStore`, `PlanProgress`, `AutomaticStore`, `SessionStore`, `JobStore` and `Memory`.

    Args:
        url: `postgresql://...`, or `embedded://FOLDER`.
        connections: at most.
        timeout_s: how long one call may take.
    """

    def __init__(self, url: str, *, connections: int = 4, timeout_s: float = 10.0) -> None:
        self._database = Database(
            url,
            schema=SCHEMA,
            migrations=read_migrations(files("portfolio_service.adapters") / "migrations"),
            connections=connections,
            timeout_s=timeout_s,
        )

    async def open(self) -> None:
        """Connect and bring the tables up to date."""
        await self._database.open()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._database.close()

    # plans

    async def load(self) -> Kept:
        """Read everything that a start needs."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow("SELECT * FROM limits")
            given = await connection.fetch("SELECT trader_id, usd FROM allotments")
            running = await connection.fetchrow(f"{_PLAN} WHERE status = 'running'")
            plan = None if running is None else await _plan(connection, running)
        return Kept(
            limits=Limits() if row is None else _limits(row),
            allotments={one["trader_id"]: Usd(one["usd"]) for one in given},
            running=plan,
        )

    async def save_limits(self, limits: Limits) -> None:
        """Keep other limits."""
        rules = limits.rules
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO limits (method, weight_max, reserve_min, drawdown_stop)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT (is_only) DO UPDATE SET method = $1,"
                " weight_max = $2, reserve_min = $3, drawdown_stop = $4,"
                " changed_at = clock_timestamp()",
                *(limits.method, rules.weight_max, rules.reserve_min, rules.drawdown_stop),
            )

    async def save_plan(self, plan: StoredPlan) -> None:
        """Keep a plan that was made; one of the same id that is over begins anew."""
        made = plan.plan
        async with self._database.transaction() as connection:
            kept = await connection.fetchval(
                "INSERT INTO plans (plan_id, status, body, made_ms)"
                " VALUES ($1, 'planned', $2, $3) ON CONFLICT (plan_id) DO UPDATE SET"
                " status = 'planned', note = '', body = $2, made_ms = $3,"
                " changed_at = clock_timestamp() WHERE plans.status <> 'running'"
                " RETURNING plan_id",
                *(made.plan_id, _body(plan), plan.made_ms),
            )
            if kept is None:
                raise Conflict(f"the plan {made.plan_id} is being carried out")
            await connection.execute("DELETE FROM steps WHERE plan_id = $1", made.plan_id)
            for step in made.steps:
                await connection.execute(
                    "INSERT INTO steps (plan_id, number, key, trader_id, from_usd, to_usd)"
                    " VALUES ($1, $2, $3, $4, $5, $6)",
                    *(made.plan_id, step.number, step.key, step.trader_id),
                    *(step.from_usd, step.to_usd),
                )

    async def get_plan(self, plan_id: str) -> StoredPlan:
        """Read a plan."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(f"{_PLAN} WHERE plan_id = $1", plan_id)
            if row is None:
                raise NotFound(f"there is no plan {plan_id[:64]!r}")
            return await _plan(connection, row)

    async def list_plans(self, limit: int) -> Sequence[StoredPlan]:
        """Read the newest plans."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(f"{_PLAN} ORDER BY made_ms DESC, 1 LIMIT $1", limit)
            return [await _plan(connection, row) for row in rows]

    # progress

    async def lead(self) -> bool:
        """Become the one process that carries plans out, or make sure of being it."""
        return await self._database.hold("rebalance")

    async def begin(self, plan: StoredPlan, allotments: Mapping[str, Usd]) -> None:
        """Let a plan run, where what is allotted is as it is thought to be."""
        plan_id = plan.plan.plan_id
        async with self._database.transaction() as connection:
            await connection.execute("LOCK TABLE plans, allotments IN SHARE ROW EXCLUSIVE MODE")
            given = await connection.fetch("SELECT trader_id, usd FROM allotments")
            if {one["trader_id"]: one["usd"] for one in given} != dict(allotments):
                raise Conflict("what is allotted has changed: look at it again")
            other = await connection.fetchval("SELECT plan_id FROM plans WHERE status = 'running'")
            if other not in {None, plan_id}:
                raise Conflict(f"the plan {other} is being carried out")
            await connection.execute(
                "UPDATE plans SET status = 'running', note = '', changed_at = clock_timestamp()"
                " WHERE plan_id = $1",
                plan_id,
            )

    async def allot(self, plan: StoredPlan, number: int, *, forgets: bool = False) -> None:
        """Write the limit of one step down, once."""
        plan_id = plan.plan.plan_id
        async with self._database.transaction() as connection:
            step = await connection.fetchrow(
                "UPDATE steps SET allotted_at = clock_timestamp() WHERE plan_id = $1"
                " AND number = $2 AND allotted_at IS NULL AND EXISTS"
                " (SELECT 1 FROM plans WHERE plan_id = $1 AND status = 'running')"
                " RETURNING trader_id, to_usd",
                *(plan_id, number),
            )
            if step is None:  # it was written down before
                return
            if forgets:
                await connection.execute(
                    "DELETE FROM allotments WHERE trader_id = $1", step["trader_id"]
                )
                return
            await connection.execute(
                "INSERT INTO allotments (trader_id, usd, plan_id) VALUES ($1, $2, $3)"
                " ON CONFLICT (trader_id) DO UPDATE SET usd = $2, plan_id = $3,"
                " changed_at = clock_timestamp()",
                *(step["trader_id"], step["to_usd"], plan_id),
            )

    async def mark_told(self, plan: StoredPlan, number: int) -> None:
        """Note that the trader of a step has it."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE steps SET told_at = clock_timestamp() WHERE plan_id = $1 AND number = $2"
                " AND told_at IS NULL AND allotted_at IS NOT NULL",
                *(plan.plan.plan_id, number),
            )

    async def end(self, plan: StoredPlan, status: PlanStatus, note: str) -> None:
        """End a plan."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE plans SET status = $2, note = $3, changed_at = clock_timestamp()"
                " WHERE plan_id = $1",
                *(plan.plan.plan_id, status, note),
            )

    # plans that nobody asks for

    async def load_automatic(self) -> Automatic:
        """Read when plans are made by themselves, and how far the present one is."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow("SELECT * FROM automatic")
        if row is None:
            return Automatic()
        return Automatic(
            daily_at=row["daily_at"],
            on_change=row["on_change"],
            last_day=row["last_day"],
            members=None if row["members"] is None else tuple(row["members"]),
            plan_id=row["plan_id"] or "",
        )

    async def save_automatic(self, automatic: Automatic) -> None:
        """Keep it."""
        members = None if automatic.members is None else list(automatic.members)
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO automatic (daily_at, on_change, last_day, members, plan_id)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (is_only) DO UPDATE SET daily_at = $1,"
                " on_change = $2, last_day = $3, members = $4, plan_id = $5,"
                " changed_at = clock_timestamp()",
                *(automatic.daily_at, automatic.on_change, automatic.last_day),
                *(members, automatic.plan_id or None),
            )

    # logins

    async def sessions(self) -> Sequence[StoredSession]:
        """Read logins, the oldest first."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                "SELECT digest, parent, role, expires_ms FROM sessions ORDER BY begun_at, digest"
            )
        return [StoredSession(**dict(row)) for row in rows]

    async def save_session(self, session: StoredSession) -> None:
        """Keep a login, by its hashes."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO sessions (digest, parent, role, expires_ms) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (digest) DO NOTHING",
                *(session.digest, session.parent, session.role, session.expires_ms),
            )

    async def drop_sessions(self, digests: Sequence[bytes]) -> None:
        """Forget logins."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM sessions WHERE digest = ANY($1)", list(digests))

    # backtests

    async def jobs(self) -> Sequence[Mapping[str, Any]]:
        """Read backtests that were begun here, the oldest first."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch("SELECT body FROM jobs ORDER BY begun_ms, job_id")
        return [row["body"] for row in rows]

    async def save_job(self, job_id: str, begun_ms: int, body: Mapping[str, Any]) -> None:
        """Keep a backtest as it is by now."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO jobs (job_id, begun_ms, body) VALUES ($1, $2, $3)"
                " ON CONFLICT (job_id) DO UPDATE SET body = $3, changed_at = clock_timestamp()",
                *(job_id, begun_ms, body),
            )

    async def drop_job(self, job_id: str) -> None:
        """Forget a backtest."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM jobs WHERE job_id = $1", job_id)

    # memory

    async def recall(self) -> Mapping[str, Mapping[str, Any]]:
        """Read what was last known, by trader."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch("SELECT trader_id, body FROM known")
        return {row["trader_id"]: row["body"] for row in rows}

    async def remember(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep it instead of what was kept."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM known WHERE trader_id <> ALL($1)", list(known))
            for name, body in sorted(known.items()):
                await connection.execute(
                    "INSERT INTO known (trader_id, body) VALUES ($1, $2) ON CONFLICT (trader_id)"
                    " DO UPDATE SET body = $2, changed_at = clock_timestamp()"
                    " WHERE known.body IS DISTINCT FROM $2",
                    *(name, body),
                )


def _limits(row: Row) -> Limits:
    names = ("weight_max", "reserve_min", "drawdown_stop")
    return Limits(rules=Rules(**{name: row[name] for name in names}), method=row["method"])


def _body(stored: StoredPlan) -> dict[str, Any]:
    plan = stored.plan
    return {
        "total": plan.before.total_usd,
        "before": dict(plan.before.by_trader),
        "after": dict(plan.after.by_trader),
        "left": dict(plan.left),
        "allotments": dict(stored.allotments),
        "capital": stored.capital_usd,
        "limits": {**asdict(stored.limits.rules), "method": stored.limits.method},
        "method": stored.method,
        "reason": stored.reason,
        "actor": stored.actor,
        "notes": list(stored.notes),
        "transfers": [asdict(one) for one in stored.transfers],
    }


async def _plan(connection: Connection, row: Row) -> StoredPlan:
    body, plan_id = row["body"], row["plan_id"]
    steps = await connection.fetch(_STEPS, plan_id)
    return StoredPlan(
        plan=Plan(
            plan_id=plan_id,
            before=Allocation(total_usd=Usd(body["total"]), by_trader=body["before"]),
            after=Allocation(total_usd=Usd(body["total"]), by_trader=body["after"]),
            steps=tuple(
                Step(
                    number=one["number"],
                    key=one["key"],
                    trader_id=one["trader_id"],
                    from_usd=Usd(one["from_usd"]),
                    to_usd=Usd(one["to_usd"]),
                )
                for one in steps
            ),
            left=body["left"],
        ),
        limits=_limits(body["limits"]),
        allotments=body["allotments"],
        capital_usd=Usd(body["capital"]),
        method=body["method"],
        reason=body["reason"],
        actor=body["actor"],
        made_ms=row["made_ms"],
        status=row["status"],
        notes=tuple(body["notes"]),
        transfers=tuple(Transfer(**one) for one in body["transfers"]),
        steps={
            one["number"]: StepDone(allotted=one["allotted"], told=one["told"]) for one in steps
        },
        note=row["note"],
    )

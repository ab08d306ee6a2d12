"""A portfolio in this process, over a scripted manager, with plans kept in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.scripted_manager import ScriptedManager

from portfolio_service.application.automatic import AutomaticRebalance
from portfolio_service.application.broadcasting import Broadcast
from portfolio_service.application.capital import Capital
from portfolio_service.application.portfolio import Portfolio
from portfolio_service.application.ports import (
    Automatic,
    Kept,
    Limits,
    PlanStatus,
    StepDone,
    StoredPlan,
    StoredSession,
)
from portfolio_service.application.rebalancing import Rebalancer
from portfolio_service.application.services import Services
from portfolio_service.application.syncing import Sync
from suite.clock import ManualClock
from suite.errors import Conflict, NotFound, UpstreamUnavailable
from suite.fixed import Usd

NOW_MS = 1_795_000_000_000


@dataclass
class MemoryPlans:
    """All that the service keeps, in memory; what it has outlives those who use it.

    Attributes:
        dies_after: writes until it is away; None for never.
        leader: whether whoever asks leads.
    """

    limits: Limits = field(default_factory=Limits)
    allotments: dict[str, Usd] = field(default_factory=dict)
    plans: dict[str, StoredPlan] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    dies_after: int | None = None
    leader: bool = True
    automatic: Automatic = field(default_factory=Automatic)
    logins: dict[bytes, StoredSession] = field(default_factory=dict)
    runs: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def _write(self) -> None:
        if self.dies_after is not None:
            if self.dies_after <= 0:
                raise UpstreamUnavailable("the database is away")
            self.dies_after -= 1

    async def load(self) -> Kept:
        running = [one for one in self.plans.values() if one.status == "running"]
        return Kept(
            limits=self.limits,
            allotments=dict(self.allotments),
            running=running[0] if running else None,
        )

    async def save_limits(self, limits: Limits) -> None:
        self._write()
        self.limits = limits

    async def save_plan(self, plan: StoredPlan) -> None:
        self._write()
        known = self.plans.get(plan.plan.plan_id)
        if known is not None and known.status == "running":
            raise Conflict("it is being carried out")
        self.plans[plan.plan.plan_id] = plan

    async def get_plan(self, plan_id: str) -> StoredPlan:
        if plan_id not in self.plans:
            raise NotFound(f"there is no plan {plan_id!r}")
        return self.plans[plan_id]

    async def list_plans(self, limit: int) -> Sequence[StoredPlan]:
        return list(self.plans.values())[:limit]

    async def lead(self) -> bool:
        return self.leader

    async def begin(self, plan: StoredPlan, allotments: Mapping[str, Usd]) -> None:
        self._write()
        if dict(allotments) != self.allotments:
            raise Conflict("what is allotted has changed")
        self._change(plan, status="running")

    async def allot(self, plan: StoredPlan, number: int, *, forgets: bool = False) -> None:
        self._write()
        stored = self.plans[plan.plan.plan_id]
        if stored.steps.get(number, StepDone()).allotted:
            return
        step = plan.plan.steps[number - 1]
        self.allotments[step.trader_id] = step.to_usd
        if forgets:
            del self.allotments[step.trader_id]
        self._change(plan, steps={**stored.steps, number: StepDone(allotted=True)})

    async def mark_told(self, plan: StoredPlan, number: int) -> None:
        self._write()
        done = {number: StepDone(allotted=True, told=True)}
        self._change(plan, steps={**self.plans[plan.plan.plan_id].steps, **done})

    async def end(self, plan: StoredPlan, status: PlanStatus, note: str) -> None:
        self._write()
        self._change(plan, status=status, note=note)

    def _change(self, plan: StoredPlan, **changes: Any) -> None:
        name = plan.plan.plan_id
        self.plans[name] = replace(self.plans[name], **changes)

    async def load_automatic(self) -> Automatic:
        return self.automatic

    async def save_automatic(self, automatic: Automatic) -> None:
        self._write()
        self.automatic = automatic

    async def sessions(self) -> Sequence[StoredSession]:
        return list(self.logins.values())

    async def save_session(self, session: StoredSession) -> None:
        self._write()
        self.logins[session.digest] = session

    async def drop_sessions(self, digests: Sequence[bytes]) -> None:
        self._write()
        for digest in digests:
            self.logins.pop(digest, None)

    async def jobs(self) -> Sequence[Mapping[str, Any]]:
        return list(self.runs.values())

    async def save_job(self, job_id: str, begun_ms: int, body: Mapping[str, Any]) -> None:
        self._write()
        self.runs[job_id] = body

    async def drop_job(self, job_id: str) -> None:
        self._write()
        self.runs.pop(job_id, None)

    async def recall(self) -> Mapping[str, Mapping[str, Any]]:
        return self.kept

    async def remember(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        self._write()
        self.kept = {name: dict(body) for name, body in known.items()}


class NoServices:
    """There are no other services."""

    services: Mapping[str, str] = {}

    async def probe(self, name: str) -> tuple[int, Mapping[str, Any]]:
        raise UpstreamUnavailable(name)

    async def market(self) -> Mapping[str, tuple[float, float | None]]:
        return {"BTC": (0.0000125, 100.0)}

    async def data(self, path: str, query: Mapping[str, str]) -> bytes:
        raise UpstreamUnavailable(f"{path} {query}")

    async def budget(self, account: str) -> Mapping[str, int] | None:
        return {"requests_used": len(account), "requests_cap": 10_000}

    async def safety(self) -> Mapping[str, Any] | None:
        return None

    async def drift(self) -> bytes | None:
        return None


class Follower:
    """All parts of the application, moved by hand."""

    def __init__(
        self,
        manager: ScriptedManager,
        plans: MemoryPlans | None = None,
        *,
        stale_after_s: float = 180.0,
        settle_s: float = 0.0,
    ) -> None:
        self.manager = manager
        self.plans = plans or MemoryPlans()
        self.wall = ManualClock(NOW_MS)
        self.portfolio = Portfolio(stale_after_s=stale_after_s)
        self.capital = Capital(self.portfolio, self.plans, self.wall)
        self.broadcast = Broadcast()
        self.services = Services(NoServices(), self.wall)
        self.rebalancer = Rebalancer(
            portfolio=self.portfolio,
            capital=self.capital,
            plans=self.plans,
            progress=self.plans,
            commands=manager,
            age=lambda: self.sync.age(),  # noqa: PLW0108 - it is there by then
        )
        self.automatic = AutomaticRebalance(
            self.portfolio,
            self.rebalancer,
            self.plans,
            self.wall,
            age=lambda: self.sync.age(),  # noqa: PLW0108 - it is there by then
            settle_s=settle_s,
        )
        self.sync = Sync(
            reads=manager,
            portfolio=self.portfolio,
            rebalancer=self.rebalancer,
            services=self.services,
            broadcast=self.broadcast,
            memory=self.plans,
            wall=self.wall,
            every_s=1.0,
        )

    async def look(self, *, ticks: int = 1) -> None:
        """Let minutes pass at the venue, and look after each."""
        for _ in range(ticks):
            self.manager.tick()
            await self.sync.look_at_fleet()
            await self.sync.look_at_records()

    async def rebalance(self, plan_id: str, *, turns: int = 3) -> str:
        """Run a plan; its status after some turns."""
        await self.rebalancer.turn()
        await self.rebalancer.run(plan_id)
        for _ in range(turns):
            await self.rebalancer.turn()
            await self.sync.look_at_fleet()
        return (await self.rebalancer.look(plan_id)).status


async def following(*names: str, **more: Any) -> Follower:
    """Follow some traders that were looked at once."""
    manager = ScriptedManager()
    manager.add(*names)
    follower = Follower(manager, **more)
    await follower.sync.begin()
    await follower.rebalancer.turn()
    await follower.look()
    return follower

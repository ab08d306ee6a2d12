"""What the application needs of the outside."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from portfolio_service.application.manager import Fleet, Reached, Records
from portfolio_service.domain.allocating import Plan, Transfer
from portfolio_service.domain.weighing import Method, Rules
from suite.fixed import Usd

Command = Literal["pause", "resume", "flatten", "stop", "start"]
PlanStatus = Literal["planned", "running", "done", "outdated"]


class FleetReads(Protocol):
    """What the manager says."""

    async def fleet(self) -> Fleet:
        """Read all traders.

        Raises:
            SuiteError: the manager is away, or refuses.
        """
        ...

    async def records(self, world: str, after: Mapping[str, Reached]) -> Records:
        """Read what is new of all of them.

        Raises:
            SuiteError: the manager is away, or refuses.
        """
        ...

    def streamed(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Read a long answer piece by piece; raises as `passed_on`, before the first piece."""
        ...

    async def passed_on(self, path: str, query: Mapping[str, str]) -> bytes:
        """Read an answer that is handed on as it is.

        Raises:
            SuiteError: the manager is away, or refuses, in its words.
        """
        ...


class FleetCommands(Protocol):
    """What the manager can be told."""

    async def tell(self, trader_id: str, command: Command, *, reason: str) -> Mapping[str, Any]:
        """Give a command to one trader; the answer is what became of it.

        Raises:
            SuiteError: it was refused, or its fate is not known, in the manager's words.
        """
        ...

    async def allocate(self, trader_id: str, usd: Decimal, *, reason: str) -> Mapping[str, Any]:
        """Let a trader use so much of its account, USD; raises as `tell`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds allocations, and the method where none is named."""

    rules: Rules = field(default_factory=Rules)
    method: Method = "equal"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """How far a step of a plan is.

    Attributes:
        allotted: the limit is written down: it holds from now on, whoever is told or not.
        told: the trader has it, or does not run, and has it when it does.
    """

    allotted: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan, and how far it is.

    Attributes:
        limits: that it was made under.
        allotments: all there were when it was made, also of traders that it leaves alone.
        capital_usd: equity that was known then, micro-USD.
        method: that gave the shares; empty where a person did.
        notes: what was done otherwise than asked, and why.
        transfers: that a person would have to make, so that limits can be used.
        steps: by number, from 1.
        made_ms, changed_ms: wall time.
        note: why it is outdated, or what it waits for; empty otherwise.
    """

    plan: Plan
    limits: Limits
    allotments: Mapping[str, Usd]
    capital_usd: Usd
    method: str
    reason: str
    actor: str
    made_ms: int
    status: PlanStatus = "planned"
    notes: tuple[str, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    steps: Mapping[int, StepDone] = field(default_factory=dict)
    changed_ms: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the service remembers over a restart.

    Attributes:
        allotments: micro-USD by trader; who is not among them may use the whole of its account.
        running: the plan that is being carried out, None without one.
    """

    limits: Limits
    allotments: Mapping[str, Usd]
    running: StoredPlan | None


class PlanStore(Protocol):
    """Allotments and plans; each call is durable when it returns, or has not happened."""

    async def load(self) -> Kept:
        """Read everything that a start needs."""
        ...

    async def save_limits(self, limits: Limits) -> None:
        """Keep other limits."""
        ...

    async def save_plan(self, plan: StoredPlan) -> None:
        """Keep a plan that was made; one of the same id that is over begins anew."""
        ...

    async def get_plan(self, plan_id: str) -> StoredPlan:
        """Read a plan.

        Raises:
            NotFound: there is none.
        """
        ...

    async def list_plans(self, limit: int) -> Sequence[StoredPlan]:
        """Read the newest plans."""
        ...


class PlanProgress(Protocol):
    """Plans that are carried out."""

    async def lead(self) -> bool:
        """Become the one process that carries plans out, or make sure of being it."""
        ...

    async def begin(self, plan: StoredPlan, allotments: Mapping[str, Usd]) -> None:
        """Let a plan run.

        Raises:
            Conflict: another one runs, or allotments are no longer as given.
        """
        ...

    async def allot(self, plan: StoredPlan, number: int, *, forgets: bool = False) -> None:
        """Write the limit of one step down, once; `forgets` takes it away: its trader is gone."""
        ...

    async def mark_told(self, plan: StoredPlan, number: int) -> None:
        """Note that the trader of a step has it."""
        ...

    async def end(self, plan: StoredPlan, status: PlanStatus, note: str) -> None:
        """End a plan."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A login of a browser, as it is kept: from the hashes nobody gets in.

    Attributes:
        digest: SHA-256 of its secret; parent: of the token that it was begun with.
        role: whose token that was.
        expires_ms: wall time from which it is no good.
    """

    digest: bytes
    parent: bytes
    role: str
    expires_ms: int


class SessionStore(Protocol):
    """Keeps logins over a restart."""

    async def sessions(self) -> Sequence[StoredSession]:
        """Read them, the oldest first."""
        ...

    async def save_session(self, session: StoredSession) -> None:
        """Keep one."""
        ...

    async def drop_sessions(self, digests: Sequence[bytes]) -> None:
        """Forget some."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Automatic:
    """When plans are made and run without anybody asking; never, by default.

    Attributes:
        daily_at: minute of the day, UTC; None for not daily.
        on_change: when a trader joins or leaves.
        last_day: the last day, since 1970, on which the daily one was made; None before.
        members: who took part when the last change was looked at; None before.
        plan_id: of a plan that was made, and is to be run; empty without one.
    """

    daily_at: int | None = None
    on_change: bool = False
    last_day: int | None = None
    members: tuple[str, ...] | None = None
    plan_id: str = ""


class AutomaticStore(Protocol):
    """Keeps when plans are made by themselves, and how far the present one is."""

    async def load_automatic(self) -> Automatic:
        """Read it."""
        ...

    async def save_automatic(self, automatic: Automatic) -> None:
        """Keep it."""
        ...


class JobStore(Protocol):
    """Keeps which backtests were begun here, over a restart."""

    async def jobs(self) -> Sequence[Mapping[str, Any]]:
        """Read them, the oldest first."""
        ...

    async def save_job(self, job_id: str, begun_ms: int, body: Mapping[str, Any]) -> None:
        """Keep one as it is by now."""
        ...

    async def drop_job(self, job_id: str) -> None:
        """Forget one."""
        ...


class Memory(Protocol):
    """What was last known of traders, for a start at which the manager is away."""

    async def recall(self) -> Mapping[str, Mapping[str, Any]]:
        """Read it, by trader."""
        ...

    async def remember(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep it instead of what was kept."""
        ...

"""Backtests that were begun here: the venue runs them, and says how far they are."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Protocol

import msgspec

from portfolio_service.application.ports import JobStore
from suite.clock import Clock
from suite.errors import NotFound, SuiteError, UpstreamUnavailable, one_line
from suite.page.thinning import drawdown, thin

_JOBS_MAX: Final = 100
_POINTS: Final = 800
_TRADES: Final = 100
_METRICS: Final = (
    "total_return",
    "total_pnl",
    "final_equity",
    "max_drawdown",
    "win_rate",
    "total_trades",
)
_report = msgspec.json.Decoder(dict[str, Any])


class BacktestVenue(Protocol):
    """Runs backtests; each call raises `SuiteError` where the venue is away or refuses."""

    @property
    def unset(self) -> str:
        """What has to be set before; empty where nothing is missing."""
        ...

    async def start(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Begin one; its state."""
        ...

    def watch(self, job_id: str) -> AsyncIterator[Mapping[str, Any]]:
        """Tell each state of one until it ends."""
        ...

    async def report(self, job_id: str) -> bytes:
        """Read the report of one that is done."""
        ...

    async def cancel(self, job_id: str) -> Mapping[str, Any]:
        """Stop one; its state."""
        ...


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest.

    Attributes:
        name: that a person gave it; what: strategies and coins, in one line.
        status: `running`, `done`, `failed` or `canceled`; error: why it failed.
        percent: 0 to 100; eta_s: to its end, null while unknown.
        begun_ms: wall time.
    """

    job_id: str
    name: str
    what: str
    begun_ms: int
    status: str = "running"
    percent: float = 0.0
    eta_s: float | None = None
    error: str = ""


class JobsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/backtests`.

    Attributes:
        why: what has to be set before one can be run; empty where nothing is missing.
        jobs: newest first, at most the last hundred.
    """

    why: str
    jobs: tuple[Job, ...]


class Backtests:
    """The jobs, followed by one task each.

    Args:
        venue: runs them.
        store: keeps which there were; one that is away loses what is told meanwhile, no run.
        wall: its time.
    """

    def __init__(self, venue: BacktestVenue, store: JobStore, wall: Clock) -> None:
        self._venue = venue
        self._store = store
        self._wall = wall
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed: set[asyncio.Event] = set()
        self._is_over = False

    async def recall(self) -> None:
        """Go on with those of before this process began; the venue ran on meanwhile.

        Raises:
            SuiteError: the database is away.
        """
        for body in await self._store.jobs():
            job = msgspec.convert(body, Job)
            self._jobs[job.job_id] = job
            if job.status == "running":
                self._begin_following(job.job_id)

    def answer(self) -> JobsAnswer:
        """Tell all of them."""
        return JobsAnswer(why=self._venue.unset, jobs=tuple(reversed(self._jobs.values())))

    async def start(self, name: str, request: Mapping[str, Any]) -> Job:
        """Begin one."""
        told = await self._venue.start(request)
        job = _told(
            Job(
                job_id=str(told["job_id"]),
                name=name,
                what=_what(request),
                begun_ms=self._wall.now_ms(),
            ),
            told,
        )
        await self._keep(job)
        self._begin_following(job.job_id)
        return job

    async def cancel(self, job_id: str) -> Job:
        """Stop one."""
        told = await self._venue.cancel(self._of(job_id).job_id)
        await self._keep(_told(self._of(job_id), told))
        return self._of(job_id)

    def begun_ms(self, job_id: str) -> int:
        """Tell when one was begun, wall time.

        Raises:
            NotFound: it was not begun here.
        """
        return self._of(job_id).begun_ms

    async def whole_report(self, job_id: str) -> bytes:
        """Read a report as the venue wrote it."""
        return await self._venue.report(self._of(job_id).job_id)

    async def report(self, job_id: str) -> Mapping[str, Any]:
        """Tell what a screen can show of a report."""
        raw = await self.whole_report(job_id)
        return await asyncio.to_thread(summary, raw)

    async def listen(self, *, quiet_s: float) -> AsyncIterator[JobsAnswer | None]:
        """Tell all jobs now and after each change; None where nothing came for a while."""
        changed = asyncio.Event()
        changed.set()
        self._changed.add(changed)
        try:
            while not self._is_over:
                try:
                    async with asyncio.timeout(quiet_s):
                        await changed.wait()
                except TimeoutError:
                    yield None
                    continue
                changed.clear()
                yield self.answer()
        finally:
            self._changed.discard(changed)

    async def end(self) -> None:
        """Follow no more: the service ends; the venue goes on."""
        self._is_over = True
        self._tell()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _of(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise NotFound(f"no backtest {job_id[:64]!r} was begun here")
        return self._jobs[job_id]

    def _begin_following(self, job_id: str) -> None:
        task = asyncio.create_task(self._follow(job_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, job: Job) -> None:
        """Take a state in; how far a run is stays with us, that it began and ended is kept."""
        known = self._jobs.get(job.job_id)
        self._jobs[job.job_id] = job
        self._tell()
        with contextlib.suppress(SuiteError):
            if known is None or known.status != job.status:
                await self._store.save_job(job.job_id, job.begun_ms, msgspec.to_builtins(job))
            while len(self._jobs) > _JOBS_MAX:
                oldest = next(iter(self._jobs))
                del self._jobs[oldest]
                await self._store.drop_job(oldest)

    def _tell(self) -> None:
        for changed in self._changed:
            changed.set()

    async def _follow(self, job_id: str) -> None:
        try:
            async for told in self._venue.watch(job_id):
                if job_id not in self._jobs:
                    return
                await self._keep(_told(self._jobs[job_id], told))
            if self._jobs[job_id].status == "running":
                raise UpstreamUnavailable("the venue tells no more of it")
        except SuiteError as error:
            if job_id in self._jobs:
                failed = msgspec.structs.replace(
                    self._jobs[job_id], status="failed", error=one_line(str(error))
                )
                await self._keep(failed)


def _told(job: Job, state: Mapping[str, Any]) -> Job:
    return msgspec.structs.replace(
        job,
        status=str(state.get("status", job.status)),
        percent=float(state.get("percent", job.percent)),
        eta_s=state.get("eta_s"),
        error=str(state.get("error") or ""),
    )


def _what(request: Mapping[str, Any]) -> str:
    kinds = [
        str(one.get("strategy", {}).get("kind", ""))
        for one in request.get("traders", ())
        if isinstance(one, dict) and isinstance(one.get("strategy", {}), dict)
    ]
    coins = ", ".join(str(one) for one in request.get("symbols", ()))
    return one_line(f"{', '.join(dict.fromkeys(kinds))} · {coins}")[:200]


def summary(raw: bytes) -> Mapping[str, Any]:
    """Take what a screen shows out of a report.

    Returns:
        `from_ms`, `to_ms`, `coins`, `sha256`, and of each trader `kind`, `metrics`, `bridge`, a
        thinned `curve` and its latest `trades`.
    """
    report = _report.decode(raw)
    result = report["result"]
    return {
        "from_ms": result["period"]["from_ms"],
        "to_ms": result["period"]["to_ms"],
        "coins": result["coins"],
        "sha256": report["sha256"],
        "traders": {name: _trader(one) for name, one in result["traders"].items()},
    }


def _trader(one: Mapping[str, Any]) -> dict[str, Any]:
    curve = one["equity_curve"]
    values = [float(value) for _, value in curve]
    kept = thin(values, drawdown(values), _POINTS)
    more = one.get("portfolio_metrics") or {}
    return {
        "kind": str(one["strategy"].get("kind", "")),
        "metrics": {**{name: one.get(name) for name in _METRICS}, "sharpe": _found(more, "sharpe")},
        "bridge": one["bridge"],
        "curve": {
            "time_ms": [curve[i][0] for i in kept],
            "equity_usd": [curve[i][1] for i in kept],
        },
        "trades": [
            {name: trade.get(name) for name in ("entry_time", "exit_time", "coin", "side", "pnl")}
            for trade in reversed(one["completed_trades"][-_TRADES:])
        ],
    }


def _found(metrics: Mapping[str, Any], name: str) -> Any:
    """Find a figure that may stand in a group of its own."""
    if name in metrics:
        return metrics[name]
    groups = (one for one in metrics.values() if isinstance(one, dict))
    return next((one[name] for one in groups if name in one), None)

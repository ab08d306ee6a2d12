"""Backtests as jobs: started, watched, canceled; a bounded number at a time."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from suite.clock import Clock
from suite.contracts.backtest import BacktestRequest, JobState
from suite.errors import Conflict, NotFound, RateLimited, SuiteError
from virtual_exchange.application.ports import JobRunner

KEPT_MAX = 100


@dataclass(slots=True)
class _Job:
    """A job and those who watch it."""

    state: JobState
    started_ms: int
    report: bytes = b""
    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Jobs:
    """The backtests of this process.

    Args:
        runner: runs one outside the event loop.
        clock: wall time, for the expected end.
        running_max: how many may run at a time; more are refused.
        kept_max: how many finished ones are kept; the oldest are forgotten.
    """

    def __init__(
        self,
        *,
        runner: JobRunner,
        clock: Clock,
        running_max: int,
        kept_max: int = KEPT_MAX,
    ) -> None:
        self._runner = runner
        self._clock = clock
        self._running_max = running_max
        self._kept_max = kept_max
        self._jobs: dict[str, _Job] = {}

    @property
    def running(self) -> int:
        """How many run."""
        return sum(job.state.status == "running" for job in self._jobs.values())

    def start(self, request: BacktestRequest) -> JobState:
        """Start one; to be called inside the event loop.

        Raises:
            RateLimited: enough are running.
        """
        running = self.running
        if running >= self._running_max:
            raise RateLimited(
                f"{running} backtests are running; try again later", retry_after_ms=5000
            )
        job_id = secrets.token_hex(6)
        job = _Job(JobState(job_id=job_id, status="running"), self._clock.now_ms())
        self._jobs[job_id] = job
        job.task = asyncio.get_running_loop().create_task(self._run(job, request))
        self._forget_old()
        return job.state

    def state(self, job_id: str) -> JobState:
        """Where a job is.

        Raises:
            NotFound: there is none of that name.
        """
        return self._job(job_id).state

    def report(self, job_id: str) -> bytes:
        """The canonical report of a finished job.

        Raises:
            NotFound: there is none of that name.
            Conflict: it is not done.
        """
        job = self._job(job_id)
        if job.state.status != "done":
            reason = f": {job.state.error}" if job.state.error else ""
            raise Conflict(f"the backtest is {job.state.status}{reason}")
        return job.report

    async def cancel(self, job_id: str) -> JobState:
        """Stop a job that runs; one that has ended stays as it is.

        Raises:
            NotFound: there is none of that name.
        """
        job = self._job(job_id)
        if job.task is not None and job.state.status == "running":
            job.task.cancel()
            await asyncio.gather(job.task, return_exceptions=True)
        return job.state

    def watch(self, job_id: str) -> AsyncIterator[JobState]:
        """Follow a job: its state now, then each change, until it has ended.

        Raises:
            NotFound: there is none of that name.
        """
        return _follow(self._job(job_id))

    async def close(self) -> None:
        """Stop all jobs."""
        for job_id in list(self._jobs):
            await self.cancel(job_id)

    def _job(self, job_id: str) -> _Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise NotFound(f"no backtest {job_id[:40]!r}")
        return job

    async def _run(self, job: _Job, request: BacktestRequest) -> None:
        def on_progress(done: float) -> None:
            elapsed_s = (self._clock.now_ms() - job.started_ms) / 1000
            eta_s = round(elapsed_s * (1 - done) / done, 1) if done > 0 else None
            self._change(job, percent=round(100 * done, 1), eta_s=eta_s)

        try:
            report, sha256 = await self._runner.run(job.state.job_id, request, on_progress)
        except SuiteError as error:
            self._change(job, status="failed", error=str(error), eta_s=None)
        except asyncio.CancelledError:
            self._change(job, status="canceled", eta_s=None)
            raise
        else:
            job.report = report
            self._change(job, status="done", percent=100.0, eta_s=0.0, report_sha256=sha256)
        finally:
            if job.state.status == "running":  # a bug: whoever watches must not wait for ever
                self._change(job, status="failed", error="internal error", eta_s=None)

    def _change(self, job: _Job, **changes: object) -> None:
        job.state = msgspec.structs.replace(job.state, **changes)
        changed, job.changed = job.changed, asyncio.Event()
        changed.set()

    def _forget_old(self) -> None:
        ended = [name for name, job in self._jobs.items() if job.state.status != "running"]
        for name in ended[: max(0, len(self._jobs) - self._kept_max)]:
            del self._jobs[name]


async def _follow(job: _Job) -> AsyncIterator[JobState]:
    shown: JobState | None = None
    while True:
        changed = job.changed
        if job.state is not shown:
            shown = job.state
            yield shown
        if shown.status != "running":
            return
        await changed.wait()

"""The parts of a service: opened in order, watched while they work, closed in reverse and in time.

    parts = chassis.parts
    parts.add("store", start=store.open, stop=store.close)
    parts.work("sync", sync.run, turns=lambda: sync.rounds)

`lifespan` opens and closes them with the application. A part that hangs when it is closed costs
half of the time that is left and keeps no other open; work that ends by itself is a bug, which
stops the service. Health is progress: work that counts its turns and does not make one within its
limit is stalled.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from suite.errors import one_line
from suite.service.health import Health

if TYPE_CHECKING:
    from fastapi import FastAPI

STOP_BUDGET_S: Final = 20.0
"""From the first signal to the end of the process."""
STALL_S: Final = 60.0
"""How long work may make no turn."""
_LEAST_S: Final = 0.1
_LOOK_S: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class _Part:
    """One part.

    Attributes:
        begin, stop: what opens and closes it.
        work: what it does from then on.
        turns: counts what the work has got done.
        limit_s: between two turns.
        seen: turns at the last look.
        moved_s: when that changed, by the monotonic clock.
    """

    name: str
    begin: Callable[[], Awaitable[object]] | None = None
    stop: Callable[[], Awaitable[object]] | None = None
    work: Callable[[], Coroutine[Any, Any, None]] | None = None
    turns: Callable[[], int] | None = None
    limit_s: float = STALL_S
    task: asyncio.Task[None] | None = None
    seen: int = -1
    moved_s: float = 0.0


class Parts:
    """What a service consists of, in the order in which it is opened.

    Args:
        on_bug: told of work that ended by itself.
        now_s: a clock that never goes back.

    Attributes:
        deadline_s: by that clock, when all has to be closed; None until a stop is asked for.
        beats: how often the event loop came round to look after them.
    """

    def __init__(
        self,
        on_bug: Callable[[BaseException], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.deadline_s: float | None = None
        self.beats = 0
        self._on_bug = on_bug
        self._now_s = now_s
        self._parts: list[_Part] = []
        self._open: list[_Part] = []
        self._looking: asyncio.Task[None] | None = None

    def add(
        self,
        name: str,
        *,
        start: Callable[[], Awaitable[object]] | None = None,
        stop: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Add what is opened before all that is added later, and closed after it."""
        self._parts.append(_Part(name=name, begin=start, stop=stop))

    def work(
        self,
        name: str,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        turns: Callable[[], int] | None = None,
        limit_s: float = STALL_S,
    ) -> None:
        """Add what goes on for as long as the service runs; it is canceled to end it.

        Args:
            name: of it.
            work: never returns.
            turns: how much it has got done, a number that changes with each turn.
            limit_s: without a turn, after which it counts as stalled.
        """
        self._parts.append(_Part(name=name, work=work, turns=turns, limit_s=limit_s))

    async def open(self) -> None:
        """Open all in order; where one fails, those before it are closed again, and it is not.

        Raises:
            SuiteError: or what else the failing part raises.
        """
        try:
            for part in self._parts:
                if part.begin is not None:
                    await part.begin()
                self._open.append(part)
                if part.work is not None:
                    part.moved_s = self._now_s()
                    part.task = asyncio.create_task(part.work(), name=part.name)
                    part.task.add_done_callback(self._ended)
        except BaseException:
            await self.close()
            raise
        self._looking = asyncio.create_task(self._look_always())

    async def close(self) -> None:
        """Close all that is open in reverse, each within its share of the time that is left."""
        if self.deadline_s is None:
            self.deadline_s = self._now_s() + STOP_BUDGET_S
        if self._looking is not None:
            self._looking.cancel()
        while self._open:
            part = self._open.pop()
            left_s = self.deadline_s - self._now_s()
            # Half of it each, so the last get something too, however long the first have taken.
            await self._close(part, max(left_s / 2, _LEAST_S))

    def still_open(self) -> list[str]:
        """Name what is not closed yet, for who has waited for it long enough."""
        return [part.name for part in self._open]

    def health(self) -> Health:
        """Whether all work gets on; names what does not."""
        now_s, found = self._now_s(), []
        for part in self._open:
            if part.task is not None and part.task.done():
                found.append(f"{part.name} has ended")
            elif part.turns is not None:
                self._look(part, now_s)
                if now_s - part.moved_s >= part.limit_s:
                    found.append(f"{part.name} has not moved for {now_s - part.moved_s:.0f} s")
        return Health(ok=not found, detail={"stalled": "; ".join(found)} if found else {})

    async def _close(self, part: _Part, limit_s: float) -> None:
        """Close one; what it does after its time is nobody's any more."""
        task = asyncio.ensure_future(self._ending(part))
        done, _ = await asyncio.wait({task}, timeout=limit_s)
        if not done:
            _log.error("part_not_closed", part=part.name, after_s=round(limit_s, 1))
            task.cancel()
            task.add_done_callback(_forget)
        elif (error := task.exception()) is not None:
            _log.error(
                "part_closed_badly", part=part.name, reason=f"{type(error).__name__}: {error}"
            )

    async def _ending(self, part: _Part) -> None:
        if part.task is not None and not part.task.done():
            part.task.cancel()
            await asyncio.wait({part.task})
        if part.stop is not None:
            await part.stop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (bug := task.exception()) is not None:
            _log.critical(
                "part_failed", part=task.get_name(), reason=one_line(f"{type(bug).__name__}: {bug}")
            )
            self._on_bug(bug)

    async def _look_always(self) -> None:
        while True:
            self.beats += 1
            now_s = self._now_s()
            for part in self._open:
                if part.turns is not None:
                    self._look(part, now_s)
            await asyncio.sleep(_LOOK_S)

    def _look(self, part: _Part, now_s: float) -> None:
        turns = part.turns() if part.turns is not None else 0
        if turns != part.seen:
            part.seen, part.moved_s = turns, now_s


def _forget(task: asyncio.Future[None]) -> None:
    """Take note of how something ended that nobody waits for."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def lifespan(app: "FastAPI") -> AsyncIterator[None]:
    """Open the parts of an application's chassis, and close them: `FastAPI(lifespan=lifespan)`."""
    parts: Parts = app.state.chassis.parts
    await parts.open()
    try:
        yield
    finally:
        await parts.close()

"""What moves worlds inside an event loop: barriers when all wait, timers of paced worlds."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from suite.contracts.clock import WaitReply
from suite.errors import StorageError
from virtual_exchange.application.clock.participant import Ticket
from virtual_exchange.application.inputs import Drop, Play, Tick
from virtual_exchange.application.latency_queue import Delivery
from virtual_exchange.application.session import Session

T = TypeVar("T")

_SLICE_S = 0.02
"""How long a world may move before other requests get their turn."""
_RECLAIM_S = 0.5
"""How long after a world was forgotten its memory is: several are often deleted together."""
_LOOK_S = 1.0
"""How often silence is looked at."""
_STANDS_S = 5.0
"""How long a paced world stands where a bar could not be written down, until it is tried again."""
_TELL_AGAIN_S = 60.0
"""How often it is told that a world still waits for somebody to join."""


class WorldScheduler:
    """Moves every world of a process.

    Args:
        reclaim: called when a world was forgotten a moment ago, to free what it has left behind.
        tell: told, with values, of worlds that wait for somebody to join, and that have begun.

    Attributes:
        on_bug: told what has ended a background task that had no reason to end.
    """

    def __init__(
        self,
        reclaim: Callable[[], None] = lambda: None,
        *,
        tell: Callable[..., object] = lambda *_args, **_values: None,
    ) -> None:
        self._reclaim = reclaim
        self._tell = tell
        self.on_bug: Callable[[BaseException], None] = lambda _bug: None
        self._reclaiming: asyncio.TimerHandle | None = None
        self._moving: set[int] = set()
        self._tasks: dict[int, list[asyncio.Task[None]]] = {}

    async def reply(
        self, session: Session, ticket: Ticket, left: Callable[[], Coroutine[Any, Any, None]]
    ) -> WaitReply | None:
        """Move the world as far as it may go, and wait for a ticket while its client is there.

        Args:
            session: the world.
            ticket: of a step in it; who repeats the step waits for the same one.
            left: returns when the client has gone.

        Returns:
            The reply, None when nobody is there to have it.

        Raises:
            SuiteError: why there will be no reply.
        """
        if not ticket.done:
            await self.settle(session)
        if not ticket.done:
            await _done_or_left(ticket, left)
        return ticket.result() if ticket.done else None

    async def arrival(self, session: Session, delivery: Delivery[T]) -> T:
        """Answer an action that may be on its way.

        A paced world goes on by itself, so its answer is waited for; any other may not move before
        the caller waits, so it is told that the action was sent.

        Raises:
            SuiteError: why it never arrives.
        """
        if session.paced and not delivery.arrived:
            future = asyncio.get_running_loop().create_future()
            delivery.on_arrival(lambda: None if future.done() else future.set_result(None))
            await future
        if delivery.fault is not None:
            raise delivery.fault
        return delivery.answer

    async def advance(self, session: Session, until_ms: int) -> None:
        """Move a world without participants, letting other requests in between.

        Raises:
            Conflict: someone takes part, or has joined meanwhile, or a timer moves the world.
            BadRequest: the time has passed.
        """
        loop, world = asyncio.get_running_loop(), session.world
        until_bar = session.barrier.bar_to_advance_to(until_ms)
        limit = loop.time() + _SLICE_S
        while world.engine.bar < until_bar and not world.finished:
            session.take(Play(until_bar=until_bar))
            if loop.time() > limit:
                await asyncio.sleep(0)
                session.barrier.bar_to_advance_to(max(until_ms, world.now_ms))
                limit = loop.time() + _SLICE_S

    async def settle(self, session: Session) -> None:
        """Move a lockstep world while all its participants wait."""
        key = id(session)
        if key in self._moving:
            return
        self._moving.add(key)
        loop = asyncio.get_running_loop()
        limit = loop.time() + _SLICE_S
        try:
            while session.barrier.move():
                if loop.time() > limit:
                    await asyncio.sleep(0)
                    limit = loop.time() + _SLICE_S
        finally:
            self._moving.discard(key)

    def watch(self, session: Session) -> None:
        """Begin to look after a world: its lease limits, and what moves it if steps do not."""
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._look(session))]
        if not session.barrier.started:
            tasks.append(loop.create_task(self._tell_until_begun(session)))
        if session.paper is not None:
            tasks.append(loop.create_task(session.paper.run()))
        elif session.paced:
            tasks.append(loop.create_task(self._pace(session)))
        for task in tasks:
            task.add_done_callback(self._ended)
        self._tasks[id(session)] = tasks

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (bug := task.exception()) is not None:
            self.on_bug(bug)

    async def forget(self, session: Session) -> None:
        """Look after a world no longer."""
        tasks = self._tasks.pop(id(session), [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._reclaiming is not None:
            self._reclaiming.cancel()
        self._reclaiming = asyncio.get_running_loop().call_later(_RECLAIM_S, self._reclaim)

    @property
    def failure(self) -> BaseException | None:
        """What ended a background task that had no reason to end, None while all go on."""
        for task in (task for tasks in self._tasks.values() for task in tasks):
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    async def close(self) -> None:
        """Look after nothing any more."""
        if self._reclaiming is not None:
            self._reclaiming.cancel()
        tasks = [task for tasks in self._tasks.values() for task in tasks]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, session: Session) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            session.barrier.tell_missing()
            if silent := session.barrier.silent():
                with suppress(StorageError):  # it is looked at again
                    session.take(Drop(accounts=silent))
            await self.settle(session)

    async def _tell_until_begun(self, session: Session) -> None:
        """Tell for whom time waits, at once, when it changes, and now and then."""
        now_s, name = asyncio.get_running_loop().time, session.world.name
        told: tuple[str, ...] = ()
        due_s = 0.0
        while waits_for := session.barrier.waits_for:
            if waits_for != told or now_s() >= due_s:
                told, due_s = waits_for, now_s() + _TELL_AGAIN_S
                self._tell("world_waits", world=name, waits_for=list(waits_for))
            await asyncio.sleep(_LOOK_S)
        self._tell("world_begins", world=name)

    async def _pace(self, session: Session) -> None:
        """Play one bar each bar/speed seconds; bars that fell behind are played at once."""
        loop = asyncio.get_running_loop()
        bar_s = session.world.market.tape.interval_ms / 1000 / session.request.speed
        due = loop.time() + bar_s
        while not session.world.finished:
            await asyncio.sleep(min(_LOOK_S, max(0.0, due - loop.time())))
            limit = loop.time() + _SLICE_S
            if not session.barrier.started:
                due = loop.time() + bar_s
                continue
            while due <= loop.time() < limit and not session.world.finished:
                try:
                    session.take(Tick())
                except StorageError as error:
                    self._tell("world_stands", world=session.world.name, reason=str(error))
                    due = loop.time() + max(bar_s, _STANDS_S)
                    break
                due += bar_s


async def _done_or_left(ticket: Ticket, left: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for either; whichever it is, and also when canceled, leave nothing behind."""
    loop = asyncio.get_running_loop()
    done, leaving = loop.create_future(), loop.create_task(left())

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    ticket.on_done(settle)
    try:
        await asyncio.wait((done, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ticket.forget(settle)
        leaving.cancel()

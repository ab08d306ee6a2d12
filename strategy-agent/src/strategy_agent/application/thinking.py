"""Asking a strategy for a decision, within a time budget.

A slow strategy decides in a thread of its own, so that others go on, and where time goes on so does
its own trader: exits and orders are looked after while it thinks. One that overruns its budget
is given up: nobody can end a thread, so until it returns, each further question is answered with a
fault at once, and what it answers then is thrown away. A quick strategy decides where it is asked;
on the main thread a timer's signal ends it when it overruns, be it an endless loop in Python. As
that has held up all other traders of the process, one that overruns again and again is asked no
more until a person has resumed it. Code that never comes back to the interpreter can only be ended
with its process.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Final

from strategy_core.asking import Decided, TimedStrategy, ask, overran
from strategy_core.deciding import DecideRequest, DecisionFault, StillDeciding
from strategy_core.port import Observation, Strategy
from suite.deadline import deadline

_AT_ONCE_S: Final = 0.02
"""An answer within it saves a turn."""


class Thinking:
    """One strategy and its time.

    Args:
        strategy: as built.
        quick_s: budget of a decision made where it is asked.
        slow_s: budget of a decision made in a thread.
        name: of the thread.
        done: called when a thought that has been answered by `StillDeciding` has come to its end;
            without it every question is waited for.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        quick_s: float,
        slow_s: float,
        name: str,
        done: Callable[[], None] | None = None,
    ) -> None:
        self._strategy = strategy
        self._slow = strategy.needs.slow
        self._quick = TimedStrategy(strategy, budget_s=quick_s, deadline=deadline)
        self._slow_s = slow_s
        self._name = name
        self._overrun: asyncio.Future[Decided] | None = None
        self._done = done
        self._thought: asyncio.Task[Decided] | None = None
        self._outdated = False

    @property
    def is_busy(self) -> bool:
        """Whether the strategy is at work, in a thread of its own."""
        unfinished = self._overrun is not None and not self._overrun.done()
        return unfinished or (self._thought is not None and not self._thought.done())

    @property
    def is_ready(self) -> bool:
        """Whether an answer waits to be fetched."""
        return self._thought is not None and self._thought.done()

    async def decide(self, request: DecideRequest) -> Decided | StillDeciding:
        """Ask; the answer is a decision, why there is none within the budget, or that it thinks."""
        if not self._slow:
            return self._quick.decide(request.observation)
        if self._done is None:
            return await self._slowly(request.observation)
        return await self._meanwhile(request, self._done)

    def close(self) -> None:
        """Give up what is being thought."""
        if self._thought is not None:
            self._thought.cancel()

    async def _meanwhile(
        self, request: DecideRequest, done: Callable[[], None]
    ) -> Decided | StillDeciding:
        """Begin a thought, or fetch its answer; one that nobody waits for any more is dropped."""
        self._outdated |= not request.awaited
        if self._thought is not None and self._thought.done() and self._outdated:
            self._thought = None
        if self._thought is None:
            self._thought = asyncio.create_task(self._slowly(request.observation))
            self._outdated = False
            await asyncio.wait((self._thought,), timeout=_AT_ONCE_S)
            if not self._thought.done():
                self._thought.add_done_callback(lambda _: done())
        if not self._thought.done():
            return StillDeciding()
        thought, self._thought = self._thought, None
        return thought.result()

    async def _slowly(self, observation: Observation) -> Decided:
        if self._overrun is not None and not self._overrun.done():
            return DecisionFault(reason="decide is still busy with an earlier observation")
        self._overrun = None
        answered = _in_thread(lambda: ask(self._strategy, observation), self._name)
        try:
            return await asyncio.wait_for(asyncio.shield(answered), self._slow_s)
        except TimeoutError:
            self._overrun = answered
            return overran(self._slow_s)


def _in_thread(ask: Callable[[], Decided], name: str) -> "asyncio.Future[Decided]":
    """Run in a daemon thread: one that never ends does not keep the process."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Decided] = loop.create_future()

    def run() -> None:
        answer = ask()
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(settle, answer)

    def settle(answer: Decided) -> None:
        if not answered.done():
            answered.set_result(answer)

    here = contextvars.copy_context()  # the model's call belongs to the present trace
    threading.Thread(target=here.run, args=(run,), name=name, daemon=True).start()
    return answered

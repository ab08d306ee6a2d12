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
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, TypeAlias

from strategy_core.deciding import DecideRequest, DecisionFault, StillDeciding, decide
from strategy_core.port import Decision, Observation, Strategy
from suite.enums import TraderStatus

Decided: TypeAlias = Decision | DecisionFault

OVERRUNS_LIMIT: Final = 3
"""Overruns in a row after which a strategy that decides at once is asked no more."""


_AT_ONCE_S: Final = 0.02
"""An answer within it saves a turn."""


class _OverrunSignal(BaseException):
    """Raised where the strategy is when its time is over; it must not catch it by accident."""


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
        self._quick_s = quick_s
        self._slow_s = slow_s
        self._name = name
        self._overruns = 0
        self._overrun: asyncio.Future[Decided] | None = None
        self._done = done
        self._thought: asyncio.Task[Decided] | None = None
        self._outdated = False

    @property
    def is_ready(self) -> bool:
        """Whether an answer waits to be fetched."""
        return self._thought is not None and self._thought.done()

    async def decide(self, request: DecideRequest) -> Decided | StillDeciding:
        """Ask; the answer is a decision, why there is none within the budget, or that it thinks."""
        if not self._slow:
            return self._quickly(request.observation)
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

    def _quickly(self, observation: Observation) -> Decided:
        # an overrun pauses the trader, so one that is LIVE has been resumed since
        if self._overruns >= OVERRUNS_LIMIT and observation.status is not TraderStatus.LIVE:
            return DecisionFault(
                reason=f"decide took longer than its {self._quick_s:g} s {self._overruns} times in "
                "a row: it is not asked until someone resumes the trader"
            )
        try:
            with _deadline(self._quick_s):
                answer = self._ask(observation)
        except _OverrunSignal:
            self._overruns = min(self._overruns + 1, OVERRUNS_LIMIT)
            return _overran(self._quick_s)
        self._overruns = 0
        return answer

    async def _slowly(self, observation: Observation) -> Decided:
        if self._overrun is not None and not self._overrun.done():
            return DecisionFault(reason="decide is still busy with an earlier observation")
        self._overrun = None
        answered = _in_thread(lambda: self._ask(observation), self._name)
        try:
            return await asyncio.wait_for(asyncio.shield(answered), self._slow_s)
        except TimeoutError:
            self._overrun = answered
            return _overran(self._slow_s)

    def _ask(self, observation: Observation) -> Decided:
        try:
            return decide(self._strategy, observation)
        except SystemExit as error:
            return DecisionFault(reason=f"decide called exit({error.code})")


def _overran(budget_s: float) -> DecisionFault:
    return DecisionFault(reason=f"decide took longer than its {budget_s:g} s")


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

    threading.Thread(target=run, name=name, daemon=True).start()
    return answered


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Interrupt what runs on the main thread when its time is over; nothing on another thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    armed = True

    def over(_number: int, _frame: FrameType | None) -> None:
        if armed:
            raise _OverrunSignal

    before = signal.signal(signal.SIGALRM, over)
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, remaining)
        signal.signal(signal.SIGALRM, before)

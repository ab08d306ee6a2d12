"""A venue that loses answers is given no new risk until it has healed."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from hyperliquid_exchange.application.ports import Safety
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.clock import Clock
from suite.errors import SuiteError

SHARE: Final = 0.02
"""Share of a minute's actions beyond which nobody may add risk."""
LEAST: Final = 3
"""Fewer lost answers are chance."""
WINDOW_S: Final = 60.0

_log = structlog.get_logger(__name__)


class LossWatch:
    """Counts within a minute what left and what was lost; pauses everybody, and takes it back.

    Args:
        safety: the kill ladder.
        clock: wall time.
        by: who sets the pause.
        is_clear: whether no fate is unknown at present.
    """

    def __init__(
        self, safety: Safety, clock: Clock, *, by: str, is_clear: Callable[[], bool]
    ) -> None:
        self._safety = safety
        self._clock = clock
        self._by = by
        self._is_clear = is_clear
        self._left: deque[float] = deque()
        self._lost: deque[float] = deque()
        self._healing: asyncio.Task[None] | None = None

    def left(self) -> None:
        """Count an action that leaves."""
        self._count(self._left)

    def lost(self) -> None:
        """Count an answer that was lost."""
        self._count(self._lost)
        lost = len(self._lost)
        if lost < LEAST or lost <= SHARE * len(self._left) or self._healing is not None:
            return
        cause = Cause(
            scope=EVERYBODY,
            level=Level.PAUSED,
            by=self._by,
            reason=f"{lost} of {len(self._left)} answers of the last minute were lost",
            since_ms=self._clock.now_ms(),
        )
        self._safety.engage(cause)
        self._healing = asyncio.ensure_future(self._heal())

    def go_on(self) -> None:
        """Take over the pause of an earlier life, as if an answer had been lost just now."""
        mine = (
            cause.scope == EVERYBODY and cause.by == self._by and cause.level is Level.PAUSED
            for cause in self._safety.causes
        )
        if self._healing is None and any(mine):
            self._count(self._lost)
            self._healing = asyncio.ensure_future(self._heal())

    def close(self) -> None:
        """Stop; a pause stays."""
        if self._healing is not None:
            self._healing.cancel()

    async def _heal(self) -> None:
        """Take the pause back once no answer was lost for a minute and every fate is known."""
        while not self._has_healed():  # noqa: ASYNC110 - it is time that passes
            await asyncio.sleep(1.0)
        self._healing = None
        try:
            self._safety.release(EVERYBODY, self._by)
        except SuiteError as fault:  # more than a pause was set meanwhile, or the disk is full
            _log.warning("pause_stays", by=self._by, reason=str(fault))

    def _has_healed(self) -> bool:
        self._forget(asyncio.get_running_loop().time())
        return not self._lost and self._is_clear()

    def _count(self, times: deque[float]) -> None:
        now_s = asyncio.get_running_loop().time()
        times.append(now_s)
        self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        for times in (self._left, self._lost):
            while times and times[0] <= now_s - WINDOW_S:
                times.popleft()

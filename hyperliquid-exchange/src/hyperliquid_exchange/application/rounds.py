"""One call for all who ask the same, and no answer that is older than its question."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Rounds(Generic[K, V]):
    """Calls that are shared, each by those who asked before it began.

    Who asks while a call is under way would get what was true before the question: an order that
    was just placed could be missing in it. They wait for the next call, and share that.
    """

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[V]] = {}
        self._next: dict[K, asyncio.Task[V]] = {}

    async def ask(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """Call, or wait for the call that begins next.

        Args:
            key: the same for the same question.
            call: asks it; one of those who wait for a round makes it.

        Raises:
            Exception: whatever the call raises, to all who share it.
        """
        task = self._next.get(key)
        if task is None:
            task = asyncio.create_task(self._round(key, self._running.get(key), call))
            self._next[key] = task
            task.add_done_callback(_heard)
        # A caller that goes away takes nothing from the others.
        return await asyncio.shield(task)

    async def _round(
        self, key: K, before: asyncio.Task[V] | None, call: Callable[[], Awaitable[V]]
    ) -> V:
        if before is not None:
            await asyncio.wait([before])
        task = self._running[key] = self._next.pop(key)
        try:
            return await call()
        finally:
            if self._running.get(key) is task:
                del self._running[key]


def _heard(task: "asyncio.Task[V]") -> None:
    """Take note of an error, which all who still wait are told."""
    if not task.cancelled():
        task.exception()

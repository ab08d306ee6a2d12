"""An event loop whose time jumps to the next timer: hours pass in no time, in the same order."""

import asyncio
import random
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_TURN_S = 1e-6
"""A turn of the loop takes as long, so that who waits for less than can be told comes to an end."""


class _Jump(selectors.SelectSelector):
    """Never waits: tells its loop to jump instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing is ready and nothing is due: a deadlock")
        self.now_s += max(_TURN_S, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what is ready in an order of chance, and jumps where nothing is.

    Args:
        chance: of the order.
    """

    def __init__(self, chance: random.Random) -> None:
        self._jump = _Jump()
        self._chance = chance
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        if len(ready) > 1:
            shuffled = list(ready)
            self._chance.shuffle(shuffled)
            ready.clear()
            ready.extend(shuffled)
        super()._run_once()  # type: ignore[misc]


class VirtualClock:
    """The wall clock of a virtual loop.

    Args:
        loop: whose time it tells.
        start_ms: its time at the beginning, epoch ms.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, start_ms: int) -> None:
        self._loop = loop
        self._start_ms = start_ms

    def now_ms(self) -> int:
        return self._start_ms + int(self._loop.time() * 1000)


def run_virtually(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run to the end, and leave nothing behind."""
    try:
        return loop.run_until_complete(main)
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(_ended(tasks))
        loop.close()


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)

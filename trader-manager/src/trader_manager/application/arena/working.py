"""Working parts off: some at a time, each in a process that may end as it likes."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from trader_manager.application.arena.parts import ArenaProgress

OnProgress: TypeAlias = Callable[[float], None]


class PartFailed(Exception):
    """A part did not come to its end; the message is why."""


class PartProcess(Protocol):
    """A process that runs parts, one after the other; started with the first."""

    async def run(self, traders: Sequence[str], on_progress: OnProgress) -> None:
        """Run a part to its end, and keep it.

        Args:
            traders: their ids.
            on_progress: told the share that is done.

        Raises:
            PartFailed: it did not come to its end.
        """
        ...

    async def close(self) -> None:
        """End the process and all that it has started."""
        ...


class PartQueue:
    """Parts that wait, and what becomes of them.

    Args:
        parts: trader ids of each.
        progress: told of everything.
        clock_s: seconds, from any beginning.
    """

    def __init__(
        self,
        parts: Iterable[Sequence[str]],
        progress: ArenaProgress,
        clock_s: Callable[[], float],
    ) -> None:
        self._waiting = deque(tuple(part) for part in parts)
        self._running: list[tuple[str, ...]] = []
        self._ended = asyncio.Event()
        self._progress = progress
        self._clock_s = clock_s

    def __len__(self) -> int:
        return len(self._waiting)

    async def work_off(self, processes: Sequence[PartProcess]) -> None:
        """Run all parts; a part that fails is run again, each trader alone, to find whose it is.

        Whatever happens, all processes are ended.
        """
        tasks = [asyncio.create_task(self._work(process)) for process in processes]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, process: PartProcess) -> None:
        try:
            while (part := await self._next()) is not None:
                self._running.append(part)
                try:
                    await self._run(process, part)
                finally:
                    self._running.remove(part)
                    self._ended.set()
        finally:
            await process.close()

    async def _next(self) -> tuple[str, ...] | None:
        """Take a part; wait for one while one runs whose traders may have to be run again."""
        while not self._waiting and any(len(part) > 1 for part in self._running):
            self._ended.clear()
            await self._ended.wait()
        return self._waiting.popleft() if self._waiting else None

    async def _run(self, process: PartProcess, part: tuple[str, ...]) -> None:
        self._progress.begin(part, self._clock_s())
        try:
            await process.run(part, partial(self._progress.move, part))
        except PartFailed as failure:
            self._failed(part, str(failure))
        else:
            self._progress.move(part, 1.0)
        self._progress.end(part, self._clock_s())

    def _failed(self, part: tuple[str, ...], reason: str) -> None:
        if len(part) == 1:
            self._progress.fail(part[0], reason)
            return
        self._progress.move(part, 0.0)
        self._waiting.extendleft((name,) for name in reversed(part))

"""Answers that are kept: in memory, and in a Redis where several processes give the same ones.

    cache = Cache()
    answer = await cache.get("klines/BTC/1m", version, make)

Only speed depends on it. Every value carries the version of what it was made of; it is an answer
while that version is the present one, whoever kept it and for how long. So nothing that decides
money is here: for what has no version of its own there is no cache.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol

from cachetools import TTLCache

from suite.bodies import Encoded
from suite.service.metrics import Figure

TTL_S: Final = 300.0
"""How long memory keeps a value."""
ITEMS: Final = 1000
SIZE_BYTES: Final = 64 << 20
"""Of all values in memory."""


class Version(NamedTuple):
    """Which state of its origin a value was made of.

    Attributes:
        at_ms: when that state came about, epoch ms: of two states the newer has no lower one.
        state: names it without blanks; equal states, and no others, have equal names.
    """

    at_ms: int
    state: str


class SharedTier(Protocol):
    """What other processes have kept; all that goes wrong there is no value.

    Attributes:
        on_newer: told of the keys of which another process has a newer value, and since when.
    """

    on_newer: Callable[[str, int], None]

    async def find(self, key: str, version: Version) -> Encoded | None:
        """Look for a value of just this version."""
        ...

    def offer(self, key: str, version: Version, value: Encoded) -> None:
        """Keep a value for others, unless they have a newer one; waits for nothing."""
        ...


class Cache:
    """Values by key and version; what many ask for at the same time is made once.

    Args:
        shared: kept by others too; None where there is nobody.
        now_s: any clock that runs evenly.
        size_bytes: of all values in memory.

    Attributes:
        counts: answers by where they came from: `memory`, `shared`, `made`.
    """

    def __init__(
        self,
        shared: SharedTier | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
        size_bytes: int = SIZE_BYTES,
    ) -> None:
        self.counts: Counter[str] = Counter(memory=0, shared=0, made=0)
        self._shared = shared
        if shared is not None:
            shared.on_newer = self.outdated
        # Each value counts for its thousandth at least: so there are a thousand at most.
        self._size_bytes = size_bytes
        self._kept: TTLCache[str, tuple[Version, Encoded]] = TTLCache(
            size_bytes, TTL_S, now_s, lambda kept: max(len(kept[1].body), size_bytes // ITEMS)
        )
        self._making: dict[tuple[str, Version], asyncio.Task[Encoded]] = {}

    async def get(
        self,
        key: str,
        version: Callable[[], Awaitable[Version]],
        make: Callable[[], Awaitable[Encoded]],
    ) -> Encoded:
        """Answer with the value of the present version.

        Args:
            key: what is asked for, all of it.
            version: tells the present one; asked again after a value was made, which is kept only
                where nothing has changed meanwhile.
            make: makes the value; what it raises is raised to all who ask, and not kept.
        """
        present = await version()
        kept = self._kept.get(key)
        if kept is not None and kept[0] == present:
            self.counts["memory"] += 1
            return kept[1]
        making = self._making.get((key, present))
        if making is None:
            making = asyncio.create_task(self._make(key, present, version, make))
            self._making[key, present] = making
            making.add_done_callback(lambda task: self._made((key, present), task))
        return await asyncio.shield(making)  # who goes away takes it from nobody else

    def outdated(self, key: str, at_ms: int) -> None:
        """Let go of a value: another process has a newer one."""
        kept = self._kept.get(key)
        if kept is not None and kept[0].at_ms < at_ms:
            del self._kept[key]

    async def _make(
        self,
        key: str,
        present: Version,
        version: Callable[[], Awaitable[Version]],
        make: Callable[[], Awaitable[Encoded]],
    ) -> Encoded:
        if self._shared is not None:
            found = await self._shared.find(key, present)
            if found is not None:
                self.counts["shared"] += 1
                self._keep(key, present, found)
                return found
        made = await make()
        self.counts["made"] += 1
        if await version() == present and self._keep(key, present, made) and self._shared:
            self._shared.offer(key, present, made)
        return made

    def _keep(self, key: str, version: Version, value: Encoded) -> bool:
        """Keep a value unless a newer one is there; say whether."""
        kept = self._kept.get(key)
        if kept is not None and kept[0].at_ms > version.at_ms:
            return False
        if len(value.body) <= self._size_bytes:
            self._kept[key] = version, value
        return True

    def _made(self, what: tuple[str, Version], task: asyncio.Task[Encoded]) -> None:
        del self._making[what]
        if not task.cancelled():
            task.exception()  # whoever waits has it; nobody need be waiting any more


def cache_figure(prefix: str, cache: Cache) -> Figure:
    """Show where answers came from.

    Args:
        prefix: of the service's metrics.
        cache: of the service.
    """
    return Figure(
        name=f"{prefix}_cached_answers",
        text="Answers by where they came from: memory, shared, or made.",
        label="tier",
        kind="counter",
        read=lambda: dict(cache.counts),
    )

"""Health that means progress: a process that answers but no longer moves is not healthy."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from suite.clock import Clock

Detail: TypeAlias = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One look at a service.

    Attributes:
        ok: it makes progress, or has nothing to do.
        detail: figures that show it (age of the last step, queue length), without secrets.
    """

    ok: bool = True
    detail: Detail = field(default_factory=dict)


Probe: TypeAlias = Callable[[], Health | Awaitable[Health]]


def always_ok() -> Health:
    """Answer for a service whose only work is to answer."""
    return Health()


async def ask(probe: Probe) -> Health:
    """Run a probe; one that fails is an unhealthy service, not a failed request."""
    try:
        answer = probe()
        return await answer if inspect.isawaitable(answer) else answer
    except Exception as error:  # noqa: BLE001  whatever breaks the probe is the finding
        return Health(ok=False, detail={"reason": f"{type(error).__name__}: {error}"})


class Progress:
    """A probe for a loop that must turn: healthy while the last beat is young.

    Args:
        clock: source of time.
        limit_ms: age of the last beat from which the loop counts as stuck.
    """

    def __init__(self, clock: Clock, *, limit_ms: int) -> None:
        self._clock = clock
        self._limit_ms = limit_ms
        self._last_ms = clock.now_ms()
        self._beats = 0

    def beat(self) -> None:
        """Say that the loop has turned."""
        self._last_ms = self._clock.now_ms()
        self._beats += 1

    def __call__(self) -> Health:
        """Look at the age of the last beat."""
        age_ms = self._clock.now_ms() - self._last_ms
        detail = {"beats": self._beats, "last_beat_age_ms": age_ms}
        return Health(ok=age_ms < self._limit_ms, detail=detail)

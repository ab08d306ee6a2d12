"""Health that means progress: a process that answers but no longer moves is not healthy."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

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

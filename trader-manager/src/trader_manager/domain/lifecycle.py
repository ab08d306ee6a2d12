"""From what is wanted of a trader and what is seen of it to what has to be done.

A start counts from the moment before it is carried out, so that a trader that takes the manager
down with it is not started again and again. Source of the restart rule: `docs/trader-manager.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from trader_manager.domain.traders import DesiredState

Actual = Literal["absent", "running", "ended", "crashed"]
"""What is seen of a trader: `ended` came to its end in order, as did its world."""
Step = Literal["start", "restart", "stop", "none"]

CRASHES_MAX: Final = 3
"""Crashes within the window that are answered at once."""
CRASH_WINDOW_MS: Final = 600_000
CRASH_DELAY_MS: Final = 60_000
"""How long the next start waits where there were more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of a trader.

    Attributes:
        desired: whether it shall run.
        generation: number of its configuration, rising with each change.
    """

    desired: DesiredState
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is seen of a trader.

    Attributes:
        actual: what it is doing.
        generation: of the configuration that it was started with; 0 where it was not.
        crashes_ms: when it was started without having come to an orderly end since, epoch ms,
            rising, the present start not among them.
    """

    actual: Actual
    generation: int = 0
    crashes_ms: tuple[int, ...] = ()


def next_step(wanted: Wanted, seen: Seen, *, now_ms: int) -> tuple[Step, int]:
    """Say what to do with a trader.

    Args:
        wanted: of it.
        seen: of it.
        now_ms: epoch ms.

    Returns:
        The step, and how long it has to wait yet, ms; 0 for at once.
    """
    if wanted.desired is DesiredState.STOPPED:
        return ("stop", 0) if seen.actual == "running" else ("none", 0)
    if seen.actual == "running":
        changed = seen.generation != wanted.generation
        return ("restart", 0) if changed else ("none", 0)
    if seen.actual == "ended" and seen.generation == wanted.generation:
        return "none", 0
    return "start", delay_ms(seen.crashes_ms, now_ms=now_ms)


def delay_ms(crashes_ms: Sequence[int], *, now_ms: int) -> int:
    """How long the next start has to wait: not at all after few crashes.

    Args:
        crashes_ms: epoch ms, rising.
        now_ms: epoch ms.
    """
    recent = [at_ms for at_ms in crashes_ms if now_ms - at_ms < CRASH_WINDOW_MS]
    if len(recent) <= CRASHES_MAX:
        return 0
    return max(0, recent[-1] + CRASH_DELAY_MS - now_ms)

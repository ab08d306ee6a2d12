"""From what is wanted of a trader and what is seen of it to what has to be done.

A crash is an end of a run that nobody asked for: its process is gone without the result of its
world, or is there and its run has failed for good. It counts once, from when it is seen. Source of
the restart rule: `docs/trader-manager.md`.
"""

from dataclasses import dataclass
from typing import Literal

from suite.crashes import delay_ms
from trader_manager.domain.traders import DesiredState

Actual = Literal["absent", "running", "ended", "crashed", "failed", "claimable"]
"""What is seen of a trader: `ended` came to its end in order, as did its world; the process of one
that `failed` is there, and does nothing any more; one that is `claimable` is started by nobody
here, but by whoever claims it."""
Step = Literal["start", "restart", "stop", "none"]


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
        crashes_ms: when crashes of late were seen, the present one included, epoch ms, rising.
        lasting: why it failed stays until a person has changed something.
        outlived: it was started for a world that its venue has no more.
    """

    actual: Actual
    generation: int = 0
    crashes_ms: tuple[int, ...] = ()
    lasting: bool = False
    outlived: bool = False


def next_step(wanted: Wanted, seen: Seen, *, now_ms: int) -> tuple[Step, int]:
    """Say what to do with a trader.

    Args:
        wanted: of it.
        seen: of it.
        now_ms: epoch ms.

    Returns:
        The step, and how long it has to wait yet, ms; 0 for at once.
    """
    if seen.actual == "claimable":
        return "none", 0
    if wanted.desired is DesiredState.STOPPED:
        return ("stop", 0) if seen.actual in {"running", "failed"} else ("none", 0)
    changed = seen.generation != wanted.generation or seen.outlived
    if seen.actual in {"running", "failed"} and changed:
        return "restart", 0
    if seen.actual == "running" or (seen.actual == "failed" and seen.lasting):
        return "none", 0
    if seen.actual == "ended" and not changed:
        return "none", 0
    step: Step = "restart" if seen.actual == "failed" else "start"
    return step, 0 if changed else delay_ms(seen.crashes_ms, now_ms=now_ms)

"""May a model have seen the prices that its trader trades? Judged by what its maker says of it."""

from collections.abc import Mapping
from typing import Any, Final

from suite.bars import DAY_MS
from suite.contracts.leaderboard import Memory
from suite.moments import parse_moment

ASKING: Final = frozenset({"llm", "llm_meeting"})
"""Kinds whose parameters are those of `strategy_core.llm.params`."""
MEMORY: Final[Mapping[Memory, str]] = {
    "after_cutoff": "the whole run is after the model's training cut-off, so it cannot know it",
    "may_have_seen": "the model may have seen this period; state its training_cutoff, or see "
    "virtual-exchange memory-score",
    "generated": "the prices were generated, so no model can have seen them",
    "masked": "names, prices and dates were masked, so no model could recognize them",
}


def is_after(cutoff: str, began_ms: int) -> bool | None:
    """Tell whether a run began after all that a model has seen; None where nobody says.

    Args:
        cutoff: last day that it may have seen, e.g. 2024-06-30; empty where nobody says.
        began_ms: start of the run, UTC.

    Raises:
        ValueError: it is no day.
    """
    return began_ms >= parse_moment(cutoff) + DAY_MS if cutoff else None


def memory_of(
    strategy: Mapping[str, Any],
    from_ms: int,
    *,
    generated: bool = False,
    masked: bool = False,
) -> Memory | None:
    """Say what a trader's model may remember of a period; None for one that asks no model.

    Args:
        strategy: `kind` and `params`, as configured.
        from_ms: start of the whole run by the recorded dates, UTC.
        generated: the prices were made up, so nobody has seen them.
        masked: names, prices and dates were others than the recorded ones.
    """
    if strategy.get("kind") not in ASKING:
        return None
    if generated:
        return "generated"
    if masked:
        return "masked"
    cutoff = (strategy.get("params") or {}).get("training_cutoff")
    try:
        known = is_after(cutoff, from_ms) if isinstance(cutoff, str) else None
    except ValueError:
        known = None
    return "after_cutoff" if known else "may_have_seen"

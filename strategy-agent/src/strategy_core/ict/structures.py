"""What the features saw, as plain events for a chart: each with the time it became known.

The events are written by the very step that computes the features. None is ever rewritten: an end
is an event of its own, and until it is known a zone is shown as living.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from strategy_core.ict.features import run
from strategy_core.ict.kernel import layout
from suite.bars import F64, Bars


class Kind(StrEnum):
    """What a structure is."""

    SWING = "swing"
    """A high or low with `WING` lower or higher bars on each side."""
    SWEEP = "sweep"
    """A bar that pierced a swing and closed back behind it."""
    BREAK = "break"
    """A close beyond a swing, in the direction of the last one (BOS)."""
    CHANGE = "change"
    """A close beyond a swing against the last one, or the first (CHoCH)."""
    BLOCK = "order_block"
    """The last candle against a break."""
    GAP = "fair_value_gap"
    """Prices between a bar and the one before its predecessor."""


class End(StrEnum):
    """Why a zone is no more."""

    BROKEN = "broken"
    """Closed through, or, of a gap, filled."""
    EXPIRED = "expired"
    CROWDED = "crowded"
    """Too many of its kind: the oldest goes."""
    FORGOTTEN = "forgotten"
    """A hole in the bars, after which everything begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """One structure.

    Attributes:
        kind: what it is.
        side: 1 for a swing high and for what is bullish, -1 for a swing low and what is bearish.
        known_ms: close of the bar that showed it; nobody could know it before.
        from_ms: open time of the bar it is about: the extreme, the candle, the middle of the gap.
        low, high: USD; equal for a level. Of a sweep, from the level to the extreme.
        strength: of a sweep, 0 to 1; else 0.
        ended_ms, end: of a zone, when it became known that it is no more, and why.
    """

    kind: Kind
    side: int
    known_ms: int
    from_ms: int
    low: float
    high: float
    strength: float = 0.0
    ended_ms: int | None = None
    end: End | None = None


_KINDS: Final = {
    layout.IS_SWING: Kind.SWING,
    layout.IS_SWEEP: Kind.SWEEP,
    layout.IS_BREAK: Kind.BREAK,
    layout.IS_BLOCK: Kind.BLOCK,
    layout.IS_GAP: Kind.GAP,
    layout.IS_BLOCK_END: Kind.BLOCK,
    layout.IS_GAP_END: Kind.GAP,
}
_ENDS: Final = {
    layout.BROKEN: End.BROKEN,
    layout.EXPIRED: End.EXPIRED,
    layout.CROWDED: End.CROWDED,
    layout.FORGOTTEN: End.FORGOTTEN,
}
_GUESS: Final = 1024


def told(events: Iterable[Iterable[float]]) -> tuple[Structure, ...]:
    """Read a log of events, ends joined to what they end.

    Args:
        events: rows of `layout.COLUMNS` numbers in the order in which they became known, from the
            beginning; an end of what is not among them is left out.

    Returns:
        The structures, in the order in which they became known.
    """
    found: dict[tuple[Kind, int, int], Structure] = {}
    for kind_number, side, known, at, low, high, value in events:
        kind = _KINDS[int(kind_number)]
        if kind_number in (layout.IS_BLOCK_END, layout.IS_GAP_END):
            key = (kind, int(side), int(at))
            if key in found:
                end = _ENDS[int(value)]
                found[key] = replace(found[key], ended_ms=int(known), end=end)
            continue
        if kind is Kind.BREAK and value < 1.0:
            kind = Kind.CHANGE
        found[kind, int(side), int(known)] = Structure(
            kind=kind,
            side=int(side),
            known_ms=int(known),
            from_ms=int(at),
            low=low,
            high=high,
            strength=value if kind is Kind.SWEEP else 0.0,
        )
    return tuple(found.values())


def event_log(bars: Bars) -> F64:
    """Run the features over bars and keep what they saw: shape (m, layout.COLUMNS)."""
    log = np.empty((_GUESS + len(bars) // 2, layout.COLUMNS))
    _, count = run(bars, log)
    if count > len(log):
        log = np.empty((count, layout.COLUMNS))
        run(bars, log)
    return log[:count]


def structures(bars: Bars) -> tuple[Structure, ...]:
    """Find the structures of bars.

    Args:
        bars: closed bars, oldest first; what is before them is not known.

    Raises:
        BarRefused: a bar that cannot be right.
    """
    return told(event_log(bars).tolist())

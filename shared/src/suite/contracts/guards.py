"""What guarded a trader during its run, as the trader itself sums it up at the end.

The venue knows orders and money; why an order was made smaller, which exit closed a position and
how long the trader was paused, only the trader knows.
"""

from typing import Annotated, Final

import msgspec

from suite.contracts.venue import Name
from suite.enums import TraderStatus

LISTED_MAX: Final = 200
"""The latest of a kind that are listed; counts are of all."""
TEXT_MAX: Final = 500
KINDS_MAX: Final = 100

_Text = Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Counts = Annotated[
    dict[Annotated[str, msgspec.Meta(max_length=64)], _Count], msgspec.Meta(max_length=KINDS_MAX)
]


class ClosedPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position from flat to flat.

    Attributes:
        kind: what closed it: one of the seven exits, a stop or target, the venue, the strategy.
        opened_ms, closed_ms: the venue's time.
        rule: the strategy's own rule that had come true; empty where none had.
    """

    coin: Name
    kind: Annotated[str, msgspec.Meta(max_length=64)]
    opened_ms: int
    closed_ms: int
    rule: _Text = ""


class Standstill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time in which a trader took no new risk.

    Attributes:
        status: PAUSED or STOPPED.
        from_ms, until_ms: the venue's time; None for the end of the run.
        causes: their names when it began; none for STOPPED by itself.
        reason: what brought it about.
    """

    status: TraderStatus
    from_ms: int
    until_ms: int | None = None
    causes: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=KINDS_MAX)] = ()
    reason: _Text = ""


class GuardSummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole run.

    Attributes:
        decisions: how often the strategy was asked.
        faults: how often it gave no decision.
        first_fault, first_fault_ms: the first time, in its words; None for never.
        accepted: actions that passed as they were.
        clamped, rejected: actions that did not, by the rule that says why.
        exits: positions that came to their end, by what closed them.
        closed: the latest of them, oldest first.
        standstills: how often it was paused or stopped.
        stood: the latest of these times, oldest first.
    """

    decisions: _Count = 0
    faults: _Count = 0
    first_fault: _Text = ""
    first_fault_ms: int | None = None
    accepted: _Count = 0
    clamped: _Counts = {}
    rejected: _Counts = {}
    exits: _Counts = {}
    closed: Annotated[tuple[ClosedPosition, ...], msgspec.Meta(max_length=LISTED_MAX)] = ()
    standstills: _Count = 0
    stood: Annotated[tuple[Standstill, ...], msgspec.Meta(max_length=LISTED_MAX)] = ()

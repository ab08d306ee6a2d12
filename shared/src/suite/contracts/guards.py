"""What guarded a trader during its run and what it thought with, as it sums it up at the end.

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
DAYS_MAX: Final = 4_000
"""Of a run with language models; what is older counts for the oldest that is kept."""

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


class ModelDay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What language models cost in one day of the venue's time, UTC.

    Attributes:
        from_ms: its first turn with a model.
        cost_usd: micro-USD.
    """

    from_ms: int
    cost_usd: _Count = 0


class ModelUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a trader asked of language models, and what that cost.

    Attributes:
        questions: turns in which one was asked, answered or not.
        answers: attempts that got an answer, by where that came from: `live`, `record`, or
            `replay` for a cassette.
        faults: turns without an answer, by their kind; flaws: of answers, by theirs.
        tokens: of prompts and replies.
        paid_usd: micro-USD that were paid for this run.
        recorded_usd: micro-USD that replayed answers cost when they were recorded.
        days: both together, oldest first.
    """

    questions: _Count = 0
    answers: _Counts = {}
    faults: _Counts = {}
    flaws: _Counts = {}
    tokens: _Count = 0
    paid_usd: _Count = 0
    recorded_usd: _Count = 0
    days: Annotated[tuple[ModelDay, ...], msgspec.Meta(max_length=DAYS_MAX)] = ()


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
        models: what it asked of language models; None where it asked none.
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
    models: ModelUse | None = None

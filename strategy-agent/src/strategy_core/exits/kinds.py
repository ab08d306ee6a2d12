"""Words of the exits: what can end a position, and where a position is on its way there."""

from enum import StrEnum
from typing import Final


class ExitKind(StrEnum):
    """The seven conditions, in strict order: the first that fires wins."""

    FORCED_LIQUIDATION = "forced_liquidation"
    """The loss has used the margin up, or the venue is about to liquidate."""
    MARGIN_GUARD = "margin_guard"
    """The account is near its maintenance margin; this position is its worst."""
    TIME_STOP = "time_stop"
    """The position has been open too long."""
    CONFIDENCE_COLLAPSE = "confidence_collapse"
    """The model no longer believes in it."""
    STRUCTURE_INVALIDATION = "structure_invalidation"
    """The market has turned, or the strategy's own rule says so."""
    PARTIAL_TAKE_PROFIT = "partial_take_profit"
    """A first gain is taken in part, once."""
    TRAILING_TAKE_PROFIT = "trailing_take_profit"
    """A gain has come back to the stop that trailed it."""


PREEMPTIVE: Final = frozenset(
    {ExitKind.FORCED_LIQUIDATION, ExitKind.MARGIN_GUARD, ExitKind.TIME_STOP}
)
"""May take the place of any other exit that is on its way."""


class OtherClose(StrEnum):
    """How a position ended when none of the seven ended it."""

    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    LIQUIDATION = "liquidation"
    """By the venue."""
    STRATEGY = "strategy"
    """By an order of the strategy, or of somebody else on the account."""
    UNSEEN = "unseen"
    """While nobody looked: no fill of it was shown."""


class ExitState(StrEnum):
    """Where a coin is; flat is no state."""

    OPENING = "OPENING"
    """A plan is there, no fill yet."""
    OPEN = "OPEN"
    REDUCING = "REDUCING"
    """A part is on its way out."""
    CLOSING = "CLOSING"
    """All of it is on its way out."""

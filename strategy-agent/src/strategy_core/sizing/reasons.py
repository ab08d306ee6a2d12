"""Why a trade is left out; one name for each reason, wherever it is found."""

from enum import StrEnum


class SkipReason(StrEnum):
    """What kept a trade from being made. The value is what journals show."""

    NO_CONFIDENCE = "NO_CONFIDENCE"
    """There is no probability, or it is not a number from 0 to 1."""
    NO_EDGE = "NO_EDGE"
    """The probability is not above one half: after costs nothing is to be won."""
    NO_EQUITY = "NO_EQUITY"
    """The account is worth nothing."""
    CAP_POSITION = "CAP_POSITION"
    """The coin has most of what one position may commit already."""
    CAP_ACCOUNT = "CAP_ACCOUNT"
    """All positions and reservations together leave less than a worthwhile part of the trade."""
    NO_PRICE = "NO_PRICE"
    """There is no positive price to work with."""
    NO_RANGE = "NO_RANGE"
    """The average true range is unknown, so there is no distance for a stop."""
    TARGET_BELOW_COST = "TARGET_BELOW_COST"
    """The target is too near to pay for fees and slippage."""
    BELOW_TICK = "BELOW_TICK"
    """On the lattice of prices stop or target would fall together with the entry."""
    BELOW_MIN_NOTIONAL = "BELOW_MIN_NOTIONAL"
    """The venue takes no order that small; a size is never raised."""
    HEAT = "HEAT"
    """All stops hit together would cost more than the account may lose at once."""

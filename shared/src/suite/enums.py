"""Words of the venue, with their wire values."""

from enum import IntEnum, StrEnum
from typing import Literal


class Side(IntEnum):
    """Direction of an order or fill; the value is the sign of the size it adds."""

    BUY = 1
    SELL = -1

    @property
    def wire(self) -> Literal["B", "A"]:
        """`B` (bid) or `A` (ask)."""
        return "B" if self is Side.BUY else "A"


class Tif(StrEnum):
    """Time in force."""

    GTC = "Gtc"
    """Rests until filled or canceled."""
    IOC = "Ioc"
    """Fills now; the rest is canceled."""
    ALO = "Alo"
    """Add liquidity only: refused if it would take."""


class Tpsl(StrEnum):
    """Kind of a trigger order."""

    TAKE_PROFIT = "tp"
    STOP_LOSS = "sl"


class Grouping(StrEnum):
    """How the orders of one action belong together."""

    NONE = "na"
    NORMAL_TPSL = "normalTpsl"
    """Parent first, then its take-profit and stop-loss; children wait for the parent's fill."""
    POSITION_TPSL = "positionTpsl"
    """Take-profit and stop-loss of the position as it is, which they follow."""


class MarginMode(StrEnum):
    """What stands behind a position."""

    CROSS = "cross"
    ISOLATED = "isolated"


class OrderStatus(StrEnum):
    """Where an order is in its life; those of `_ALIVE` are not terminal."""

    OPEN = "open"
    WAITING_FOR_FILL = "waitingForFill"
    WAITING_FOR_TRIGGER = "waitingForTrigger"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    MARGIN_CANCELED = "marginCanceled"
    REDUCE_ONLY_CANCELED = "reduceOnlyCanceled"
    SIBLING_FILLED_CANCELED = "siblingFilledCanceled"
    LIQUIDATED_CANCELED = "liquidatedCanceled"
    SCHEDULED_CANCEL = "scheduledCancel"
    EXPIRED = "expired"
    """Its own time ran out. The venue has no such orders, and no word."""
    DELISTED_CANCELED = "delistedCanceled"
    """The coin's data ended, or the world's: the wire has no closer word for the latter."""
    TRIGGERED = "triggered"
    """Its trigger has just fired; told once, then it is open or at its end."""
    MIN_NOTIONAL_REJECTED = "minTradeNtlRejected"
    MARGIN_REJECTED = "perpMarginRejected"
    POSITION_LIMIT_REJECTED = "perpMaxPositionRejected"
    REDUCE_ONLY_REJECTED = "reduceOnlyRejected"
    POST_ONLY_REJECTED = "badAloPxRejected"
    IOC_REJECTED = "iocCancelRejected"
    TRIGGER_REJECTED = "badTriggerPxRejected"
    TOO_MANY_ORDERS_REJECTED = "tooManyOpenOrdersRejected"

    @property
    def terminal(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self not in _ALIVE


_ALIVE = frozenset(
    {
        OrderStatus.OPEN,
        OrderStatus.WAITING_FOR_FILL,
        OrderStatus.WAITING_FOR_TRIGGER,
        OrderStatus.TRIGGERED,
    }
)


class TraderStatus(StrEnum):
    """What a trader may do. Paper or real money is a mode, not a status."""

    LIVE = "LIVE"
    PAUSED = "PAUSED"
    """Decides, but only for the journal; reduces risk, and opens none."""
    STOPPED = "STOPPED"
    """Decides no more; exits go on until it is flat."""


class FillCause(StrEnum):
    """Why a trade happened."""

    ORDER = "order"
    LIQUIDATION = "liquidation"
    """Sold to the market by the venue."""
    BACKSTOP = "backstop"
    """Taken over by the venue, at the mark."""
    SETTLEMENT = "settlement"
    """The coin was delisted."""

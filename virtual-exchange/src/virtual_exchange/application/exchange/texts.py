"""Why something is refused, in the venue's own words.

Source: hyperliquid-python-sdk and ccxt error tables, venue documentation "Error responses", read
2026-11. Errors found while an order is matched end in ` asset=N`; static ones do not.
"""

from typing import Final

from suite.enums import OrderStatus
from suite.errors import RejectReason

TEXTS: Final[dict[RejectReason, str]] = {
    RejectReason.HALTED: "Trading is halted.",
    RejectReason.UNKNOWN_COIN: "Unknown coin.",
    RejectReason.ZERO_SIZE: "Order has zero size.",
    RejectReason.INVALID_SIZE: "Order has invalid size.",
    RejectReason.INVALID_PRICE: "Order has invalid price.",
    RejectReason.PRICE_TOO_FAR: (
        "Order price cannot be more than 80% away from the reference price"
    ),
    RejectReason.VALUE_TOO_LARGE: "Order value too large. Max is $1000000000.",
    RejectReason.EXPIRED: "Action expired before it arrived.",
    RejectReason.DUPLICATE_CLOID: "Order has a duplicate cloid.",
    RejectReason.TOO_MANY_OPEN_ORDERS: "Too many open orders",
    RejectReason.BAD_TRIGGER_PRICE: "Invalid TP/SL price.",
    RejectReason.TRIGGER_NOT_REDUCE_ONLY: "Trigger order is not reduce only.",
    RejectReason.REDUCE_ONLY_INCREASES: "Reduce only order would increase position.",
    RejectReason.MIN_NOTIONAL: "Order must have minimum value of $10.",
    RejectReason.POSITION_LIMIT: ("Order would exceed maximum position size for current leverage."),
    RejectReason.INSUFFICIENT_MARGIN: "Insufficient margin to place order.",
    RejectReason.POST_ONLY_WOULD_MATCH: (
        "Post only order would have immediately matched, bbo was {bid}@{ask}."
    ),
    RejectReason.IOC_NO_MATCH: ("Order could not immediately match against any resting orders."),
    RejectReason.UNKNOWN_ORDER: "Order was never placed, already canceled, or filled.",
    RejectReason.CANNOT_MODIFY: "Cannot modify canceled or filled order",
    RejectReason.INVALID_LEVERAGE: "Invalid leverage value",
    RejectReason.LEVERAGE_NEEDS_MARGIN: (
        "Cross position does not have sufficient margin available to decrease leverage."
    ),
    RejectReason.ISOLATED_LEVERAGE_NEEDS_MARGIN: (
        "Isolated position does not have sufficient margin available to decrease leverage. "
        "To decrease leverage, add margin to the position."
    ),
    RejectReason.MARGIN_MODE_WITH_POSITION: "Cannot switch leverage type with open position.",
    RejectReason.NOT_ISOLATED: "Position does not use isolated margin.",
    RejectReason.MARGIN_IN_USE: "Insufficient margin available.",
    RejectReason.SCHEDULE_TOO_SOON: (
        "Scheduled cancel time too early, must be at least 5 seconds from now."
    ),
    RejectReason.SCHEDULE_LIMIT: "Cannot schedule more than 10 cancels a day.",
}

STATIC: Final = frozenset(
    {
        RejectReason.HALTED,
        RejectReason.UNKNOWN_COIN,
        RejectReason.ZERO_SIZE,
        RejectReason.INVALID_SIZE,
        RejectReason.INVALID_PRICE,
        RejectReason.PRICE_TOO_FAR,
        RejectReason.VALUE_TOO_LARGE,
        RejectReason.DUPLICATE_CLOID,
        RejectReason.TOO_MANY_OPEN_ORDERS,
        RejectReason.TRIGGER_NOT_REDUCE_ONLY,
        RejectReason.CANNOT_MODIFY,
        RejectReason.INVALID_LEVERAGE,
        RejectReason.LEVERAGE_NEEDS_MARGIN,
        RejectReason.MARGIN_MODE_WITH_POSITION,
        RejectReason.NOT_ISOLATED,
        RejectReason.MARGIN_IN_USE,
        RejectReason.SCHEDULE_TOO_SOON,
        RejectReason.SCHEDULE_LIMIT,
        RejectReason.ISOLATED_LEVERAGE_NEEDS_MARGIN,
        RejectReason.EXPIRED,
    }
)
"""Reasons whose text carries no asset id."""


FORM: Final = frozenset(
    {
        RejectReason.UNKNOWN_COIN,
        RejectReason.ZERO_SIZE,
        RejectReason.INVALID_SIZE,
        RejectReason.INVALID_PRICE,
        RejectReason.PRICE_TOO_FAR,
        RejectReason.VALUE_TOO_LARGE,
        RejectReason.BAD_TRIGGER_PRICE,
        RejectReason.TRIGGER_NOT_REDUCE_ONLY,
    }
)
"""What is found before any order of a batch is carried out, and told once for all of them."""

REJECTED_AS: Final[dict[RejectReason, OrderStatus]] = {
    RejectReason.TOO_MANY_OPEN_ORDERS: OrderStatus.TOO_MANY_ORDERS_REJECTED,
    RejectReason.BAD_TRIGGER_PRICE: OrderStatus.TRIGGER_REJECTED,
    RejectReason.REDUCE_ONLY_INCREASES: OrderStatus.REDUCE_ONLY_REJECTED,
    RejectReason.MIN_NOTIONAL: OrderStatus.MIN_NOTIONAL_REJECTED,
    RejectReason.POSITION_LIMIT: OrderStatus.POSITION_LIMIT_REJECTED,
    RejectReason.INSUFFICIENT_MARGIN: OrderStatus.MARGIN_REJECTED,
    RejectReason.POST_ONLY_WOULD_MATCH: OrderStatus.POST_ONLY_REJECTED,
    RejectReason.IOC_NO_MATCH: OrderStatus.IOC_REJECTED,
}
"""Status of an order that was refused when it came to the book; others leave no record."""


def error_text(reason: RejectReason, asset: int, *, bid: str = "", ask: str = "") -> str:
    """Write a refusal as the venue does.

    Args:
        reason: why.
        asset: index of the coin in the universe.
        bid, ask: best prices, for the texts that show them.
    """
    text = TEXTS[reason].format(bid=bid, ask=ask)
    return text if reason in STATIC else f"{text} asset={asset}"

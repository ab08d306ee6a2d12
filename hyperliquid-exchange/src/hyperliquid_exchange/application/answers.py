"""What a caller is answered, in the venue's own shape and words.

Source of the texts: venue documentation, "Error responses", and the tables of the SDK and of ccxt,
read 2026-11. Texts of what is found while an order is matched end in ` asset=N`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Reply = dict[str, Any]
Status = str | dict[str, Any]

ZERO_SIZE: Final = "Order has zero size."
INVALID_SIZE: Final = "Order has invalid size."
INVALID_PRICE: Final = "Order has invalid price."
PRICE_TOO_FAR: Final = "Order price cannot be more than 80% away from the reference price"
UNKNOWN_ORDER: Final = "Order was never placed, already canceled, or filled."
CANNOT_MODIFY: Final = "Cannot modify canceled or filled order"
EXPIRED: Final = "Action already expired"
DONE: Final[Reply] = {"status": "ok", "response": {"type": "default"}}

REJECTED_AS: Final[Mapping[str, str]] = {
    "tickRejected": "Price must be divisible by tick size.",
    "minTradeNtlRejected": "Order must have minimum value of $10.",
    "perpMarginRejected": "Insufficient margin to place order.",
    "perpMaxPositionRejected": ("Order would exceed maximum position size for current leverage."),
    "reduceOnlyRejected": "Reduce only order would increase position.",
    "badAloPxRejected": "Post only order would have immediately matched.",
    "iocCancelRejected": "Order could not immediately match against any resting orders.",
    "badTriggerPxRejected": "Invalid TP/SL price.",
    "marketOrderNoLiquidityRejected": "No liquidity available for market order.",
    "oracleRejected": "Price too far from oracle",
    "tooManyOpenOrdersRejected": "Too many open orders",
}
"""Text of an order's refusal, by the status that the venue keeps of it."""


def err(text: str) -> Reply:
    """The action as a whole is refused."""
    return {"status": "err", "response": text}


def statuses(kind: str, found: Sequence[Status]) -> Reply:
    """One status an item; kind is `order` or `cancel`."""
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": list(found)}}}


def statuses_of(reply: Mapping[str, Any]) -> list[Status]:
    """List the statuses of an answer; none where it has none."""
    match reply:
        case {"response": {"data": {"statuses": list(found)}}}:
            return found
    return []


def of_asset(text: str, asset: int) -> Status:
    """Refuse an item as the venue does while it matches."""
    return {"error": f"{text} asset={asset}"}

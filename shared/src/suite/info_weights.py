"""What a read costs of the weight that an IP address has.

Source: venue documentation, "Rate limits and user limits", read 2026-11.
"""

from typing import Any, Final

_LIGHT: Final = frozenset(
    {
        "l2Book",
        "allMids",
        "clearinghouseState",
        "orderStatus",
        "spotClearinghouseState",
        "exchangeStatus",
    }
)
_LIGHT_WEIGHT, _HEAVY_WEIGHT, _WEIGHT = 2, 60, 20
_BY_ROWS: Final = frozenset(
    {
        "recentTrades",
        "historicalOrders",
        "userFills",
        "userFillsByTime",
        "fundingHistory",
        "userFunding",
        "userNonFundingLedgerUpdates",
        "twapHistory",
        "userTwapSliceFills",
        "userTwapSliceFillsByTime",
        "delegatorHistory",
        "delegatorRewards",
    }
)
_ROWS, _CANDLES = 20, 60


def weight(kind: str, items: int = 0) -> int:
    """Weight of a read.

    Args:
        kind: type of the request.
        items: rows that were told, where they cost.
    """
    if kind in _LIGHT:
        return _LIGHT_WEIGHT
    if kind == "userRole":
        return _HEAVY_WEIGHT
    if kind == "candleSnapshot":
        return _WEIGHT + items // _CANDLES
    return _WEIGHT + (items // _ROWS if kind in _BY_ROWS else 0)


def items_of(answer: Any) -> int:
    """Rows of an answer, 0 where it is no list."""
    return len(answer) if isinstance(answer, list | tuple) else 0

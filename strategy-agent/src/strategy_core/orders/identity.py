"""Names of orders, made from the decision that wants them."""

import hashlib


def cloid_for(
    account_id: str, trader_id: str, decision: int, leg: int | str, generation: int = 0
) -> str:
    """Derive the client order id of an order, so that a repeated decision repeats its ids.

    The first 128 bits of `SHA-256(account | trader | decision | leg | generation)`.

    Args:
        account_id: account that trades.
        trader_id: whose order.
        decision: number of the decision.
        leg: place of the order in it.
        generation: 0 for the first attempt, one more each time it is issued anew.
    """
    text = f"{account_id}|{trader_id}|{decision}|{leg}|{generation}"
    return f"0x{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def share_of(cloid: str) -> float:
    """Turn an id into a number from 0 to below 1, equally spread and equal everywhere."""
    return int(cloid[2:10], 16) / (1 << 32)

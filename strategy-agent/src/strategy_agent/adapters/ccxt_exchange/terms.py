"""Orders that are made of other orders, where an exchange has no groups and no modification."""

import hashlib

from suite.contracts.venue import Leg, ModifyOrder, OrderType, PlaceOrder, TriggerType
from suite.enums import Tif, Tpsl


def at_once(action: PlaceOrder) -> bool:
    """Say whether an order is not to rest."""
    limit = action.order_type.limit
    return limit is not None and (action.limit_px == 0 or limit.tif == Tif.IOC)


def legs(action: PlaceOrder) -> tuple[tuple[str, PlaceOrder], ...]:
    """Make the orders that protect an entry, for exchanges without groups."""
    pairs: tuple[tuple[str, Tpsl, Leg | None], ...] = (
        ("stop loss", Tpsl.STOP_LOSS, action.stop_loss),
        ("take profit", Tpsl.TAKE_PROFIT, action.take_profit),
    )
    return tuple(
        (
            name,
            PlaceOrder(
                coin=action.coin,
                is_buy=not action.is_buy,
                sz=action.sz,
                order_type=OrderType(
                    trigger=TriggerType(isMarket=True, triggerPx=leg.price, tpsl=tpsl)
                ),
                reduce_only=True,
            ),
        )
        for name, tpsl, leg in pairs
        if leg is not None
    )


def leg_id(key: str, name: str) -> str:
    """Name the order that protects an entry, by the entry's key."""
    return hashlib.sha256(f"{key}\n{name}".encode()).hexdigest()[:32]


def as_placed(action: ModifyOrder) -> PlaceOrder:
    """Make a new order of a modification."""
    return PlaceOrder(
        coin=action.coin,
        is_buy=action.is_buy,
        sz=action.sz,
        limit_px=action.limit_px,
        order_type=action.order_type,
        reduce_only=action.reduce_only,
    )


def is_gone(words: str) -> bool:
    """Read whether a refusal says that there is nothing to cancel."""
    lower = words.lower()
    return "unknown order" in lower or "already canceled" in lower or "does not exist" in lower

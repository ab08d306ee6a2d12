"""Intents and what an exchange may answer to them."""

from decimal import Decimal
from typing import Any

from strategy_agent.application.ports import DurableIntent
from suite.contracts.venue import ActionReply, CancelOrder, PlaceOrder


def buy(coin: str = "BTC", size: str = "0.01", **more: Any) -> PlaceOrder:
    """A market order that opens."""
    return PlaceOrder(coin=coin, is_buy=True, sz=Decimal(size), **more)


def close(coin: str = "BTC", size: str = "0.01") -> PlaceOrder:
    """A market order that closes."""
    return PlaceOrder(coin=coin, is_buy=False, sz=Decimal(size), reduce_only=True)


def cancel(oid: int, coin: str = "BTC") -> CancelOrder:
    return CancelOrder(coin=coin, oid=oid)


def intent(number: int, coin: str = "BTC") -> DurableIntent:
    """The intent of an order, told apart by its number."""
    key = f"{number:032x}"
    action = buy(coin, cloid=f"0x{key}")
    return DurableIntent(key=key, action=action, decided_ms=number, expires_ms=number + 15_000)


def filled(oid: int = 1) -> ActionReply:
    """The answer to a market order."""
    status = {"filled": {"totalSz": "0.01", "avgPx": "94000.0", "oid": oid}}
    return ActionReply(status="ok", response={"type": "order", "data": {"statuses": [status]}})

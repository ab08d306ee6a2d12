"""Ways to an exchange with the mistakes of clients in them."""

from collections import Counter
from typing import Any

import msgspec

from strategy_agent.adapters.venue_orders import VenueOrders
from strategy_agent.application.ports import DurableIntent
from suite.contracts.venue import ActionReply, PlaceOrder
from suite.errors import UpstreamTimeout
from suite.service.calls import Answered

_any = msgspec.json.Decoder()


class NewKeys:
    """Sends an order that failed again as if it were a new one."""

    def __init__(self, orders: VenueOrders) -> None:
        self._orders = orders
        self._tries: Counter[str] = Counter()

    async def send(self, intent: DurableIntent) -> ActionReply:
        self._tries[intent.key] += 1
        key = f"{intent.key}{self._tries[intent.key]}"
        return await self._orders.send(
            msgspec.structs.replace(intent, key=key, expires_ms=intent.expires_ms + 60_000)
        )

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        return await self.send(intent)


class NotFound:
    """Takes an order that the venue does not know for one that was refused."""

    def __init__(self, orders: VenueOrders) -> None:
        self._orders = orders

    async def send(self, intent: DurableIntent) -> ActionReply:
        later = msgspec.structs.replace(intent, expires_ms=intent.expires_ms + 60_000)
        try:
            return await self._orders.send(later)
        except UpstreamTimeout:
            found = await self.resolve(intent)
            return found or ActionReply(status="err", response="not found")

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        if not isinstance(intent.action, PlaceOrder):
            return await self._orders.resolve(intent)
        asked = {"type": "orderStatus", "oid": intent.action.cloid}
        told: Any = await self._orders.calls.read("POST", "info", asked, _any, reason="status")
        if told["status"] == "unknownOid":
            return None
        order = told["order"]
        if order["status"] not in {"filled", "open", "canceled"}:
            return ActionReply(status="err", response=order["status"])
        oid, size = order["order"]["oid"], order["order"]["origSz"]
        kind = {"filled": {"oid": oid, "totalSz": size, "avgPx": "1"}, "open": {"oid": oid}}
        name = {"filled": "filled", "open": "resting", "canceled": "resting"}[order["status"]]
        status = {name: {"oid": oid, **kind.get(order["status"], {})}}
        return ActionReply(status="ok", response={"type": "order", "data": {"statuses": [status]}})


class Trusting(VenueOrders):
    """Takes any answer for its own."""

    def __init__(self, orders: VenueOrders) -> None:
        super().__init__(orders.calls)

    def _check_key(self, answered: Answered, key: str) -> bool:
        return answered.headers.get("Idempotent-Replayed") == "true"

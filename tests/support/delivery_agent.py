"""A client that can be killed: one order a turn, each turn until the venue has its order.

Run as a module it trades turns 1 to N; its own cloids tell it after a restart how far it came.
"""

import argparse
import asyncio
import os
import random
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from tests.support.venue_calls import venue_calls

from strategy_agent.adapters.intent_file import IntentFile
from strategy_agent.adapters.kill_latch import KillLatch
from strategy_agent.adapters.venue_orders import VenueOrders
from strategy_agent.application.budget import RateBudget
from strategy_agent.application.delivery import OrderDelivery
from strategy_agent.application.ports import DurableIntent
from suite.contracts.venue import ActionReply, PlaceOrder
from suite.service.clock import SystemClock

POINTS = ("begun", "sent", "answered", "settled")
"""Where it is killed: before the first byte, on the way, before and after it notes the answer."""
SENT_S = 0.02
"""An order takes longer than this, and its bytes much less."""
_any = msgspec.json.Decoder()


def order_of(turn: int) -> PlaceOrder:
    """The order of a turn; sizes are powers of two, so that every set of turns has its own sum."""
    size = Decimal("0.00100") + Decimal("0.00001") * 2 ** (turn % 8)
    coin = ("BTC", "ETH", "SOL")[turn // 8 % 3]
    size = size if coin == "BTC" else size * (100 if coin == "ETH" else 1000)
    cloid = f"0x{turn:032x}"
    return PlaceOrder(coin=coin, is_buy=turn % 5 != 0, sz=size.normalize(), cloid=cloid)


class _Killed(IntentFile):
    def __init__(self, path: Path, at: Callable[[str], None]) -> None:
        super().__init__(path)
        self._at = at

    def begin(self, intent: DurableIntent) -> None:
        super().begin(intent)
        self._at("begun")

    def settle(self, key: str, reply: ActionReply | None) -> None:
        self._at("answered")
        super().settle(key, reply)
        self._at("settled")


class _Gateway:
    def __init__(self, orders: VenueOrders, at: Callable[[str], None]) -> None:
        self._orders = orders
        self._at = at

    async def send(self, intent: DurableIntent) -> ActionReply:
        on_its_way = asyncio.get_running_loop().call_later(SENT_S, self._at, "sent")
        try:
            return await self._orders.send(intent)
        finally:
            on_its_way.cancel()

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        return await self._orders.resolve(intent)


async def trade(url: str, token: str, folder: Path, turns: int, at: Callable[[str], None]) -> None:
    """Trade until the venue has the orders of all turns."""
    orders = VenueOrders(venue_calls(url, token, timeout_s=2.0))
    delivery = OrderDelivery(
        _Gateway(orders, at),
        _Killed(folder / "intents", at),
        SystemClock(),
        trader_id="agent",
        latch=KillLatch(folder / "kill"),
        budget=RateBudget(asyncio.get_running_loop().time),
        jitter=random.Random(1),
    )
    await delivery.recover()
    print("recovered", flush=True)
    turn = 1
    while turn <= turns:
        asked = {"type": "orderStatus", "oid": f"0x{turn:032x}"}
        told: Any = await orders.calls.read("POST", "info", asked, _any, reason="status")
        if told["status"] == "order":
            turn += 1
        else:
            await delivery.carry_out([order_of(turn)], turn=turn, decided_ms=turn)
    print("ended", flush=True)
    await orders.close()


def _killer(point: str, number: int) -> Callable[[str], None]:
    seen = 0

    def at(name: str) -> None:
        nonlocal seen
        seen += name == point
        if seen and seen == number and name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return at


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("folder", type=Path)
    parser.add_argument("turns", type=int)
    parser.add_argument("--point", default="")
    parser.add_argument("--number", type=int, default=1)
    chosen = parser.parse_args()
    at = _killer(chosen.point, chosen.number)
    asyncio.run(trade(chosen.url, chosen.token, chosen.folder, chosen.turns, at))


if __name__ == "__main__":
    main()

"""The perpetual connector of hummingbot at work; runs in an environment that has hummingbot.

Usage: python hummingbot_live.py URL ADDRESS PRIVATE_KEY

Each thing that happens is a line of JSON on stdout. The connector is what the bot uses, started by
the bot's own clock; nothing of it is changed but the two constants that hold the venue's address.
"""

import asyncio
import json
import logging
import sys
from decimal import Decimal
from typing import Any

from hummingbot.connector.derivative.hyperliquid_perpetual import (
    hyperliquid_perpetual_constants as constants,
)
from hummingbot.connector.derivative.hyperliquid_perpetual.hyperliquid_perpetual_derivative import (
    HyperliquidPerpetualDerivative,
)
from hummingbot.core.clock import Clock, ClockMode
from hummingbot.core.data_type.common import OrderType, PositionAction
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import MarketEvent

PAIR = "ETH-USD"
SIZE = Decimal("0.02")


def say(kind: str, **values: Any) -> None:
    print(json.dumps({"kind": kind, **values}, default=str), flush=True)


class Told(logging.Handler):
    """Repeats what the connector complains of."""

    def emit(self, record: logging.LogRecord) -> None:
        say("log", level=record.levelname, text=self.format(record)[:600])


class Trader:
    """Takes one order after another through its life."""

    def __init__(self, connector: Any) -> None:
        self.connector = connector
        self.events = asyncio.Queue()
        self.forwarders = []
        for event in MarketEvent:
            forwarder = EventForwarder(lambda value, name=event.name: self.hear(name, value))
            self.forwarders.append(forwarder)  # the connector keeps only a weak reference
            connector.add_listener(event, forwarder)

    def hear(self, name: str, value: Any) -> None:
        say("event", event=name, order=getattr(value, "order_id", ""))
        self.events.put_nowait((name, value))

    async def until(self, name: str, order_id: str | None = None) -> Any:
        async with asyncio.timeout(20):
            while True:
                found, value = await self.events.get()
                if found == name and order_id in {None, getattr(value, "order_id", None)}:
                    return value

    async def ready(self) -> None:
        async with asyncio.timeout(30):
            while not self.connector.ready:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.1)

    def price(self, factor: float) -> Decimal:
        mid = self.connector.get_mid_price(PAIR)
        return self.connector.quantize_order_price(PAIR, mid * Decimal(str(factor)))

    async def trade(self) -> None:
        connector = self.connector
        order = connector.buy(
            PAIR, SIZE, OrderType.LIMIT, self.price(0.8), position_action=PositionAction.OPEN
        )
        await self.until("BuyOrderCreated", order)
        connector.cancel(PAIR, order)
        await self.until("OrderCancelled", order)
        maker = connector.buy(
            PAIR, SIZE, OrderType.LIMIT_MAKER, self.price(1.02), position_action=PositionAction.OPEN
        )
        await self.until("OrderFailure", maker)
        opened = connector.buy(PAIR, SIZE, OrderType.MARKET, position_action=PositionAction.OPEN)
        await self.until("OrderFilled", opened)
        await self.until("BuyOrderCompleted", opened)
        await connector._update_positions()
        held = {p.trading_pair: p.amount for p in connector.account_positions.values()}
        say("positions", held=held)
        closed = connector.sell(PAIR, SIZE, OrderType.MARKET, position_action=PositionAction.CLOSE)
        await self.until("SellOrderCompleted", closed)

    async def look(self) -> None:
        connector = self.connector
        await connector._update_balances()
        say("balance", total=connector.get_balance("USD"), free=connector.available_balances)
        rule = connector.trading_rules[PAIR]
        say(
            "rule",
            price=rule.min_price_increment,
            size=rule.min_base_amount_increment,
            notional=rule.min_notional_size,
        )
        info = connector.get_funding_info(PAIR)
        say("funding", mark=info.mark_price, index=info.index_price, rate=info.rate)
        paid = await connector._fetch_last_fee_payment(PAIR)
        say("funding_paid", payment=[str(part) for part in paid])
        done, text = await connector._set_trading_pair_leverage(PAIR, 7)
        say("leverage", done=done, text=text)
        book = connector.get_order_book(PAIR)
        say("book", bid=book.get_price(False), ask=book.get_price(True))
        price = await connector._get_last_traded_price(PAIR)
        say("price", last=price)


async def run(clock: Any) -> None:
    with clock as started:
        await started.run()


async def main() -> None:
    url, address, key = sys.argv[1:4]
    constants.PERPETUAL_BASE_URL = url
    constants.PERPETUAL_WS_URL = "ws" + url.removeprefix("http") + "/ws"
    handler = Told(logging.WARNING)
    logging.getLogger().addHandler(handler)
    connector = HyperliquidPerpetualDerivative(
        hyperliquid_perpetual_address=address,
        hyperliquid_perpetual_secret_key=key,
        trading_pairs=[PAIR],
    )
    clock = Clock(ClockMode.REALTIME)
    clock.add_iterator(connector)
    trader = Trader(connector)
    running = asyncio.create_task(run(clock))
    try:
        await trader.ready()
        say("ready", status=connector.status_dict)
        await trader.look()
        await trader.trade()
        await trader.look()
        say("end")
    finally:
        running.cancel()
        await asyncio.wait({running}, timeout=5)
        await asyncio.wait_for(connector.stop_network(), timeout=5)


if __name__ == "__main__":
    asyncio.run(main())

"""A live node of nautilus_trader with a strategy that tries everything.

Usage: python nautilus_live.py URL PRIVATE_KEY

It runs in an environment of its own; each thing that happens is a line of JSON on stdout. Only
public classes of the package are used, and nothing of it is changed: the venue's addresses are
arguments of its two configurations.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from nautilus_trader.core import nautilus_pyo3 as nt

ETH = nt.InstrumentId.from_str("ETH-USD-PERP.HYPERLIQUID")
BARS = nt.BarType.from_str("ETH-USD-PERP.HYPERLIQUID-1-MINUTE-LAST-EXTERNAL")
SIZE = 0.02
WANTED = {
    "bar",
    "book_deltas",
    "funding_rate",
    "historical_bars",
    "historical_funding_rates",
    "historical_trades",
    "index_price",
    "mark_price",
    "quote",
    "trade",
}


def say(kind: str, **values: Any) -> None:
    print(json.dumps({"kind": kind, **values}), flush=True)


class Everything(nt.Strategy):
    """Subscribes to all there is, then takes one order after another through its life."""

    def on_start(self) -> None:
        cache = self.cache
        say(
            "start",
            instruments=sorted(str(item.id) for item in cache.instruments()),
            open_orders=[str(order.venue_order_id) for order in cache.orders_open()],
            positions={str(p.instrument_id): str(p.signed_qty) for p in cache.positions_open()},
        )
        self.heard = set()
        self.steps = iter(self.life())
        self.expected = None
        self.finished = False
        self.subscribe_quotes(ETH)
        self.subscribe_trades(ETH)
        self.subscribe_bars(BARS)
        self.subscribe_book_deltas(ETH, nt.BookType.L2_MBP)
        self.subscribe_mark_prices(ETH)
        self.subscribe_index_prices(ETH)
        self.subscribe_funding_rates(ETH)
        self.request_trades(ETH, limit=10)

    # orders, one after another

    def life(self) -> Iterator[str]:
        """Yield the event that each step waits for."""
        make, instrument = self.order_factory, self.cache.instrument(ETH)
        buy, sell = nt.OrderSide.BUY, nt.OrderSide.SELL
        size = instrument.make_qty(SIZE)

        def price(factor: float) -> Any:
            return instrument.make_price(float(f"{self.bid * factor:.4g}"))

        order = make.limit(ETH, buy, size, price(0.8))
        self.submit_order(order)
        yield "OrderAccepted"
        self.modify_order(order.client_order_id, quantity=size, price=price(0.81))
        yield "OrderUpdated"
        self.cancel_order(order.client_order_id)
        yield "OrderCanceled"
        self.submit_order(make.limit(ETH, buy, size, price(1.02), post_only=True))
        yield "OrderRejected"
        self.submit_order(make.market(ETH, buy, size))
        yield "OrderFilled"
        stop = make.stop_market(ETH, sell, size, price(0.8), reduce_only=True)
        self.submit_order(stop)
        yield "OrderAccepted"
        self.cancel_order(stop.client_order_id)
        yield "OrderCanceled"
        self.submit_order(make.market(ETH, sell, size, reduce_only=True))
        yield "OrderFilled"
        bracket = make.bracket(
            ETH,
            buy,
            size,
            entry_order_type=nt.OrderType.LIMIT,
            entry_price=price(0.8),
            tp_price=price(1.2),
            tp_post_only=False,
            sl_trigger_price=price(0.7),
        )
        self.submit_order_list(bracket)
        yield "OrderAccepted"
        self.cancel_all_orders(ETH)
        yield "OrderCanceled"

    def on_order_event(self, event: Any) -> None:
        name = type(event).__name__
        say("order", event=name, reason=str(getattr(event, "reason", "")))
        if name == self.expected:
            self.go_on()

    def on_position_event(self, event: Any) -> None:
        say("position", event=type(event).__name__)

    def go_on(self) -> None:
        self.expected = next(self.steps, None)
        self.finished = self.expected is None
        self.perhaps_end()

    # data

    def hear(self, kind: str, value: Any) -> None:
        if kind not in self.heard:
            self.heard.add(kind)
            say("data", of=kind, value=str(value)[:300])
            self.perhaps_end()

    def perhaps_end(self) -> None:
        if self.finished and self.heard >= WANTED:
            say("end")
            self.shutdown_system("all done")

    def on_quote(self, quote: Any) -> None:
        self.bid = float(quote.bid_price)
        first = "quote" not in self.heard
        self.hear("quote", quote)
        if first:
            self.ask_for_history(quote.ts_event)
            self.go_on()

    def ask_for_history(self, now_ns: int) -> None:
        """Name the range: without one the client counts back from the clock on the wall."""
        now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        self.request_bars(BARS, start=now - timedelta(minutes=5), end=now)
        self.request_funding_rates(ETH, start=now - timedelta(hours=6), end=now)

    def on_trade(self, trade: Any) -> None:
        self.hear("trade", trade)

    def on_bar(self, bar: Any) -> None:
        self.hear("bar", bar)

    def on_book_deltas(self, deltas: Any) -> None:
        self.hear("book_deltas", deltas)

    def on_mark_price(self, price: Any) -> None:
        self.hear("mark_price", price)

    def on_index_price(self, price: Any) -> None:
        self.hear("index_price", price)

    def on_funding_rate(self, rate: Any) -> None:
        self.hear("funding_rate", rate)

    def on_historical_bars(self, bars: Any) -> None:
        self.hear("historical_bars", len(bars))

    def on_historical_trades(self, trades: Any) -> None:
        self.hear("historical_trades", len(trades))

    def on_historical_funding_rates(self, rates: Any) -> None:
        self.hear("historical_funding_rates", len(rates))


def node(url: str, key: str) -> Any:
    """Build a node with one data client and one execution client."""
    environment, trader = nt.HyperliquidEnvironment.TESTNET, nt.TraderId("CONTRACT-001")
    ws = "ws" + url.removeprefix("http") + "/ws"
    data = nt.HyperliquidDataClientConfig(
        environment=environment, base_url_http=f"{url}/info", base_url_ws=ws
    )
    execution = nt.HyperliquidExecClientConfig(
        private_key=key,
        environment=environment,
        base_url_http=f"{url}/info",
        base_url_exchange=f"{url}/exchange",
        base_url_ws=ws,
    )
    account = nt.AccountId("HYPERLIQUID-001")
    factory = nt.HyperliquidExecFactoryConfig(trader, account, execution)
    builder = nt.LiveNode.builder("contract", trader, nt.Environment.LIVE)
    builder = builder.with_delay_post_stop_secs(0)
    builder = builder.add_data_client(None, nt.HyperliquidDataClientFactory(), data)
    builder = builder.add_exec_client(None, nt.HyperliquidExecutionClientFactory(), factory)
    return builder.build()


def main() -> None:
    live = node(*sys.argv[1:3])
    live.add_strategy(Everything(nt.StrategyConfig()))
    live.run()


if __name__ == "__main__":
    main()

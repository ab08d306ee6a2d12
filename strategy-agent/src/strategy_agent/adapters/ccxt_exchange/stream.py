"""One account of ccxt as its exchange pushes it, with prices beside it.

An exchange tells pieces: an order, a trade, a position that changed, a balance. Here they are put
together into full states, each with the present price. A state is told again while the connection
answers pings, so its age is that of the connection. Nothing is polled: what was before a connection
is read once when it is open.
"""

import asyncio
import decimal
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from strategy_agent.adapters.ccxt_exchange.connection import CcxtExchange
from strategy_agent.adapters.ccxt_exchange.values import (
    ZERO,
    best_prices,
    number,
    open_order,
    status_of,
    text,
)
from strategy_agent.application.ports import AccountListener
from suite.account.events import (
    AccountEvent,
    BestPush,
    FillsPush,
    LedgerPush,
    MidsPush,
    OrderChange,
    OrdersPush,
    StatePush,
)
from suite.clock import Clock
from suite.contracts.hyperliquid_info import LedgerRow, OpenOrder
from suite.errors import one_line

_TICK_S: Final = 1.0
_PING_MS: Final = 5_000
_PRICES_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTimeouts:
    """How long what is waited for, seconds.

    Attributes:
        open_s: until the connections are open.
        first_pause_s, longest_pause_s: before the next try, doubling, with jitter.
        again_s: without news, until a state is told again.
    """

    open_s: float = 15.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 20.0
    again_s: float = 5.0


class CcxtAccountStream:
    """The pushes about one account; an `AccountStream`.

    Args:
        exchange: the account; learns prices and positions here.
        listener: is told of everything.
        coins: whose prices are wanted.
        wall: the machine's clock.
        chance: of the jitter of pauses.
        timeouts: see there.

    Attributes:
        connections: how many were opened.
        reads: how often the account was read, once for each connection.
    """

    def __init__(
        self,
        exchange: CcxtExchange,
        listener: AccountListener,
        *,
        coins: Sequence[str],
        wall: Clock,
        chance: random.Random,
        timeouts: StreamTimeouts | None = None,
    ) -> None:
        self.connections = 0
        self.reads = 0
        self._exchange = exchange
        self._listener = listener
        self._symbols = [exchange.markets.symbol(coin) for coin in coins]
        self._has_touch = exchange.calls.api.has.get("watchBidsAsks") is True
        self._wall = wall
        self._chance = chance
        self._timeouts = timeouts or StreamTimeouts()
        self._ended: asyncio.Event = asyncio.Event()
        self._begun: asyncio.Event = asyncio.Event()
        self._open: dict[int, OpenOrder] = {}
        self._told_ms = 0
        self._told_s = self._prices_s = 0.0
        self._pong_ms = 0
        api = exchange.calls.api
        api.newUpdates = True
        api.streaming = {**api.streaming, "keepAlive": _PING_MS}
        quiet = {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False}
        api.options["watchPositions"] = {**(api.options.get("watchPositions") or {}), **quiet}

    async def run(self) -> None:
        """Connect, read and tell until cancelled."""
        # ccxt changes the rounding of the context it runs in
        decimal.setcontext(decimal.Context())
        pause_s = self._timeouts.first_pause_s
        while True:
            self._ended.clear()
            self._begun.clear()
            before = asyncio.get_running_loop().time()
            reason = await self._connection()
            self._listener.lost(reason)
            self._forget_touch()
            await self._disconnect()
            if asyncio.get_running_loop().time() - before > self._timeouts.longest_pause_s:
                pause_s = self._timeouts.first_pause_s
            await asyncio.sleep(pause_s * self._chance.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, self._timeouts.longest_pause_s)

    def reconnect(self, reason: str) -> None:
        """End the present connections and open others."""
        self._ended.set()

    async def _connection(self) -> str:
        """Follow the account over one set of connections; say why it ended."""
        tasks = [
            asyncio.create_task(coroutine)
            for coroutine in (
                self._watch("watch_orders", self._take_orders),
                self._watch("watch_my_trades", self._take_trades),
                self._watch("watch_positions", self._take_positions),
                self._watch("watch_balance", self._take_balance),
                self._watch(self._price_method, self._take_prices, self._symbols),
                self._keep(),
                self._ended.wait(),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            faults = [task.exception() for task in done]
            return next((one_line(f"{type(f).__name__}") for f in faults if f), "asked to")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _price_method(self) -> str:
        return "watch_bids_asks" if self._has_touch else "watch_tickers"

    async def _watch(
        self, method: str, take: Callable[[Any], Awaitable[None]], *arguments: Any
    ) -> None:
        while True:
            told = await getattr(self._exchange.calls.api, method)(*arguments)
            self._listener.heard()
            try:
                await take(told)
            except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError):
                self._listener.flawed("malformed")

    async def _keep(self) -> None:
        """Open, read what was before, then tell the state again while pings are answered."""
        async with asyncio.timeout(self._timeouts.open_s):
            while not self._connected():  # noqa: ASYNC110 - ccxt tells nobody
                await asyncio.sleep(0.01)
        self.connections += 1
        self._listener.connected()
        self.reads += 1
        fills = await self._exchange.fetch_fills(0)
        state = await self._exchange.fetch_account()
        self._open = {order.oid: order for order in state.open_orders}
        self._told_ms = state.server_ms
        self._tell(FillsPush(fills=fills, snapshot=True), state)
        self._begun.set()
        while True:
            await asyncio.sleep(_TICK_S)
            answered = [client.lastPong for client in self._clients() if client.lastPong]
            if answered and min(answered) > self._pong_ms:
                self._pong_ms = min(answered)
                self._listener.heard()
                now_s = asyncio.get_running_loop().time()
                if now_s - self._told_s > self._timeouts.again_s:
                    self._tell_state(None)
            self._tell_prices()

    def _clients(self) -> list[Any]:
        clients = self._exchange.calls.api.clients.values()
        return [client for client in clients if client.url.startswith("ws")]

    def _connected(self) -> bool:
        clients = self._clients()
        return bool(clients) and all(
            client.connected.done() and not client.connected.cancelled() for client in clients
        )

    async def _disconnect(self) -> None:
        api = self._exchange.calls.api
        clients, api.clients = list(api.clients.values()), {}
        for client in clients:
            await client.close()
        for options in api.options.values():
            if isinstance(options, dict) and "lastAuthenticatedTime" in options:
                options["lastAuthenticatedTime"] = 0

    # what is told

    async def _take_orders(self, orders: Sequence[Mapping[str, Any]]) -> None:
        await self._begun.wait()
        changes = []
        for row in orders:
            order = open_order(row, self._exchange.markets)
            if order is None:
                continue
            self._exchange.records.remember(row)
            status = status_of(row)
            if status.terminal:
                self._open.pop(order.oid, None)
            else:
                self._open[order.oid] = order
            at_ms = row.get("lastUpdateTimestamp") or row.get("timestamp") or self._wall.now_ms()
            changes.append(OrderChange(order=order, status=status, statusTimestamp=int(at_ms)))
        self._tell(OrdersPush(changes=tuple(changes)))

    async def _take_trades(self, trades: Sequence[Mapping[str, Any]]) -> None:
        await self._begun.wait()
        self._tell(FillsPush(fills=self._exchange.records.fills.write(trades)))

    async def _take_positions(self, positions: Sequence[Mapping[str, Any]]) -> None:
        await self._begun.wait()
        whole = self._exchange.calls.habits.whole_positions
        self._holdings.take_positions(positions, self._exchange.markets, whole=whole)
        if not whole:
            self._tell_state(None)

    async def _take_balance(self, balance: Mapping[str, Any]) -> None:
        await self._begun.wait()
        account = balance.get(self._exchange.markets.settle)
        if account is not None and account.get("total") is not None:
            equity = self._exchange.calls.habits.equity_pushed
            self._holdings.take_total(account["total"], equity=equity)
        self._tell_state(balance.get("timestamp"))

    async def _take_prices(self, tickers: Mapping[str, Mapping[str, Any]]) -> None:
        for symbol, ticker in tickers.items():
            coin, price = self._exchange.markets.coin(symbol), _mid(ticker)
            if coin is not None and price:
                self._exchange.mids[coin] = price
                self._holdings.marks[coin] = price
                if self._has_touch:
                    self._tell(best_prices(coin, ticker, self._exchange.markets))
        if asyncio.get_running_loop().time() - self._prices_s >= _PRICES_S:
            self._tell_prices()

    def _tell_prices(self) -> None:
        if self._exchange.mids:
            self._prices_s = asyncio.get_running_loop().time()
            mids = {coin: text(price) for coin, price in self._exchange.mids.items()}
            self._tell(MidsPush(mids=mids))

    def _forget_touch(self) -> None:
        """Tell that no best price is known any more: prices are told again, those of before too."""
        coins = map(self._exchange.markets.coin, self._symbols)
        self._tell(*(BestPush(coin=coin, bid=None, ask=None) for coin in coins if coin))

    def _tell_state(self, at_ms: int | None) -> None:
        """Tell the whole account; without a time of the exchange, our own."""
        now_ms = int(at_ms) if at_ms else self._told_ms if self._is_told else self._wall.now_ms()
        self._told_ms = now_ms
        self._told_s = asyncio.get_running_loop().time()
        state = self._holdings.state(now_ms)
        push = StatePush(state=state, open_orders=tuple(self._open.values()), server_ms=now_ms)
        # no exchange of ccxt says why its balance changed: it is taken as it is told
        self._tell(LedgerPush(rows=(LedgerRow(time=now_ms, hash=""),)), push)

    @property
    def _is_told(self) -> bool:
        """The exchange tells its time with each state."""
        return self._exchange.calls.habits.equity_pushed

    @property
    def _holdings(self) -> Any:
        return self._exchange.records.holdings

    def _tell(self, *events: AccountEvent) -> None:
        self._listener.received(events)


def _mid(ticker: Mapping[str, Any]) -> Decimal:
    bid, ask = number(ticker.get("bid")), number(ticker.get("ask"))
    if bid and ask:
        return (bid + ask) / 2
    return number(ticker.get("last")) or number(ticker.get("close")) or ZERO

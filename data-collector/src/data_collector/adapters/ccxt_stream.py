"""The live market of any exchange that ccxt knows, through ccxt's own streams."""

import asyncio
import operator
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from data_collector.domain.candles import Candle, MarketEvent, Mids, Print
from data_collector.domain.ccxt_markets import markets_of
from suite.bars import INTERVAL_MS
from suite.errors import NotFound, SuiteError, UpstreamUnavailable, one_line

QUEUE: Final = 20_000
"""Events that may wait to be received; who is slower loses the connection, not single events."""

T = TypeVar("T")


class CcxtStream:
    """One connection, or as many as ccxt makes of it, for candles, trades and mid prices.

    A call of ccxt for many coins hands out only the one that moved first, and in a burst it is
    always the same. So a call is only waited for, and what came is taken from where ccxt keeps it.

    Args:
        api: the exchange, of ccxt's streaming form, fresh; this closes it.
        market: `perp` or `spot`.
        coins: what to watch.
        interval: of the candles.
    """

    def __init__(
        self, api: Any, market: str, coins: Iterable[str], *, interval: str = "1m"
    ) -> None:
        self._api = api
        self._market = market
        self._coins = tuple(coins)
        self._interval = interval
        self._events: asyncio.Queue[list[MarketEvent] | SuiteError] = asyncio.Queue(QUEUE)
        self._tasks: list[asyncio.Task[None]] = []
        self._markets: dict[str, Mapping[str, Any]] = {}
        self._last_candles: dict[str, Candle] = {}
        self._last_trades: dict[str, Any] = {}
        self._closed: dict[str, int] = {}
        """Open time of the last candle that the venue said is closed, by its symbol there."""

    async def open(self) -> None:
        """Load the markets, connect and subscribe to those coins that the venue trades.

        Raises:
            NotFound: it trades none of them.
            UpstreamUnavailable: there is no connection to be had.
        """
        self._watch_flags()
        markets = markets_of(await self._named(self._api.load_markets()), self._market)
        self._markets = {coin: markets[coin] for coin in self._coins if coin in markets}
        if not self._markets:
            raise NotFound(f"{self._api.id} does not trade {', '.join(self._coins)[:200]}")
        symbols = [market["symbol"] for market in self._markets.values()]
        self._watch("watchOHLCV", "watch_ohlcv", self._candles, symbols, self._interval)
        self._watch("watchTrades", "watch_trades", self._prints, symbols)
        if self._api.has.get("watchTickers"):
            self._follow(partial(self._api.watch_tickers, symbols), self._mids)
        await self._connected()

    async def receive(self) -> Sequence[MarketEvent]:
        """Wait for the next events.

        Raises:
            UpstreamUnavailable: the connection has ended, or events were not received in time.
        """
        events = await self._events.get()
        if isinstance(events, SuiteError):
            raise events
        return events

    async def ping(self) -> None:
        """Do nothing: ccxt pings in the venue's own way."""

    async def close(self) -> None:
        """End it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._api.close()

    # ---- watching -------------------------------------------------------------------------------

    def _watch(
        self,
        feature: str,
        method: str,
        take: Callable[[Any], list[MarketEvent]],
        symbols: list[str],
        interval: str | None = None,
    ) -> None:
        """Watch coins with one call where ccxt has one for many, else with one each."""
        if self._api.has.get(f"{feature}ForSymbols"):
            call = getattr(self._api, f"{method}_for_symbols")
            named = [[symbol, interval] for symbol in symbols] if interval else symbols
            self._follow(partial(call, named), take)
            return
        for symbol in symbols:
            arguments = (symbol, interval) if interval else (symbol,)
            self._follow(partial(getattr(self._api, method), *arguments), take)

    def _follow(
        self, wait: Callable[[], Awaitable[Any]], take: Callable[[Any], list[MarketEvent]]
    ) -> None:
        async def follow() -> None:
            try:
                while True:
                    self._put(take(await self._named(wait())))
            except SuiteError as error:
                self._put(error)
            except Exception as error:  # noqa: BLE001  whatever it is, the connection has ended with it
                text = one_line(f"{self._api.id}: {type(error).__name__} {error}")
                self._put(UpstreamUnavailable(text))

        self._tasks.append(asyncio.create_task(follow()))

    def _put(self, events: list[MarketEvent] | SuiteError) -> None:
        """Queue events; a failure takes the place of what is waiting."""
        if self._events.full() or isinstance(events, SuiteError):
            fault = events if isinstance(events, SuiteError) else None
            while not self._events.empty():
                self._events.get_nowait()
            self._events.put_nowait(
                fault or UpstreamUnavailable(f"{self._api.id}: events were not received in time")
            )
        elif events:
            self._events.put_nowait(events)

    async def _connected(self) -> None:
        """Wait until there is a connection, or the first failure."""
        while not self._api.clients:
            if self._events.qsize():
                await self.receive()
            await asyncio.sleep(0.01)
        clients = list(self._api.clients.values())
        await self._named(asyncio.gather(*(asyncio.shield(item.connected) for item in clients)))

    def _candles(self, _told: Any) -> list[MarketEvent]:
        """Take the candles that changed, or of which we heard only now that they are closed."""
        found: list[MarketEvent] = []
        for coin, market in self._markets.items():
            last = self._last_candles.get(coin)
            kept = self._api.ohlcvs.get(market["symbol"], {}).get(self._interval, ())
            closed_ms = self._closed.get(market["id"], 0)
            rows = _tail(kept, partial(_is_before, last))
            candles = [self._candle(coin, row, closed_ms) for row in rows]
            found += [candle for candle in candles if candle != last]
            if candles:
                self._last_candles[coin] = candles[-1]
        return found

    def _candle(self, coin: str, row: list[Any], closed_ms: int) -> Candle:
        opened, *values = row
        prices = dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
        return Candle(
            coin=coin,
            interval_ms=INTERVAL_MS[self._interval],
            open_time_ms=int(opened),
            closed=int(opened) <= closed_ms,
            **prices,
        )

    def _prints(self, _told: Any) -> list[MarketEvent]:
        """Take the trades that came."""
        found: list[MarketEvent] = []
        for coin, market in self._markets.items():
            kept = self._api.trades.get(market["symbol"], ())
            fresh = _tail(kept, partial(operator.is_, self._last_trades.get(coin)))
            found += [
                Print(
                    coin=coin,
                    time_ms=int(trade["timestamp"]),
                    price=trade["price"],
                    size=trade["amount"],
                    is_buy=trade["side"] == "buy",
                )
                for trade in fresh
            ]
            if fresh:
                self._last_trades[coin] = fresh[-1]
        return found

    def _mids(self, told: Any) -> list[MarketEvent]:
        coins = {market["symbol"]: coin for coin, market in self._markets.items()}
        tickers = [ticker for ticker in told.values() if ticker["symbol"] in coins]
        mids = {coins[ticker["symbol"]]: _mid(ticker) for ticker in tickers}
        prices = {coin: price for coin, price in mids.items() if price is not None}
        time_ms = max((int(ticker["timestamp"] or 0) for ticker in tickers), default=0)
        return [Mids(time_ms=time_ms, prices=prices)] if prices else []

    def _watch_flags(self) -> None:
        """Look at every message before ccxt does, which drops the flag of a closed candle."""
        handle = self._api.handle_message

        def look(client: Any, message: Any) -> None:
            told = message.get("data", message) if isinstance(message, dict) else None
            kline = told.get("k") if isinstance(told, dict) else None
            if isinstance(kline, dict) and kline.get("x") is True:
                with suppress(KeyError, TypeError, ValueError):
                    if INTERVAL_MS[kline["i"]] == INTERVAL_MS[self._interval]:
                        self._closed[str(kline["s"])] = int(kline["t"])
            handle(client, message)

        self._api.handle_message = look

    async def _named(self, call: Awaitable[Any]) -> Any:
        """Await ccxt and name what it raises."""
        import ccxt

        try:
            return await call
        except ccxt.BaseError as error:
            text = one_line(f"{self._api.id}: {type(error).__name__} {error}")
            raise UpstreamUnavailable(text) from None


def _mid(ticker: Mapping[str, Any]) -> float | None:
    """The middle of bid and ask, else the last price."""
    bid, ask, last = ticker.get("bid"), ticker.get("ask"), ticker.get("last")
    if bid and ask:
        return (float(bid) + float(ask)) / 2
    return float(last) if last else None


def _tail(kept: Sequence[T], is_known: Callable[[T], bool]) -> list[T]:
    """What is behind the last item that is known; all where none is."""
    fresh: list[T] = []
    for item in reversed(kept):
        if is_known(item):
            break
        fresh.append(item)
    return fresh[::-1]


def _is_before(last: Candle | None, row: list[Any]) -> bool:
    """Whether a candle opened before the last one that was taken, which may still change."""
    return last is not None and bool(row[0] < last.open_time_ms)

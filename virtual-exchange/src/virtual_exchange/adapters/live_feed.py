"""A live market over HTTP and WebSocket: a data-collector, or a virtual exchange that moves.

What both have is the data contract (`GET /klines/{symbol}`) and Hyperliquid's framing of `/ws`
(`candle`, `trades`, `allMids`). Used where they are there: `GET /clock` of a simulated one, its
`/info` for the instruments, `activeAssetCtx` for the coming funding rate, `GET /funding/{symbol}`
for the settled ones. Rows are read as JSON: an Arrow reader would cost the service 60 MB for the
sake of its start.
"""

import random
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, TypeVar

import msgspec
import numpy as np

from suite.bars import HOUR_MS, MINUTE_MS, Bars
from suite.clock import Clock
from suite.contracts import hyperliquid_ws as ws
from suite.contracts.clock import ClockState
from suite.contracts.market_data import FundingRate, Kline
from suite.errors import NotFound, UpstreamRefused
from suite.feeds import FeedListener
from suite.fixed import USD_DECIMALS, Usd, parse_fixed
from suite.instrument import Instrument, MarginTier, coin_of, default_instrument
from suite.klines import empty_bars
from suite.service.feed import FeedTimeouts, MalformedFrame, MinuteBudget, UnifiedWebSocketFeed
from suite.service.feed_socket import FeedSocket
from suite.service.upstream import Upstream
from virtual_exchange.application.ports import FeedCoin, FeedTime
from virtual_exchange.domain.live import HourlyRate, LiveEvent, Minute, Print, Prints

_PAGE, _PAGES = 5000, 10
"""Minutes of a page, and pages of history that are read at the most: 34 days."""
_LONGEST_PAUSE_S: Final = 5.0
_INTERVAL: Final = "1m"
_LATE_MS: Final = 10_000

Number = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?\Z")]
T = TypeVar("T")


class _Asset(msgspec.Struct):
    name: str
    szDecimals: int  # noqa: N815 - the wire's own name
    maxLeverage: int  # noqa: N815
    marginTableId: int = 0  # noqa: N815


class _Tier(msgspec.Struct):
    lowerBound: Number  # noqa: N815
    maxLeverage: int  # noqa: N815


class _Table(msgspec.Struct):
    marginTiers: list[_Tier]  # noqa: N815


class _Meta(msgspec.Struct):
    universe: list[_Asset]
    marginTables: list[tuple[int, _Table]] = []  # noqa: N815


class _Envelope(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Candle(msgspec.Struct):
    t: int
    s: str
    i: str
    o: Number
    h: Number
    l: Number  # noqa: E741 - the wire's own name
    c: Number
    v: Number


class _Trade(msgspec.Struct):
    coin: str
    px: Number
    sz: Number
    time: int


class _Context(msgspec.Struct):
    funding: Number | None = None


class _Active(msgspec.Struct):
    coin: str
    ctx: _Context


_klines = msgspec.json.Decoder(list[Kline])
_clock = msgspec.json.Decoder(ClockState)
_meta = msgspec.json.Decoder(_Meta)
_settled = msgspec.json.Decoder(list[FundingRate])
_envelope = msgspec.json.Decoder(_Envelope)
_candle = msgspec.json.Decoder(_Candle)
_trades = msgspec.json.Decoder(list[_Trade])
_active = msgspec.json.Decoder(_Active)


class HttpFeed:
    """A live market at an address; a `LiveFeed`.

    Args:
        url: what paths are put behind.
        silence_s: after how long without news a connection counts as dead.
        clock: wall time.
    """

    def __init__(self, url: str, *, silence_s: float, clock: Clock) -> None:
        self.name = url.rstrip("/")
        self._timeouts = FeedTimeouts(silence_s=silence_s, longest_pause_s=_LONGEST_PAUSE_S)
        self._clock = clock
        self._budget = MinuteBudget()

    async def opening(self, coins: Sequence[str]) -> tuple[FeedTime, tuple[FeedCoin, ...]]:
        """Read its clock, and instruments and history of coins."""
        upstream = self._upstream()
        try:
            known = await self._instruments(upstream)
            read = [await self._coin(upstream, coin, known) for coin in coins]
            return await self._time(upstream), tuple(read)
        finally:
            await upstream.close()

    async def minutes(self, coin: str, from_ms: int) -> Bars:
        """Closed minutes that opened at a time or later."""
        upstream = self._upstream()
        try:
            return await self._pages(upstream, coin, from_ms)
        except NotFound:
            return empty_bars(MINUTE_MS)
        finally:
            await upstream.close()

    async def hourly_rate(self, coin: str) -> float | None:
        """The last settled funding rate by the hour."""
        upstream = self._upstream()
        try:
            return next(reversed(await self._rates(upstream, coin)), None)
        finally:
            await upstream.close()

    async def follow(self, coins: Sequence[str], listener: FeedListener[LiveEvent]) -> None:
        """Tell what happens until cancelled."""
        address = f"ws{self.name.removeprefix('http')}/ws"
        feed: UnifiedWebSocketFeed[LiveEvent] = UnifiedWebSocketFeed(
            "paper",
            lambda: MarketStream(address, coins),
            listener,
            budget=self._budget,
            timeouts=self._timeouts,
            chance=random.Random(),  # noqa: S311 - of pauses between connections
        )
        await feed.run()

    def _upstream(self) -> Upstream:
        return Upstream(f"the feed {self.name}", self.name, attempts=1)

    async def _time(self, upstream: Upstream) -> FeedTime:
        """Its clock; that of this machine, where it has none."""
        before_ms = self._clock.now_ms()
        state = await _found(upstream.read(_clock, "/clock"))
        after_ms = self._clock.now_ms()
        if state is None:
            return FeedTime(now_ms=after_ms, wall_ms=after_ms, late_ms=_LATE_MS)
        if state.mode == "lockstep" or state.finished or state.speed <= 0:
            raise UpstreamRefused(f"the time of {self.name} does not go on by itself")
        return FeedTime(
            now_ms=state.now_ms,
            wall_ms=(before_ms + after_ms) // 2,
            speed=state.speed,
            # it tells a minute of trades when the minute has ended
            late_ms=2 * MINUTE_MS + int(_LATE_MS * state.speed),
        )

    async def _instruments(self, upstream: Upstream) -> dict[str, Instrument]:
        """Coins as its `/info` lists them; none where it has no such route."""
        meta = await _found(upstream.read(_meta, "/info", body={"type": "meta"}))
        if meta is None:
            return {}
        tables = dict(meta.marginTables)
        return {asset.name: _instrument(asset, tables) for asset in meta.universe}

    async def _coin(self, upstream: Upstream, coin: str, known: dict[str, Instrument]) -> FeedCoin:
        if known and coin not in known:
            listed = ", ".join(list(known)[:20])
            raise UpstreamRefused(f"the feed {self.name} has no {coin}; it has {listed}")
        bars = await self._pages(upstream, coin, 0)
        instrument = known.get(coin) or default_instrument(coin, _decimals(bars))
        rates = await self._rates(upstream, coin)
        return FeedCoin(instrument=instrument, bars=bars, hourly_rates=tuple(rates))

    async def _pages(self, upstream: Upstream, coin: str, from_ms: int) -> Bars:
        """Closed minutes, the latest pages of them."""
        rows: list[Kline] = []
        for _ in range(_PAGES):
            params: dict[str, str | int] = {"interval": _INTERVAL, "start": from_ms}
            if rows:
                params["end"] = rows[0].open_time_ms
            page = await upstream.read(_klines, f"/klines/{coin}", params=params)
            rows = page + rows
            if len(page) < _PAGE:
                break
        return _bars(rows)

    async def _rates(self, upstream: Upstream, coin: str) -> list[float]:
        """The latest settled rates by the hour, oldest first."""
        rows = await _found(upstream.read(_settled, f"/funding/{coin}")) or []
        latest = rows[-3:]
        steps = [new.time_ms - old.time_ms for old, new in pairwise(latest)]
        hours = max(1.0, round(min(steps, default=HOUR_MS) / HOUR_MS))
        return [row.rate / hours for row in latest]


class MarketStream:
    """One connection to a feed's WebSocket; a `Stream`.

    Args:
        url: `ws://...`.
        coins: whose minutes, trades and funding are wanted.
    """

    def __init__(self, url: str, coins: Sequence[str]) -> None:
        self._socket = FeedSocket(url)
        self._coins = coins

    async def open(self) -> None:
        """Connect and subscribe; mids show that it lives while a coin is quiet."""
        await self._socket.open()
        wanted: list[Any] = [ws.AllMids()]
        for coin in self._coins:
            wanted += [
                ws.Candle(coin=coin, interval=_INTERVAL),
                ws.Trades(coin=coin),
                ws.ActiveAssetCtx(coin=coin),
            ]
        for subscription in wanted:
            await self._socket.send(ws.Subscribe(subscription=subscription))

    async def receive(self) -> Sequence[LiveEvent]:
        """Wait for the next message and read it."""
        data = await self._socket.receive()
        try:
            return read_message(data)
        except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError) as error:
            raise MalformedFrame(str(error)) from None

    async def ping(self) -> None:
        """Ask for a pong."""
        await self._socket.send(ws.Ping())

    async def close(self) -> None:
        """End it."""
        await self._socket.close()


def read_message(data: bytes) -> Sequence[LiveEvent]:
    """Read a message; what is not wanted, or says that there is no such channel, is nothing.

    Raises:
        msgspec.DecodeError: it is not of the shape that its channel has.
    """
    message = _envelope.decode(data)
    match message.channel:
        case "candle":
            row = _candle.decode(message.data)
            return (_minute(row),) if row.i == _INTERVAL else ()
        case "trades":
            return _prints(_trades.decode(message.data))
        case "activeAssetCtx":
            active = _active.decode(message.data)
            if active.ctx.funding is not None:
                return (HourlyRate(coin=active.coin, rate=float(active.ctx.funding)),)
    return ()


def _minute(row: _Candle) -> Minute:
    return Minute(
        coin=row.s,
        open_time_ms=row.t,
        open=float(row.o),
        high=float(row.h),
        low=float(row.l),
        close=float(row.c),
        volume=float(row.v),
    )


def _prints(rows: list[_Trade]) -> Sequence[LiveEvent]:
    """Trades told together, by coin."""
    by_coin: dict[str, list[Print]] = {}
    for row in rows:
        one = Print(time_ms=row.time, price=float(row.px), size=float(row.sz))
        by_coin.setdefault(row.coin, []).append(one)
    return [Prints(coin=coin, prints=tuple(prints)) for coin, prints in by_coin.items()]


def _instrument(asset: _Asset, tables: dict[int, _Table]) -> Instrument:
    table = tables.get(asset.marginTableId)
    rows = [] if table is None else table.marginTiers
    tiers = [(parse_fixed(row.lowerBound, USD_DECIMALS), row.maxLeverage) for row in rows]
    return Instrument(
        coin=coin_of(asset.name),
        sz_decimals=asset.szDecimals,
        tiers=tuple(
            MarginTier(lower_bound_usd=Usd(bound), max_leverage=leverage)
            for bound, leverage in tiers or [(0, asset.maxLeverage)]
        ),
    )


def _bars(rows: list[Kline]) -> Bars:
    def column(name: str) -> Any:
        return np.array([getattr(row, name) for row in rows], np.float64)

    times = np.array([row.open_time_ms for row in rows], np.int64)
    names = ("open", "high", "low", "close", "volume")
    return Bars(MINUTE_MS, times, *(column(name) for name in names))


def _decimals(bars: Bars) -> int:
    """Digits after the point seen in closes."""
    digits = (Decimal(repr(price)).as_tuple().exponent for price in bars.close[-500:].tolist())
    return max((-int(digit) for digit in digits if isinstance(digit, int)), default=2)


async def _found(asking: Any) -> Any:
    """What was asked for, None where there is no such route."""
    try:
        return await asking
    except NotFound:
        return None

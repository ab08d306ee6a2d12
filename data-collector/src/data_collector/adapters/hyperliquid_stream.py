"""Hyperliquid's own stream: candles, trades, contexts and mids of many coins on one connection.

Source: venue documentation "WebSocket", "Rate limits and user limits", read 2026-11. Any
virtual-exchange speaks it too.
"""

import asyncio
import re
from collections.abc import Collection, Sequence
from typing import Annotated, Final

import msgspec
import structlog

from data_collector.domain.candles import (
    AssetContext,
    Candle,
    Followed,
    MarketEvent,
    Mids,
    Print,
    Refused,
)
from suite.bars import INTERVAL_MS
from suite.contracts import hyperliquid_ws as ws
from suite.errors import one_line
from suite.service.feed import FRAME_LIMIT, MalformedFrame, MinuteBudget
from suite.service.feed_socket import FeedSocket

_log = structlog.get_logger()

MAINNET_URL: Final = "wss://api.hyperliquid.xyz/ws"
MESSAGES_PER_MINUTE: Final = 2000
CONNECTIONS_PER_MINUTE: Final = 30
COINS_PER_CONNECTION: Final = 300
"""Three channels a coin and two for all, of 1000 subscriptions that a connection may have."""

Number = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?\Z")]


class _Envelope(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Candle(msgspec.Struct):
    t: int
    T: int
    s: str
    i: str
    o: Number
    c: Number
    h: Number
    l: Number  # noqa: E741 - the wire's own name
    v: Number
    n: int


class _Trade(msgspec.Struct):
    coin: str
    side: str
    px: Number
    sz: Number
    time: int
    tid: int


class _Mids(msgspec.Struct):
    mids: dict[str, Number]


class _Level(msgspec.Struct):
    px: Number


class _Best(msgspec.Struct):
    coin: str
    time: int
    bbo: tuple[_Level | None, _Level | None]


class _Numbers(msgspec.Struct, rename="camel"):
    funding: Number | None = None
    open_interest: Number | None = None
    mark_px: Number | None = None
    oracle_px: Number | None = None
    day_base_vlm: Number | None = None


class _Context(msgspec.Struct):
    coin: str
    ctx: _Numbers


class _Subscription(msgspec.Struct):
    type: str
    coin: str = ""


class _Subscribed(msgspec.Struct):
    method: str
    subscription: _Subscription


_envelope = msgspec.json.Decoder(_Envelope)
_candle = msgspec.json.Decoder(_Candle)
_trades = msgspec.json.Decoder(list[_Trade])
_mids = msgspec.json.Decoder(_Mids)
_best = msgspec.json.Decoder(_Best)
_context = msgspec.json.Decoder(_Context)
_subscribed = msgspec.json.Decoder(_Subscribed)
_refusal = msgspec.json.Decoder(str)
_refused_coin = re.compile(r'"coin"\s*:\s*"([^"]{1,24})"')


class HyperliquidStream:
    """One connection with what it is subscribed to.

    Args:
        url: of the venue's WebSocket.
        coins: whose candles, trades and contexts are wanted; may be none.
        interval: of the candles.
        mids: whether the mids of all coins are wanted; they also prove that a connection lives
            while its coins are quiet.
        messages: how many messages may be sent in a minute, over all connections.
    """

    def __init__(
        self,
        url: str = MAINNET_URL,
        *,
        coins: Collection[str] = (),
        interval: str = "1m",
        mids: bool = True,
        messages: MinuteBudget | None = None,
        frame_limit: int = FRAME_LIMIT,
    ) -> None:
        self._socket = FeedSocket(url, frame_limit=frame_limit)
        self._coins = sorted(coins)
        self._interval = interval
        self._all_mids = mids
        self._messages = messages or MinuteBudget(MESSAGES_PER_MINUTE)
        self._subscribed: list[ws.Named] = []

    async def open(self) -> None:
        """Connect and subscribe."""
        await self._socket.open()
        await self._subscribe()

    async def follow(self, coins: Collection[str]) -> None:
        """Change which coins are wanted."""
        self._coins = sorted(coins)
        await self._subscribe()

    async def receive(self) -> Sequence[MarketEvent]:
        """Wait for the next message and read it."""
        data = await self._socket.receive()
        try:
            return self._read(data)
        except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError) as error:
            raise MalformedFrame(str(error)) from None

    async def ping(self) -> None:
        """Ask for a pong; the venue closes connections that say nothing for a minute."""
        await self._send(ws.Ping())

    async def close(self) -> None:
        """End it."""
        await self._socket.close()

    def _wanted(self) -> list[ws.Named]:
        wanted: list[ws.Named] = [ws.AllMids()] if self._all_mids else []
        for coin in self._coins:
            wanted += [
                ws.Candle(coin=coin, interval=self._interval),  # type: ignore[arg-type]
                ws.Trades(coin=coin),
                ws.ActiveAssetCtx(coin=coin),
            ]
        # Mids carry no time; a quiet coin's best prices do, and change by the second.
        return wanted + [ws.Bbo(coin=coin) for coin in self._coins[:1]]

    async def _subscribe(self) -> None:
        wanted = self._wanted()
        gone = [item for item in self._subscribed if item not in wanted]
        new = [item for item in wanted if item not in self._subscribed]
        self._subscribed = wanted
        for item in gone:
            await self._send(ws.Unsubscribe(subscription=item))  # type: ignore[arg-type]
        for item in new:
            await self._send(ws.Subscribe(subscription=item))  # type: ignore[arg-type]

    async def _send(self, message: ws.Said) -> None:
        pause_s = self._messages.wait_s()
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        await self._socket.send(message)

    def _read(self, data: bytes) -> Sequence[MarketEvent]:
        message = _envelope.decode(data)
        match message.channel:
            case "candle":
                return (_as_candle(_candle.decode(message.data)),)
            case "trades":
                return [_as_print(trade) for trade in _trades.decode(message.data)]
            case "activeAssetCtx":
                return (_as_context(_context.decode(message.data)),)
            case "allMids":
                mids = _mids.decode(message.data).mids
                return (Mids(time_ms=0, prices={coin: float(px) for coin, px in mids.items()}),)
            case "bbo":
                return (_as_mid(_best.decode(message.data)),)
            case "subscriptionResponse":
                return _as_followed(_subscribed.decode(message.data))
            case "error":
                return (_as_refused(_refusal.decode(message.data)),)
        return ()


def _as_candle(row: _Candle) -> Candle:
    step = INTERVAL_MS.get(row.i)
    if step is None or row.t + step - 1 != row.T or row.n < 0:
        raise ValueError("a candle that contradicts itself")
    return Candle(
        coin=row.s,
        interval_ms=step,
        open_time_ms=row.t,
        open=float(row.o),
        high=float(row.h),
        low=float(row.l),
        close=float(row.c),
        volume=float(row.v),
        trades=row.n,
    )


def _as_print(row: _Trade) -> Print:
    price, size = float(row.px), float(row.sz)
    if row.side not in {"A", "B"} or price <= 0 or size < 0 or row.time <= 0:
        raise ValueError("a trade that cannot be")
    return Print(
        coin=row.coin,
        time_ms=row.time,
        price=price,
        size=size,
        is_buy=row.side == "B",
        trade_id=row.tid,
    )


def _as_context(row: _Context) -> AssetContext:
    ctx = row.ctx
    return AssetContext(
        coin=row.coin,
        time_ms=0,
        funding_rate_hourly=_number(ctx.funding),
        open_interest=_number(ctx.open_interest),
        mark_price=_number(ctx.mark_px),
        oracle_price=_number(ctx.oracle_px),
        day_volume=_number(ctx.day_base_vlm),
    )


def _as_mid(row: _Best) -> Mids:
    bid, ask = row.bbo
    if bid is None or ask is None:
        return Mids(time_ms=row.time, prices={})
    return Mids(time_ms=row.time, prices={row.coin: (float(bid.px) + float(ask.px)) / 2})


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _as_followed(row: _Subscribed) -> Sequence[MarketEvent]:
    if (row.method, row.subscription.type) == ("subscribe", "candle"):
        return (Followed(coin=row.subscription.coin),)
    return ()


def _as_refused(text: str) -> Refused:
    """Read an error; it quotes what was asked for, if it could be read."""
    _log.warning("stream_refused", reason=text[:300])
    coin = _refused_coin.search(text)
    return Refused(coin=coin[1] if coin else "", reason=one_line(text[:300]))

"""`candleSnapshot`: candles of every interval the venue has, made of the stored bars."""

from typing import Any, Final

import msgspec
import numpy as np

from suite.bars import DAY_MS, I64, INTERVAL_MS, Bars
from virtual_exchange.application.info.request import UnknownRequest
from virtual_exchange.application.info.values import plain
from virtual_exchange.application.world import World, symbol_of

_MONTH: Final = "1M"
_STEP_MS: Final = INTERVAL_MS | {"3d": 3 * DAY_MS, "1w": 7 * DAY_MS, _MONTH: 28 * DAY_MS}
"""Length of each interval, of a month the shortest.

Buckets are counted from the epoch, so that weeks begin on Thursdays, as on the venue (rainbow-me/
rainbow pull request 6920, read 2026-11); months are those of the calendar.
"""
_MOST: Final = 5000
"""Older candles are not there any more."""


class CandleRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the field `req`."""

    coin: str
    interval: str
    startTime: int  # noqa: N815 - the wire's own name
    endTime: int | None = None  # noqa: N815


class CandleReads:
    """The candles of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def snapshot(self, req: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Candles that overlap a range of time, oldest first; the last one may still be open.

        Raises:
            UnknownRequest: the range is not well-formed, or there is no such interval.
        """
        try:
            wanted = msgspec.convert(req, CandleRequest)
        except msgspec.ValidationError as error:
            raise UnknownRequest(f"missing or wrong field `req`: {error}") from None
        if wanted.interval not in _STEP_MS:
            raise UnknownRequest(f"missing or wrong field `req`: interval {wanted.interval[:8]!r}")
        symbol = symbol_of(self._world, wanted.coin)
        if symbol is None:
            return []
        now_ms = self._world.now_ms
        end_ms = now_ms if wanted.endTime is None else min(wanted.endTime, now_ms)
        return self.candles(symbol, wanted.interval, wanted.startTime, end_ms)

    def candles(
        self, symbol: int, interval: str, start_ms: int, end_ms: int
    ) -> list[dict[str, Any]]:
        """Candles that overlap a range of time which is not in the future.

        The one that is still open is made of the bars that are closed by now, in a live market of
        the open one too, and the present print.
        """
        world, now_ms = self._world, self._world.now_ms
        if max(0, start_ms) > end_ms:
            return []
        present_ms = _opening(now_ms, interval)
        oldest_ms = present_ms - (_MOST - 1) * _STEP_MS[interval]
        first_ms = _opening(max(0, start_ms, oldest_ms), interval)
        until_ms = _closing(_opening(end_ms, interval), interval)
        bars = world.market.bars_by(symbol, now_ms).between(first_ms, until_ms)
        candles = _aggregate(bars, interval)
        if end_ms >= present_ms:
            self._add_print(symbol, present_ms, candles)
        coin = world.market.instruments[symbol].coin
        return [_told(candle, coin, interval) for candle in candles]

    def _add_print(self, symbol: int, present_ms: int, candles: list[list[float]]) -> None:
        """Bring the open candle up to the present print."""
        world = self._world
        print_ = world.engine.book(symbol).print
        if not print_:
            return
        price = print_ / 10 ** world.market.instruments[symbol].price_decimals
        if not candles or candles[-1][0] != present_ms:
            candles.append([present_ms, price, price, price, price, 0.0, 0])
            return
        candle = candles[-1]
        candle[2], candle[3] = max(candle[2], price), min(candle[3], price)
        candle[4] = price


def _aggregate(bars: Bars, interval: str) -> list[list[float]]:
    """Put bars together: rows of opening ms, open, high, low, close, volume, number of bars."""
    if len(bars) == 0:
        return []
    openings = _openings(bars.open_time_ms, interval)
    starts = np.flatnonzero(np.concatenate([[True], openings[1:] != openings[:-1]]))
    ends = np.concatenate([starts[1:], [len(bars)]])
    columns = (
        openings[starts],
        bars.open[starts],
        np.maximum.reduceat(bars.high, starts),
        np.minimum.reduceat(bars.low, starts),
        bars.close[ends - 1],
        np.add.reduceat(bars.volume, starts),
        ends - starts,
    )
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _openings(times_ms: I64, interval: str) -> I64:
    """When the candles opened in which moments lie."""
    if interval == _MONTH:
        months = times_ms.astype("datetime64[ms]").astype("datetime64[M]")
        opened: I64 = months.astype("datetime64[ms]").astype(np.int64)
        return opened
    step = _STEP_MS[interval]
    return times_ms // step * step


def _opening(time_ms: int, interval: str) -> int:
    return int(_openings(np.array([time_ms], np.int64), interval)[0])


def _closing(opening_ms: int, interval: str) -> int:
    """When the candle that opened at a moment closes."""
    if interval == _MONTH:
        return _opening(opening_ms + 31 * DAY_MS, interval)
    return opening_ms + _STEP_MS[interval]


def _told(candle: list[float], coin: str, interval: str) -> dict[str, Any]:
    opening_ms, opened, high, low, close, volume, bars = candle
    return {
        "t": int(opening_ms),
        "T": _closing(int(opening_ms), interval) - 1,
        "s": coin,
        "i": interval,
        "o": plain(opened),
        "c": plain(close),
        "h": plain(high),
        "l": plain(low),
        "v": plain(round(volume, 8)),
        "n": int(bars),
    }

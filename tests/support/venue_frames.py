"""What a venue's stream says of stored bars, as bytes."""

from collections.abc import Iterator

import msgspec

from suite.bars import MINUTE_MS, Bars

CONTEXT_EVERY = 10
"""Minutes between contexts of a coin."""


def candle_frame(
    coin: str, at_ms: int, values: tuple[float, float, float, float, float], trades: int
) -> bytes:
    opened, high, low, close, volume = (str(value) for value in values)
    data = {
        "t": at_ms,
        "T": at_ms + MINUTE_MS - 1,
        "s": coin,
        "i": "1m",
        "o": opened,
        "c": close,
        "h": high,
        "l": low,
        "v": volume,
        "n": trades,
    }
    return msgspec.json.encode({"channel": "candle", "data": data})


def trade_frame(coin: str, at_ms: int, price: float, size: float, number: int) -> bytes:
    trade = {
        "coin": coin,
        "side": "B",
        "px": str(price),
        "sz": str(size),
        "time": at_ms,
        "tid": number,
        "users": ["0x0", "0x0"],
    }
    return msgspec.json.encode({"channel": "trades", "data": [trade]})


def minute_frames(truth: dict[str, Bars], row: int) -> Iterator[bytes]:
    """A minute of all coins: it opens with a trade, grows, and is told once more when done.

    Bars without volume are minutes in which nothing is said.
    """
    halves = []
    for coin, bars in truth.items():
        volume = float(bars.volume[row])
        if volume == 0:
            continue
        at_ms = int(bars.open_time_ms[row])
        opened = float(bars.open[row])
        first = (opened, opened, opened, opened, round(volume / 2, 6))
        yield trade_frame(coin, at_ms + 1000, opened, first[4], 2 * row)
        yield candle_frame(coin, at_ms, first, 1)
        halves.append((coin, bars, at_ms, opened, volume, first[4]))
    for coin, bars, at_ms, opened, volume, half in halves:
        close = float(bars.close[row])
        yield trade_frame(coin, at_ms + 50_000, close, round(volume - half, 6), 2 * row + 1)
        whole = (opened, float(bars.high[row]), float(bars.low[row]), close, volume)
        yield candle_frame(coin, at_ms, whole, 2)

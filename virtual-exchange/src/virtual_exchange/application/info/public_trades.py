"""Public trades: a model, for bars record none.

Every closed bar is told in up to four trades that walk its path: the open, the extreme that came
first, the other one, the close. Their sizes add up to the bar's volume. Nothing is told of a bar
before it is closed.
"""

from typing import Any, Final

from perp_engine.rules import BarPath
from suite.enums import Side
from virtual_exchange.application.info.values import made_hash
from virtual_exchange.application.world import World

BUYER: Final = "0x000000000000000000000000000000000000b1d5"
SELLER: Final = "0x000000000000000000000000000000000000a5c5"
"""Both ends of every public trade: the venue itself, for accounts never meet."""
RECENT: Final = 100
_POINTS: Final = 4
_FIRST_TID: Final = 1 << 51
"""Above every id that a fill of an account has."""
_SYMBOLS: Final = 1 << 8


class PublicTrades:
    """The public trades of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments

    def recent(self, symbol: int) -> list[dict[str, Any]]:
        """The latest trades of a coin, newest first."""
        trades: list[dict[str, Any]] = []
        end = self._world.engine.bar
        while end > 0 and len(trades) < RECENT:
            first = max(0, end - RECENT // _POINTS)
            trades += self.between(symbol, first, end)[::-1]
            end = first
        return trades[:RECENT]

    def between(self, symbol: int, first_bar: int, end_bar: int) -> list[dict[str, Any]]:
        """Trades of the bars from one to before another, oldest first; of closed bars only."""
        end_bar = min(end_bar, self._world.engine.bar)
        if first_bar >= end_bar:
            return []
        bars = self._world.market.tape.bars[symbol, :, first_bar:end_bar].T.tolist()
        return [
            trade
            for bar, row in enumerate(bars, first_bar)
            for trade in self._of_bar(symbol, bar, *row)
        ]

    def _of_bar(
        self, symbol: int, bar: int, opened: int, high: int, low: int, close: int, volume: int
    ) -> list[dict[str, Any]]:
        tape, instrument = self._world.market.tape, self._instruments[symbol]
        extremes = (high, low) if self._high_first(opened, high, low) else (low, high)
        open_ms, last_ms = tape.time_ms(bar), tape.time_ms(bar + 1) - 1
        trades, side, before = [], Side.BUY if close >= opened else Side.SELL, opened
        for point, price in enumerate((opened, *extremes, close)):
            if price != before:
                side = Side.BUY if price > before else Side.SELL
            before = price
            size = _share(volume, point)
            if size > 0:
                trades.append(
                    {
                        "coin": instrument.coin,
                        "side": side.wire,
                        "px": instrument.format_price(price),
                        "sz": instrument.format_size(size),
                        "time": open_ms + (last_ms - open_ms) * point // (_POINTS - 1),
                        "hash": made_hash("trade", instrument.coin, open_ms, point),
                        "tid": _FIRST_TID + (bar * _SYMBOLS + symbol) * _POINTS + point,
                        "users": [BUYER, SELLER],
                    }
                )
        return trades

    def _high_first(self, opened: int, high: int, low: int) -> bool:
        """Which extreme came first: as the world's path says, else the nearer one."""
        path = self._world.rules.bar_path
        if path in {BarPath.OHLC, BarPath.OLHC}:
            return path is BarPath.OHLC
        return high - opened < opened - low


def _share(volume: int, point: int) -> int:
    """Size of one of a bar's trades: a quarter each, what is left over goes to the last ones."""
    return volume * (point + 1) // _POINTS - volume * point // _POINTS if volume > 0 else 0

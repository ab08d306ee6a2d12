"""The order book around the engine's touch: a model, for bars record none.

The best prices are those at which the engine trades, on the grid of orders: the bid is brought down
to it, the ask up, so that an order at a shown price always fills, and at that price or better.
Behind them the depth grows with the distance: two ticks have a little less than twice the depth of
one, and all of a side together twice the volume of the last closed bar, half of it within twenty
ticks. Nothing of the bar that is starting is in it but its opening print.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

from suite.enums import Side
from virtual_exchange.application.info.request import Unsupported
from virtual_exchange.application.world import World
from virtual_exchange.domain.price_grid import at_or_above, at_or_below

LEVELS: Final = 20
_HALF_DEPTH_TICKS: Final = 20
"""Distance within which half of a side's depth is."""
_LARGEST_NOISE: Final = 400
"""Thousandths of a level's size by which its edges wander: below a half none turns negative."""
_LEAST_LOTS: Final = 4
"""More than rounding may take from a level."""
_FIGURES: Final = range(2, 6)
_MANTISSAS: Final = (2, 5)
_MANTISSA_FIGURES: Final = 5

Level = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Depth:
    """How much one side holds within a distance of its best price.

    Attributes:
        name: what makes its noise another than that of the other side, or bar.
        volume: of the last closed bar, size units.
        least: that each level has at least, size units.
    """

    name: str
    volume: int
    least: int

    def size(self, ticks: int) -> int:
        """Size within so many ticks, size units; strictly rising."""
        if ticks == 0:
            return 0
        reach = ticks + _HALF_DEPTH_TICKS
        level = 2 * self.volume * _HALF_DEPTH_TICKS // reach**2
        noise = self._draw(ticks) % (2 * _LARGEST_NOISE + 1) - _LARGEST_NOISE
        return 2 * self.volume * ticks // reach + level * noise // 1000 + self.least * ticks

    def orders(self, ticks: int) -> int:
        """Orders within so many ticks; strictly rising."""
        return 2 * ticks + (self._draw(ticks) & 1 if ticks else 0)

    def _draw(self, ticks: int) -> int:
        return crc32(f"{self.name}/{ticks}".encode()) >> 8


class ModelledBook:
    """The order books of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments
        self._kept_bar = -1
        self._kept: dict[tuple[int, int | None, int | None], dict[str, Any]] = {}

    def touch(self, symbol: int) -> tuple[int, int]:
        """Best bid and ask as they are shown, price units; 0 where there is no book."""
        book, instrument = self._world.engine.book(symbol), self._instruments[symbol]
        if not book.print:
            return 0, 0
        return at_or_below(instrument, book.bid), at_or_above(instrument, book.ask)

    def l2(
        self, symbol: int, n_sig_figs: int | None = None, mantissa: int | None = None
    ) -> dict[str, Any]:
        """The book of a coin; what is returned is shared and must not be changed.

        Args:
            symbol: index of the coin.
            n_sig_figs: levels are put together to so many significant figures.
            mantissa: and, with five of them, to multiples of this.

        Raises:
            Unsupported: the venue has no such levels.
        """
        if n_sig_figs is not None and n_sig_figs not in _FIGURES:
            raise Unsupported(f"nSigFigs {n_sig_figs}")
        if mantissa is not None and (n_sig_figs != _MANTISSA_FIGURES or mantissa not in _MANTISSAS):
            raise Unsupported(f"mantissa {mantissa}")
        if self._kept_bar != self._world.engine.bar:
            self._kept.clear()
            self._kept_bar = self._world.engine.bar
        key = (symbol, n_sig_figs, mantissa)
        if key not in self._kept:
            self._kept[key] = self._l2(symbol, n_sig_figs, mantissa or 1)
        return self._kept[key]

    def _l2(self, symbol: int, n_sig_figs: int | None, mantissa: int) -> dict[str, Any]:
        instrument = self._instruments[symbol]
        bid, ask = self.touch(symbol)
        levels: list[list[Level]] = [[], []]
        if bid:
            levels = [
                self._levels(symbol, side, best, _step(instrument.tick, n_sig_figs, mantissa))
                for side, best in ((Side.BUY, bid), (Side.SELL, ask))
            ]
        shown: dict[str, Any] = {
            "coin": instrument.coin,
            "time": self._world.now_ms,
            "levels": levels,
        }
        if n_sig_figs is not None:
            shown["spread"] = instrument.format_price(ask - bid)
        return shown

    def _levels(
        self, symbol: int, side: Side, best: int, step: Callable[[int], int]
    ) -> list[Level]:
        """Levels of one side from the best one on, each with all that is before the next."""
        instrument, depth = self._instruments[symbol], self._depth(symbol, side, best)
        tick, before = instrument.tick(best), 0
        levels: list[Level] = []
        price = best // step(best) * step(best) if side is Side.BUY else _ceil(best, step)
        while len(levels) < LEVELS and price > 0:
            ticks = abs(price - best) // tick + 1
            levels.append(
                {
                    "px": instrument.format_price(price),
                    "sz": instrument.format_size(depth.size(ticks) - depth.size(before)),
                    "n": depth.orders(ticks) - depth.orders(before),
                }
            )
            before = ticks
            price = price - step(best) if side is Side.BUY else _ceil(price + step(price), step)
        return levels

    def _depth(self, symbol: int, side: Side, best: int) -> _Depth:
        instrument, bars = self._instruments[symbol], self._world.market.history[symbol]
        closed = bars.closed_by(self._world.now_ms)
        volume, opened_ms = 0, 0
        if closed:
            volume = int(bars.volume[closed - 1] * 10**instrument.sz_decimals)
            opened_ms = int(bars.open_time_ms[closed - 1])
        return _Depth(
            name=f"{instrument.coin}/{opened_ms}/{side.wire}",
            volume=volume,
            least=max(_LEAST_LOTS, -(-self._world.rules.min_notional_usd // best)),
        )


def _step(
    tick: Callable[[int], int], n_sig_figs: int | None, mantissa: int
) -> Callable[[int], int]:
    """Distance between levels around a price."""
    if n_sig_figs is None:
        return tick
    return lambda price: 10 ** max(0, len(str(price)) - n_sig_figs) * mantissa


def _ceil(price: int, step: Callable[[int], int]) -> int:
    return -(-price // step(price)) * step(price)

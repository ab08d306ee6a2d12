"""A tape that is written while it is played, a bar at a time.

The kernel reads the bar that starts now and those before it, and nothing of what lies ahead; so the
memory ahead may be one that takes no room until it is written, and never has to be looked at.
"""

from dataclasses import dataclass
from typing import Final

from perp_engine.kernel.layout import SIZE_LIMIT
from perp_engine.tape import CLOSE, HIGH, LOW, NO_BAR, OPEN, VOLUME, Tape
from suite.checks import check
from suite.fixed import PRODUCT_LIMIT

HIGHEST_PRICE: Final = (PRODUCT_LIMIT - 1) // (5 * SIZE_LIMIT)
"""In price units: beyond it a position would be worth more than 64 bits carry."""


@dataclass(frozen=True, slots=True)
class LiveTape(Tape):
    """Bars of a market that goes on.

    `bars` is as long as the world may last. A bar begins with `open` or `lack`, before the engine
    comes to the boundary at which it starts, and is finished with `close` before it is played.
    """

    def __post_init__(self) -> None:
        self._check_shape()
        check(self.detail is None, "a live tape knows no path inside its bars")

    @property
    def highest_price(self) -> int:
        """No price on it is above this."""
        return HIGHEST_PRICE

    def last_bar(self, symbol: int) -> int:
        """The last one there is room for: a live symbol is not delisted."""
        return self.length - 1

    def open(self, symbol: int, bar: int, price: int) -> None:
        """Begin a bar with the print that stands at its start; no more of it is known."""
        check(0 < price <= HIGHEST_PRICE, "a print has a price")
        self.bars[symbol, :VOLUME, bar] = price
        self.bars[symbol, VOLUME, bar] = 0

    def lack(self, symbol: int, bar: int, price: int) -> None:
        """Leave a bar out: no book, no fills, and the mark stands still.

        Args:
            price: the last that was known, 0 for none.
        """
        self.bars[symbol, :VOLUME, bar] = price
        self.bars[symbol, VOLUME, bar] = NO_BAR

    def close(self, symbol: int, bar: int, *, high: int, low: int, last: int, volume: int) -> None:
        """Finish a bar that was begun; one that was left out stays so."""
        row = self.bars[symbol, :, bar]
        if row[VOLUME] == NO_BAR:
            return
        sound = 0 < low <= min(row[OPEN], last) and max(row[OPEN], last) <= high <= HIGHEST_PRICE
        check(sound and volume >= 0, "a bar's prices lie between its low and its high")
        row[HIGH], row[LOW], row[CLOSE], row[VOLUME] = high, low, last, volume

"""A live market as it comes: what a feed tells, and what a second makes of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from perp_engine.live_tape import HIGHEST_PRICE, LiveTape
from suite.fixed import Price, quantize_half_even
from suite.instrument import Instrument

_HALF_UNIT = 1e-6
"""What a decimal may lose as a float, in units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """One public trade.

    Attributes:
        time_ms: on the feed's clock.
        price: USD.
        size: units of the coin.
    """

    time_ms: int
    price: float
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prints:
    """Trades of one coin that were told together."""

    coin: str
    prints: tuple[Print, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """A minute of a coin as far as it has come; each telling is of the whole minute."""

    coin: str
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def values(self) -> tuple[float, float, float, float, float]:
        """Open, high, low, close, volume."""
        return self.open, self.high, self.low, self.close, self.volume

    @property
    def sound(self) -> bool:
        """Whether it can be: its prices are prices, and lie between its low and its high."""
        finite = all(math.isfinite(value) for value in self.values)
        inside = 0 < self.low <= min(self.open, self.close) and max(self.open, self.close) <= (
            self.high
        )
        return finite and inside and self.volume >= 0 and self.open_time_ms > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyRate:
    """The funding rate of a coin's present interval, by the hour; positive when longs pay."""

    coin: str
    rate: float


LiveEvent = Prints | Minute | HourlyRate


class LiveCoin:
    """One coin since the last boundary: what a bar of it will be.

    Trades count to the bar in which they came. What a feed tells first, it tells of the past: that
    gives the price, and no volume. A feed that tells minutes only is read by how they grow.

    Args:
        instrument: the coin.

    Attributes:
        price: the last one known since the connection was made, price units; 0 is none.
        known: the last one known at all.
    """

    def __init__(self, instrument: Instrument, known: int = 0) -> None:
        self._instrument = instrument
        self.price = 0
        self.known = known
        self._high = self._low = self._volume = 0
        self._minute: Minute | None = None
        self._trades = False

    def lose(self) -> None:
        """Forget what a connection that has ended made known."""
        self.price = 0
        self._minute, self._trades = None, False

    def traded(self, prints: Sequence[Print], since_ms: int) -> bool:
        """Take trades in the order in which they came; say whether the latest is of the present.

        Args:
            prints: at least one.
            since_ms: what was traded before is past, though it is told only now.
        """
        latest = max(prints, key=lambda one: one.time_ms)
        if self._trades:
            for one in prints:
                if one.time_ms >= since_ms:
                    self._meet(one.price, one.size)
        elif not self.price and latest.time_ms >= since_ms:
            self._meet(latest.price, 0.0)
        self._trades = True
        return latest.time_ms >= since_ms

    def told(self, minute: Minute) -> None:
        """Take what a minute has come to; the trades in it, where none are told apart."""
        before, self._minute = self._minute, minute
        if before is None:
            if not self.price:
                self._meet(minute.close, 0.0)
            return
        if self._trades or minute.open_time_ms < before.open_time_ms:
            return
        same = minute.open_time_ms == before.open_time_ms
        if not same:
            self._meet(minute.open, 0.0)
        if not same or minute.high > before.high:
            self._meet(minute.high, 0.0)
        if not same or minute.low < before.low:
            self._meet(minute.low, 0.0)
        self._meet(minute.close, max(0.0, minute.volume - (before.volume if same else 0.0)))

    def finish(self, tape: LiveTape, symbol: int, bar: int) -> None:
        """Write the bar that ends now, and begin to collect the next one.

        A price that was first known inside the bar is not one that it can have begun with: such a
        bar was left out, and stays so.
        """
        if self._high:
            tape.close(
                symbol,
                bar,
                high=max(self._high, int(tape.bars[symbol, 0, bar])),
                low=min(self._low, int(tape.bars[symbol, 0, bar])),
                last=self.known,
                volume=self._volume,
            )
        self._high = self._low = self._volume = 0

    def _meet(self, price: float, size: float) -> None:
        """Note a trade; one off the lattice of all prices says nothing."""
        if not (math.isfinite(price) and math.isfinite(size)):
            return
        units = quantize_half_even(price, self._instrument.price_decimals)
        if not 0 < units <= HIGHEST_PRICE or size < 0:
            return
        self.price = self.known = Price(units)
        self._high = max(self._high, units)
        self._low = min(self._low, units) if self._low else units
        self._volume += int(size * 10**self._instrument.sz_decimals + _HALF_UNIT)

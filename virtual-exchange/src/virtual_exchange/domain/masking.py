"""Two names, prices and dates for one market: those recorded, and those that are shown."""

from dataclasses import dataclass
from fractions import Fraction

from suite.fixed import format_fixed
from suite.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueInstrument(Instrument):
    """A recorded coin whose units are those of its masked double; it writes them as its own.

    Attributes:
        price_scale: recorded price units in a masked one.
        size_scale: recorded size units in a masked one.
    """

    price_scale: Fraction
    size_scale: Fraction

    def format_price(self, price: int) -> str:
        """Write a masked price as the recorded one, half to even."""
        return format_fixed(round(price * self.price_scale), self.price_decimals)

    def format_size(self, size: int) -> str:
        """Write a masked size as the recorded one, half to even."""
        return format_fixed(round(size * self.size_scale), self.sz_decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinMask:
    """One coin behind its mask.

    Attributes:
        true: as recorded.
        shown: as it appears.
        symbol: index of the recorded coin in its market.
        source: where it was recorded.
        factor: shown price over recorded price; sizes by its inverse, so money is the same.
    """

    true: Instrument
    shown: Instrument
    symbol: int
    source: str
    factor: Fraction

    @property
    def keeps_units(self) -> bool:
        """Whether a price unit is still the same price: only the point has moved."""
        return self.price_scale == 1

    @property
    def price_scale(self) -> Fraction:
        """Recorded price units in a shown one."""
        return _units(self.true.price_decimals, self.shown.price_decimals) / self.factor

    @property
    def size_scale(self) -> Fraction:
        """Recorded size units in a shown one."""
        return _units(self.true.sz_decimals, self.shown.sz_decimals) * self.factor

    def unmasked(self) -> Instrument:
        """The instrument that writes units of the shown market as the recorded coin's."""
        if self.keeps_units:
            return self.true
        return TrueInstrument(
            coin=self.true.coin,
            sz_decimals=self.true.sz_decimals,
            tiers=self.true.tiers,
            price_scale=self.price_scale,
            size_scale=self.size_scale,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """How a market was changed when it was loaded.

    Attributes:
        shift_ms: added to every time, whole weeks.
        coins: in the order of the shown market.
        hides: names, prices and dates must not be told; else only the dates have moved.
        seed: of what was drawn.
        scale: the factor of all prices that was asked for, None for one drawn for each coin.
        exact: results are those of the recorded market, to the last unit.
    """

    shift_ms: int
    coins: tuple[CoinMask, ...]
    hides: bool
    seed: int
    scale: str | None
    exact: bool

    @property
    def keeps_units(self) -> bool:
        """Whether every unit is still the same price and size."""
        return all(coin.keeps_units for coin in self.coins)

    @property
    def names(self) -> dict[str, str]:
        """Shown name by recorded name."""
        return {coin.true.coin: coin.shown.coin for coin in self.coins}

    def true_ms(self, shown_ms: int) -> int:
        """Recorded time of a shown one."""
        return shown_ms - self.shift_ms

    def true_symbol(self, symbol: int) -> int:
        """Index of a shown coin in the recorded market."""
        return self.coins[symbol].symbol


def _units(true_decimals: int, shown_decimals: int) -> Fraction:
    return Fraction(10**true_decimals, 10**shown_decimals)

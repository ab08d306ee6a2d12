"""What can be traded: the lattice of prices and sizes, leverage tiers, and one name per coin."""

import re
from dataclasses import dataclass
from decimal import Decimal

from suite.fixed import RATE_ONE, USD_DECIMALS, Price, Rate, Size, Usd, format_fixed, parse_fixed

PRICE_SIGNIFICANT_FIGURES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTier:
    """Leverage allowed from a notional upward.

    Attributes:
        lower_bound_usd: notional at which the tier starts, micro-USD.
        max_leverage: highest leverage within it.
        maintenance_rate: share of the notional to keep, 10^-9; None is 1 / (2 * max_leverage).
    """

    lower_bound_usd: Usd
    max_leverage: int
    maintenance_rate: Rate | None = None

    @property
    def maintenance(self) -> Rate:
        """Maintenance rate, 10^-9."""
        if self.maintenance_rate is not None:
            return self.maintenance_rate
        return Rate(RATE_ONE // (2 * self.max_leverage))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One perpetual.

    Attributes:
        coin: the venue's name, `BTC`.
        sz_decimals: digits after the point of a size; prices have 6 minus as many.
        tiers: by rising lower bound, the first at 0.
    """

    coin: str
    sz_decimals: int
    tiers: tuple[MarginTier, ...]

    @property
    def price_decimals(self) -> int:
        """Digits after the point of a price unit."""
        return USD_DECIMALS - self.sz_decimals

    @property
    def max_leverage(self) -> int:
        """Leverage of the first tier."""
        return self.tiers[0].max_leverage

    def parse_price(self, value: str | int | Decimal) -> Price:
        """Read a price exactly.

        Raises:
            ValueError: finer than the lattice, or not a number.
        """
        return Price(parse_fixed(value, self.price_decimals))

    def parse_size(self, value: str | int | Decimal) -> Size:
        """Read a size exactly.

        Raises:
            ValueError: finer than the lattice, or not a number.
        """
        return Size(parse_fixed(value, self.sz_decimals))

    def format_price(self, price: int) -> str:
        """Write a price as the venue does."""
        return format_fixed(price, self.price_decimals)

    def format_size(self, size: int) -> str:
        """Write a size as the venue does."""
        return format_fixed(size, self.sz_decimals)

    def tick(self, price: int) -> Price:
        """Distance between valid order prices around `price`.

        At most five significant figures, whole dollars always valid.

        Source: venue documentation, "Tick and lot size", read 2026-11.
        """
        finest = 10 ** max(0, len(str(abs(price))) - PRICE_SIGNIFICANT_FIGURES)
        return Price(min(finest, 10**self.price_decimals))

    def price_is_valid(self, price: int) -> bool:
        """Whether an order may carry this price."""
        return price > 0 and price % self.tick(price) == 0


KNOWN: dict[str, tuple[int, int]] = {
    "BTC": (5, 40),
    "ETH": (4, 25),
    "SOL": (2, 20),
    "BNB": (3, 10),
    "XRP": (0, 20),
    "DOGE": (0, 10),
    "ADA": (0, 10),
    "LTC": (2, 10),
    "LINK": (1, 10),
    "AVAX": (2, 10),
    "BCH": (3, 10),
    "SUI": (1, 10),
    "LAYER": (0, 5),
    "kPEPE": (0, 10),
    "kSHIB": (0, 10),
    "kBONK": (0, 10),
}
"""Size decimals and highest leverage of coins the venue lists; the store's own record wins."""

SECOND_TIERS: dict[str, tuple[int, int]] = {
    "BTC": (150, 20),
    "ETH": (100, 15),
    "SOL": (70, 10),
}
"""Where the second margin tier of known coins starts, million USD, and its leverage.

Source: venue documentation, "Margin tiers", read 2026-11.
"""

DERIVED_MAX_LEVERAGE = 5


def default_instrument(coin: str, price_decimals: int) -> Instrument:
    """Instrument of a coin for which nothing is stored.

    Args:
        coin: as returned by `coin_of`.
        price_decimals: digits after the point seen in its market data, used for unknown coins.
    """
    derived = min(5, max(0, USD_DECIMALS - price_decimals))
    sz_decimals, max_leverage = KNOWN.get(coin, (derived, DERIVED_MAX_LEVERAGE))
    tiers = [MarginTier(lower_bound_usd=Usd(0), max_leverage=max_leverage)]
    if coin in SECOND_TIERS:
        millions, lower = SECOND_TIERS[coin]
        tiers.append(MarginTier(lower_bound_usd=Usd(millions * 10**12), max_leverage=lower))
    return Instrument(coin=coin, sz_decimals=sz_decimals, tiers=tuple(tiers))


def is_perp(coin: str) -> bool:
    """Whether a venue's coin is a perpetual: pairs of the spot wallet are `@1` or `PURR/USDC`."""
    return not coin.startswith("@") and "/" not in coin


_QUOTED = re.compile(r"(?P<base>[A-Za-z0-9]+?)(?:[-_/]?(?:USDT|USDC|BUSD|USD))(?::[A-Z]+)?")
_PERP = re.compile(r"(?P<base>[A-Za-z0-9]+)-PERP")
_PLAIN = re.compile(r"[A-Za-z0-9]{1,20}")


def coin_of(symbol: str) -> str:
    """Name the coin that a venue's symbol means.

    `BTC`, `BTCUSDT`, `BTC/USDT:USDT`, `BTC/USDC:USDC` and `BTC-PERP` are `BTC`; `1000PEPEUSDT` is
    `kPEPE`.

    Raises:
        ValueError: not a symbol.
    """
    text = symbol.strip()
    if text.islower():
        text = text.upper()
    match = _PERP.fullmatch(text) or _QUOTED.fullmatch(text)
    base = match["base"] if match else text
    if _PLAIN.fullmatch(base) is None:
        raise ValueError(f"not a symbol: {symbol[:40]!r}")
    if base.startswith("k") and base[1:].isupper():
        return base
    base = base.upper()
    return "k" + base[4:] if base.startswith("1000") and len(base) > 4 else base

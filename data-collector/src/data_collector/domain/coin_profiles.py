"""What a generated coin is like: price, volatility, turnover; near the real ones of 2025."""

import math
import zlib
from dataclasses import dataclass
from typing import Final

from suite.instrument import default_instrument

_SIGNIFICANT_FIGURES: Final = 6

# Price USD, volatility a year, part of its moves that all coins share, turnover of a minute in USD.
_KNOWN: Final[dict[str, tuple[float, float, float, float]]] = {
    "BTC": (100_000.0, 0.50, 0.90, 12_000_000.0),
    "ETH": (2_500.0, 0.70, 0.88, 11_000_000.0),
    "SOL": (150.0, 0.90, 0.82, 2_000_000.0),
    "BNB": (650.0, 0.55, 0.75, 500_000.0),
    "XRP": (2.3, 0.85, 0.72, 1_000_000.0),
    "DOGE": (0.2, 1.00, 0.78, 900_000.0),
    "ADA": (0.75, 0.90, 0.76, 300_000.0),
    "LTC": (95.0, 0.75, 0.72, 150_000.0),
    "LINK": (15.0, 0.90, 0.75, 250_000.0),
    "AVAX": (22.0, 0.95, 0.76, 250_000.0),
    "BCH": (400.0, 0.80, 0.65, 120_000.0),
    "SUI": (3.5, 1.05, 0.72, 600_000.0),
    "LAYER": (1.5, 1.80, 0.35, 100_000.0),
    "kPEPE": (0.012, 1.20, 0.72, 600_000.0),
    "kSHIB": (0.014, 0.90, 0.76, 200_000.0),
    "kBONK": (0.018, 1.20, 0.72, 200_000.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a generated coin is like.

    Attributes:
        price: first price, USD.
        volatility: standard deviation of a year's log returns.
        beta: correlation of its minutes with the shared ones, 0 to 1.
        minute_volume_usd: usual turnover.
        price_decimals, sz_decimals: digits after the point of prices and volumes.
    """

    coin: str
    price: float
    volatility: float
    beta: float
    minute_volume_usd: float
    price_decimals: int
    sz_decimals: int


def profile_of(coin: str) -> Profile:
    """Describe a coin; one that is not known gets a price between 0.1 and 100 from its name."""
    known = _KNOWN.get(coin)
    if known is None:
        place = zlib.crc32(coin.encode()) % 1000 / 1000
        known = (round(10 ** (3 * place - 1), 4), 0.8 + place / 2, 0.65, 100_000.0)
    price, volatility, beta, turnover = known
    shown = max(0, _SIGNIFICANT_FIGURES - 1 - math.floor(math.log10(price)))
    instrument = default_instrument(coin, shown)
    decimals = instrument.price_decimals
    return Profile(
        coin=coin,
        price=price,
        volatility=volatility,
        beta=beta,
        minute_volume_usd=turnover,
        price_decimals=decimals if coin == "BTC" else min(decimals, max(shown, 1)),
        sz_decimals=instrument.sz_decimals,
    )

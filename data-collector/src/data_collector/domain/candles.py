"""What a venue's stream tells of a market, in the words of no particular venue."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """A candle as it was told: each telling is of the whole candle up to then.

    Attributes:
        coin: `BTC`.
        interval_ms: its length.
        open_time_ms: on the venue's clock.
        open, high, low, close: USD.
        volume: units of the coin.
        trades: in it so far; None where the venue does not say.
        closed: the venue said, or we concluded, that it will not change any more.
        complete: of one made of shorter ones, none of them is missing from its start to now.
    """

    coin: str
    interval_ms: int
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None = None
    closed: bool = False
    complete: bool = True

    @property
    def end_ms(self) -> int:
        """When it ends, exclusive."""
        return self.open_time_ms + self.interval_ms

    @property
    def values(self) -> tuple[float, float, float, float, float]:
        """Open, high, low, close, volume: what is stored of it."""
        return self.open, self.high, self.low, self.close, self.volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """One public trade.

    Attributes:
        time_ms: on the venue's clock.
        price: USD.
        size: units of the coin, positive.
        is_buy: the taker bought.
        trade_id: the venue's, unlike that of any other trade of the coin; None where it has none.
    """

    coin: str
    time_ms: int
    price: float
    size: float
    is_buy: bool
    trade_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mids:
    """Mid prices, of all coins or of those that changed.

    Attributes:
        time_ms: on the venue's clock; 0 from a stream whose message has none, which a collector
            replaces by the latest that it was told.
        prices: USD by coin.
    """

    time_ms: int
    prices: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetContext:
    """State of a coin's market; None where it is not known.

    Attributes:
        time_ms: as of `Mids`.
        funding_rate_hourly: of the present interval, by the hour; positive when longs pay.
        open_interest: units of the coin.
        mark_price, oracle_price: USD.
        day_volume: units of the coin traded within 24 hours.
    """

    coin: str
    time_ms: int
    funding_rate_hourly: float | None = None
    open_interest: float | None = None
    mark_price: float | None = None
    oracle_price: float | None = None
    day_volume: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The venue says that it will tell the candles of a coin."""

    coin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The venue says that it will not tell something.

    Attributes:
        coin: of what; empty where the venue does not name it.
        reason: in its words.
    """

    coin: str
    reason: str


MarketEvent = Candle | Print | Mids | AssetContext | Followed | Refused


def candle_fault(candle: Candle) -> str:
    """Say why a candle cannot be true; empty when it can."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    if not all(math.isfinite(price) and price > 0 for price in prices):
        return "a price is not a positive number"
    if candle.low > min(candle.open, candle.close) or candle.high < max(candle.open, candle.close):
        return "high or low is not"
    if not math.isfinite(candle.volume) or candle.volume < 0:
        return "the volume is not a number"
    if candle.open_time_ms <= 0 or candle.open_time_ms % candle.interval_ms:
        return "it opens off the grid"
    return ""

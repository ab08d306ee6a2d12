"""What the data contract answers: `GET /gpt-latest/{symbol}` and `GET /klines/{symbol}`."""

from typing import Any

import msgspec

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in USD and the 24 hours before; None where nothing is known."""

    last_price: float | None
    best_ask_price: float | None
    best_bid_price: float | None
    volume_24h: float | None
    high_24h: float | None
    low_24h: float | None


class OrderBook(msgspec.Struct, frozen=True, kw_only=True):
    """The top of the book.

    Attributes:
        modelled: it was derived from bars, not observed.
    """

    modelled: bool
    top_ask_price: float
    top_ask_volume: float
    top_bid_price: float
    top_bid_volume: float
    total_bid_volume: float
    total_ask_volume: float
    bid_ask_volume_ratio: float | None
    spread: float


class RecentTrades(msgspec.Struct, frozen=True, kw_only=True):
    """Trades of the last closed bar.

    Attributes:
        modelled: they were derived from the bar, not observed.
    """

    modelled: bool
    recent_buy_count: int
    recent_sell_count: int
    total_buy_volume_trades: float
    total_sell_volume_trades: float
    buy_sell_volume_ratio: float | None


class CommonInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What does not depend on an interval; no book and trades where none is known."""

    ticker: Ticker
    order_book: OrderBook | None
    recent_trades: RecentTrades | None


class Funding(msgspec.Struct, frozen=True, kw_only=True):
    """The last settled funding.

    Attributes:
        rate_hourly: settled rate divided by the hours of its interval; positive: longs paid.
        settled_at_ms: its stamp.
    """

    rate_hourly: float
    settled_at_ms: int


class MarketSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `GET /gpt-latest/{symbol}`.

    Attributes:
        symbol: the coin.
        as_of_ms: the boundary it describes: every bar in it had closed by then.
        funding: None before the first settlement.
        open_interest: None when unknown.
        intervals_data: minutes (`"15"`) to scalars of the last closed bar, indicators over the last
            500 closed bars, and `bars`, the last 50.
    """

    symbol: str
    as_of_ms: int
    common_info: CommonInfo
    funding: Funding | None
    open_interest: float | None
    intervals_data: dict[str, Any]


class Kline(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /klines/{symbol}`: open-stamped, prices in USD, volume in coins."""

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

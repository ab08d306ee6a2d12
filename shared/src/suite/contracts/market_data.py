"""What the data contract answers, and what a collector says of its store."""

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
    """A row of `GET /klines/{symbol}`: open-stamped, prices in USD, volume in coins.

    Attributes:
        complete: no shorter bar of which it was made is missing; else high, low and volume are of
            less than its time, and open and close may be of another.
    """

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    complete: bool = True


class FundingRate(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /funding/{symbol}`: settled at a stamp, for the whole interval before it.

    Attributes:
        rate: fraction of the position; positive: longs paid.
    """

    time_ms: int
    rate: float


class OpenInterest(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /open-interest/{symbol}`: coins held by the longs at a moment."""

    time_ms: int
    open_interest: float


class StoredSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /coverage`: the bars of one coin and interval from one source.

    Attributes:
        preferred: readers get this source unless they name another.
        end_ms: close time of the last bar, exclusive.
        missing_bars: how many the gaps hold.
        gaps: open times [from, to) that are not stored.
        source: where it came from, for people.
    """

    coin: str
    interval: str
    venue: str
    market: str
    preferred: bool
    first_open_ms: int
    end_ms: int
    bars: int
    missing_bars: int
    gaps: list[tuple[int, int]]
    source: str
    synthetic: bool


class StoredDays(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /coverage/{symbol}`: what share of each day is stored.

    Attributes:
        days: UTC date to the share of its bars that are stored, 0 to 1; from the first day that has
            any to the last, none left out.
    """

    interval: str
    venue: str
    market: str
    days: dict[str, float]


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /symbols`: a coin with bars.

    Attributes:
        intervals: that are stored; others are made of 1m bars.
        venue, market: where the preferred bars came from.
        source_symbol: its name there, empty when unknown.
        price_decimals, sz_decimals, max_leverage: as a world over this store has them.
    """

    coin: str
    intervals: list[str]
    venue: str
    market: str
    synthetic: bool
    source_symbol: str
    price_decimals: int
    sz_decimals: int
    max_leverage: int


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /collection`: how the collection of a coin and interval goes.

    Attributes:
        source: `venue/market`.
        state: in a word or two.
        reason: why it is not better, empty where it is well.
        last_bar_ms: open time of the last closed bar, None before the first.
        lag_ms: between its end and the venue's clock.
        gaps: bars that are missing and will be asked for.
        clock_offset_ms: the venue's clock minus ours.
    """

    coin: str
    interval: str
    source: str
    state: str
    reason: str = ""
    last_bar_ms: int | None = None
    lag_ms: int | None = None
    gaps: int = 0
    clock_offset_ms: int | None = None


class CollectionStarted(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `GET /start-collection/{symbol}`.

    Attributes:
        intervals: in minutes.
        task_id: for `GET /task-result/{id}`.
    """

    message: str
    intervals: list[int]
    task_id: str


class CollectionResult(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `GET /task-result/{id}`.

    Attributes:
        state: `PENDING` until every interval has its first bar, then `SUCCESS`.
        result: its rows of `GET /collection`.
    """

    state: str
    result: list[Collected]

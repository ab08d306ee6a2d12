"""The market-data snapshot, `GET /gpt-latest/{symbol}`, built the same way by every service.

    {"symbol", "as_of_ms",
     "common_info": {"ticker", "order_book", "recent_trades"},
     "funding", "open_interest",
     "intervals_data": {"1": {...}, "15": {...}, "60": {...}, "240": {...}, "1440": {...}}}

`symbol` and `intervals_data` depend on the bars closed by `as_of_ms` and on nothing else, so two
services that hold the same 1m bars answer with the same bytes. A bar counts once its end
(open time + interval) is not after `as_of_ms`: the 4h bar that is still forming is nowhere in it.
Numbers are finite or null.

A block of `intervals_data` holds the last closed bar (`timeframe` in minutes, `open_time_ms`,
`complete`: no shorter bar is missing in it, `open, high, low, close, volume`), the indicators
(`strategy_core.indicators`) and `bars`: the last 50 closed ones, oldest first, as rows
`[open_time_ms, open, high, low, close, volume]`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from strategy_core.indicators import NOTHING, WINDOW, indicators
from suite.bars import DAY_MS, F64, HOUR_MS, I64, MINUTE_MS, Bars, BoolArray, resample
from suite.klines import COLUMNS, concat_bars

INTERVALS: Final = (1, 15, 60, 240, 1440)
"""Minutes of the blocks, in their order."""

SHOWN_BARS: Final = 50
MODELLED_TRADES: Final = 100
"""How many recent trades the model pretends to have seen."""
TOP_OF_BOOK_SHARE: Final = 0.1
"""Share of the last bar's volume that the model puts at the best price of each side."""

OPEN_INTEREST_AGE_MS: Final = HOUR_MS
"""How old the last reading of open interest may be before it counts as unknown."""

Block = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingView:
    """The last settled funding; the coming rate is never shown before its stamp.

    Attributes:
        rate_hourly: settled rate divided by its interval in hours; positive means longs paid.
        settled_at_ms: its stamp.
    """

    rate_hourly: float
    settled_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """The book a modelled venue would answer an order from now.

    Attributes:
        mid: USD.
        half_spread: USD.
        last_price: last print, USD.
    """

    mid: float
    half_spread: float
    last_price: float


def build_snapshot(
    symbol: str,
    series: Mapping[int, Bars],
    as_of_ms: int,
    *,
    funding: FundingView | None,
    market: MarketView | None,
    open_interest: float | None = None,
    intervals: Sequence[str] = (),
    complete: Mapping[int, BoolArray] | None = None,
) -> dict[str, object]:
    """Build the reply for one coin at one time.

    Args:
        symbol: the coin.
        series: bars by minutes of their interval; later bars may be present and are not looked at.
        as_of_ms: the time.
        funding: last settled rate, None when unknown.
        market: the modelled book; None leaves out order book and trades.
        open_interest: units of the coin, None when unknown.
        intervals: minutes of the blocks wanted, as text; empty for all of `series`.
        complete: for each bar of a series whether nothing is missing in it; yes when not given.

    Raises:
        ValueError: an interval that `series` does not have.
    """
    blocks = {
        str(minutes): _block(
            series[minutes], minutes, as_of_ms, complete=(complete or {}).get(minutes)
        )
        for minutes in wanted_minutes(series, intervals)
    }
    base = series[min(series)]
    return _assemble(symbol, as_of_ms, base, blocks, funding, market, open_interest)


def open_interest_at(time_ms: I64, open_interest: F64, at_ms: int) -> float | None:
    """Find the last reading at or before a time, None where it is more than an hour old.

    Args:
        time_ms: shape (n,), rising.
        open_interest: shape (n,), units of the coin.
        at_ms: the time.
    """
    row = int(np.searchsorted(time_ms, at_ms, side="right")) - 1
    if row < 0 or at_ms - int(time_ms[row]) > OPEN_INTEREST_AGE_MS:
        return None
    return float(open_interest[row])


def wanted_minutes(series: Mapping[int, object], intervals: Sequence[str]) -> list[int]:
    """Choose the blocks, shortest first.

    Raises:
        ValueError: one that does not exist.
    """
    if not intervals:
        return sorted(series)
    known = {str(minutes): minutes for minutes in sorted(series)}
    unknown = [text for text in intervals if text not in known]
    if unknown:
        raise ValueError(f"unknown interval {unknown[0][:20]!r}; there are {', '.join(known)}")
    return [minutes for text, minutes in known.items() if text in intervals]


def _block(bars: Bars, minutes: int, as_of_ms: int, *, complete: BoolArray | None) -> Block:
    """One block of `intervals_data` from the bars closed by a time."""
    end = bars.closed_by(as_of_ms)
    return _block_of(bars, minutes, end, complete=complete)


def _block_of(bars: Bars, minutes: int, end: int, *, complete: BoolArray | None) -> Block:
    """One block from the first `end` rows, all of them closed."""
    if end == 0:
        nothing = dict.fromkeys(("open_time_ms", "complete", *_COLUMNS))
        return {"timeframe": minutes, **nothing, **NOTHING, "bars": []}
    rows = _rows(bars.rows(max(0, end - SHOWN_BARS), end))
    last = rows[-1]
    return {
        "timeframe": minutes,
        "open_time_ms": last[0],
        "complete": True if complete is None else bool(complete[end - 1]),
        **dict(zip(_COLUMNS, last[1:], strict=True)),
        **indicators(bars.rows(max(0, end - WINDOW), end)),
        "bars": rows,
    }


_COLUMNS = COLUMNS[1:]


def _rows(bars: Bars) -> list[list[Any]]:
    columns = (bars.open_time_ms, *(getattr(bars, name) for name in _COLUMNS))
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _assemble(
    symbol: str,
    as_of_ms: int,
    base: Bars,
    blocks: dict[str, Block],
    funding: FundingView | None,
    market: MarketView | None,
    open_interest: float | None,
) -> dict[str, object]:
    end = base.closed_by(as_of_ms)
    last_volume = float(base.volume[end - 1]) if end else 0.0
    return {
        "symbol": symbol,
        "as_of_ms": as_of_ms,
        "common_info": {
            "ticker": _ticker(base, end, as_of_ms, market),
            "order_book": _order_book(market, last_volume) if market else None,
            "recent_trades": _recent_trades(base, end) if market else None,
        },
        "funding": {"rate_hourly": funding.rate_hourly, "settled_at_ms": funding.settled_at_ms}
        if funding
        else None,
        "open_interest": open_interest,
        "intervals_data": blocks,
    }


def _ticker(base: Bars, end: int, as_of_ms: int, market: MarketView | None) -> dict[str, Any]:
    """Last price, best prices and the 24 hours that end at `as_of_ms`."""
    first = int(np.searchsorted(base.open_time_ms, as_of_ms - DAY_MS))
    has_day = first < end
    last_close = float(base.close[end - 1]) if end else None
    return {
        "last_price": market.last_price if market else last_close,
        "best_ask_price": _clean(market.mid + market.half_spread) if market else None,
        "best_bid_price": _clean(market.mid - market.half_spread) if market else None,
        "volume_24h": float(np.sum(base.volume[first:end])) if has_day else None,
        "high_24h": float(np.max(base.high[first:end])) if has_day else None,
        "low_24h": float(np.min(base.low[first:end])) if has_day else None,
    }


def _order_book(market: MarketView, last_volume: float) -> dict[str, Any]:
    """A symmetric book of the last bar's volume: a model, and it says so."""
    top = _clean(last_volume * TOP_OF_BOOK_SHARE)
    return {
        "modelled": True,
        "top_ask_price": _clean(market.mid + market.half_spread),
        "top_ask_volume": top,
        "top_bid_price": _clean(market.mid - market.half_spread),
        "top_bid_volume": top,
        "total_bid_volume": last_volume,
        "total_ask_volume": last_volume,
        "bid_ask_volume_ratio": 1.0,
        "spread": _clean(2 * market.half_spread),
    }


def _recent_trades(base: Bars, end: int) -> dict[str, Any]:
    """Split the last bar's volume by where in its range it closed: a model, and it says so."""
    if end:
        row = end - 1
        high, low, close = (float(column[row]) for column in (base.high, base.low, base.close))
        volume = float(base.volume[row])
        buying = (close - low) / (high - low) if high > low else 0.5
    else:
        volume, buying = 0.0, 0.5
    buys = round(MODELLED_TRADES * buying)
    return {
        "modelled": True,
        "recent_buy_count": buys,
        "recent_sell_count": MODELLED_TRADES - buys,
        "total_buy_volume_trades": _clean(volume * buying),
        "total_sell_volume_trades": _clean(volume * (1.0 - buying)),
        "buy_sell_volume_ratio": _clean(buying / (1.0 - buying)) if buying < 1.0 else None,
    }


def _clean(value: float) -> float:
    """Drop the noise of float arithmetic below the venue's finest unit."""
    return round(value, 8)


@dataclass(frozen=True, slots=True)
class Resampled:
    """One coin's bars in every interval of a snapshot; nothing in it is changed.

    Attributes:
        series: by minutes, shortest first.
        complete: for each bar of a longer series, whether no shorter bar is missing in it.
    """

    series: dict[int, Bars]
    complete: dict[int, BoolArray]


def resampled(bars: Bars) -> Resampled:
    """Make the longer bars of a snapshot.

    Args:
        bars: the shortest, normally 1m. Intervals that are not a multiple of theirs do not exist.
            The first bar should begin a UTC day, else the first of each longer interval is
            incomplete.
    """
    parts = Resampled({}, {})
    base = bars.interval_ms // MINUTE_MS
    for minutes in INTERVALS:
        if minutes == base:
            parts.series[minutes] = bars
        elif minutes > base and minutes % base == 0:
            longer, complete = resample(bars, minutes * MINUTE_MS)
            parts.series[minutes], parts.complete[minutes] = longer, complete
    return parts


def _resampled_on(before: Resampled, bars: Bars) -> Resampled:
    """Make the longer bars of bars that went on; only the last of each can be another than before.

    Args:
        before: made of the first of them.
        bars: all of them, the shortest.
    """
    made = Resampled({}, {})
    for minutes, old in before.series.items():
        if minutes not in before.complete:
            made.series[minutes] = bars
            continue
        kept = max(0, len(old) - 1)
        first_ms = int(old.open_time_ms[kept]) if len(old) else 0
        row = int(np.searchsorted(bars.open_time_ms, first_ms))
        longer, complete = resample(bars.rows(row, len(bars)), minutes * MINUTE_MS)
        made.series[minutes] = concat_bars([old.rows(0, kept), longer], minutes * MINUTE_MS)
        made.complete[minutes] = np.concatenate([before.complete[minutes][:kept], complete])
    return made


class SnapshotSeries:
    """All that snapshots of one coin need: its shortest bars, resampled once.

    A block is built once for each newly closed bar of its interval, and a whole snapshot once for
    each time, however many traders ask; what `build` returns is shared and must not be changed.

    Args:
        symbol: the coin.
        bars: its shortest bars, as of `resampled`.
        parts: what `resampled` has made of them already.
    """

    def __init__(self, symbol: str, bars: Bars, parts: Resampled | None = None) -> None:
        parts = parts or resampled(bars)
        self._symbol = symbol
        self._bars = bars
        self._parts = parts
        self._series, self._complete = parts.series, parts.complete
        self._blocks: dict[int, tuple[int, Block]] = {}
        self._last_key: tuple[object, ...] = ()
        self._last: dict[str, object] = {}

    @property
    def bars(self) -> Bars:
        """The shortest bars."""
        return self._bars

    def extended(self, bars: Bars) -> "SnapshotSeries":
        """Describe bars that went on, at the price of what is new.

        Args:
            bars: all of them; the first are those of this series.
        """
        return SnapshotSeries(self._symbol, bars, _resampled_on(self._parts, bars))

    @property
    def intervals(self) -> tuple[str, ...]:
        """Names of the blocks that exist."""
        return tuple(str(minutes) for minutes in self._series)

    def build(
        self,
        as_of_ms: int,
        *,
        funding: FundingView | None,
        market: MarketView | None,
        open_interest: float | None = None,
        intervals: Sequence[str] = (),
    ) -> dict[str, object]:
        """Build the snapshot at a time; arguments and errors as in `build_snapshot`."""
        key = (as_of_ms, funding, market, open_interest, tuple(intervals))
        if key != self._last_key:
            blocks = {
                str(minutes): self._block(minutes, as_of_ms)
                for minutes in wanted_minutes(self._series, intervals)
            }
            self._last = _assemble(
                self._symbol, as_of_ms, self._bars, blocks, funding, market, open_interest
            )
            self._last_key = key
        return self._last

    def _block(self, minutes: int, as_of_ms: int) -> Block:
        bars = self._series[minutes]
        end = bars.closed_by(as_of_ms)
        cached = self._blocks.get(minutes)
        if cached is None or cached[0] != end:
            block = _block_of(bars, minutes, end, complete=self._complete.get(minutes))
            cached = (end, block)
            self._blocks[minutes] = cached
        return cached[1]

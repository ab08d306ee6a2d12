"""From published bars to the engine's integer tape."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.contracts.world import WorldRequest
from suite.errors import BadRequest, DataGap, StorageError
from suite.fixed import RATE_DECIMALS, quantize_half_even
from suite.instrument import Instrument, coin_of
from suite.moments import format_moment, parse_moment
from virtual_exchange.application.market.tapes import (
    Counts,
    longer,
    new_tape,
    path_inside,
    write_row,
)
from virtual_exchange.application.ports import MarketQuery
from virtual_exchange.domain.market import Market

STORED = "1m"
"""Interval of the bars that markets are made of."""
_BASE_MS = INTERVAL_MS[STORED]
KNOWN_STAMPS = 2
"""Funding stamps kept from before the start: the last one, and one to tell its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinData:
    """Everything stored about one coin.

    Attributes:
        bars: published bars, those before the range included.
        stored_ms: first moment and end of what is stored, where `bars` are a part of that.
        funding_time_ms: stamps, rising.
        funding_rate: rate of the whole interval, a fraction.
        open_interest: stamps, rising, and units of the coin; both empty where it is not known.
        source: where it came from, for people.
        manifest: what identifies the data, for the report.
    """

    instrument: Instrument
    bars: Bars
    funding_time_ms: I64
    funding_rate: F64
    source: str
    synthetic: bool
    manifest: dict[str, Any]
    stored_ms: tuple[int, int] | None = None
    open_interest: tuple[I64, F64] = (np.zeros(0, np.int64), np.zeros(0))

    @property
    def edges_ms(self) -> tuple[int, int]:
        """First moment and end of what is stored."""
        if self.stored_ms is not None or len(self.bars) == 0:
            return self.stored_ms or (0, 0)
        return int(self.bars.open_time_ms[0]), int(self.bars.open_time_ms[-1]) + _BASE_MS

    @property
    def stored(self) -> str:
        """The same, for people."""
        return " to ".join(map(format_moment, self.edges_ms))


def query_of(request: WorldRequest, minutes_max: int | None = None) -> MarketQuery:
    """Read from a request which market it needs.

    Args:
        request: of a world.
        minutes_max: as of `MarketQuery`.

    Raises:
        BadRequest: a coin has no name, a moment cannot be read, the range is empty, or it can be
            seen to be too large.
    """
    try:
        coins = tuple(dict.fromkeys(coin_of(name) for name in request.symbols))
        from_ms = None if request.from_ is None else parse_moment(request.from_)
        to_ms = None if request.to is None else parse_moment(request.to)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise BadRequest("the range is empty: `from` must be before `to`")
    if request.bar_path == "recorded" and INTERVAL_MS[request.interval] == _BASE_MS:
        raise BadRequest(
            f"bar_path recorded needs something finer than the bars of the world, and {STORED} is "
            "the finest that is stored; take a longer interval or another bar_path"
        )
    query = MarketQuery(
        coins=coins,
        from_ms=from_ms,
        to_ms=to_ms,
        interval=request.interval,
        detail=request.bar_path == "recorded",
        allow_partial=request.allow_partial,
        minutes_max=minutes_max,
    )
    if from_ms is not None and to_ms is not None:
        query.check_minutes((to_ms - from_ms) // _BASE_MS * len(coins))
    return query


def build_market(query: MarketQuery, coins: tuple[CoinData, ...]) -> Market:
    """Put the coins of a world on one grid of integers.

    Prices are quantised half to even onto each coin's lattice, volumes floored; how many values
    that changed is in the manifest. A bar that is missing has the volume `NO_BAR` and the last
    known close. Funding stamps are moved to the bar boundary at or after them.

    Raises:
        BadRequest: it is more than the query allows.
        DataGap: a coin has no bars in the range, or lacks some of it without `allow_partial`.
        StorageError: a stored bar cannot be; the coin and the time are named.
    """
    step = INTERVAL_MS[query.interval]
    from_ms, to_ms = _range(query, coins, step)
    length = (to_ms - from_ms) // step
    if length <= 0:
        stored = ", ".join(f"{coin.instrument.coin} {coin.stored}" for coin in coins)
        raise DataGap(f"the range holds no bar of all coins; stored are {stored}")
    asked, held = (to_ms - from_ms) // _BASE_MS * len(coins), sum(len(c.bars) for c in coins)
    query.check_minutes(max(asked, held))
    counts, warnings = Counts(), []
    inside = tuple(coin.bars.between(from_ms, to_ms) for coin in coins)
    for coin, bars in zip(coins, inside, strict=True):
        _check(coin, bars, from_ms, to_ms, query)
    table = np.empty((len(coins), 5, length), np.int64)
    missing = {}
    for row, coin, bars in zip(table, coins, inside, strict=True):
        write_row(row, coin.instrument, longer(bars, step), from_ms=from_ms, counts=counts)
        gaps, minutes = (to_ms - from_ms) // _BASE_MS - len(bars), (to_ms - from_ms) // _BASE_MS
        if gaps:
            missing[coin.instrument.coin] = gaps
            warnings.append(f"{coin.instrument.coin}: {gaps} of {minutes} bars are missing")
    funding = tuple(_funding(coin, from_ms, to_ms, step) for coin in coins)
    instruments, detail = tuple(coin.instrument for coin in coins), None
    if query.detail:
        detail = path_inside(instruments, inside, from_ms=from_ms, to_ms=to_ms, step=step)
    return Market(
        instruments=instruments,
        tape=new_tape(
            tuple(one.coin for one in instruments), from_ms, step, table, funding, detail
        ),
        history=tuple(coin.bars.between(0, to_ms) for coin in coins),
        open_interest=tuple(coin.open_interest for coin in coins),
        sources=tuple(coin.source for coin in coins),
        synthetic=tuple(coin.synthetic for coin in coins),
        manifest={
            "data": {coin.instrument.coin: coin.manifest for coin in coins},
            "quantized_prices": counts.prices,
            "quantized_volumes": counts.volumes,
            "missing_bars": missing,
            "recorded_funding": [
                coin.instrument.coin
                for coin, stamps in zip(coins, funding, strict=True)
                if len(stamps)
            ],
            "warnings": warnings,
        },
    )


def _range(query: MarketQuery, coins: tuple[CoinData, ...], step: int) -> tuple[int, int]:
    """The range asked for, on the grid; where an edge is open, what all coins have."""
    for coin in coins:
        if len(coin.bars) == 0 and coin.stored_ms is None:
            raise DataGap(f"{coin.instrument.coin} has no stored {STORED} bars")
    first, last = zip(*(coin.edges_ms for coin in coins), strict=True)
    from_ms = max(first) if query.from_ms is None else query.from_ms
    to_ms = min(last) if query.to_ms is None else query.to_ms
    return -(-from_ms // step) * step, to_ms // step * step


def _check(coin: CoinData, bars: Bars, from_ms: int, to_ms: int, query: MarketQuery) -> None:
    name, (first, last) = coin.instrument.coin, coin.edges_ms
    if len(bars) == 0 or (not query.allow_partial and (first > from_ms or last < to_ms)):
        raise DataGap(
            f"{name} does not cover {format_moment(from_ms)} to {format_moment(to_ms)}; "
            f"stored are {coin.stored}"
        )
    prices = (bars.open, bars.high, bars.low, bars.close)
    if not all(np.isfinite(column).all() and (column > 0).all() for column in prices):
        raise StorageError(f"{name}: a stored price is not a positive number")
    if not (np.isfinite(bars.volume).all() and (bars.volume >= 0).all()):
        raise StorageError(f"{name}: a stored volume is negative or not a number")
    if (bars.open_time_ms % _BASE_MS).any():
        raise StorageError(f"{name}: a stored bar is off the {STORED} grid")


def _funding(coin: CoinData, from_ms: int, to_ms: int, step: int) -> I64:
    """Stamps of the range and the last ones before it, shape (stamps, 2)."""
    times, rates = coin.funding_time_ms, coin.funding_rate
    boundary = -(-times // step) * step
    first = max(0, int(np.searchsorted(boundary, from_ms)) - KNOWN_STAMPS)
    end = int(np.searchsorted(boundary, to_ms, side="right"))
    units = [quantize_half_even(float(rate), RATE_DECIMALS) for rate in rates[first:end]]
    stamps = np.empty((end - first, 2), np.int64)
    stamps[:, 0], stamps[:, 1] = boundary[first:end], units
    return (
        stamps[np.concatenate([stamps[1:, 0] > stamps[:-1, 0], [True]])] if len(stamps) else stamps
    )

"""The data contract of a world: snapshots and klines that end at world time."""

from typing import Any

from perp_engine.past import funding_at, print_at
from strategy_core.snapshot import (
    FundingView,
    MarketView,
    SnapshotSeries,
    open_interest_at,
    resampled,
)
from suite.bars import HOUR_MS, INTERVAL_MS, Bars, BoolArray
from suite.errors import BadRequest, NotFound
from suite.fixed import RATE_ONE
from virtual_exchange.application.world import World, closed_bars, symbol_of

MAX_KLINES = 5000


class MarketData:
    """Snapshots and klines of one world; what they return is shared and must not be changed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._series: dict[int, SnapshotSeries] = {}

    def symbol(self, name: str) -> int:
        """Find a coin by any venue's name for it.

        Raises:
            NotFound: this world has none such.
        """
        symbol = symbol_of(self._world, name)
        if symbol is None:
            coins = ", ".join(self._world.market.coins)
            raise NotFound(f"unknown symbol {name[:20]!r}; this world has {coins}")
        return symbol

    def snapshot(
        self, name: str, as_of_ms: int | None = None, intervals: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Describe one coin's market at a time, by default now.

        Args:
            name: the coin.
            as_of_ms: rounded down to a bar boundary.
            intervals: minutes of the blocks wanted, all when none is named.

        Raises:
            NotFound: the coin is unknown.
            BadRequest: the time has not come yet, or an interval does not exist.
        """
        world, symbol = self._world, self.symbol(name)
        tape = world.market.tape
        now_ms = world.now_ms
        at_ms = now_ms if as_of_ms is None else as_of_ms
        if at_ms > now_ms:
            raise BadRequest(f"timestamp {at_ms} is in the future; world time is {now_ms}")
        at_ms = tape.start_ms + (at_ms - tape.start_ms) // tape.interval_ms * tape.interval_ms
        try:
            return self._of(symbol).build(
                at_ms,
                funding=self._funding(symbol, at_ms),
                market=self._view(symbol, at_ms),
                open_interest=self._open_interest(symbol, at_ms),
                intervals=intervals,
            )
        except ValueError as error:
            raise BadRequest(str(error)) from None

    def check(self, name: str, intervals: tuple[str, ...]) -> None:
        """Look whether a snapshot could be built.

        Raises:
            NotFound: the coin is unknown.
            BadRequest: an interval does not exist.
        """
        known = self._of(self.symbol(name)).intervals
        unknown = [text for text in intervals if text not in known]
        if unknown:
            raise BadRequest(f"unknown interval {unknown[0][:20]!r}; there are {', '.join(known)}")

    def forget(self, symbol: int) -> None:
        """Make anew what was made of a coin's bars, for they are others now."""
        self._series.pop(symbol, None)
        self._world.market.made.pop((resampled, symbol), None)

    def _of(self, symbol: int) -> SnapshotSeries:
        series = self._series.get(symbol)
        if series is None:
            market, key = self._world.market, (resampled, symbol)
            bars = market.history[symbol]
            if key not in market.made:
                market.made[key] = resampled(bars)
            series = SnapshotSeries(market.coins[symbol], bars, market.made[key])
            self._series[symbol] = series
        return series

    def klines(
        self, name: str, interval: str, start_ms: int | None, end_ms: int | None
    ) -> tuple[Bars, BoolArray]:
        """Closed bars with open times in [start, end), at most the last 5000 of them.

        Returns:
            The bars, and for each whether no minute of it is missing.

        Raises:
            NotFound: the coin is unknown.
            BadRequest: the interval is unknown, or the range ends after now.
        """
        if interval not in INTERVAL_MS:
            raise BadRequest(
                f"unknown interval {interval[:10]!r}; there are {', '.join(INTERVAL_MS)}"
            )
        world, symbol = self._world, self.symbol(name)
        if end_ms is not None and end_ms > world.now_ms:
            raise BadRequest(f"end {end_ms} is in the future; world time is {world.now_ms}")
        step, end_ms = INTERVAL_MS[interval], world.now_ms if end_ms is None else end_ms
        first = end_ms - (MAX_KLINES + 1) * step
        first = max(first, 0 if start_ms is None else start_ms)
        bars, complete = closed_bars(world, symbol, interval, from_ms=first, end_ms=end_ms)
        return bars.rows(max(0, len(bars) - MAX_KLINES), len(bars)), complete[-MAX_KLINES:]

    def _view(self, symbol: int, at_ms: int) -> MarketView | None:
        """The book of a boundary of the range; none where nothing traded."""
        world, instrument = self._world, self._world.market.instruments[symbol]
        print_ = print_at(world.market.tape, world.rules, symbol, at_ms)
        if print_ == 0:
            return None
        unit = 10.0**instrument.price_decimals
        half = world.engine.half_spread(symbol, print_)
        return MarketView(mid=print_ / unit, half_spread=half / unit, last_price=print_ / unit)

    def _open_interest(self, symbol: int, at_ms: int) -> float | None:
        """The last reading, None where there is none or it is old."""
        known = self._world.market.open_interest
        return open_interest_at(*known[symbol], at_ms) if known else None

    def _funding(self, symbol: int, at_ms: int) -> FundingView | None:
        last = funding_at(self._world.market.tape, self._world.rules, symbol, at_ms)
        if last is None:
            return None
        return FundingView(
            rate_hourly=last.rate / RATE_ONE / (last.interval_ms / HOUR_MS),
            settled_at_ms=last.time_ms,
        )

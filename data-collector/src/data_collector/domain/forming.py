"""Longer candles while they grow, made of the 1m candles inside them."""

from collections.abc import Iterable

from data_collector.domain.candles import Candle

_BUCKETS = 2
"""The one that grows, and the one before it, whose last minute may be closed a little later."""


class Forming:
    """Candles of one coin and a longer interval.

    Args:
        coin: `BTC`.
        interval_ms: a multiple of that of the candles it is fed with.
    """

    def __init__(self, coin: str, interval_ms: int) -> None:
        self._coin = coin
        self._interval_ms = interval_ms
        self._buckets: dict[int, dict[int, Candle]] = {}
        self._begun = False

    def begin(self, closed: Iterable[Candle]) -> None:
        """Take closed candles that came before; what was told as closed since stays."""
        self._begun = True
        for candle in closed:
            rows = self._bucket(candle)
            known = rows.get(candle.open_time_ms)
            if known is None or not known.closed:
                rows[candle.open_time_ms] = candle

    def take(self, candle: Candle) -> Candle | None:
        """Take a candle as it is told, and make the longer one around it.

        Returns:
            The longer candle as of now, closed once every candle of it is there and closed; None
            before `begin`, and where nothing new was said or it is older than all that is kept.
        """
        rows = self._bucket(candle)
        known = rows.get(candle.open_time_ms)
        if known is not None and known.closed and not candle.closed:
            return None
        rows[candle.open_time_ms] = candle
        return self.made(candle.open_time_ms - candle.open_time_ms % self._interval_ms)

    def made(self, open_time_ms: int) -> Candle | None:
        """Make the longer candle of a time as of now; None before `begin` and of what is gone."""
        rows = self._buckets.get(open_time_ms)
        if not rows or not self._begun:
            return None
        inside = [rows[at] for at in sorted(rows)]
        trades = [row.trades for row in inside if row.trades is not None]
        is_complete = len(inside) == (inside[-1].end_ms - open_time_ms) // inside[0].interval_ms
        is_over = inside[-1].end_ms == open_time_ms + self._interval_ms
        return Candle(
            coin=self._coin,
            interval_ms=self._interval_ms,
            open_time_ms=open_time_ms,
            open=inside[0].open,
            high=max(row.high for row in inside),
            low=min(row.low for row in inside),
            close=inside[-1].close,
            volume=sum(row.volume for row in inside),
            trades=sum(trades) if len(trades) == len(inside) else None,
            closed=is_complete and is_over and all(row.closed for row in inside),
            complete=is_complete,
        )

    def _bucket(self, candle: Candle) -> dict[int, Candle]:
        start = candle.open_time_ms - candle.open_time_ms % self._interval_ms
        rows = self._buckets.setdefault(start, {})
        for old in sorted(self._buckets)[:-_BUCKETS]:
            del self._buckets[old]
        return rows

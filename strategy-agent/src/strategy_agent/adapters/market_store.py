"""The past of coins, out of a kline store, with features, ready to be labelled."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from strategy_core.ict.features import BarRefused, batch
from strategy_core.learning.events import Events, merged
from strategy_core.learning.labels import Market, events_of
from strategy_core.learning.rules import LabelRules
from suite.bars import INTERVAL_MS
from suite.errors import BadRequest
from suite.klines import SYNTHETIC_VENUE, instrument_of
from suite.service.kline_reader import KlineReader

Told = Callable[[str], None]


class Past(NamedTuple):
    """What is stored of some coins.

    Attributes:
        markets: a coin each.
        synthetic: one of them is made up.
        end_ms: end of the last bar.
    """

    markets: tuple[Market, ...]
    synthetic: bool
    end_ms: int

    def events(self, rules: LabelRules) -> Events:
        """Find and label the trades that all of them propose."""
        return merged(events_of(market, rules) for market in self.markets)


def load_past(
    data: Path | str,
    *,
    coins: Sequence[str],
    interval: str,
    from_ms: int | None,
    to_ms: int | None,
    told: Told,
) -> Past:
    """Read bars and funding, and compute features.

    Args:
        data: the store.
        coins: names; none for all that are stored in the interval.
        interval: of the bars.
        from_ms, to_ms: range of open times; None for the edge of what is stored.
        told: what is being done.

    Raises:
        DataGap: something is not stored.
        BadRequest: a bar cannot be right.
    """
    reader = KlineReader(data)
    held = sorted({coin for _, coin, stored in reader.series() if stored == interval})
    markets = []
    synthetic = False
    for coin in coins or held:
        told(f"features of {coin}")
        source = reader.source_of(coin, interval)
        bars = reader.read(coin, interval, from_ms, to_ms, source=source)
        times, rates = reader.read_funding(coin, source=source)
        synthetic |= source.venue == SYNTHETIC_VENUE
        try:
            features = batch(bars)
        except BarRefused as error:
            raise BadRequest(f"{coin}: {error}; put the store right first") from None
        markets.append(
            Market(
                instrument=instrument_of(reader.record(coin, source=source), coin),
                bars=bars,
                values=features.values,
                atr=features.atr,
                funding_ms=times,
                funding_rate=rates,
            )
        )
    if not markets:
        raise BadRequest(f"no {interval} bars are stored in {data}")
    end_ms = max(int(one.bars.open_time_ms[-1]) for one in markets) + INTERVAL_MS[interval]
    return Past(tuple(markets), synthetic, end_ms)

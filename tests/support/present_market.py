"""A market whose minutes are those of the wall clock: what a live agent expects to see."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.live_stack import LiveStack, LiveTrader, running_stack
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.worlds import random_bars

from suite.bars import MINUTE_MS
from suite.klines import Source
from suite.service.kline_store import KlineStore

_PAST, _FUTURE = 3_000, 600
_MINUTES, _SPEED = 10, 1.0
_SILENCE = {"HYPERLIQUID_EXCHANGE_STREAM_SILENCE_S": "300"}
"""A market that moves once a minute is silent in between."""


@dataclass(frozen=True)
class PresentMarket:
    """A store around this moment, of bitcoin alone.

    Attributes:
        store: with its bars.
        begin_ms: to begin a world at: the next minute, so that the world is not behind the wall
            clock for the first of its minutes.
    """

    store: Path
    begin_ms: int

    @property
    def options(self) -> tuple[str, ...]:
        """What the command of a venue is told."""
        return ("--data", str(self.store), "--from", str(self.begin_ms))


def present_market(root: Path) -> PresentMarket:
    """Write the store."""
    begin_ms = (time.time_ns() // 1_000_000 // MINUTE_MS + 1) * MINUTE_MS
    store, source = KlineStore(root), Source("synthetic")
    bars = random_bars("BTC", _PAST + _FUTURE, start_ms=begin_ms - _PAST * MINUTE_MS)
    store.write_bars(source, "BTC", bars)
    store.write_record(source, "BTC", {"synthetic": True, "price_decimals": 2})
    return PresentMarket(root, begin_ms)


@contextmanager
def present_stack(folder: Path, market: PresentMarket, *names: str) -> Iterator[LiveStack]:
    """Run the live proxy before a venue with that market, for traders of these names."""
    with running_stack(
        folder,
        *(LiveTrader(name, symbols=("BTC",)) for name in names),
        venue_options=market.options,
        coins=("BTC",),
        minutes=_MINUTES,
        speed=_SPEED,
        settings=_SILENCE,
    ) as stack:
        yield stack


@contextmanager
def present_venue(folder: Path, market: PresentMarket, *names: str) -> Iterator[VenueUnderTest]:
    """Run the simulated venue with that market, and accounts of these names."""
    options = ("--accounts", ",".join(names), *market.options)
    with running_venue(folder, *options, coins=("BTC",), minutes=_MINUTES, speed=_SPEED) as venue:
        yield venue

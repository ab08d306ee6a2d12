"""Two coins as they truly were, and ways to tell them to a running collector."""

from typing import Any

from tests.support.collecting import Collecting, MemoryStore, told
from tests.support.waiting import until
from tests.support.worlds import random_bars

from data_collector.domain.candles import Mids
from suite.bars import MINUTE_MS, Bars
from suite.errors import DataGap, StorageError
from suite.klines import Coverage, Source, WriteResult

TRUTH = {coin: random_bars(coin, 400) for coin in ("BTC", "ETH")}
START = int(TRUTH["BTC"].open_time_ms[0])


async def connect(running: Collecting, *coins: str) -> None:
    await until(lambda: running.feeds and list(coins or TRUTH) == list(running.feed.coins))
    running.feed.listener.connected()


def play(running: Collecting, first: int, end: int, *coins: str) -> None:
    """Tell minutes of some coins; the clock ends up past the last one's grace."""
    for row in range(first, end):
        for coin in coins or TRUTH:
            running.feed.tell(told(TRUTH[coin], coin, row))
        running.feed.tell(Mids(time_ms=START + (row + 1) * MINUTE_MS + 6_000, prices={}))


def stored(running: Collecting, coin: str = "BTC") -> Bars:
    return running.live.read(coin)


def count(running: Collecting, coin: str = "BTC") -> int:
    try:
        return len(stored(running, coin))
    except DataGap:
        return 0


def rows(bars: Bars) -> list[int]:
    return [(at - START) // MINUTE_MS for at in bars.open_time_ms.tolist()]


class Refusing(MemoryStore):
    """A store that refuses what it is told to refuse."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = set(names)

    def append_bars(self, source: Source, coin: str, bars: Bars) -> WriteResult:
        self.refuse("append_bars")
        return super().append_bars(source, coin, bars)

    def note_gap(self, *args: Any, **more: Any) -> None:
        self.refuse("note_gap")
        super().note_gap(*args, **more)

    def coverage(self, coin: str, *args: Any, **more: Any) -> Coverage:
        self.refuse(f"coverage of {coin}")
        return super().coverage(coin, *args, **more)

    def refuse(self, name: str) -> None:
        if name in self.names:
            raise StorageError("no space left")

"""A market whose minutes are those of the wall clock: what a live agent expects to see."""

import time
from pathlib import Path

from tests.support.worlds import random_bars

from suite.bars import MINUTE_MS
from suite.klines import Source
from suite.service.kline_store import KlineStore

_PAST, _FUTURE = 3_000, 600
SPEED = 1.0


def present_store(root: Path, *coins: str) -> tuple[Path, int]:
    """Write a store around this moment.

    Returns:
        The store, and the time to begin a world at, epoch ms: the next minute, so that the world is
        not behind the wall clock for the first of its minutes.
    """
    begin_ms = (time.time_ns() // 1_000_000 // MINUTE_MS + 1) * MINUTE_MS
    store, source = KlineStore(root), Source("synthetic")
    for coin in coins:
        bars = random_bars(coin, _PAST + _FUTURE, start_ms=begin_ms - _PAST * MINUTE_MS)
        store.write_bars(source, coin, bars)
        store.write_record(source, coin, {"synthetic": True, "price_decimals": 2})
    return root, begin_ms

"""Kline stores on disk with small synthetic markets."""

from pathlib import Path

from tests.support.worlds import random_bars

from suite.service.kline_store import KlineStore, Source


def make_store(root: Path, *coins: str, minutes: int = 1440, seed: int = 1) -> Path:
    """Write a store with one random market a coin."""
    store = KlineStore(root)
    source = Source("synthetic")
    for coin in coins:
        store.write_bars(source, coin, random_bars(coin, minutes, seed=seed))
        store.write_record(source, coin, {"synthetic": True, "price_decimals": 2})
    return root

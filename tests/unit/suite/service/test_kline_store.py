"""The data hash of the kline store: of what is stored, never of the files it is stored in."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.data_collector.market import START_MS, make_bars

from suite.klines import COLUMNS, Source
from suite.service.kline_store import KlineStore

SOURCE = Source("binance")
BARS = make_bars(200)


def fill(root: Path) -> KlineStore:
    store = KlineStore(root)
    store.write_bars(SOURCE, "BTC", BARS)
    store.write_funding(SOURCE, "BTC", np.array([START_MS], np.int64), np.array([0.0001]))
    store.write_record(SOURCE, "BTC", {"price_decimals": 1, "synthetic": False})
    return store


def test_defect_6_the_data_hash_is_of_content(tmp_path: Path) -> None:
    """Another folder, other file times, other file sizes: the same data has the same hash."""
    store = fill(tmp_path / "here")
    before = store.content_hash("BTC")
    moved = KlineStore(tmp_path / "some" / "where" / "else")
    shutil.copytree(store.root, moved.root)
    for number, path in enumerate(moved.root.rglob("*.parquet")):
        os.utime(path, (1_000_000 + number, 2_000_000 + number))
    _write_with_other_bytes(next(moved.root.glob("klines/**/part-*.parquet")))
    assert before == moved.content_hash("BTC")


@pytest.mark.parametrize("column", COLUMNS[1:])
def test_defect_6_one_changed_value_changes_the_data_hash(tmp_path: Path, column: str) -> None:
    """In place, with file times and size kept: metadata shows nothing, the hash does."""
    store = fill(tmp_path)
    before = store.content_hash("BTC")
    values = getattr(BARS, column).copy()
    values[100] = np.nextafter(values[100], np.inf)
    path = next(store.root.glob("klines/**/part-*.parquet"))
    state = path.stat()
    store.write_bars(SOURCE, "BTC", replace(BARS, **{column: values}))
    next(store.root.glob("klines/**/part-*.parquet")).rename(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert before != store.content_hash("BTC")
    store.write_bars(SOURCE, "BTC", BARS)
    assert before == store.content_hash("BTC")


def _write_with_other_bytes(path: Path) -> None:
    """Write a Parquet file anew with another compression: same rows, other bytes."""
    import pyarrow.parquet as pq

    content = path.read_bytes()
    with pq.ParquetFile(path) as file:
        table = file.read()
    pq.write_table(table, path, compression="none")
    assert content != path.read_bytes()

"""The data hash of the kline store: of what is stored, never of the files it is stored in."""

import errno
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.data_collector.market import START_MS, make_bars

from suite.errors import StorageError
from suite.klines import COLUMNS, Gap, Source, bars_equal
from suite.service.kline_files import read_columns
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


def test_revision_keeps_what_was_replaced_and_nothing_else(tmp_path: Path) -> None:
    """A long series that changes often would grow by itself each time."""
    store = KlineStore(tmp_path)
    times, rates = START_MS + np.arange(1000, dtype=np.int64) * 3_600_000, np.full(1000, 1e-5)
    store.write_funding(SOURCE, "BTC", times, rates)
    store.write_funding(SOURCE, "BTC", times[5:6], np.array([2e-5]))
    (kept,) = tmp_path.glob("revisions/**/funding/part-*.parquet")
    columns = read_columns(store.files, str(kept.relative_to(tmp_path)), ("time_ms", "rate"))
    assert ([int(times[5])], [1e-5]) == (columns["time_ms"].tolist(), columns["rate"].tolist())
    assert 2e-5 == store.read_funding("BTC", source=SOURCE)[1][5]


def test_flipped_bit_is_damage_or_changes_nothing(tmp_path: Path) -> None:
    """A disk that lies is found by reading: pages have checksums, what is around them has none."""
    store = fill(tmp_path)
    path = next(tmp_path.glob("klines/**/part-*.parquet"))
    whole = path.read_bytes()
    chance = random.Random(3)
    found = 0
    for _ in range(40):
        spoilt = bytearray(whole)
        spoilt[chance.randrange(200, len(whole) // 2)] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        try:
            assert bars_equal(BARS, KlineStore(tmp_path).read("BTC"))
        except StorageError:
            found += 1
    assert found > 30
    path.write_bytes(whole)
    assert bars_equal(BARS, store.read("BTC"))


def test_what_a_venue_lacked_before_the_first_bar_is_part_of_the_coverage(tmp_path: Path) -> None:
    """A hole at the edge is none the less a hole."""
    store = fill(tmp_path)
    before = Gap(START_MS - 3_600_000, START_MS, "venue has none", 5)
    store.note_gap(SOURCE, "BTC", "1m", before, "venue has none", asked_ms=5)
    assert ((before,), ()) == (store.coverage("BTC").outside, store.coverage("BTC").gaps)


def test_folder_of_another_program_hides_nothing(tmp_path: Path) -> None:
    """There is no venue of such a name."""
    store = fill(tmp_path)
    other = tmp_path / "klines/venue=Binance!/market=perp/symbol=BTC/interval=1m/date=2025-05"
    shutil.copytree(next(tmp_path.glob("klines/**/date=*")), other)
    assert (SOURCE, "BTC", "1m") == KlineStore(tmp_path).series()[0]
    assert 200 == len(store.read("BTC"))


def test_funding_of_a_named_source_needs_no_bars(tmp_path: Path) -> None:
    """It is there before the first bars of a collection are."""
    store = KlineStore(tmp_path)
    store.write_funding(SOURCE, "BTC", np.array([START_MS], np.int64), np.array([0.0001]))
    assert [0.0001] == store.read_funding("BTC", source=SOURCE)[1].tolist()


def test_file_that_cannot_be_opened_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner would throw it away."""
    store = fill(tmp_path)

    def refuse(_name: str) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(store.files, "open", refuse)
    with pytest.raises(StorageError, match=r"cannot be read: .*Too many open files"):
        store.read("BTC")


def _write_with_other_bytes(path: Path) -> None:
    """Write a Parquet file anew with another compression: same rows, other bytes."""
    import pyarrow.parquet as pq

    content = path.read_bytes()
    with pq.ParquetFile(path) as file:
        table = file.read()
    pq.write_table(table, path, compression="none")
    assert content != path.read_bytes()

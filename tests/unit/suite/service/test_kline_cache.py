"""Copies of long series: found while they are right, left alone otherwise, never missed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.data_collector.market import START_MS, make_bars

from suite.bars import DAY_MS, MINUTE_MS, Bars
from suite.klines import Source, bars_equal, merge_bars
from suite.service.kline_store import KlineStore

SOURCE = Source("hyperliquid")
BARS = make_bars(120_000)


@pytest.fixture
def store(tmp_path: Path) -> KlineStore:
    store = KlineStore(tmp_path)
    store.write_bars(SOURCE, "BTC", BARS)
    return store


def copies(store: KlineStore) -> list[Path]:
    return sorted((store.root / ".cache").glob("*"))


def is_mapped(bars: Bars) -> bool:
    """Whether nothing was decoded: its columns lie in one file, one behind the other."""
    ends = bars.open.ctypes.data - bars.open_time_ms.ctypes.data
    return ends == len(bars) * 8 == bars.high.ctypes.data - bars.open.ctypes.data


def test_second_reading_is_of_the_copy_and_equal(store: KlineStore) -> None:
    assert bars_equal(BARS, store.read("BTC"))
    assert 1 == len(copies(store))
    again = store.read("BTC")
    assert is_mapped(again)
    assert bars_equal(BARS, again)
    part = store.read("BTC", "1m", START_MS + DAY_MS, START_MS + 2 * DAY_MS)
    assert bars_equal(BARS.rows(1440, 2880), part)
    with pytest.raises(ValueError, match="read-only"):
        again.close[0] = 1.0


def test_short_series_and_parts_of_a_long_one_are_not_copied(store: KlineStore) -> None:
    store.write_bars(SOURCE, "ETH", make_bars(5000))
    store.read("ETH")
    store.read("BTC", "1m", START_MS, START_MS + DAY_MS)
    assert [] == copies(store)


@pytest.mark.parametrize("first", [0, 60_000, 119_000])
def test_change_of_a_bar_is_seen_at_once(store: KlineStore, first: int) -> None:
    """Whichever month it is in."""
    store.read("BTC")
    change = make_bars(120_000, price=900.0).rows(first, first + 500)
    store.write_bars(SOURCE, "BTC", change)
    expected = merge_bars(BARS, change).bars
    for _ in range(2):
        assert bars_equal(expected, store.read("BTC"))


def test_growing_series_keeps_its_copy_until_it_has_grown_by_a_twelfth(store: KlineStore) -> None:
    store.read("BTC")
    before = copies(store)[0].stat()
    grown = make_bars(135_000)
    for first in (120_000, 120_060):
        store.append_bars(SOURCE, "BTC", grown.rows(first, first + 60))
    assert bars_equal(grown.rows(0, 120_120), store.read("BTC"))
    assert before.st_ino == copies(store)[0].stat().st_ino
    store.append_bars(SOURCE, "BTC", grown.rows(120_120, 135_000))
    for _ in range(2):
        assert bars_equal(grown, store.read("BTC"))
    assert before.st_ino != copies(store)[0].stat().st_ino
    assert is_mapped(store.read("BTC"))


@pytest.mark.parametrize("keep", [0, 5, 16, 100, -8])
def test_torn_copy_is_made_again(store: KlineStore, keep: int) -> None:
    """Cut anywhere."""
    store.read("BTC")
    path = copies(store)[0]
    content = path.read_bytes()
    path.write_bytes(content[:keep])
    assert bars_equal(BARS, store.read("BTC"))
    assert content == path.read_bytes()


@pytest.mark.parametrize("keep", [0, 5, 16, 100])
@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"[[]"])
def test_copy_with_another_head_is_made_again(store: KlineStore, keep: int, fill: bytes) -> None:
    """Of the right length, as a power cut may leave it."""
    store.read("BTC")
    path = copies(store)[0]
    content = path.read_bytes()
    head = content[:keep] + fill * 400
    path.write_bytes(head + content[len(head) :])
    assert bars_equal(BARS, store.read("BTC"))
    assert content == path.read_bytes()


def test_disk_that_refuses_is_no_error(store: KlineStore) -> None:
    """A file where the folder would be; no root may write through that."""
    (store.root / ".cache").write_text("")
    for _ in range(2):
        assert bars_equal(BARS, store.read("BTC"))


def test_full_disk_leaves_no_draft(store: KlineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert bars_equal(BARS, store.read("BTC"))
    monkeypatch.undo()
    assert [] == copies(store)


def test_draft_of_a_process_that_was_killed_goes_with_the_next_copy(store: KlineStore) -> None:
    folder = store.root / ".cache"
    folder.mkdir()
    (folder / ".klines hyperliquid perp BTC 1m.columns.1.0.tmp").write_bytes(b"half")
    store.read("BTC")
    assert 1 == len(copies(store))
    assert not any(path.name.startswith(".") for path in copies(store))


def test_mapped_bars_outlive_the_file(store: KlineStore) -> None:
    """Whoever holds them keeps what they read."""
    store.read("BTC")
    held = store.read("BTC")
    copies(store)[0].unlink()
    store.write_bars(SOURCE, "BTC", make_bars(10, price=5.0))
    assert bars_equal(BARS, held)
    assert MINUTE_MS == held.interval_ms


READER = """
import pathlib, sys
from tests.unit.suite.service.test_kline_cache import BARS, bars_equal
from suite.service.kline_store import KlineStore
store = KlineStore(pathlib.Path(sys.argv[1]))
print("reading", flush=True)
for _ in range(15):
    assert bars_equal(BARS, store.read("BTC"))
    for path in (store.root / ".cache").glob("*"):
        path.unlink(missing_ok=True)
"""


@pytest.mark.process
def test_processes_that_make_and_lose_copies_at_once_read_the_same(store: KlineStore) -> None:
    """Each deletes what the others have just made, finished or not."""
    command = [sys.executable, "-c", READER, str(store.root)]
    root = Path(__file__).parents[4]
    readers = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) for _ in range(3)]
    for reader in readers:
        reader.communicate()
    assert [0, 0, 0] == [reader.returncode for reader in readers]
    assert bars_equal(BARS, store.read("BTC"))

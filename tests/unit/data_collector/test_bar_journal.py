"""The journal: what was acknowledged comes back, whatever happened to the file's end or middle."""

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.unit.data_collector.market import START_MS, make_bars

from data_collector.adapters import bar_journal
from data_collector.adapters.bar_journal import BarJournal, Item
from suite.bars import MINUTE_MS
from suite.errors import StorageError
from suite.klines import Source, bars_equal

PERP = Source("hyperliquid")
SPOT = Source("binance", "spot")


def batch(number: int) -> list[Item]:
    """Two coins of one minute."""
    start = START_MS + number * MINUTE_MS
    return [
        (PERP, "BTC", make_bars(1, start_ms=start, price=0.1 + number)),
        (SPOT, "ETH", make_bars(2, start_ms=start, step_ms=5 * MINUTE_MS)),
    ]


BATCHES = [batch(number) for number in range(3)]


def replayed(path: Path) -> list[Item]:
    journal = BarJournal(path)
    items = list(journal.replay())
    journal.close()
    return items


def are_batches(items: list[Item], *numbers: int) -> bool:
    expected = [item for number in numbers for item in BATCHES[number]]
    return len(expected) == len(items) and all(
        left[:2] == right[:2] and bars_equal(left[2], right[2])
        for left, right in zip(expected, items, strict=True)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "bars.log"


@pytest.fixture
def written(path: Path) -> bytes:
    """A file of three batches."""
    journal = BarJournal(path)
    for items in BATCHES:
        journal.append(items)
    journal.close()
    return path.read_bytes()


@pytest.fixture
def ends(path: Path) -> list[int]:
    """Where each batch ends."""
    journal, found = BarJournal(path), [0]
    for items in BATCHES:
        journal.append(items)
        found.append(journal.size_bytes)
    journal.close()
    return found


def places(ends: list[int]) -> list[int]:
    """All around the ends of frames, and every few bytes between them."""
    heads = {end + near for end in ends for near in range(-3, 18)}
    return sorted(place for place in heads | {*range(0, ends[-1], 11)} if 0 <= place < ends[-1])


def damaged_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.damaged-*"))


@pytest.mark.usefixtures("written")
def test_what_was_appended_is_replayed_in_its_order(path: Path) -> None:
    assert are_batches(replayed(path), 0, 1, 2)
    assert are_batches(replayed(path), 0, 1, 2)
    assert [] == damaged_files(path)


def test_journal_that_is_new_is_empty(path: Path) -> None:
    assert [] == replayed(path)


@pytest.mark.usefixtures("written")
def test_what_was_forgotten_does_not_come_back(path: Path) -> None:
    journal = BarJournal(path)
    assert are_batches(list(journal.replay()), 0, 1, 2)
    journal.forget()
    assert 0 == journal.size_bytes
    journal.append(BATCHES[1])
    assert are_batches(list(journal.replay()), 1)
    journal.close()
    assert are_batches(replayed(path), 1)


def test_journal_cut_anywhere_gives_the_whole_batches_before(path: Path, ends: list[int]) -> None:
    """A torn tail is dropped with a line in the log; what comes next is not lost behind it."""
    content = path.read_bytes()
    for cut in places(ends):
        path.write_bytes(content[:cut])
        whole = sum(end <= cut for end in ends) - 1
        with capture_logs() as logs:
            journal = BarJournal(path)
            journal.append(BATCHES[2])
        assert are_batches(list(journal.replay()), *range(whole), 2)
        journal.close()
        expected = [] if cut in ends else ["journal_tail_dropped"]
        assert expected == [entry["event"] for entry in logs]
    assert [] == damaged_files(path)


def test_tail_of_zeros_is_dropped(path: Path, written: bytes) -> None:
    """As a power cut leaves it where the length was written before the bytes."""
    path.write_bytes(written + bytes(3000))
    assert are_batches(replayed(path), 0, 1, 2)
    assert [] == damaged_files(path)


def test_any_byte_that_changed_is_found_and_costs_its_own_batch_alone(
    path: Path, ends: list[int]
) -> None:
    """The file is kept aside with a reason, and the good frames stay."""
    content = path.read_bytes()
    for place in places(ends):
        changed = bytearray(content)
        changed[place] ^= 0x40
        path.write_bytes(changed)
        hit = next(number for number, end in enumerate(ends[1:]) if place < end)
        others = [number for number in range(3) if number != hit]
        with capture_logs() as logs:
            assert are_batches(replayed(path), *others)
        assert ["journal_damaged"] == [entry["event"] for entry in logs]
        kept, reason = damaged_files(path)
        assert bytes(changed) == kept.read_bytes()
        assert f"bytes {ends[hit]} to {ends[hit + 1]} " in reason.read_text()
        assert are_batches(replayed(path), *others)
        kept.unlink()
        reason.unlink()


def test_full_journal_refuses_and_keeps_what_it_has(path: Path) -> None:
    journal = BarJournal(path, most_bytes=1000)
    for _ in range(4):
        journal.append(BATCHES[0])
    with pytest.raises(StorageError, match=r"is full at \d+ bytes; flush the store"):
        journal.append(BATCHES[0])
    assert are_batches(list(journal.replay()), 0, 0, 0, 0)
    journal.forget()
    journal.append(BATCHES[1])
    assert are_batches(list(journal.replay()), 1)
    journal.close()


@pytest.mark.usefixtures("written")
def test_second_process_is_refused(path: Path) -> None:
    """Two collectors on one journal would each forget what the other has written."""
    first, second = BarJournal(path), BarJournal(path)
    first.append(BATCHES[0])
    for action in (second.forget, lambda: second.append([]), lambda: list(second.replay())):
        with pytest.raises(StorageError, match="is in use by another process"):
            action()
    first.close()
    second.append(BATCHES[1])
    assert are_batches(list(second.replay()), 0, 1, 2, 0, 1)
    second.close()


@pytest.fixture
def limit_file_size() -> Iterator[Callable[[int], None]]:
    """A disk that is full beyond so many bytes, for any user."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_refuses_and_nothing_half_written_stays(
    path: Path, ends: list[int], limit_file_size: Callable[[int], None]
) -> None:
    """The write stops in the middle of a frame; with room again the next one follows the last."""
    before = path.read_bytes()
    journal = BarJournal(path)
    for room in (1, 20, 200):
        limit_file_size(ends[-1] + room)
        with pytest.raises(StorageError, match=f"cannot write to {path}: File too large"):
            journal.append(BATCHES[0])
        assert before == path.read_bytes()
    limit_file_size(1 << 30)
    journal.append(BATCHES[1])
    journal.close()
    assert are_batches(replayed(path), 0, 1, 2, 1)


def test_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write to .*: File exists"):
        BarJournal(tmp_path / "file" / "bars.log").append(BATCHES[0])


KILLED = """
import os, pathlib, sys
from tests.unit.data_collector.test_bar_journal import BATCHES
from data_collector.adapters import bar_journal
from data_collector.adapters.bar_journal import BarJournal
journal = BarJournal(pathlib.Path(sys.argv[1]))
for items in BATCHES:
    journal.append(items)
os.kill(os.getpid(), 9)
"""


@pytest.mark.process
def test_journal_of_a_killed_process_is_free_and_whole(path: Path) -> None:
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=root, check=False)
    assert are_batches(replayed(path), 0, 1, 2)


def test_journal_of_another_version_is_refused_by_its_name(path: Path) -> None:
    """Its frames are whole, and hold something else."""
    journal = BarJournal(path)
    journal.append(BATCHES[0])
    journal.close()
    path.write_bytes(bar_journal._framed(msgspec.msgpack.encode([{"other": 1}])))
    with pytest.raises(StorageError, match=rf"{path.name} holds what this version cannot read"):
        replayed(path)

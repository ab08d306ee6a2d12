"""The journal of a world: nothing acknowledged is lost, and nothing damaged is believed."""

import errno
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.support.world_tails import CUTS, RECORDS, flips, read, recovered, write

from suite.errors import InUse, StorageError
from virtual_exchange.adapters.world_journals import WorldFile, WorldFiles, framed, frames


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.world"


@pytest.mark.parametrize("sync", [False, True])
def test_what_was_written_is_read_and_goes_on(path: Path, sync: bool) -> None:
    write(path, RECORDS[:20], sync=sync)
    file = WorldFile(path, sync=sync)
    assert RECORDS[:20] == list(file.read())
    for record in RECORDS[20:]:
        file.append(record)
    file.close()
    assert read(path) == RECORDS


def test_unfinished_tail_is_dropped_at_every_length(path: Path) -> None:
    """Cut at each of the last 4,096 bytes: all records that are whole are there, and it goes on."""
    assert recovered(path, every=64) == CUTS


def test_zeros_that_a_power_cut_left_are_a_tail_too(path: Path) -> None:
    write(path, RECORDS[:3])
    whole = path.read_bytes()
    for count in (1, 35, 36, 37, 5000):
        path.write_bytes(whole + bytes(count))
        assert RECORDS[:3] == read(path)


class _Counted(bytes):
    """Counts the bytes that are taken out of it."""

    taken = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(key, slice):
            self.taken += len(found)
        return found


def test_a_long_journal_is_read_once(path: Path) -> None:
    """And not again from every record to its end, which takes minutes for a day of an arena."""
    write(path, RECORDS)
    data = _Counted(path.read_bytes() + bytes(5000))
    assert RECORDS == [frame.content for frame in frames(data, path)]
    assert data.taken < 2 * len(data)


def test_every_flipped_byte_is_found(path: Path) -> None:
    """In a head, in a length, in a record, in the last one: the damaged one is named."""
    flipped, found = flips(path, 8)
    assert flipped == found


def test_records_that_are_missing_or_moved_are_found(path: Path) -> None:
    write(path, RECORDS[:4])
    data = path.read_bytes()
    ends = [0, *(frame.end for frame in frames(data, path))]
    parts = [data[a:b] for a, b in pairwise(ends)]
    one, two, three, four = parts
    for wrong in ([two, three, four], [one, three, four], [one, three, two, four], [one, one]):
        path.write_bytes(b"".join(wrong))
        with pytest.raises(StorageError, match="is damaged in record"):
            read(path)


def test_journal_of_another_world_does_not_go_on_here(path: Path, tmp_path: Path) -> None:
    write(path, RECORDS[:2])
    other = tmp_path / "b.world"
    write(other, [b"another", *RECORDS[1:3]])
    ours, theirs = path.read_bytes(), other.read_bytes()
    third = theirs[[frame.end for frame in frames(theirs, other)][1] :]
    path.write_bytes(ours + third)
    with pytest.raises(StorageError, match=r"is damaged in record 3 .*its checksum is another"):
        read(path)


def test_full_disk_takes_nothing_half(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of the record was written is taken back; the next one that fits is whole."""
    real, left = os.pwrite, [200]

    def short(handle: int, data: bytes, at: int) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(handle, bytes(data)[: left[0]], at)
        left[0] -= written
        return written

    file = WorldFile(path, sync=False)
    monkeypatch.setattr(os, "pwrite", short)
    file.append(b"a" * 100)
    for _ in range(3):
        with pytest.raises(StorageError, match="No space left on device; nothing was changed"):
            file.append(b"b" * 100)
        assert path.stat().st_size == 136
        left[0] = 60
    left[0] = 10_000
    file.append(b"c")
    file.close()
    assert [b"a" * 100, b"c"] == read(path)


def test_full_disk_that_cannot_even_be_cut_is_cut_before_the_next_record(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    file = WorldFile(path, sync=False)
    file.append(b"a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", _half_then_full(real))
        patch.setattr(os, "ftruncate", _refusing)
        with pytest.raises(StorageError, match="nothing was changed"):
            file.append(b"b" * 500)
    assert path.stat().st_size > 37
    file.append(b"c")
    file.close()
    assert [b"a", b"c"] == read(path)


def _half_then_full(real: object) -> object:
    calls = iter((True, False))

    def write(handle: int, data: bytes, at: int) -> int:
        if next(calls):
            return int(real(handle, bytes(data)[:300], at))  # type: ignore[operator]
        raise OSError(errno.ENOSPC, "No space left on device")

    return write


def _refusing(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_disk_that_did_not_sync_is_not_believed_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed sync the system may have dropped what it held: only a restart can tell."""
    file = WorldFile(path, sync=True)
    file.append(b"a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _refusing)
        with pytest.raises(StorageError, match="start the service again"):
            file.append(b"b")
    with pytest.raises(StorageError, match="start the service again"):
        file.append(b"c")
    file.close()


def test_second_process_is_refused(path: Path, tmp_path: Path) -> None:
    file = WorldFile(path, sync=False)
    file.append(RECORDS[0])
    with pytest.raises(InUse, match="another process's"):
        WorldFile(path, sync=False)
    assert list(WorldFiles(tmp_path).kept()) == []
    file.close()
    (kept,) = WorldFiles(tmp_path).kept()
    assert [RECORDS[0]] == list(kept.read())
    kept.close()


def test_world_killed_before_its_first_record_was_whole_never_was(tmp_path: Path) -> None:
    files = WorldFiles(tmp_path / "worlds")
    assert list(files.kept()) == []
    path = tmp_path / "worlds" / "a.world"
    first, _ = framed(1, bytes(16), RECORDS[3])
    for size in (0, 1, 35, 36, 37, len(first) - 1):
        files.begin("a").close()
        path.write_bytes(first[:size])
        assert list(files.kept()) == []
        assert not path.exists()


def test_worlds_are_found_oldest_first_and_removed_by_name(tmp_path: Path) -> None:
    files = WorldFiles(tmp_path)
    for name in ("b", "a", ""):
        file = files.begin(name)
        file.append(name.encode() or b"default")
        file.close()
    kept = list(files.kept())
    assert {b"b", b"a", b"default"} == {next(file.read()) for file in kept}
    for file in kept:
        file.close()
    files.remove("a")
    files.remove("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.world", "default.world"]


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot keep worlds in"):
        WorldFiles(tmp_path / "file" / "worlds").begin("a")

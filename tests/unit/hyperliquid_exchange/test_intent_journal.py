"""Intents on disk: what was begun is found again, what is damaged is refused."""

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.support.live_intents import intent, settled
from tests.support.waiting import until

from hyperliquid_exchange.adapters.intent_journal import IntentJournal, JournalRules
from hyperliquid_exchange.adapters.intent_journal.segments import Segments
from suite.clock import ManualClock
from suite.errors import Conflict, InUse, RateLimited, StorageError

NOW = 1_700_000_000_000
RULES = JournalRules(reserve_bytes=4096)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "intents"


@contextlib.asynccontextmanager
async def opened(
    folder: Path, *, rules: JournalRules = RULES, clock: ManualClock | None = None
) -> AsyncIterator[IntentJournal]:
    journal = IntentJournal(folder, clock or ManualClock(NOW), rules=rules)
    try:
        yield journal
    finally:
        await journal.close()


def numbers(journal: IntentJournal) -> list[int]:
    """The open ones."""
    return [int(found.key.removeprefix("key-")) for found in journal.open_intents()]


async def reopened(folder: Path) -> list[int]:
    async with opened(folder) as journal:
        return numbers(journal)


async def write(folder: Path, begun: int, ended: int) -> None:
    async with opened(folder) as journal:
        for number in range(1, begun + 1):
            await journal.begin(intent(number))
        for number in range(1, ended + 1):
            await journal.settle(settled(number))


def segment_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.intents"))


def newest(folder: Path) -> Path:
    return segment_files(folder)[-1]


async def test_what_was_begun_and_not_settled_is_open_after_a_restart(folder: Path) -> None:
    """Oldest first; the others are known with what became of them."""
    await write(folder, begun=5, ended=2)
    for _ in range(3):
        async with opened(folder) as journal:
            assert numbers(journal) == [3, 4, 5]
            assert journal.find("anna", "key-1") == settled(1)
            assert journal.find("anna", "key-3") == intent(3)
            assert journal.find("anna", "key-6") is None
            assert journal.find("bert", "key-1") is None
            assert journal.holds(intent(3))
            assert not journal.holds(intent(1))


async def test_what_a_killed_process_left_is_synced_before_anything_goes_on_from_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next segment says where this one ends: a power cut after that would make it too short."""
    async with opened(folder) as journal:
        await journal.begin(intent(1))
        await journal.settle(settled(1))  # written, and not synced
        await until(lambda: journal._writer is None)
        left = shutil.copytree(folder, folder.with_name("left"))
    synced: list[str] = []
    sync = os.fsync

    def note(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    assert [] == await reopened(left)
    assert "00000001.intents" == synced[0]


async def test_intent_is_held_as_it_was_written(folder: Path) -> None:
    """Another action with the same key is another one; before it is safe it is not held."""
    async with opened(folder) as journal:
        begin = asyncio.ensure_future(journal.begin(intent(1)))
        await asyncio.sleep(0)
        assert not journal.holds(intent(1))
        assert journal.find("anna", "key-1") == intent(1)
        await begin
        assert journal.holds(intent(1))
        assert not journal.holds(intent(1, payload=b"another"))
        with pytest.raises(Conflict):
            await journal.begin(intent(1))
        await journal.settle(settled(1))
        with pytest.raises(Conflict):
            await journal.begin(intent(1))


async def test_key_without_an_intent_can_be_settled(folder: Path) -> None:
    """A refusal, and a key that a noop ended."""
    async with opened(folder) as journal:
        await journal.settle(settled(1))
        await journal.settle(settled(2, outcome="never"), durable=True)
    async with opened(folder) as journal:
        assert journal.find("anna", "key-1") == settled(1)
        assert journal.find("anna", "key-2") == settled(2, outcome="never")


async def test_noops_are_counted_across_restarts(folder: Path) -> None:
    """Each call tells how many there were before it."""
    async with opened(folder) as journal:
        await journal.begin(intent(1))
        both = await asyncio.gather(journal.count_noop(intent(1)), journal.count_noop(intent(1)))
        assert sorted(both) == [0, 1]
    async with opened(folder) as journal:
        assert await journal.count_noop(intent(1)) == 2
        with pytest.raises(Conflict):
            await journal.count_noop(intent(2))


async def test_second_process_is_refused(folder: Path) -> None:
    async with opened(folder):
        with pytest.raises(InUse, match="another process's"):
            IntentJournal(folder, ManualClock(NOW), rules=RULES)
    assert await reopened(folder) == []


async def test_several_share_one_sync_and_none_returns_before_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten that begin at once take two: the first one's, and one for all that came meanwhile."""
    synced: list[int] = []
    real = os.fdatasync

    def counting(handle: int) -> None:
        real(handle)
        synced.append(os.fstat(handle).st_size)

    async with opened(folder) as journal:
        monkeypatch.setattr(os, "fdatasync", counting)
        sizes: list[int] = []

        async def begin(number: int) -> None:
            await journal.begin(intent(number))
            sizes.append(len(synced))

        first = asyncio.ensure_future(begin(0))
        await asyncio.sleep(0)
        await asyncio.gather(*(begin(number) for number in range(1, 10)))
        await first
        assert len(synced) <= 2
        assert min(sizes) >= 1
        assert synced[-1] == newest(folder).stat().st_size
        monkeypatch.undo()


async def test_who_is_canceled_while_waiting_has_begun_nothing(folder: Path) -> None:
    """The key is settled as `never`: nobody sends it, and nobody asks the venue about it."""
    async with opened(folder) as journal:
        task = asyncio.ensure_future(journal.begin(intent(1)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: journal.find("anna", "key-1") == settled(1, outcome="never"))
    assert await reopened(folder) == []


# what is damaged


async def test_unfinished_tail_is_dropped_at_every_length(folder: Path) -> None:
    """Cut at each byte of the last 4 KiB: all lines that are whole are there, in order."""
    await write(folder, begun=10, ended=0)
    path = newest(folder)
    data = path.read_bytes()
    lines = data.split(b"\n")[:-1]
    ends = [sum(len(line) + 1 for line in lines[: n + 1]) - 1 for n in range(len(lines))]
    assert len(data) > 4096 + ends[0]
    for end in range(len(data), len(data) - 4097, -1):
        path.write_bytes(data[:end])
        segments, found = Segments(folder), []
        segments.read(lambda _number, _content, record: found.append(record))  # noqa: B023
        segments.close()
        assert len(found) == sum(whole <= end for whole in ends)
    assert await reopened(folder) == list(range(1, len(found)))


async def test_every_damaged_byte_is_found(folder: Path) -> None:
    """Whatever it is in: chain, number, key, end of a line; in every segment."""
    await write(folder, begun=1, ended=0)
    await write_more(folder)
    for path in segment_files(folder):
        data = path.read_bytes()
        for place in range(len(data)):
            for flip in (1, 0x80):
                damaged = bytearray(data)
                damaged[place] ^= flip
                path.write_bytes(damaged)
                with pytest.raises(StorageError, match="is damaged in line"):
                    read(folder)
        path.write_bytes(data)
    assert await reopened(folder) == [1, 2, 3]


async def write_more(folder: Path) -> None:
    async with opened(folder) as journal:
        await journal.begin(intent(2))
        await journal.begin(intent(3))


def read(folder: Path) -> None:
    segments = Segments(folder)
    try:
        segments.read(lambda *_: None)
    finally:
        segments.close()


async def test_lines_and_files_that_are_missing_or_moved_are_found(folder: Path) -> None:
    await write(folder, begun=3, ended=1)
    await write_more_of(folder, 4)
    first, second = segment_files(folder)
    data = first.read_bytes()
    lines = data.splitlines(keepends=True)
    wrong = [b"".join(lines[:n] + lines[n + 1 :]) for n in range(len(lines))]
    wrong += [b"".join([lines[0], lines[2], lines[1], *lines[3:]]), b"", data[:-1], data[:100]]
    for damaged in wrong:
        first.write_bytes(damaged)
        with pytest.raises(StorageError, match="is damaged"):
            read(folder)
    first.write_bytes(data)
    first.unlink()
    with pytest.raises(StorageError, match="the file is missing"):
        read(folder)
    first.write_bytes(data)
    read(folder)
    first.write_bytes(second.read_bytes())
    with pytest.raises(StorageError, match="does not say what it is"):
        read(folder)


async def write_more_of(folder: Path, number: int) -> None:
    async with opened(folder) as journal:
        await journal.begin(intent(number))


# how much is kept


async def test_files_stay_small_and_nothing_open_is_lost(folder: Path) -> None:
    """Segments are dropped once most of them is of no use; what counts is carried over."""
    clock = ManualClock(NOW)
    rules = JournalRules(segment_bytes=5000, reserve_bytes=0, kept_ms=10, kept_keys=5)
    sizes = []
    async with opened(folder, rules=rules, clock=clock) as journal:
        await journal.begin(intent(0))
        await journal.count_noop(intent(0))
        await journal.settle(settled(9999, trader="rare"))
        for number in range(1, 300):
            clock.advance_to(NOW + number)
            await journal.begin(intent(number))
            await journal.settle(settled(number))
            sizes.append(sum(path.stat().st_size for path in segment_files(folder)))
    assert max(sizes) < 40_000
    async with opened(folder, rules=rules, clock=clock) as journal:
        assert numbers(journal) == [0]
        assert await journal.count_noop(intent(0)) == 1
        assert journal.find("rare", "key-9999") == settled(9999, trader="rare")
        for number in range(290, 300):
            assert journal.find("anna", f"key-{number}") == settled(number)
        assert journal.find("anna", "key-100") is None


async def test_young_keys_are_never_forgotten_and_have_a_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it nothing more begins but what takes risk away."""
    clock = ManualClock(NOW)
    rules = JournalRules(reserve_bytes=0, kept_keys=5, kept_ms=1000)
    monkeypatch.setattr("hyperliquid_exchange.adapters.intent_journal.journal._ROOM", 3)
    async with opened(folder, rules=rules, clock=clock) as journal:
        for number in range(8):
            await journal.settle(settled(number))
        assert all(journal.find("anna", f"key-{number}") for number in range(8))
        with pytest.raises(RateLimited):
            await journal.begin(intent(8))
        await journal.begin(intent(9, adds_risk=False))
        await journal.begin(intent(8, trader="bert"))
        assert not journal.has_room("anna")
        assert journal.has_room("bert")
        clock.advance_to(NOW + 1000)
        assert journal.has_room("anna")
        await journal.settle(settled(9))
        assert journal.find("anna", "key-3") is None
        assert journal.find("anna", "key-4") == settled(4)
        await journal.begin(intent(8))


# where the disk refuses


class Disk:
    """A disk that refuses on request: calls of `os` by name, from now on or once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused: dict[str, int] = {}
        for name in ("write", "fdatasync", "fsync", "posix_fallocate"):
            monkeypatch.setattr(os, name, self._around(name, getattr(os, name)))

    def _around(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            if self.refused.get(name, 0):
                self.refused[name] -= 1
                if name == "write":
                    real(args[0], bytes(args[1])[:7])  # type: ignore[call-overload]
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args)

        return call


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    with monkeypatch.context() as patch:
        yield Disk(patch)


@pytest.mark.parametrize("call", ["write", "fdatasync"])
async def test_refused_risk_has_not_begun_and_the_journal_goes_on(
    folder: Path, disk: Disk, call: str
) -> None:
    """In a new segment: what was refused is not in it, whatever of it reached the disk."""
    async with opened(folder) as journal:
        await journal.begin(intent(1))
        await journal.settle(settled(1))
        disk.refused[call] = 1
        with pytest.raises(StorageError, match="No space left"):
            await journal.begin(intent(2))
        assert journal.find("anna", "key-2") is None
        await until(lambda: not journal.trouble)
        await journal.begin(intent(3))
        assert numbers(journal) == [3]
    async with opened(folder) as journal:
        assert numbers(journal) == [3]
        assert journal.find("anna", "key-1") == settled(1)


async def test_full_disk_lets_out_what_takes_risk_away(folder: Path, disk: Disk) -> None:
    """The reserve makes room for it; what adds risk waits until there is a reserve again."""
    async with opened(folder) as journal:
        assert (folder / "reserve").stat().st_size == 4096
        await journal.begin(intent(1))
        disk.refused = {"write": 2, "posix_fallocate": 10**9}
        await journal.begin(intent(2, adds_risk=False))
        assert not (folder / "reserve").exists()
        assert journal.holds(intent(2, adds_risk=False))
        with pytest.raises(StorageError, match="only what takes risk away"):
            await journal.begin(intent(3))
        await journal.settle(settled(1), durable=True)
        assert await journal.count_noop(intent(2, adds_risk=False)) == 0
        disk.refused = {}
        with contextlib.suppress(StorageError):
            await journal.begin(intent(4))
        await until(lambda: not journal.trouble)
        await journal.begin(intent(5))
        assert (folder / "reserve").exists()
    async with opened(folder) as journal:
        assert numbers(journal) == [2, 5]
        assert journal.find("anna", "key-1") == settled(1)


async def test_disk_that_takes_nothing_lets_exits_out_from_memory(folder: Path, disk: Disk) -> None:
    """Noops are not counted and may not leave; all of it is written once the disk takes it."""
    async with opened(folder) as journal:
        await journal.begin(intent(1))
        disk.refused = {"write": 10**9, "posix_fallocate": 10**9}
        await journal.begin(intent(2, adds_risk=False))
        assert journal.holds(intent(2, adds_risk=False))
        with pytest.raises(StorageError):
            await journal.count_noop(intent(1))
        with pytest.raises(StorageError):
            await journal.settle(settled(1), durable=True)
        assert journal.find("anna", "key-1") == settled(1)
        with pytest.raises(StorageError):
            await journal.begin(intent(3))
        disk.refused = {}
        with contextlib.suppress(StorageError):
            await journal.begin(intent(4))
        await until(lambda: not journal.trouble)
    async with opened(folder) as journal:
        assert numbers(journal) == [2]
        assert journal.find("anna", "key-1") == settled(1)
        assert journal.find("anna", "key-3") is None


async def test_no_room_for_a_reserve_lets_out_exits_alone(folder: Path, disk: Disk) -> None:
    disk.refused = {"posix_fallocate": 10**9}
    async with opened(folder) as journal:
        with pytest.raises(StorageError, match="no room for a reserve"):
            await journal.begin(intent(1))
        await journal.begin(intent(2, adds_risk=False))
        disk.refused = {}
        await journal.begin(intent(3, adds_risk=False))
        await until(lambda: not journal.trouble)
        await journal.begin(intent(4))
    assert await reopened(folder) == [2, 3, 4]


async def test_bug_while_writing_lets_nobody_wait_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(folder) as journal:
        await journal.begin(intent(1))
        with monkeypatch.context() as patch:
            patch.setattr(Segments, "append", lambda *_, **__: 1 // 0)
            with pytest.raises(StorageError, match="ZeroDivisionError"):
                await journal.begin(intent(2))
        with pytest.raises(StorageError, match="has failed"):
            await journal.begin(intent(3))
        await journal.begin(intent(4, adds_risk=False))
    assert await reopened(folder) == [1, 4]


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot open"):
        IntentJournal(tmp_path / "file" / "intents", ManualClock(NOW))

"""Nonces: none twice, whatever the clock and the disk do."""

import errno
import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from hyperliquid_exchange.adapters.nonce_file import AHEAD_MS, NonceFiles
from suite.errors import StorageError

NOW = 1_700_000_000_000
SIGNER = "0x" + "ab" * 20
HOUR = 3_600_000
DAY = 24 * HOUR


class Clock:
    """A clock that may step to anywhere."""

    def __init__(self) -> None:
        self.time = NOW

    def now_ms(self) -> int:
        return self.time


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "nonces"


def test_nonce_is_the_time_or_one_more_than_the_last(folder: Path) -> None:
    clock = Clock()
    nonces = NonceFiles(folder, clock)
    assert [nonces.next(SIGNER) for _ in range(3)] == [NOW, NOW + 1, NOW + 2]
    clock.time += 10
    assert nonces.next(SIGNER) == NOW + 10
    assert nonces.next("0x" + "cd" * 20) == NOW + 10


@pytest.mark.parametrize("step", [HOUR, DAY])
def test_clock_that_steps_back_changes_nothing(folder: Path, step: int) -> None:
    """In one life of the process, and over a restart right after the step."""
    clock = Clock()
    nonces = NonceFiles(folder, clock)
    last = nonces.next(SIGNER)
    clock.time -= step
    assert nonces.next(SIGNER) == last + 1
    again = NonceFiles(folder, clock)
    assert last + 1 < again.next(SIGNER) <= NOW + AHEAD_MS + 1


def test_a_hundred_actions_a_second_never_share_a_nonce(folder: Path) -> None:
    """For a minute, in bursts within a millisecond, over restarts and a clock that is set back."""
    clock, taken = Clock(), list[int]()
    nonces = NonceFiles(folder, clock)
    for second in range(60):
        for burst in range(10):
            clock.time = NOW + 1000 * second + 100 * burst - HOUR * (second > 40)
            taken += [nonces.next(SIGNER) for _ in range(10)]
        if second % 13 == 0:
            nonces = NonceFiles(folder, clock)
    assert len(taken) == 6000
    assert all(one < next_one for one, next_one in pairwise(taken))


def test_clock_that_jumps_days_ahead_for_a_moment_leaves_nonces_that_are_taken(
    folder: Path,
) -> None:
    """The venue refuses what is a day ahead: the exits of days would be lost."""
    clock, running_s = Clock(), [5.0]
    nonces = NonceFiles(folder, clock, running_s=lambda: running_s[0])
    nonces.next(SIGNER)
    clock.time += 30 * DAY
    seen = [nonces.next(SIGNER) for _ in range(3)]
    clock.time = NOW + 1_000
    running_s[0] += 1.0
    seen += [nonces.next(SIGNER), NonceFiles(folder, clock).next(SIGNER)]
    assert seen == sorted(set(seen))
    assert NOW < seen[0]
    assert seen[-1] < NOW + 1_000 + DAY


def test_days_without_a_nonce_are_no_jump(folder: Path) -> None:
    clock, running_s = Clock(), [5.0]
    nonces = NonceFiles(folder, clock, running_s=lambda: running_s[0])
    nonces.next(SIGNER)
    clock.time += 30 * DAY
    running_s[0] += 30 * 86_400.0
    assert nonces.next(SIGNER) == NOW + 30 * DAY


def test_random_clocks_and_restarts_repeat_nothing(folder: Path) -> None:
    """Also across more than the mark is ahead, and with a stop between mark and use."""
    chance, clock = random.Random(7), Clock()
    nonces, seen = NonceFiles(folder, clock, ahead_ms=50), [0]
    for _ in range(5000):
        if chance.random() < 0.05:
            nonces = NonceFiles(folder, clock, ahead_ms=50)
        clock.time += chance.choice([0, 0, 1, 7, 300, -3, -2000, -HOUR, HOUR // 1000])
        seen.append(nonces.next(SIGNER))
    assert sorted(set(seen)) == seen


def test_one_write_serves_a_minute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    synced: list[int] = []
    nonces = NonceFiles(folder, clock)
    monkeypatch.setattr(os, "fdatasync", synced.append)
    for _ in range(1000):
        clock.time += 59
        nonces.next(SIGNER)
    assert synced == []
    clock.time += AHEAD_MS
    nonces.next(SIGNER)
    assert len(synced) == 1


def test_damaged_file_is_refused(folder: Path) -> None:
    """At every byte, at every length, and where it is another signer's."""
    NonceFiles(folder, Clock()).next(SIGNER)
    path = folder / f"{SIGNER}.nonce"
    data = path.read_bytes()
    assert len(data) == 128
    wrong = [data[:end] for end in range(len(data))] + [data + b"\n"]
    for place in range(len(data)):
        for flip in (1, 0x10, 0x20, 0x80):
            damaged = bytearray(data)
            damaged[place] ^= flip
            wrong.append(bytes(damaged))
    for broken in wrong:
        path.write_bytes(broken)
        with pytest.raises(StorageError, match="is damaged"):
            NonceFiles(folder, Clock()).next(SIGNER)
    other = "0x" + "cd" * 20
    (folder / f"{other}.nonce").write_bytes(data)
    with pytest.raises(StorageError, match="is damaged"):
        NonceFiles(folder, Clock()).open(other)


def test_disk_that_refuses_leaves_what_is_below_the_mark(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enough to cancel and to close; then nothing, and at once again when it works."""
    clock = Clock()
    nonces = NonceFiles(folder, clock, ahead_ms=3)
    assert nonces.next(SIGNER) == NOW
    clock.time += HOUR

    def refuse(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        assert [nonces.next(SIGNER), nonces.next(SIGNER)] == [NOW + 1, NOW + 2]
        for _ in range(2):
            with pytest.raises(StorageError, match="nothing can be signed"):
                nonces.next(SIGNER)
    assert nonces.next(SIGNER) == NOW + HOUR


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        NonceFiles(tmp_path / "file" / "nonces", Clock()).next(SIGNER)

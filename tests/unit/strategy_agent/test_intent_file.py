"""Intents on disk: what was begun is found again, what is damaged is refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.intents import filled, intent

from strategy_agent.adapters import intent_file
from strategy_agent.adapters.intent_file import IntentFile
from suite.errors import StorageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "alice.intents"


def reopened(path: Path) -> tuple[int, list[int]]:
    """Generation, and the numbers of the open intents."""
    log = IntentFile(path)
    try:
        return log.generation, [int(found.key, 16) for found in log.open_intents()]
    finally:
        log.close()


def write(path: Path, begun: int, settled: int) -> None:
    log = IntentFile(path)
    for number in range(1, begun + 1):
        log.begin(intent(number))
    for number in range(1, settled + 1):
        log.settle(intent(number).key, filled() if number % 2 else None)
    log.close()


def test_what_was_begun_and_not_settled_is_open_after_a_restart(path: Path) -> None:
    """Oldest first, and each opening is told apart from all others."""
    write(path, begun=5, settled=2)
    assert (2, [3, 4, 5]) == reopened(path)
    assert (3, [3, 4, 5]) == reopened(path)


def test_intent_is_held_until_it_is_settled_and_as_it_was_written(path: Path) -> None:
    """An intent with the same key and another action is another one."""
    log = IntentFile(path)
    log.begin(intent(1))
    assert log.holds(intent(1))
    assert not log.holds(intent(2))
    changed = intent(1, coin="ETH")
    assert not log.holds(changed)
    log.settle(intent(1).key, filled())
    assert not log.holds(intent(1))
    log.close()


def test_second_process_is_refused(path: Path) -> None:
    """Two of them would number and send the same decisions."""
    log = IntentFile(path)
    with pytest.raises(StorageError, match="another process"):
        IntentFile(path)
    log.close()
    assert (2, []) == reopened(path)


def test_unfinished_tail_is_dropped_at_every_length(path: Path) -> None:
    """All that was acknowledged before it is there; a tail that is whole counts."""
    write(path, begun=3, settled=0)
    data = path.read_bytes()
    last = data[:-1].rfind(b"\n") + 1
    for end in range(last, len(data)):
        path.write_bytes(data[:end])
        expected = [1, 2, 3] if end == len(data) - 1 else [1, 2]
        assert expected == reopened(path)[1]


def test_every_damaged_byte_is_found(path: Path) -> None:
    """Whatever it is in: number, key, checksum, end of a line."""
    write(path, begun=3, settled=1)
    data = path.read_bytes()
    for place in range(len(data)):
        for flip in (1, 0x20, 0x80):
            damaged = bytearray(data)
            damaged[place] ^= flip
            path.write_bytes(damaged)
            with pytest.raises(StorageError, match="damaged in line"):
                IntentFile(path)


def test_missing_line_is_found(path: Path) -> None:
    """Lines are numbered, so none can be taken out unseen."""
    write(path, begun=3, settled=1)
    lines = path.read_bytes().splitlines(keepends=True)
    for number in range(len(lines) - 1):
        path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        with pytest.raises(StorageError, match="its own number"):
            IntentFile(path)


def test_file_stays_small(path: Path) -> None:
    """It is written anew with the open intents alone, whole or not at all."""
    log = IntentFile(path, most_bytes=5_000)
    log.begin(intent(0))
    sizes = []
    for number in range(1, 200):
        log.begin(intent(number))
        log.settle(intent(number).key, filled())
        sizes.append(path.stat().st_size)
    log.close()
    assert max(sizes) < 6_000
    assert (2, [0]) == reopened(path)


def test_begun_intents_are_on_the_disk_before_the_call_returns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Durable first; a settlement may be lost and is asked for again."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda _handle: synced.append(path.stat().st_size))
    log = IntentFile(path)
    log.begin(intent(1))
    assert [path.stat().st_size] == synced
    log.settle(intent(1).key, None)
    assert 1 == len(synced)
    log.close()


def test_append_that_fails_leaves_nothing_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is as right as if it had never been tried."""
    log = IntentFile(path)
    log.begin(intent(1))

    def full(_handle: int) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(StorageError, match="No space left"):
            log.begin(intent(2))
    assert not log.holds(intent(2))
    log.begin(intent(3))
    log.close()
    assert (2, [1, 3]) == reopened(path)


def test_open_intents_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intent_file, "MOST_OPEN", 2)
    log = IntentFile(path)
    log.begin(intent(1))
    log.begin(intent(2))
    with pytest.raises(StorageError, match="2 intents are open"):
        log.begin(intent(3))
    log.close()

"""Crashes are counted on disk before work starts, and many of them make the next start wait."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from suite.clock import ManualClock
from suite.crashes import CRASH_DELAY_MS, CRASH_WINDOW_MS, CRASHES_MAX
from suite.service.starts import Starts

NOW_MS = 1_760_000_000_000


def begin(folder: Path, *, now_ms: int = NOW_MS, well: bool = True) -> tuple[int, int]:
    """Start once and end; say how many crashes were known, and how long it waits."""
    with Starts(folder, "demo", ManualClock(now_ms)) as starts:
        if well:
            starts.ended_well()
    return starts.crashes, starts.delay_ms


def test_a_start_waits_after_more_crashes_than_are_answered_at_once(tmp_path: Path) -> None:
    found = [begin(tmp_path, well=False) for _ in range(CRASHES_MAX + 2)]
    waits = [0] * (CRASHES_MAX + 1) + [CRASH_DELAY_MS]
    assert list(zip(range(CRASHES_MAX + 2), waits, strict=True)) == found


def test_a_wanted_end_is_no_crash(tmp_path: Path) -> None:
    assert [(0, 0)] * 6 == [begin(tmp_path) for _ in range(6)]


def test_a_stable_time_resets_the_count(tmp_path: Path) -> None:
    for _ in range(CRASHES_MAX + 1):
        begin(tmp_path, well=False)
    later_ms = NOW_MS + CRASH_WINDOW_MS
    assert (1, 0) == begin(tmp_path, now_ms=later_ms)  # the last one is seen only now


@pytest.mark.parametrize("spoilt", [b"", b"{", b'["a"]', b"[1.5]", b"\xff", b"null"])
def test_a_spoilt_counter_counts_as_a_crash(tmp_path: Path, spoilt: bytes) -> None:
    begin(tmp_path)
    (tmp_path / "demo" / "crashes.json").write_bytes(spoilt)
    assert (1, 0) == begin(tmp_path)


def test_a_clock_that_was_ahead_makes_no_wait_longer(tmp_path: Path) -> None:
    for _ in range(CRASHES_MAX + 1):
        begin(tmp_path, now_ms=NOW_MS + 10**9, well=False)
    assert (CRASHES_MAX + 1, CRASH_DELAY_MS) == begin(tmp_path)


def test_a_folder_that_cannot_be_written_stops_no_service(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert (0, 0) == begin(tmp_path / "file")


def _live(folder: Path, began: "multiprocessing.synchronize.Event") -> None:
    with Starts(folder, "demo", ManualClock(NOW_MS)):
        began.set()
        signal.pause()


def test_a_killed_process_is_a_crash_and_a_living_one_is_none(tmp_path: Path) -> None:
    """Two of a service may share a folder; each is asked whether it lives by its lock."""
    context = multiprocessing.get_context("fork")
    began = context.Event()
    process = context.Process(target=_live, args=(tmp_path, began))
    process.start()
    try:
        assert began.wait(60)
        assert (0, 0) == begin(tmp_path)
    finally:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert (1, 0) == begin(tmp_path)

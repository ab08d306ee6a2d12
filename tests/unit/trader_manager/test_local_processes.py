"""No process that nobody knows of, and no two of one trader; whatever the disk and the clock do."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from tests.support.waiting import until

from suite.errors import ConfigError, StorageError
from suite.service.clock import SystemClock
from trader_manager.adapters.local_processes import LocalProcesses, kept, one_each
from trader_manager.adapters.local_processes.kept import KeptProcess, Process
from trader_manager.application.runtime import Launch, Sighting

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
KILLED = "killed by signal 9; the last that it said: x"
RUNTIMES: list[LocalProcesses] = []


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(kept, "agent_command", lambda: SLEEPS)
    yield tmp_path
    for child in running(tmp_path):
        child.kill()
    for some in RUNTIMES:
        for each in some._kept.values():
            if each._child is not None:
                each._child.wait()
    RUNTIMES.clear()


def running(root: Path) -> list[psutil.Process]:
    """Traders that this process has started."""
    children = psutil.Process().children()
    return [one for one in children if "--trader" in one.cmdline() and str(root) in one.cwd()]


def runtime(root: Path) -> LocalProcesses:
    RUNTIMES.append(LocalProcesses(root, SystemClock()))
    return RUNTIMES[-1]


def launch(name: str = "anna") -> Launch:
    return Launch(
        trader_id=name, written={}, generation=7, venue_url="http://venue", data_url="http://venue"
    )


def refuse_writes(root: Path) -> None:
    """What replaces the record of a process cannot be written any more."""
    (root / "anna").mkdir(exist_ok=True)
    (root / "anna/process.new").mkdir()


async def test_one_that_cannot_be_noted_is_not_started(root: Path) -> None:
    """However often it is tried."""
    refuse_writes(root)
    for _ in range(3):
        with pytest.raises(StorageError, match="cannot start anna"):
            await runtime(root).start(launch())
    assert [] == running(root)


async def test_one_whose_pid_cannot_be_noted_is_ended(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from just after its start on."""
    note = KeptProcess.note

    def full(self: KeptProcess[Process], process: Process) -> None:
        if process.pid:
            raise OSError(28, "No space left on device")
        note(self, process)

    monkeypatch.setattr(KeptProcess, "note", full)
    with pytest.raises(StorageError, match="No space"):
        await runtime(root).start(launch())
    assert [] == running(root)
    assert "crashed" == (await runtime(root).look("anna")).actual


@pytest.mark.parametrize("left", ["intent", "nothing"])
async def test_one_that_a_killed_manager_could_not_note_is_found(root: Path, left: str) -> None:
    """By its folder: it is looked after, not doubled, and ended when that is wanted."""
    first = runtime(root)
    await first.start(launch())
    record = root / "anna/process.json"
    if left == "nothing":
        record.unlink()
    else:
        known = msgspec.json.decode(record.read_bytes())
        record.write_bytes(msgspec.json.encode({**known, "pid": 0, "birth": ""}))
        assert ("running", 7) == _seen(await runtime(root).look("anna"))
    await runtime(root).start(launch())
    (one,) = running(root)
    assert ("running", 7 if left == "intent" else 0) == _seen(await runtime(root).look("anna"))
    await first.stop("anna")
    assert [] == running(root)
    assert "absent" == (await runtime(root).look("anna")).actual
    assert not one.is_running()


async def test_a_full_disk_keeps_nobody_running(root: Path) -> None:
    """What is wanted is that it ends; why it ended can be told no more."""
    some = runtime(root)
    await some.start(launch())
    refuse_writes(root)
    await some.stop("anna")
    assert [] == running(root)
    assert "running" != (await some.look("anna")).actual


async def test_a_clock_that_is_set_makes_nobody_a_stranger(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of day of a start moves with the clock."""
    some = runtime(root)
    await some.start(launch())
    born = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: born(self) + 3600)
    assert "running" == (await some.look("anna")).actual
    await some.start(launch())
    assert 1 == len(running(root))


async def test_one_that_does_not_end_is_killed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time to do so in order."""
    monkeypatch.setattr(one_each, "_STOP_S", 0.2)
    some = runtime(root)
    await some.start(launch())
    await until(lambda: len(running(root)) == 1)
    (one,) = running(root)
    one.send_signal(signal.SIGSTOP)
    await some.stop("anna")
    assert [] == running(root)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/x", ".a"])
async def test_a_name_is_one_folder_of_the_root(root: Path, name: str) -> None:
    """Never the root itself, and nothing outside."""
    with pytest.raises(ConfigError, match="no name of a trader"):
        await runtime(root).start(launch(name))


def _seen(sighting: Sighting) -> tuple[str, int]:
    return sighting.actual, sighting.generation


@pytest.mark.parametrize(
    ("ends", "actual", "lasting", "reason"),
    [
        (
            "os.kill(os.getpid(), 9)",
            "crashed",
            False,
            KILLED,
        ),
        ("sys.exit(2)", "failed", True, "x"),
        ("sys.exit(1)", "crashed", False, "x"),
    ],
)
async def test_how_it_ended_is_told_by_its_exit_code(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
    actual: str,
    lasting: bool,
    reason: str,
) -> None:
    """Also by the next manager; a configuration that is wrong stays so, and is ended when asked."""
    code = f"import os, sys; print('x', flush=True); {ends}"
    monkeypatch.setattr(kept, "agent_command", lambda: [sys.executable, "-c", code])
    first = runtime(root)
    await first.start(launch())
    while (await first.look("anna")).actual == "running":  # noqa: ASYNC110 - it is seen by looking
        await asyncio.sleep(0.01)
    for some in (first, runtime(root)):
        seen = await some.look("anna")
        assert (actual, lasting, reason) == (seen.actual, seen.lasting, seen.reason)
    await first.stop("anna")
    assert "absent" == (await first.look("anna")).actual

"""A journal whose process is killed at a named point, and what must be there afterwards.

The points are the calls that reach the disk, before and after each, and in the middle of a write.
A child of a prepared server starts in milliseconds.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.support.live_intents import intent, settled
from tests.support.prepared import PREPARED

from hyperliquid_exchange.adapters.intent_journal import IntentJournal, JournalRules
from suite.clock import ManualClock

RULES = JournalRules(segment_bytes=4000, reserve_bytes=4096, kept_ms=5, kept_keys=4)
NOW = 1_700_000_000_000
INTENTS = 12
CALLS = ("write", "fdatasync", "fsync", "replace")
PHASES = ("before", "amid", "after")


class _Disk:
    """Counts calls that reach the disk, and ends the process at one of them."""

    def __init__(self, point: str, tell: Callable[[tuple[Any, ...]], None]) -> None:
        self._point = point
        self._tell = tell
        self._counts = dict.fromkeys(CALLS, 0)
        for name in ("write", "fdatasync", "fsync"):
            setattr(os, name, self._around(name, getattr(os, name)))
        Path.replace = self._around("replace", Path.replace)  # type: ignore[method-assign]

    def _around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self._counts[name] += 1
            place = f"{name} {self._counts[name]}"
            self._reach(f"{place} before")
            if name == "write" and self._point == f"{place} amid":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            self._reach(f"{place} amid")
            result = real(*args)
            if name in {"fdatasync", "fsync"}:
                state = os.fstat(args[0])
                self._tell(("synced", state.st_ino, state.st_size))
            self._reach(f"{place} after")
            return result

        return call

    def _reach(self, point: str) -> None:
        self._tell(("point", point))
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


def work(folder: str, point: str, talk: Connection) -> None:
    """Begin, count noops and settle, and tell what was acknowledged."""
    _Disk(point, talk.send)
    asyncio.run(_work(Path(folder), talk))
    talk.send(("end",))


async def _work(folder: Path, talk: Connection) -> None:
    clock = ManualClock(NOW)
    journal = IntentJournal(folder, clock, rules=RULES)
    for number in range(INTENTS):
        clock.advance_to(NOW + number)
        await journal.begin(intent(number))
        talk.send(("begun", number))
        if number % 3 == 0:
            await journal.count_noop(intent(number))
            talk.send(("noop", number))
        if number % 2:
            talk.send(("settling", number))
            await journal.settle(settled(number), durable=number % 4 == 1)
            if number % 4 == 1:
                talk.send(("settled", number))
    await journal.close()


@dataclass
class Killed:
    """What a process had told before it was killed.

    Attributes:
        points: that it went through.
        synced: bytes that are safe, by inode.
        ended: whether it was not killed at all.
    """

    told: dict[str, list[int]] = field(
        default_factory=lambda: {"begun": [], "noop": [], "settling": [], "settled": []}
    )
    points: list[str] = field(default_factory=list)
    synced: dict[int, int] = field(default_factory=dict)
    ended: bool = False


def killed_at(point: str, folder: Path) -> Killed:
    """Let a process work until a point; an empty one is none."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PREPARED)
    mine, its = context.Pipe()
    process = context.Process(target=work, args=(str(folder), point, its), daemon=True)
    process.start()
    its.close()
    found = Killed()
    for message in _until_it_ends(mine):
        match message:
            case ("point", str(name)):
                found.points.append(name)
            case ("synced", int(inode), int(size)):
                found.synced[inode] = size
            case ("end",):
                found.ended = True
            case (str(word), int(number)):
                found.told[word].append(number)
    process.join(20)
    process.close()
    mine.close()
    return found


def _until_it_ends(talk: Connection) -> Iterator[tuple[Any, ...]]:
    while True:
        try:
            yield talk.recv()
        except (EOFError, ConnectionResetError):
            return


def cut_power(folder: Path, found: Killed) -> None:
    """Take away what no sync has covered, as a power cut may."""
    for path in folder.glob("*.intents"):
        state = path.stat()
        if state.st_size > found.synced.get(state.st_ino, 0):
            os.truncate(path, found.synced.get(state.st_ino, 0))


def faults_after(folder: Path, found: Killed) -> list[str]:
    """Read the journal again and hold it against what was acknowledged."""
    return asyncio.run(_faults_after(folder, found))


async def _faults_after(folder: Path, found: Killed) -> list[str]:
    journal = IntentJournal(folder, ManualClock(NOW + INTENTS), rules=RULES)
    told, faults = found.told, []
    for number in told["begun"]:
        if journal.holds(intent(number)):
            if number in told["settled"]:
                faults.append(f"{number} is open again")
            if number in told["noop"] and await journal.count_noop(intent(number)) < 1:
                faults.append(f"the noop of {number} is not counted")
        elif number not in told["settling"]:
            faults.append(f"{number} is lost")
    last = told["settled"][-1:]  # earlier ones may be forgotten
    faults += [
        f"what became of {number} is lost"
        for number in last
        if journal.find("anna", f"key-{number}") != settled(number)
    ]
    begun = set(told["begun"]) | {len(told["begun"])}  # one more may be on its way
    strangers = {int(it.key.removeprefix("key-")) for it in journal.open_intents()} - begun
    await journal.begin(intent(99))
    await journal.close()
    return faults + [f"{number} was never begun" for number in strangers]

"""How often a service has crashed of late, written down before it works.

    with Starts(state_dir / "starts", "trader-manager", clock) as starts:
        wait(starts.delay_ms)
        work()
        starts.ended_well()

A process holds a file of its own, locked, for as long as it lives. One that is there and held by
nobody is a process that ended without saying so: a crash, a power cut, a kill -9. Several processes
of one service may share the folder. What cannot be read counts as a crash, never as none.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

import structlog

from suite.clock import Clock
from suite.crashes import CRASH_DELAY_MS, delay_ms, recent

_log = structlog.get_logger(__name__)


class Starts:
    """The starts of one service; a context.

    Args:
        folder: where they are written down.
        name: of the service.
        clock: wall time.
        pause_ms: before a start after many crashes.

    Attributes:
        crashes: of late, by the time of this start.
        delay_ms: how long this start has to wait.

    Where the folder cannot be written to, nothing is counted, and the log says so.
    """

    def __init__(
        self, folder: Path, name: str, clock: Clock, *, pause_ms: int = CRASH_DELAY_MS
    ) -> None:
        self.crashes = 0
        self.delay_ms = 0
        self._folder = folder / name
        self._clock = clock
        self._pause_ms = pause_ms
        self._mine: IO[str] | None = None
        self._is_well = False

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._alone():
                now_ms = self._clock.now_ms()
                crashes = recent(self._read(now_ms), now_ms=now_ms)
                for left in sorted(self._folder.glob("*.running")):
                    if _is_left(left):
                        crashes.append(now_ms)
                        left.unlink()
                self._write(crashes)
                # Locked before it has its name: another start never sees it unlocked.
                draft = self._folder / f"{os.getpid()}.draft"
                self._mine = draft.open("w")
                fcntl.flock(self._mine, fcntl.LOCK_EX)
                draft.rename(self._place())
        except OSError as error:  # a service that keeps nothing may run on a disk it cannot write
            _log.warning("starts_not_counted", folder=str(self._folder), reason=error.strerror)
            return self
        self.crashes = len(crashes)
        self.delay_ms = delay_ms(crashes, now_ms=now_ms, pause_ms=self._pause_ms)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_well:
            with contextlib.suppress(OSError):
                self._place().unlink(missing_ok=True)
        if self._mine is not None:
            self._mine.close()

    def ended_well(self) -> None:
        """Say that the process ends because somebody wants it to, or cannot start as it is told."""
        self._is_well = True

    def _place(self) -> Path:
        return self._folder / f"{os.getpid()}.running"

    def _read(self, now_ms: int) -> list[int]:
        try:
            value = json.loads((self._folder / "crashes.json").read_bytes())
            if isinstance(value, list) and all(type(one) is int for one in value):
                return sorted(min(one, now_ms) for one in value)  # of a clock that was ahead
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            pass
        return [now_ms]

    def _write(self, crashes: list[int]) -> None:
        draft = self._folder / f"crashes.{os.getpid()}"
        with draft.open("w") as file:
            json.dump(crashes, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / "crashes.json")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _is_left(place: Path) -> bool:
    """Whether the process of a file is gone."""
    try:
        with place.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

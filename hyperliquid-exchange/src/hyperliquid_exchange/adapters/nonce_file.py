"""Nonces: one sequence a signer, never twice, whatever the clock does or when the process ends.

A file a signer holds a mark that all nonces so far are below. It is moved ahead of use, so a start
goes on above everything that may have been signed, without a write for each nonce. It is one record
of fixed length, written in place within a sector: that is there as a whole or not at all, and needs
no space on a full disk. Where the disk refuses to move the mark, the numbers that are left below it
are used up first: a minute's worth, enough to cancel and to close.

The venue takes nothing that is a day ahead of its time. A clock that jumps days ahead, if only for
a moment, would leave the signer without a nonce that is taken until those days are over; so no
nonce is farther ahead of the time that this process has measured itself than the venue takes.
"""

import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import structlog

from suite.clock import Clock
from suite.errors import StorageError

AHEAD_MS: Final = 60_000
"""How far the mark is moved ahead of the nonce that needs it."""
REACH_MS: Final = 72_000_000
"""How far a clock that jumps is followed: 20 hours of the day that the venue allows."""
_RECORD: Final = 128
_WORD: Final = 1 << 63

_log = structlog.get_logger(__name__)


class _Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says: all nonces of the signer are below the mark."""

    signer: str
    mark: int


@dataclass(slots=True)
class _Sequence:
    """One signer: the newest nonce, and the mark that is on the disk."""

    last: int
    mark: int
    is_stuck: bool = False


_decode = msgspec.json.Decoder(_Mark).decode


def _running_s() -> float:
    """Seconds that no step of the wall clock changes; a sleep of the machine counts, on Linux."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class NonceFiles:
    """The sequences of all signers of this process; who calls owns them.

    Args:
        folder: of the files; made when missing.
        clock: the machine's.
        ahead_ms: as `AHEAD_MS`.
        running_s: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        ahead_ms: int = AHEAD_MS,
        running_s: Callable[[], float] = _running_s,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._ahead_ms = ahead_ms
        self._running_s = running_s
        self._began = clock.now_ms(), running_s()
        self._is_ahead = False
        self._sequences: dict[str, _Sequence] = {}

    def open(self, signer: str) -> None:
        """Read where a signer's sequence goes on.

        Args:
            signer: its address, lower case.

        Raises:
            StorageError: the file is damaged, or cannot be read or made.
        """
        path = self._path(signer)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            self._sequences[signer] = _Sequence(last=0, mark=0)
            return
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from None
        mark = _read(content, signer)
        if mark is None:
            raise StorageError(
                f"{path} is damaged, so nobody can say which nonces were used: make sure that the "
                "clock is right and nothing else signs with this key, then move the file away"
            )
        self._sequences[signer] = _Sequence(last=mark, mark=mark)

    def next(self, signer: str) -> int:
        """Take the next one: `max(now, last + 1)`, below the mark.

        Raises:
            StorageError: the mark cannot be moved, and nothing is left below it.
        """
        if signer not in self._sequences:
            self.open(signer)
        sequence = self._sequences[signer]
        nonce = max(self._now_ms(), sequence.last + 1)
        if nonce >= sequence.mark:
            nonce = self._beyond(signer, sequence, nonce)
        sequence.last = nonce
        return nonce

    def _now_ms(self) -> int:
        """Wall time, as far ahead as the venue may take it."""
        now_ms, (began_ms, began_s) = self._clock.now_ms(), self._began
        most = began_ms + int((self._running_s() - began_s) * 1000) + REACH_MS
        if now_ms > most and not self._is_ahead:
            _log.error("clock_jumped_ahead", now_ms=now_ms, followed_to_ms=most)
        self._is_ahead = now_ms > most
        return min(now_ms, most)

    def _beyond(self, signer: str, sequence: _Sequence, nonce: int) -> int:
        """Move the mark beyond a nonce; below it, with the next that is left, where it stays."""
        mark = nonce + self._ahead_ms
        try:
            self._write(self._path(signer), _Mark(signer, mark))
        except OSError as error:
            if sequence.last + 1 < sequence.mark:
                if not sequence.is_stuck:
                    _log.error("nonce_mark_stuck", signer=signer, reason=error.strerror)
                sequence.is_stuck = True
                return sequence.last + 1
            raise StorageError(
                f"cannot write {self._path(signer)}: {error.strerror}; nothing can be signed"
            ) from None
        sequence.mark, sequence.is_stuck = mark, False
        return nonce

    def _path(self, signer: str) -> Path:
        return self._folder / f"{signer}.nonce"

    def _write(self, path: Path, mark: _Mark) -> None:
        """Write the record in place; a new file appears as a whole."""
        record = _framed(mark)
        if path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(handle, record, 0)
                os.fdatasync(handle)
            finally:
                os.close(handle)
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(".draft")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, record)
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.replace(path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _framed(mark: _Mark) -> bytes:
    content = msgspec.json.encode(mark)
    return b"%08x %s" % (zlib.crc32(content), content.ljust(_RECORD - 10)) + b"\n"


def _read(content: bytes, signer: str) -> int | None:
    """Read a record; None where it is not exactly what was written for this signer."""
    try:
        found = _decode(content[9:])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    is_whole = content == _framed(found) and found.signer == signer and 0 < found.mark < _WORD
    return found.mark if is_whole else None

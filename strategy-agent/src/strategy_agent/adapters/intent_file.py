"""Intents on disk: an append-only file of JSON lines, safe once a call returns.

A line is `crc32 json`, and its JSON carries a number that grows by one: `{"n": 1, "opened": ...}`
once, then `{"n": ..., "begin": ...}` and `{"n": ..., "settle": ...}`. The last line of a process
that was killed may be unfinished; it was never acknowledged and is dropped. Anything else that is
wrong was damaged afterwards: nobody can say what became of those orders, so the file is refused.
"""

import contextlib
import fcntl
import os
import zlib
from pathlib import Path
from typing import Final

import msgspec
import structlog

from strategy_agent.application.ports import DurableIntent
from suite.contracts.venue import ActionReply
from suite.errors import StorageError

MOST_BYTES: Final = 4 << 20
"""The file is written anew, with the open intents alone, when it has grown to this."""
MOST_OPEN: Final = 10_000
"""Open intents at which nothing more is begun."""

_log = structlog.get_logger(__name__)


class _Settled(msgspec.Struct, frozen=True):
    """What became of an intent: the exchange's answer, or None when it was never executed."""

    key: str
    reply: ActionReply | None


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record; exactly one of the three is there."""

    n: int
    opened: int | None = None
    begin: DurableIntent | None = None
    settle: _Settled | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


class IntentFile:
    """The intents of one trader; one process at a time.

    Args:
        path: of the file; its folder is made when missing.
        most_bytes: as `MOST_BYTES`.

    Raises:
        StorageError: it cannot be read or written, another process has it, or it is damaged.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._open: dict[str, DurableIntent] = {}
        self._handle = -1
        self._end = self._count = self._compact_at = 0
        self.generation = 0
        """How often the file was opened, this time included."""
        self._own = self._lock()
        try:
            self._read()
            self.generation += 1
            self._write_anew()
        except OSError as error:
            self.close()
            raise self._fault("open", error) from None
        except StorageError:
            self.close()
            raise

    def begin(self, intent: DurableIntent) -> None:
        """Write an intent down; on return it survives a power cut.

        Raises:
            StorageError: it could not be written.
        """
        if len(self._open) >= MOST_OPEN:
            raise StorageError(f"{self._path}: {MOST_OPEN} intents are open; nothing more is sent")
        self._append(_Line(n=self._count, begin=intent), durable=True)
        self._open[intent.key] = intent

    def settle(self, key: str, reply: ActionReply | None) -> None:
        """Note what became of it; None when it was never executed. May be lost in a power cut.

        Raises:
            StorageError: it could not be written.
        """
        self._open.pop(key, None)
        self._append(_Line(n=self._count, settle=_Settled(key, reply)), durable=False)
        if self._end >= self._compact_at:
            try:
                self._write_anew()
            except OSError as error:
                raise self._fault("write", error) from None

    def holds(self, intent: DurableIntent) -> bool:
        """Whether this very intent was written down and its fate not noted."""
        return self._open.get(intent.key) == intent

    def open_intents(self) -> tuple[DurableIntent, ...]:
        """Tell the intents whose fate was not noted, oldest first."""
        return tuple(self._open.values())

    def close(self) -> None:
        """Let another process have it."""
        for handle in (self._handle, self._own):
            if handle >= 0:
                os.close(handle)
        self._handle = self._own = -1

    # the file

    def _lock(self) -> int:
        """Take the lock of the file; it ends with this process."""
        name = self._path.with_name(f"{self._path.name}.lock")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._fault("open", error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise StorageError(
                f"{self._path} is in use: another process trades for this trader; stop it first"
            ) from None
        return handle

    def _read(self) -> None:
        """Take in what is there.

        Raises:
            StorageError: it is damaged.
        """
        data = self._path.read_bytes() if self._path.exists() else b""
        whole, _, rest = data.rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        if rest and (_is_whole(rest) or _is_whole(rest[:-1])):
            lines.append(rest)  # all but its end, or its end is damaged
        elif rest:
            _log.warning("intent_tail_dropped", path=str(self._path), dropped_bytes=len(rest))
        for number, text in enumerate(lines):
            self._take(number, text)

    def _take(self, number: int, text: bytes) -> None:
        problem = "" if _is_whole(text) else "its checksum is another"
        if not problem:
            try:
                line = _decode(text.partition(b" ")[2])
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                problem = str(error)
            else:
                problem = "" if line.n == number else f"its own number is {line.n + 1}"
        if problem:
            raise StorageError(
                f"{self._path} is damaged in line {number + 1} ({problem}): look up at the "
                "exchange which orders are open, then move the file away"
            )
        if line.opened is not None:
            self.generation = line.opened
        elif line.begin is not None:
            self._open[line.begin.key] = line.begin
        elif line.settle is not None:
            self._open.pop(line.settle.key, None)

    def _write_anew(self) -> None:
        """Put a file in place that holds nothing but the open intents, whole or not at all."""
        lines = [_Line(n=0, opened=self.generation)]
        lines += [_Line(n=n, begin=i) for n, i in enumerate(self._open.values(), 1)]
        data = b"".join(map(_framed, lines))
        draft = self._path.with_name(f"{self._path.name}.draft")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            _write_all(handle, data)
            os.fsync(handle)
            draft.replace(self._path)
        except OSError:
            os.close(handle)
            raise
        old, self._handle = self._handle, handle
        if old >= 0:
            os.close(old)
        self._end, self._count = len(data), len(lines)
        self._compact_at = max(self._most_bytes, 2 * len(data))
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _append(self, line: _Line, *, durable: bool) -> None:
        data = _framed(line)
        try:
            _write_all(self._handle, data)
            if durable:
                os.fdatasync(self._handle)
        except OSError as error:
            self._take_back()
            raise self._fault("write", error) from None
        self._end += len(data)
        self._count += 1

    def _take_back(self) -> None:
        """Cut off what a refused append left; where that fails, nothing more is written."""
        try:
            os.ftruncate(self._handle, self._end)
            os.lseek(self._handle, self._end, os.SEEK_SET)
        except OSError:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = -1

    def _fault(self, what: str, error: OSError) -> StorageError:
        return StorageError(f"cannot {what} the intents {self._path}: {error.strerror or error}")


def _is_whole(text: bytes) -> bool:
    check, _, content = text.partition(b" ")
    return check == _checksum(content)


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)


def _framed(line: _Line) -> bytes:
    content = _encode(line)
    return _checksum(content) + b" " + content + b"\n"


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]

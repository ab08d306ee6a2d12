"""Files of the journal: numbered segments, each going on from the one before.

A segment appears as a whole with its first record (draft, sync, rename), and grows by lines. The
last line of a process that was killed may be unfinished; it was never acknowledged and is dropped.
Anything else that is wrong was damaged afterwards: nobody can say what became of those actions, so
the journal is refused.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog

from hyperliquid_exchange.adapters.intent_journal.records import (
    ORIGIN,
    Head,
    Record,
    content_of,
    decoded,
    encoded,
    framed,
    is_next,
)
from suite.errors import InUse, StorageError

_NAME: Final = re.compile(r"(\d{8})\.intents", re.ASCII)
_log = structlog.get_logger(__name__)

Take = Callable[[int, bytes, Record], None]
"""Told of each record: its segment, its JSON, and what that says."""


class Segments:
    """The files in one folder; one process at a time.

    Args:
        folder: made when missing.

    Raises:
        InUse: another process has it.
        StorageError: the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle = -1
        self._lock = self._locked()
        self.sizes: dict[int, int] = {}
        """Bytes that count, by segment, oldest first."""
        self.newest = 0
        """Number of the segment that is written; 0 before the first."""
        self._chain = ORIGIN

    @property
    def size(self) -> int:
        """Bytes of the newest that count."""
        return self.sizes.get(self.newest, 0)

    # reading

    def read(self, take: Take) -> None:
        """Take in everything that is there, and have it survive a power cut from now on.

        A process that was killed may have left what was never synced. The next segment says where
        this one ends, so what was read has to be there then.

        Raises:
            StorageError: it is damaged, or cannot be read.
        """
        try:
            found = self._found()
            contents = {number: path.read_bytes() for number, path in found.items()}
        except OSError as error:
            raise self.fault("read", error) from None
        heads = {number: self._head(number, contents[number]) for number in found}
        if not heads:
            return
        newest = max(heads)
        oldest = heads[newest].oldest
        for number in range(oldest, newest + 1):
            if number not in heads:
                raise self._damaged(number, 1, "the file is missing")
        chain = bytes.fromhex(heads[oldest].chain)
        for number in range(oldest, newest + 1):
            if heads[number].chain != chain.hex():
                raise self._damaged(number, 1, "it does not go on from the one before")
            end = heads[number + 1].end if number < newest else None
            chain = self._read_one(number, contents[number], chain, end, take)
        self._chain = chain
        try:
            self._sync(self._path(newest))
        except OSError as error:
            raise self.fault("write", error) from None

    def _read_one(
        self, number: int, data: bytes, chain: bytes, end: int | None, take: Take
    ) -> bytes:
        """Read one segment, up to its end where a later one tells it; the chain after it."""
        if end is not None and len(data) < end:
            raise self._damaged(number, data.count(b"\n") + 1, "it is too short")
        size = 0
        for place, line, is_whole in _lines(data if end is None else data[:end]):
            if not is_next(chain, line):
                if not is_whole and end is None and not is_next(chain, line[:-1]):
                    _log.warning(
                        "intent_tail_dropped",
                        path=str(self._path(number)),
                        dropped_bytes=len(line),
                    )
                    break
                raise self._damaged(number, place, "its checksum is another")
            content = content_of(line)
            try:
                record = decoded(content)
            except ValueError as error:
                raise self._damaged(number, place, str(error)) from None
            _, chain = framed(chain, [content])
            size += len(line) + is_whole
            take(number, content, record)
        self.sizes[number] = size
        self.newest = number
        return chain

    def _head(self, number: int, data: bytes) -> Head:
        line = data.partition(b"\n")[0]
        try:
            head = decoded(content_of(line)).head
            is_right = head is not None and is_next(bytes.fromhex(head.chain), line)
        except ValueError:
            head, is_right = None, False
        if head is None or not is_right or head.segment != number:
            raise self._damaged(number, 1, "it does not say what it is")
        return head

    def _found(self) -> dict[int, Path]:
        found = {}
        for path in sorted(self._folder.iterdir()):
            if (match := _NAME.fullmatch(path.name)) is not None:
                found[int(match[1])] = path
        return found

    # writing

    def begin(self, contents: list[bytes], at_ms: int, drop: int) -> None:
        """Begin the next segment, safe once this returns.

        Args:
            contents: records that it begins with.
            at_ms: wall time.
            drop: how many of the oldest segments are not needed any more.

        Raises:
            OSError: the disk refuses; the segment before is still the newest.
        """
        number = self.newest + 1
        oldest = [*sorted(self.sizes), number][drop]
        head = Head(segment=number, oldest=oldest, end=self.size, chain=self._chain.hex())
        data, chain = framed(self._chain, [encoded(Record(at_ms=at_ms, head=head)), *contents])
        draft, path = self._folder / "draft", self._path(number)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(handle, data)
            os.fsync(handle)
            draft.replace(path)
            self._sync_folder()
        except OSError:
            os.close(handle)
            # of two with one number nobody could say which counts
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        old, self._handle = self._handle, handle
        if old >= 0:
            os.close(old)
        self._chain = chain
        self.sizes[number] = len(data)
        self.newest = number
        for gone in [known for known in self.sizes if known < oldest]:
            del self.sizes[gone]
            with contextlib.suppress(OSError):
                self._path(gone).unlink()

    def append(self, contents: list[bytes], *, sync: bool) -> None:
        """Write records behind the newest.

        Args:
            contents: of them.
            sync: they survive a power cut once this returns.

        Raises:
            OSError: the disk refuses. Nothing may be appended here any more, as nobody can say
                what of it is there: go on with `begin`, and all that was not synced.
        """
        data, chain = framed(self._chain, contents)
        _write_all(self._handle, data)
        if sync:
            os.fdatasync(self._handle)
        self._chain = chain
        self.sizes[self.newest] += len(data)

    def mark(self) -> tuple[int, bytes]:
        """Tell where the newest segment ends, to go back there."""
        return self.size, self._chain

    def back_to(self, mark: tuple[int, bytes]) -> None:
        """Forget what was appended behind a mark; the next segment goes on from there."""
        self.sizes[self.newest], self._chain = mark

    def close(self) -> None:
        """Let another process have them."""
        for handle in (self._handle, self._lock):
            if handle >= 0:
                os.close(handle)
        self._handle = self._lock = -1

    def fault(self, what: str, error: OSError) -> StorageError:
        """Tell what the disk refuses."""
        return StorageError(
            f"cannot {what} the intents in {self._folder}: {error.strerror or error}"
        )

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08}.intents"

    def _damaged(self, number: int, line: int, why: str) -> StorageError:
        return StorageError(
            f"{self._path(number)} is damaged in line {line} ({why}): look up at the venue which "
            "orders are open and what was filled, then move the folder away"
        )

    def _sync(self, path: Path) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _locked(self) -> int:
        name = self._folder / "lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"cannot open {name}: {error.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise InUse(
                f"the intents in {self._folder} are another process's; stop it first"
            ) from None
        return handle


def _lines(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Split into lines: number from 1, text without its end, and whether it had one."""
    *whole, rest = data.split(b"\n")
    for place, line in enumerate(whole, 1):
        yield place, line, True
    if rest:
        yield len(whole) + 1, rest, False


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]

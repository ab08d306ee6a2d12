"""Journals of worlds: one file each, `<folder>/<world>.world`, only ever appended to.

A frame is a head of 36 bytes and the record: `magic, length, sequence, chain, CRC-32 of the head so
far`. The chain is the first half of SHA-256 over the chain before, the sequence and the record: it
is a checksum of both, and tells a record that is missing, moved or written anew. The head has its
own checksum, so that a length is never believed that was damaged.

A record is with the operating system before it acts, so a killed process loses none. With `sync`
it is on the disk as well and survives a power cut; without, the last ones before a power cut may be
missing, and the world goes on from what is there.

What a crash or a power cut has left unfinished at the end was never acknowledged and is dropped.
Everything else that is wrong was damaged afterwards, and is refused: what came behind it is part of
no world. Where the disk refuses a record, what there is of it is taken back.
"""

import contextlib
import fcntl
import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from suite.errors import InUse, StorageError

SUFFIX: Final = ".world"
DEFAULT_FILE: Final = "default"
_MAGIC: Final = b"WRLD"
_HEAD: Final = struct.Struct("<4sIQ16s")
_SUM: Final = struct.Struct("<I")
HEAD_BYTES: Final = _HEAD.size + _SUM.size
CHAIN_BYTES: Final = 16
_ORIGIN: Final = bytes(CHAIN_BYTES)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A record and where it is.

    Attributes:
        sequence: from 1.
        end: first byte behind it.
        chain: after it.
    """

    sequence: int
    end: int
    chain: bytes
    content: bytes


def framed(sequence: int, chain: bytes, content: bytes) -> tuple[bytes, bytes]:
    """Write a record that follows a chain; its bytes, and the chain after it."""
    chain = _next(chain, sequence, content)
    head = _HEAD.pack(_MAGIC, len(content), sequence, chain)
    return head + _SUM.pack(zlib.crc32(head)) + content, chain


def _next(chain: bytes, sequence: int, content: bytes) -> bytes:
    return hashlib.sha256(chain + sequence.to_bytes(8, "little") + content).digest()[:CHAIN_BYTES]


def frames(data: bytes, path: Path) -> Iterator[Frame]:
    """Read a file up to its end, or to what was left unfinished there.

    Raises:
        StorageError: it is damaged; says where, and what to do.
    """
    at, sequence, chain = 0, 1, _ORIGIN
    while len(data) - at >= HEAD_BYTES:
        head, (told,) = data[at : at + _HEAD.size], _SUM.unpack_from(data, at + _HEAD.size)
        if not any(head) and not any(data[at:]):
            return  # a power cut leaves zeros where a file had grown and its bytes had not come
        if zlib.crc32(head) != told:
            raise _damaged(path, sequence, at, "its head is another than was written")
        magic, length, number, sealed = _HEAD.unpack(head)
        if magic != _MAGIC or number != sequence:
            raise _damaged(path, sequence, at, "another record stands in its place")
        start = at + HEAD_BYTES
        if len(data) - start < length:
            return
        content = data[start : start + length]
        chain = _next(chain, sequence, content)
        if chain != sealed:
            raise _damaged(path, sequence, at, "its checksum is another")
        at = start + length
        yield Frame(sequence=sequence, end=at, chain=chain, content=content)
        sequence += 1


def _damaged(path: Path, sequence: int, at: int, why: str) -> StorageError:
    return StorageError(
        f"{path} is damaged in record {sequence} (byte {at}: {why}): restore the file from a copy, "
        "or move it away; the world is then begun anew by whoever asks for it"
    )


def verified(path: Path) -> str:
    """Read a journal and tell in words what there is of it.

    Raises:
        StorageError: it is damaged, or cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None
    last = None
    for frame in frames(data, path):
        last = frame
    if last is None:
        return "nothing was written in it yet"
    text = f"{last.sequence} records, {last.end} bytes, whole; chain {last.chain.hex()}"
    rest = len(data) - last.end
    if not rest:
        return text
    return f"{text}; {rest} bytes behind them were never acknowledged: the next start drops them"


class WorldFile:
    """The journal of one world; one process at a time.

    Args:
        path: of the file; made when missing.
        sync: every record is on the disk before it acts.

    Attributes:
        place: its path.

    Raises:
        InUse: another process has it.
        StorageError: it cannot be opened.
    """

    def __init__(self, path: Path, *, sync: bool) -> None:
        self._path = path
        self.place = str(path)
        self._sync = sync
        self._end = 0
        self._sequence = 1
        self._chain = _ORIGIN
        self._is_longer = False
        """Something of a record that was refused may stand behind the end."""
        self._trouble = ""
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._handle = os.open(path, flags, 0o600)
        except OSError as error:
            raise self._fault(error) from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise InUse(f"the world in {path} is another process's") from None

    def read(self) -> Iterator[bytes]:
        """Read all records, oldest first; what was left unfinished behind them is taken off.

        Raises:
            StorageError: it is damaged, or cannot be read.
        """
        try:
            data = self._path.read_bytes()
        except OSError as error:
            raise self._fault(error) from None
        for frame in frames(data, self._path):
            self._end, self._sequence, self._chain = frame.end, frame.sequence + 1, frame.chain
            yield frame.content
        if self._end < len(data):
            dropped = len(data) - self._end
            _log.warning("world_tail_dropped", path=str(self._path), dropped_bytes=dropped)
            self._is_longer = True

    def append(self, content: bytes) -> None:
        """Write a record behind the newest.

        Raises:
            StorageError: the disk does not take it; it was not written.
        """
        if self._trouble:
            raise StorageError(self._trouble)
        data, chain = framed(self._sequence, self._chain, content)
        try:
            if self._is_longer:
                os.ftruncate(self._handle, self._end)
                self._is_longer = False
            self._write(data)
        except OSError as error:
            self._is_longer = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._end)
                self._is_longer = False
            raise self._fault(error) from None
        if self._sync:
            self._synced()
        self._end += len(data)
        self._sequence, self._chain = self._sequence + 1, chain

    def close(self) -> None:
        """Let another process have it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _write(self, data: bytes) -> None:
        at, view = self._end, memoryview(data)
        while view:
            written = os.pwrite(self._handle, view, at)
            at, view = at + written, view[written:]

    def _synced(self) -> None:
        """Wait for the disk; once it has refused, nobody can say what of the file it holds."""
        try:
            os.fdatasync(self._handle)
        except OSError as error:
            self._trouble = (
                f"the disk does not say that it has {self._path} ({error.strerror}): "
                "start the service again"
            )
            raise StorageError(self._trouble) from None

    def _fault(self, error: OSError) -> StorageError:
        return StorageError(
            f"cannot keep the world in {self._path}: {error.strerror}; nothing was changed: "
            "make room, or free the disk, and send it again"
        )


class WorldFiles:
    """Journals of all worlds of a process.

    Args:
        folder: made at the first use.
        sync: as of `WorldFile`.
    """

    def __init__(self, folder: Path, *, sync: bool = False) -> None:
        self._folder = folder
        self._sync = sync

    def begin(self, world_id: str) -> WorldFile:
        """Begin one; an earlier one of the name is replaced.

        Raises:
            InUse: another process has it.
            StorageError: it cannot be made.
        """
        path = self._path(world_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = WorldFile(path, sync=self._sync)
            os.truncate(path, 0)
            if self._sync:
                _sync_folder(self._folder)
        except OSError as error:
            raise StorageError(f"cannot keep worlds in {self._folder}: {error.strerror}") from None
        return file

    def kept(self) -> Iterator[WorldFile]:
        """Open those that are there, oldest first; those of other processes are left out."""
        if not self._folder.is_dir():
            return
        found = [path for path in self._folder.iterdir() if path.suffix == SUFFIX]
        for path in sorted(found, key=lambda path: (path.stat().st_ctime_ns, path.name)):
            try:
                file = WorldFile(path, sync=self._sync)
            except InUse:
                _log.warning("world_is_another_process_s", path=str(path))
                continue
            if not _begun(path):  # killed before its first record was whole: nobody was told of it
                path.unlink()
                file.close()
                continue
            yield file

    def remove(self, world_id: str) -> None:
        """Forget a world."""
        with contextlib.suppress(FileNotFoundError):
            self._path(world_id).unlink()

    def _path(self, world_id: str) -> Path:
        return self._folder / f"{world_id or DEFAULT_FILE}{SUFFIX}"


def _begun(path: Path) -> bool:
    try:
        return next(frames(path.read_bytes(), path), None) is not None
    except StorageError:
        return True  # who reads it is told


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Bars between the venue and the store: one append-only file, safe once a call returns.

Every append is one frame: `magic, length, CRC-32 of the bytes, CRC-32 of this head`, then the
bytes. A writer that was killed, or lost its power, leaves the last frame unfinished: it was never
acknowledged and is dropped. A frame that is whole but wrong was damaged afterwards: the file is
kept aside with the reason, and every frame that is right, before and behind it, stays.
"""

import contextlib
import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import structlog

from suite.bars import Bars
from suite.errors import StorageError
from suite.klines import COLUMNS, Source, bars_of

MOST_BYTES: Final = 64 << 20
"""Largest journal: a million bars."""

_MAGIC = b"BARJ"
_HEAD = struct.Struct("<4sIII")
_log = structlog.get_logger(__name__)

_KINDS = {name: "<i8" if name == COLUMNS[0] else "<f8" for name in COLUMNS}

Item = tuple[Source, str, Bars]


class _Entry(msgspec.Struct, array_like=True, frozen=True):
    source: str
    coin: str
    interval_ms: int
    columns: tuple[bytes, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[_Entry, ...]).decode


class BarJournal:
    """Holds bars until the store has them. Nothing may be appended during a flush to the store.

    Args:
        path: of its file; made, with its folder, at the first use.
        most_bytes: an append beyond it is refused.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._handle: int | None = None
        self._owned: int | None = None
        self._end = 0
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """How much is in it."""
        return self._end

    def append(self, items: Sequence[Item]) -> None:
        """Write bars; they are safe when this returns, all or none of them.

        Raises:
            StorageError: the disk refuses, the journal is full, or another process has it.
        """
        frame = _framed(_encode([_entry(*item) for item in items]))
        with self._lock, self._told("write to"):
            handle = self._opened()
            if self._end + len(frame) > self._most_bytes:
                raise StorageError(f"{self._path} is full at {self._end} bytes; flush the store")
            try:
                _write_all(handle, frame)
                os.fsync(handle)
            except OSError:
                self._take_back()
                raise
            self._end += len(frame)

    def replay(self) -> Iterator[Item]:
        """Read everything that was appended since the last `forget`, in its order.

        Raises:
            StorageError: the file cannot be read, or another process has it.
        """
        with self._lock, self._told("read"):
            self._opened()
            data = self._path.read_bytes()
        for payload in _frames(data).payloads:
            try:
                items = [_item(entry) for entry in _decode(payload)]
            except (msgspec.MsgspecError, ValueError) as error:
                raise StorageError(
                    f"{self._path} holds what this version cannot read: {error}; "
                    "start the version that wrote it, or move the file away"
                ) from None
            yield from items

    def forget(self) -> None:
        """Drop everything: the store has it.

        Raises:
            StorageError: the disk refuses.
        """
        with self._lock, self._told("empty"):
            handle = self._opened()
            os.ftruncate(handle, 0)
            self._end = 0
            os.fsync(handle)

    def close(self) -> None:
        """Let another process have it."""
        with self._lock:
            for handle in (self._handle, self._owned):
                if handle is not None:
                    os.close(handle)
            self._handle = self._owned = None

    def _opened(self) -> int:
        """Open the file at first use, and put in order what a crash left of it."""
        if self._handle is None:
            if self._owned is None:
                self._owned = self._own()
            self._end = self._recover()
            self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        return self._handle

    def _own(self) -> int:
        """Take the lock of the file; it ends with this process."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        name = self._path.with_name(f"{self._path.name}.lock")
        owned = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(owned)
            raise StorageError(f"{self._path} is in use by another process") from None
        return owned

    def _recover(self) -> int:
        """Drop an unfinished frame, put a damaged file aside; say where the next frame goes."""
        data = self._path.read_bytes() if self._path.exists() else None
        found = _frames(data or b"")
        if found.damage and data is not None:
            aside = self._path.with_name(f"{self._path.name}.damaged-{zlib.crc32(data):08x}")
            _put(aside, data)
            _put(aside.with_name(f"{aside.name}.txt"), "\n".join(found.damage).encode() + b"\n")
            _log.error("journal_damaged", kept_as=str(aside), reason=found.damage[0])
        elif data is not None and found.end < len(data):
            _log.warning(
                "journal_tail_dropped", path=str(self._path), dropped_bytes=len(data) - found.end
            )
        good = b"".join(map(_framed, found.payloads))
        if good != data:
            _put(self._path, good)
        return len(good)

    def _take_back(self) -> None:
        """Cut off what a refused append left; where that fails, the next use recovers."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, self._end)
            os.close(handle)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"cannot {what} {self._path}: {reason}") from None


@dataclass(frozen=True, slots=True)
class _Found:
    """What a file holds.

    Attributes:
        payloads: of all frames that are right.
        end: where the last whole frame ends.
        damage: what is wrong, empty when at most the last frame is unfinished.
    """

    payloads: list[bytes]
    end: int
    damage: list[str]


def _frames(data: bytes) -> _Found:
    payloads: list[bytes] = []
    damage: list[str] = []
    place = 0
    while place < len(data):
        length = _length(data, place)
        if length is None:
            rest = data[place:]
            if len(rest) < _HEAD.size or not rest.strip(b"\0"):
                break  # never finished
            behind = _next_head(data, place + 1)
            damage.append(f"bytes {place} to {behind} are no frame")
            place = behind
            continue
        end = place + _HEAD.size + length
        if end > len(data):
            break  # never finished
        payload = data[place + _HEAD.size : end]
        if zlib.crc32(payload) == _HEAD.unpack_from(data, place)[2]:
            payloads.append(payload)
        else:
            damage.append(f"bytes {place} to {end} do not have their checksum")
        place = end
    return _Found(payloads, place, damage)


def _framed(payload: bytes) -> bytes:
    head = struct.pack("<4sII", _MAGIC, len(payload), zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head)) + payload


def _length(data: bytes, place: int) -> int | None:
    """Length of the bytes of the frame that begins there, None when none does."""
    if len(data) - place < _HEAD.size:
        return None
    magic, length, _, check = _HEAD.unpack_from(data, place)
    head = data[place : place + _HEAD.size - 4]
    return int(length) if magic == _MAGIC and check == zlib.crc32(head) else None


def _next_head(data: bytes, place: int) -> int:
    while (place := data.find(_MAGIC, place)) >= 0:
        if _length(data, place) is not None:
            return place
        place += 1
    return len(data)


def _entry(source: Source, coin: str, bars: Bars) -> _Entry:
    columns = tuple(getattr(bars, name).astype(_KINDS[name]).tobytes() for name in COLUMNS)
    return _Entry(str(source), coin, bars.interval_ms, columns)


def _item(entry: _Entry) -> Item:
    columns = {
        name: np.frombuffer(data, _KINDS[name])
        for name, data in zip(COLUMNS, entry.columns, strict=True)
    }
    return Source.parse(entry.source), entry.coin, bars_of(entry.interval_ms, columns)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _put(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""Copies of series that are ready to be looked at: columns as they lie in memory, one file each.

Decoding a year of minutes costs 20 ms, mapping this file into memory one. It is a copy: deleted or
cut short, it is made again, and where it cannot be written nothing is missed. A copy names the
files it was made of, in their order; from the first that is another one on nothing is taken of it.
"""

import contextlib
import itertools
import json
import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from suite.bars import Bars
from suite.klines import COLUMNS, empty_bars
from suite.service.store_files import StoredFile

LEAST_ROWS: Final = 100_000
"""Shorter series are decoded as fast as a copy is found."""
WORTH: Final = 16
"""A copy is made anew when a sixteenth of a series is not in it: every three weeks for a year."""

_CELL = 8
_HEAD = struct.Struct("<8sQ")
_MAGIC = b"ACTCOLS1"
_drafts = itertools.count()


class ColumnCache:
    """Keeps copies in a folder; any number of processes may do so at once.

    Args:
        folder: where, need not exist; None for nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def find(
        self, series: str, files: Sequence[StoredFile], interval_ms: int
    ) -> tuple[Bars, list[int]]:
        """Map what there is of a series into memory, read-only.

        Args:
            series: its name.
            files: of it as they are now, oldest first.
            interval_ms: length of a bar.

        Returns:
            The bars of the leading files that were copied, and how many rows each of these has.
        """
        nothing = empty_bars(interval_ms), list[int]()
        if self._folder is None:
            return nothing
        try:
            with self._path(series).open("rb") as opened:
                data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            copied, start = _read_head(data)
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            return nothing
        lengths = []
        for file, (rows, *state) in zip(files, copied, strict=False):
            if state != _state(file):
                break
            lengths.append(rows)
        total = sum(rows for rows, *_ in copied)
        columns: list[Any] = []
        for place, name in enumerate(COLUMNS):
            kind = np.int64 if name == COLUMNS[0] else np.float64
            columns.append(np.frombuffer(data, kind, total, start + place * total * _CELL))
        return Bars(interval_ms, *columns).rows(0, sum(lengths)), lengths

    def offer(
        self,
        series: str,
        files: Sequence[StoredFile],
        bars: Bars,
        lengths: Sequence[int],
        *,
        decoded: int,
    ) -> None:
        """Make a copy where that is worth it; a disk that refuses is no error.

        Args:
            series: its name.
            files: of it, oldest first; none has rows before the last one of another.
            bars: all of them.
            lengths: rows of each file.
            decoded: how many rows no copy had.
        """
        if self._folder is None or len(bars) < LEAST_ROWS or decoded * WORTH < len(bars):
            return
        copied = [[rows, *_state(file)] for rows, file in zip(lengths, files, strict=True)]
        head = json.dumps(copied).encode()
        head += b" " * (-(_HEAD.size + len(head)) % _CELL)
        path = self._path(series)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{next(_drafts)}.tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for left in self._folder.glob(f".{path.name}.*.tmp"):
                left.unlink(missing_ok=True)
            with draft.open("xb") as file:
                file.write(_HEAD.pack(_MAGIC, len(head)) + head)
                for name in COLUMNS:
                    file.write(np.ascontiguousarray(getattr(bars, name)).data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def _path(self, series: str) -> Path:
        names = (part.rpartition("=")[2] for part in series.split("/"))
        return (self._folder or Path()) / f"{' '.join(names)}.columns"


def _state(file: StoredFile) -> list[Any]:
    return [file.name, file.size, *file.stamp]


def _read_head(data: mmap.mmap) -> tuple[list[Any], int]:
    """Rows and state of each file, and where the columns begin.

    Raises:
        ValueError: it is no copy, or not a whole one.
    """
    magic, length = _HEAD.unpack_from(data)
    start = _HEAD.size + length
    if magic != _MAGIC or start > len(data):
        raise ValueError("not a copy")
    copied = json.loads(data[_HEAD.size : start])
    if start + sum(rows for rows, *_ in copied) * _CELL * len(COLUMNS) != len(data):
        raise ValueError("not a whole copy")
    return copied, start

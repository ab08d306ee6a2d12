"""A file of lines that each survive a power cut: what was paid for is not asked for again."""

import os
from pathlib import Path
from typing import Self

from suite.errors import StorageError


class AppendedLines:
    """Lines on disk, each synced before the next thing happens.

    Args:
        path: made when missing; what a crash cut short is taken off its end.

    Attributes:
        lines: those that were there, without their ends.

    Raises:
        StorageError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab+")
            self._file.seek(0)
            whole, _, _ = self._file.read().rpartition(b"\n")
            self._file.truncate(len(whole) + 1 if whole else 0)
        except OSError as error:
            raise self._fault(error) from None
        self.lines: list[bytes] = whole.split(b"\n") if whole else []

    def append(self, line: bytes) -> None:
        """Add a line.

        Raises:
            StorageError: the disk does not take it.
        """
        try:
            self._file.write(line + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._fault(error) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fault(self, error: OSError) -> StorageError:
        return StorageError(f"cannot keep {self._path}: {error.strerror}")

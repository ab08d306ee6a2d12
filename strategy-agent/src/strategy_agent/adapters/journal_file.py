"""The journal on disk: one file of JSON lines for each trader, only ever appended to.

What its lines are is said in `strategy_core.journal`.

A file that has grown to its limit is put aside as `<trader>.1.jsonl`, older ones as `.2` and so on;
the oldest beyond `keep` is removed. A line that a crash cut short is left as it is and skipped by
readers. A turn may be told twice, one after the other, where a process was killed in between.
"""

import os
from collections.abc import Iterator
from io import BufferedWriter
from pathlib import Path
from typing import Any, Final

import msgspec

from strategy_core.journal import journal_line
from suite.errors import StorageError

LIMIT_BYTES: Final = 64 << 20
KEEP: Final = 4
_BLOCK: Final = 1 << 16


class JournalFile:
    """The journal of one trader.

    Args:
        directory: made when missing.
        trader_id: names the file.
        limit_bytes: size from which a file is put aside.
        keep: how many files that were put aside are kept.

    Raises:
        StorageError: the file cannot be opened.
    """

    def __init__(
        self,
        directory: Path,
        trader_id: str,
        *,
        limit_bytes: int = LIMIT_BYTES,
        keep: int = KEEP,
    ) -> None:
        self._path = directory / f"{trader_id}.jsonl"
        self._limit_bytes = limit_bytes
        self._keep = keep
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = self._opened()
        except OSError as error:
            raise self._fault(error) from None

    def write(self, kind: str, record: object) -> None:
        """Append a record; it survives the end of the process, however it comes.

        Raises:
            StorageError: the disk does not take it.
        """
        line = journal_line(kind, record)
        try:
            if self._file.tell() + len(line) > self._limit_bytes and self._file.tell():
                self._put_aside()
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise self._fault(error) from None

    def decisions(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Read decisions of the present run back, newest first.

        Only as much of the file is read as is needed. A turn that is there twice, as its process
        was killed before it remembered that it had told it, is one: the last that was answered.

        Args:
            limit: how many at most.
            before: number of a decision; only earlier ones are told.
        """
        found: list[dict[str, Any]] = []
        for line in self._backwards():
            try:
                entry = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # cut short by a crash
            match entry:
                case {"type": "run", "run": {"continued": False}}:
                    break  # the numbers of an earlier run have nothing to do with these
                case {"type": "decision", "decision": {"decision": int(number)} as decision}:
                    if found and found[-1].get("decision") == number:
                        if found[-1].get("results") is None:
                            found[-1] = decision
                    elif len(found) >= limit:
                        break
                    elif before is None or number < before:
                        found.append(decision)
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _opened(self) -> BufferedWriter:
        file = self._path.open("ab")
        if file.tell():
            with self._path.open("rb") as reader:
                reader.seek(-1, os.SEEK_END)
                if reader.read(1) != b"\n":
                    file.write(b"\n")
        return file

    def _put_aside(self) -> None:
        self._file.close()
        self._aside(self._keep).unlink(missing_ok=True)
        for number in range(self._keep - 1, 0, -1):
            if self._aside(number).exists():
                self._aside(number).replace(self._aside(number + 1))
        if self._keep:
            self._path.replace(self._aside(1))
        else:
            self._path.unlink()
        self._file = self._opened()

    def _aside(self, number: int) -> Path:
        return self._path.with_suffix(f".{number}.jsonl")

    def _backwards(self) -> Iterator[bytes]:
        """Read lines from the end, this file first, then those that were put aside."""
        for path in (self._path, *(self._aside(number) for number in range(1, self._keep + 1))):
            try:
                with path.open("rb") as file:
                    rest = b""
                    for at in range(file.seek(0, os.SEEK_END), 0, -_BLOCK):
                        start = max(0, at - _BLOCK)
                        file.seek(start)
                        first, *lines = (file.read(at - start) + rest).split(b"\n")
                        yield from (line for line in reversed(lines) if line)
                        rest = first
                    if rest:
                        yield rest
            except FileNotFoundError:
                return
            except OSError as error:
                raise self._fault(error) from None

    def _fault(self, error: OSError) -> StorageError:
        return StorageError(f"cannot write the journal {self._path}: {error.strerror}")


class NoJournal:
    """Keeps nothing."""

    def write(self, kind: str, record: object) -> None:
        """Keep nothing."""

    def decisions(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Remember nothing."""
        return []

    def close(self) -> None:
        """Close nothing."""

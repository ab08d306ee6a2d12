"""The journal on disk: one file of JSON lines for each trader, only ever appended to.

A run begins with `{"type": "run", ...}`, has one `{"type": "decision", ...}` for each decision, and
ends with `{"type": "result", ...}` unless the process was stopped before. Times are the venue's.
"""

from io import BufferedWriter
from pathlib import Path

import msgspec

from strategy_core.journal import DecisionRecord, TraderResult
from suite.errors import StorageError


class JournalFile:
    """The journal of one trader.

    Args:
        directory: made when missing.
        trader_id: names the file.

    Raises:
        StorageError: the file cannot be opened.
    """

    def __init__(self, directory: Path, trader_id: str) -> None:
        self._path = directory / f"{trader_id}.jsonl"
        self._encoder = msgspec.json.Encoder()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file: BufferedWriter = self._path.open("ab")
        except OSError as error:
            raise StorageError(f"cannot write the journal {self._path}: {error.strerror}") from None

    def started(self, trader_id: str, kind: str, venue: str) -> None:
        """Begin a run."""
        self._write("run", {"trader_id": trader_id, "kind": kind, "venue": venue})

    def decided(self, record: DecisionRecord) -> None:
        """Keep one decision."""
        self._write("decision", record)

    def ended(self, result: TraderResult) -> None:
        """End a run."""
        self._write("result", result)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, kind: str, record: object) -> None:
        line = self._encoder.encode({"type": kind, kind: record}) + b"\n"
        try:
            self._file.write(line)
            self._file.flush()  # to the system: a killed process loses nothing
        except OSError as error:
            raise StorageError(f"cannot write the journal {self._path}: {error.strerror}") from None


class NoJournal:
    """Keeps nothing."""

    def started(self, trader_id: str, kind: str, venue: str) -> None:
        """Begin a run."""

    def decided(self, record: DecisionRecord) -> None:
        """Keep one decision."""

    def ended(self, result: TraderResult) -> None:
        """End a run."""

    def close(self) -> None:
        """Close nothing."""

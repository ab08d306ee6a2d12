"""What a trader remembers over a restart: one JSON file, replaced as a whole.

It is written before a request leaves, so after a crash a trader never gives an id that it may have
given before. Temp, fsync, rename: a reader finds the old file or the new one.
"""

import os
from pathlib import Path

import msgspec

from strategy_agent.application.ports import Kept
from suite.errors import StorageError, one_line


class MemoryFile:
    """The memory of one trader on disk.

    Args:
        directory: made when missing.
        trader_id: names the file.
    """

    def __init__(self, directory: Path, trader_id: str) -> None:
        self._path = directory / f"{trader_id}.json"
        self._draft = directory / f".{trader_id}.json.new"
        self._trader_id = trader_id
        self._encoder = msgspec.json.Encoder()

    def load(self) -> Kept | None:
        """Read it; None when there is none.

        Raises:
            StorageError: it cannot be read or understood; the trader must not start without it.
        """
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error.strerror or "input/output error") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._unusable(one_line(str(error))) from None
        if kept.trader_id != self._trader_id:
            raise self._unusable(f"it belongs to {one_line(kept.trader_id)}")
        return kept

    def encode(self, kept: Kept) -> bytes:
        """Make the content of the file."""
        return self._encoder.encode(kept) + b"\n"

    def write(self, content: bytes) -> None:
        """Replace the file.

        Raises:
            StorageError: the disk does not take it.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StorageError(f"cannot write the memory {self._path}: {error.strerror}") from None

    def forget(self) -> None:
        """Remove it.

        Raises:
            StorageError: it cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove {self._path}: {error.strerror}") from None

    def _unusable(self, reason: str) -> StorageError:
        return StorageError(
            f"the memory {self._path} of trader {self._trader_id} cannot be used: {reason}; put it "
            "back from a backup, or, once orders and positions at the venue are as you want them, "
            "move it away to start afresh"
        )


class NoMemory:
    """Remembers nothing over a restart."""

    def load(self) -> Kept | None:
        """Know nothing."""
        return None

    def encode(self, kept: Kept) -> bytes:
        """Make nothing."""
        return b""

    def write(self, content: bytes) -> None:
        """Keep nothing."""

    def forget(self) -> None:
        """Remove nothing."""

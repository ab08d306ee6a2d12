"""What a trader remembers over a restart: one JSON file, replaced as a whole.

Commands that were accepted and are not obeyed yet have a file of their own beside it. The memory is
written before a request leaves, so after a crash a trader never gives an id that it may have
given before. Temp, fsync, rename: a reader finds the old file or the new one. In a simulated world
a loss of power leaves nothing to go on with, so there nothing waits for the disk.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from strategy_agent.application.ports import Kept
from strategy_core.risk.commands import Command
from suite.errors import StorageError, one_line

_MODE: Final = 0o600
"""What a strategy remembers is anything, be it a key."""


class MemoryFile:
    """The memory of one trader on disk.

    Args:
        directory: made when missing.
        trader_id: names the file.
        durable: it shall outlive a loss of power too, not only the end of its process.
    """

    def __init__(self, directory: Path, trader_id: str, *, durable: bool = True) -> None:
        self._durable = durable
        self._path = directory / f"{trader_id}.json"
        self._commands = directory / f"{trader_id}.commands.json"
        self._trader_id = trader_id
        self._encoder = msgspec.json.Encoder()
        self._writing = threading.Lock()

    def load(self) -> Kept | None:
        """Read it; None when there is none.

        Raises:
            StorageError: it cannot be read or understood; the trader must not start without it.
        """
        kept: Kept | None = self._read(self._path, Kept)
        if kept is None:
            return None
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
        self._replace(self._path, content)

    def load_commands(self) -> tuple[Command, ...]:
        """Read the commands that were accepted and perhaps not obeyed.

        Raises:
            StorageError: the file cannot be read or understood.
        """
        found: tuple[Command, ...] | None = self._read(self._commands, tuple[Command, ...])
        return found or ()

    def keep_commands(self, commands: Sequence[Command]) -> None:
        """Replace that file; none of it is left when there is no command.

        Raises:
            StorageError: the disk does not take it.
        """
        if commands:
            self._replace(self._commands, self._encoder.encode(commands) + b"\n")
        else:
            self._remove(self._commands)

    def forget(self) -> None:
        """Remove both.

        Raises:
            StorageError: one cannot be removed.
        """
        self._remove(self._path)
        self._remove(self._commands)

    def _read(self, path: Path, shape: Any) -> Any:
        """Read a file as a value of a type; None when there is none."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=shape)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error.strerror or "input/output error", path) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._unusable(one_line(str(error)), path) from None

    def _replace(self, path: Path, content: bytes) -> None:
        with self._writing:  # one draft, and perhaps several threads
            self._replace_alone(path, content)

    def _replace_alone(self, path: Path, content: bytes) -> None:
        draft = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                os.fchmod(file.fileno(), _MODE)
                file.write(content)
                file.flush()
                if self._durable:
                    os.fsync(file.fileno())
            draft.replace(path)
            if not self._durable:
                return
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StorageError(f"cannot write the memory {path}: {error.strerror}") from None

    def _remove(self, path: Path) -> None:
        try:
            with self._writing:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove {path}: {error.strerror}") from None

    def _unusable(self, reason: str, path: Path | None = None) -> StorageError:
        return StorageError(
            f"the memory {path or self._path} of trader {self._trader_id} cannot be used: "
            f"{reason}; put it back from a backup, or, once orders and positions at the venue are "
            "as you want them, move it away to start afresh"
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

    def load_commands(self) -> tuple[Command, ...]:
        """Know none."""
        return ()

    def keep_commands(self, commands: Sequence[Command]) -> None:
        """Keep none."""

    def forget(self) -> None:
        """Remove nothing."""

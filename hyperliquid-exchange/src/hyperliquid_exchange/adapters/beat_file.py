"""A beat in a file, which the other process reads."""

import os
from pathlib import Path

import msgspec

from hyperliquid_exchange.domain.progress import Beat
from suite.errors import StorageError

_decode = msgspec.json.Decoder(Beat).decode


class BeatFile:
    """One process's beat; written whole or not at all, and not synced: it is for the living.

    Args:
        path: of the file; its folder is made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}")

    def write(self, beat: Beat) -> None:
        """Tell of this process.

        Raises:
            StorageError: it could not be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._draft.write_bytes(msgspec.json.encode(beat))
            self._draft.replace(self._path)
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror or error}") from None

    def read(self) -> Beat | None:
        """Read what the other process told; None where there is nothing that can be read."""
        try:
            return _decode(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

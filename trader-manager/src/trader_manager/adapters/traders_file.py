"""What somebody wrote down of traders: a file, edited or replaced at any time, or a setting."""

import asyncio
import hashlib
from pathlib import Path
from typing import Final

from suite.errors import ConfigError
from suite.service.traders_file import WrittenDocument, parse_yaml


class TradersFileOnDisk:
    """A `WatchedFile`.

    A change counts once two looks in a row found the same: who writes it in place may be in the
    middle. Compared is the content itself, so no setting of a clock and no replacement hides one.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = ""
        self._seen = ""

    @property
    def name(self) -> str:
        """Name the file, the same one after a restart."""
        return str(self._path.resolve())

    async def read(self) -> WrittenDocument:
        """Read it as it stands."""
        content = await asyncio.to_thread(self._content)
        self._taken = self._seen = _digest(content)
        return _parsed(content, self._path)

    async def changed(self) -> WrittenDocument | None:
        """Read it where it is another than before, and nobody is writing it."""
        try:
            content = await asyncio.to_thread(self._content)
            digest = _digest(content)
            before, self._seen = self._seen, digest
            if digest == self._taken or digest != before:
                return None
            document = _parsed(content, self._path)
        except ConfigError:
            self._taken = ""  # the same as before, after this, is a change
            raise
        self._taken = digest
        return document

    def document(self) -> WrittenDocument:
        """Read it as it stands, for one look at it.

        Raises:
            ConfigError: it cannot be read, or is no document.
        """
        return _parsed(self._content(), self._path)

    def _content(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read {self._path}: {error.strerror}") from None


class TradersInSetting:
    """A `WatchedFile` that is the text of a setting: it stays as it is.

    Args:
        text: of it, JSON or YAML.
    """

    name: Final = "TRADERS_CONFIG"

    def __init__(self, text: str) -> None:
        self._text = text

    def document(self) -> WrittenDocument:
        """Read it.

        Raises:
            ConfigError: it is no document.
        """
        return _parsed(self._text.encode(errors="replace"), Path(self.name))

    async def read(self) -> WrittenDocument:
        """Read it."""
        return self.document()

    async def changed(self) -> WrittenDocument | None:
        """Say that it is as it was."""
        return None


def written_traders(path: Path | None, config: str) -> TradersFileOnDisk | TradersInSetting | None:
    """Find where the traders are written down, if anywhere.

    Args:
        path: of a traders file.
        config: the setting `TRADERS_CONFIG`.

    Raises:
        ConfigError: in two places.
    """
    if path is not None and config:
        raise ConfigError(
            f"TRADERS_CONFIG and the traders file {path} are both given: leave one of them out"
        )
    if config:
        return TradersInSetting(config)
    return None if path is None else TradersFileOnDisk(path)


def _parsed(content: bytes, path: Path) -> WrittenDocument:
    document = parse_yaml(content, path)
    if not document.value:
        raise ConfigError(f"{path} is empty; write `traders: []` for no trader")
    if not isinstance(document.value, dict):
        raise ConfigError(f"{path} holds no traders: write `traders:` and a list")
    return document


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

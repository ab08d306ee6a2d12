"""Stores elsewhere: `s3://bucket/prefix`, `gs://...`, `memory://...`, and what else is installed.

Arrow's own filesystems are taken where it has one for the address, fsspec's otherwise. An object
store puts an object whole or not at all, which is all that a store asks of a write. There is no
lock between machines: one process writes to such a store at a time.
"""

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.errors import ConfigError, StorageError, one_line
from suite.service.http import shown
from suite.service.store_files import LocalFiles, StoredFile, StoreFiles

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://.*", re.IGNORECASE | re.DOTALL)
_writing = threading.Lock()


def open_files(place: Path | str) -> StoreFiles:
    """Find the files of a store.

    Args:
        place: a folder, or an address such as `s3://bucket/prefix`.

    Raises:
        ConfigError: no filesystem is installed for the address.
    """
    found = _URL.fullmatch(str(place))
    if found is None or isinstance(place, Path):
        return LocalFiles(Path(place))
    if found[1].lower() == "file":
        return LocalFiles(Path(place.partition("://")[2]))
    return RemoteFiles(place)


class RemoteFiles:
    """A prefix of a filesystem that Arrow or fsspec knows.

    Args:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self.place = shown(url).rstrip("/")
        self.cache = _cache_of(url)
        self._system, path = _filesystem(url, self.place)
        self._root = path.strip("/")

    def exists(self) -> bool:
        """Whether anything is there."""
        return bool(self._listing(""))

    def files(self, pattern: str) -> list[StoredFile]:
        """List files by a pattern of `*` and `**`, A-Z."""
        wanted = _expression(pattern)
        found = [
            StoredFile(name, info.size or 0, (info.mtime_ns or 0,))
            for name, info in self._listing(_literal(pattern)).items()
            if wanted.fullmatch(name)
        ]
        return sorted(found)

    def folders(self, pattern: str) -> list[str]:
        """List folders by a pattern, A-Z: those that a file is in."""
        wanted, depth = _expression(pattern), pattern.count("/") + 1
        names = (name.split("/") for name in self._listing(_literal(pattern)))
        found = {"/".join(parts[:depth]) for parts in names if len(parts) > depth}
        return sorted(name for name in found if wanted.fullmatch(name))

    def open(self, name: str) -> Any:
        """Open a file for reading."""
        try:
            return self._system.open_input_file(self._path(name))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageError(f"cannot read {self.place}/{name}: {_said(error)}") from None

    def read(self, name: str) -> bytes | None:
        """Read a file, None when there is none."""
        try:
            with self.open(name) as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def write(self, name: str, data: Any) -> None:
        """Put an object."""
        path = self._path(name)
        try:
            self._system.create_dir(path.rpartition("/")[0], recursive=True)
            with self._system.open_output_stream(path) as file:
                file.write(data)
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot write {self.place}/{name}: {_said(error)}") from None

    def remove(self, name: str) -> None:
        """Delete a file, or a folder with everything below it; nothing when there is none."""
        from pyarrow.fs import FileType

        path = self._path(name)
        try:
            kind = self._system.get_file_info(path).type
            if kind == FileType.Directory:
                self._system.delete_dir(path)
            elif kind == FileType.File:
                self._system.delete_file(path)
        except OSError as error:
            raise StorageError(f"cannot delete {self.place}/{name}: {_said(error)}") from None

    def sweep(self, folder: str) -> None:
        """Nothing to do: an object that was not put whole is not there."""

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let the threads of this process take turns."""
        with _writing:
            yield

    def _listing(self, folder: str) -> "dict[str, FileInfo]":
        """All files in a folder and below, by name."""
        from pyarrow.fs import FileSelector, FileType

        base = self._path(folder)
        selector = FileSelector(base, recursive=True, allow_not_found=True)
        try:
            infos = self._system.get_file_info(selector)
        except OSError as error:
            raise StorageError(f"cannot list {self.place}: {_said(error)}") from None
        cut = len(self._root) + 1 if self._root else 0
        return {info.path.lstrip("/")[cut:]: info for info in infos if info.type == FileType.File}

    def _path(self, name: str) -> str:
        return "/".join(part for part in (self._root, name) if part)


def _cache_of(url: str) -> Path | None:
    name = hashlib.sha256(url.encode()).hexdigest()[:32]
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home
        return None
    return home / "auto-crypto-trader" / name


def _filesystem(url: str, place: str) -> "tuple[FileSystem, str]":
    import pyarrow as pa
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    try:
        return FileSystem.from_uri(url)
    except (pa.ArrowException, OSError):
        pass
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError, OSError) as error:
        raise ConfigError(f"cannot open {place}: {_said(error)}") from None
    return PyFileSystem(FSSpecHandler(system)), path  # type: ignore[abstract]


def _literal(pattern: str) -> str:
    """The folder that everything which matches is in."""
    parts = pattern.split("/")
    plain = next((n for n, part in enumerate(parts) if "*" in part), len(parts))
    return "/".join(parts[: min(plain, len(parts) - 1)])


def _expression(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*\*/", "(?:.+/)?").replace(r"\*", "[^/]*")
    return re.compile(text)


def _said(error: BaseException) -> str:
    return one_line(str(error))[:200]

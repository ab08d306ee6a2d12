"""Where the files of a store are: one folder, on this machine or in an object store.

A file is known by its name inside the store, with slashes: `funding/venue=ftx/.../part.parquet`.
Stores elsewhere are `suite.service.remote_files`.
"""

import contextlib
import fcntl
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from suite.errors import StorageError

_drafts = itertools.count()


class StoredFile(NamedTuple):
    """One file as a listing shows it.

    Attributes:
        name: inside the store.
        size: bytes.
        stamp: differs when the file was replaced, even by one of the same size; when that was is
            the last of it, epoch ns.
    """

    name: str
    size: int
    stamp: tuple[int, ...]

    @property
    def changed_ms(self) -> int:
        """When it was put there, epoch ms."""
        return self.stamp[-1] // 1_000_000


class StoreFiles(Protocol):
    """The files of one store.

    Attributes:
        place: the store as its user named it; stands before the name of a file in messages.
        cache: folder of this machine for copies that can be made again, which need not exist;
            None for no copies.
    """

    place: str
    cache: Path | None

    def exists(self) -> bool:
        """Whether anything is there."""
        ...

    def files(self, pattern: str) -> list[StoredFile]:
        """List files by a pattern of `*` and `**`, A-Z."""
        ...

    def folders(self, pattern: str) -> list[str]:
        """List folders by a pattern, A-Z."""
        ...

    def open(self, name: str) -> Any:
        """Open a file for `pyarrow`.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """Read a file, None when there is none."""
        ...

    def write(self, name: str, data: Any) -> None:
        """Put a file in place, whole or not at all.

        Raises:
            StorageError: the disk refuses; what was there before is unchanged.
        """
        ...

    def remove(self, name: str) -> None:
        """Delete a file, or a folder with everything below it; nothing when there is none."""
        ...

    def sweep(self, folder: str) -> None:
        """Delete drafts of writers that were killed; called with the write lock held."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the store's write lock; waits for another writer.

        Raises:
            StorageError: the store cannot be written.
        """
        ...


class LocalFiles:
    """A folder on a disk of this machine.

    Args:
        root: of the store; need not exist to be read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.place = str(root)
        self.cache: Path | None = root / ".cache"

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self._root.is_dir()

    def files(self, pattern: str) -> list[StoredFile]:
        """List files by a pattern of `*` and `**`, A-Z."""
        found = []
        for path in self._root.glob(pattern):
            with contextlib.suppress(FileNotFoundError):  # replaced since it was listed
                state = path.stat()
                stamp = (state.st_ino, state.st_mtime_ns)
                if stat.S_ISREG(state.st_mode):
                    found.append(StoredFile(self._name(path), state.st_size, stamp))
        return sorted(found)

    def folders(self, pattern: str) -> list[str]:
        """List folders by a pattern, A-Z."""
        return sorted(self._name(path) for path in self._root.glob(pattern) if path.is_dir())

    def open(self, name: str) -> str:
        """Name a file as `pyarrow` opens it."""
        return str(self._root / name)

    def read(self, name: str) -> bytes | None:
        """Read a file, None when there is none."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: Any) -> None:
        """Write a draft beside the file, sync it, put it in place, sync the folder."""
        path = self._root / name
        draft = path.with_name(f".{path.name}.{os.getpid()}.{next(_drafts)}.tmp")
        try:
            _make_folder(path.parent)
            try:
                draft.write_bytes(data)
                _sync(draft)
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            _sync(path.parent)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}") from None

    def remove(self, name: str) -> None:
        """Delete a file, or a folder with everything below it; nothing when there is none."""
        path = self._root / name
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot delete {path}: {error.strerror or error}") from None

    def sweep(self, folder: str) -> None:
        """Delete drafts of writers that were killed."""
        for draft in (self._root / folder).glob(".*.tmp"):
            draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold a lock on the folder that ends with its process."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"cannot write to {self._root}: {error.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents so that they outlive a power cut."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""A disk: real files, of which a power cut keeps only what was synced.

The services use their own adapters on real files below `root`. Syncs are watched: of a file they
keep its bytes, of a folder its names. A power cut puts back what was kept, a tail that was not
synced perhaps in part. A full disk refuses what needs space.
"""

import contextlib
import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.simulation.machine import Process, current

_real: Final[dict[str, Callable[..., Any]]] = {
    name: getattr(os, name) for name in ("open", "close", "write", "fsync", "fdatasync")
}


class Disk:
    """The folder of one machine.

    Args:
        root: real, empty.
        chance: of what a power cut leaves of what was not synced.

    Attributes:
        full: nothing that needs space is taken.
        refused: how often.
        lost: files that a power cut has changed.
    """

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root = root
        self.full = False
        self.refused = self.lost = 0
        self._chance = chance
        self._bytes: dict[int, bytes] = {}
        self._names: dict[str, dict[str, int]] = {}
        root.mkdir(parents=True)

    def synced(self, path: str, status: os.stat_result) -> None:
        """Take note that a file or folder is safe."""
        if Path(path).is_dir():
            self._names[path] = {
                entry.name: entry.inode() for entry in os.scandir(path) if entry.is_file()
            }
        else:
            self._bytes[status.st_ino] = Path(path).read_bytes()

    def refuse(self) -> None:
        """Fail, where it is full."""
        if self.full:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")

    def cut_power(self) -> None:
        """Lose what was not synced; nothing may run here."""
        for folder, _, files in os.walk(self.root):
            safe = self._names.get(folder, {})
            for name in sorted({*files, *safe}):
                self._fall_back(Path(folder, name), safe.get(name))
        self._bytes.clear()
        self._names.clear()
        for folder, _, files in os.walk(self.root):  # what is there now is what was kept
            self._names[folder] = {name: Path(folder, name).stat().st_ino for name in files}
            for name, ino in self._names[folder].items():
                self._bytes[ino] = Path(folder, name).read_bytes()

    def _fall_back(self, path: Path, safe_ino: int | None) -> None:
        now = path.read_bytes() if path.exists() else None
        ino = path.stat().st_ino if now is not None else None
        if now is not None and ino != safe_ino and self._chance.random() < 0.5:
            safe_ino = ino  # the name was written all the same
        if safe_ino is None:
            path.unlink()
            self.lost += 1
            return
        safe = self._bytes.get(safe_ino, b"")
        if ino == safe_ino and now is not None and now.startswith(safe):
            safe = now[: self._chance.randint(len(safe), len(now))]
        if safe != now:
            self.lost += 1
            path.unlink(missing_ok=True)
            path.write_bytes(safe)
            path.chmod(0o600)

    def remove(self) -> None:
        """Throw it away."""
        shutil.rmtree(self.root, ignore_errors=True)


class Disks:
    """All disks, while they stand for the real ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = f"{folder}/"
        self._disks: dict[str, Disk] = {}
        self._handles: dict[int, tuple[Process | None, str, Disk]] = {}
        self._buried = False

    def make(self, name: str, chance: random.Random) -> Disk:
        """Make a disk, or find it."""
        if name not in self._disks:
            self._disks[name] = Disk(self._folder / name, chance)
        return self._disks[name]

    def let_go(self, process: Process) -> None:
        """Close the files of a process that has died, with their locks."""
        for handle, (owner, path, _) in list(self._handles.items()):
            if owner is process:
                del self._handles[handle]
                self._shut(handle, path)

    def _shut(self, handle: int, path: str) -> None:
        """Close a file, unless that was done past this."""
        with contextlib.suppress(OSError):
            if _path_of(handle).removesuffix(" (deleted)") == path:
                _real["close"](handle)

    @contextlib.contextmanager
    def standing(self) -> Iterator[None]:
        """Stand for the real disks."""
        for name in _real:
            setattr(os, name, getattr(self, f"_{name}"))
        try:
            yield
        finally:
            self._buried = True
            for name, function in _real.items():
                setattr(os, name, function)
            for handle, (_, path, _) in self._handles.items():
                self._shut(handle, path)

    @contextlib.contextmanager
    def burying(self) -> Iterator[None]:
        """Let nothing happen to files: who is thrown away may believe to have some."""
        self._buried = True
        try:
            yield
        finally:
            self._buried = False

    def _disk_of(self, path: str) -> Disk:
        return self._disks[path[len(self._text) :].partition("/")[0]]

    def _open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        text = path if isinstance(path, int) else os.fspath(path)
        if isinstance(text, int) or not str(text).startswith(self._text):
            return int(_real["open"](path, flags, mode, **more))
        if self._buried:
            raise OSError(errno.EIO, "buried")
        disk = self._disk_of(str(text))
        if flags & os.O_CREAT and disk.full and not Path(text).exists():
            disk.refuse()
        handle = int(_real["open"](path, flags, mode, **more))
        self._handles[handle] = (current(), str(text), disk)
        return handle

    def _close(self, handle: int) -> None:
        if not self._buried:
            self._handles.pop(handle, None)
            _real["close"](handle)

    def _write(self, handle: int, data: Any) -> int:
        if self._buried:
            return len(data)
        if handle in self._handles:
            self._handles[handle][2].refuse()
        return int(_real["write"](handle, data))

    def _fsync(self, handle: int) -> None:
        if self._buried:
            return
        path = _path_of(handle)
        if path.startswith(self._text):
            disk = self._disk_of(path)
            if handle not in self._handles:  # written by a file object
                disk.refuse()
            disk.synced(path, os.fstat(handle))

    _fdatasync = _fsync


def _path_of(handle: int) -> str:
    return str(Path(f"/proc/self/fd/{handle}").readlink())

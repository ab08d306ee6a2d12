"""The kill latch: a file whose presence forbids new risk.

Anyone sets it (`touch`), the process too; only a human clears it, by removing the file. What cannot
be looked at counts as set.
"""

import contextlib
import os
from pathlib import Path

import structlog

from suite.errors import StorageError

_log = structlog.get_logger(__name__)


class KillLatch:
    """One latch of an account.

    Args:
        path: of the file; its folder is made when missing.

    Raises:
        StorageError: the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reason = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot keep a kill latch at {path}: {error.strerror or error}"
            ) from None

    @property
    def engaged(self) -> bool:
        """New risk is forbidden."""
        return bool(self.reason)

    @property
    def reason(self) -> str:
        """Why, in one line; empty when it is clear."""
        if self._reason:
            return self._reason
        try:
            os.lstat(self._path)
        except FileNotFoundError:
            # a folder that is gone, a volume that was not mounted: nobody can say that it is clear
            return "" if self._path.parent.is_dir() else f"{self._path.parent} is gone"
        except OSError as error:
            return f"cannot look at {self._path}: {error.strerror or error}"
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return self._path.read_text()[:200].strip().partition("\n")[0] or "set by hand"
        return f"{self._path} is there"

    def engage(self, reason: str) -> None:
        """Forbid new risk, also after a restart; where the disk refuses, until the process ends."""
        self._reason = reason
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return
        except OSError as error:
            _log.error("kill_latch_not_written", path=str(self._path), reason=error.strerror)
            return
        try:
            os.write(handle, f"{reason}\n".encode())
            os.fsync(handle)
        except OSError as error:
            _log.error("kill_latch_not_written", path=str(self._path), reason=error.strerror)
        finally:
            os.close(handle)
        sync_folder(self._path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created in a folder survive a power cut."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

"""One process at a time for what a trader keeps on disk.

Two processes of one trader would decide twice, and each would write over what the other remembers.
The lock is the system's, so it ends with its process however that ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from suite.errors import InUse, StorageError


@contextmanager
def holding(directory: Path, trader_id: str) -> Iterator[None]:
    """Hold the state of a trader for this process.

    Args:
        directory: of the state; made when missing.
        trader_id: whose.

    Raises:
        InUse: another process, or another part of this one, has it.
        StorageError: the lock cannot be made.
    """
    path = directory / f"{trader_id}.lock"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
            who = f"process {holder}" if holder else "another process"
            raise InUse(
                f"trader {trader_id} runs already: {who} holds {path}; stop it first"
            ) from None
        with suppress(OSError):  # a full disk takes no name; the lock holds all the same
            os.truncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)

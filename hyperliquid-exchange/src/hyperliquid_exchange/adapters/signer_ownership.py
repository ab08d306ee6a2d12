"""One signer, one process.

On a machine a lock of the system's says who that is: it ends with its process however that ends,
and nobody gets it while the process is stopped. Between machines a `Lease` says so as well, see
`signer_lease`.
"""

import fcntl
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from suite.clock import Clock
from suite.errors import InUse, NotOwner, StorageError

_MOST_BYTES: Final = 1024
_log = structlog.get_logger(__name__)


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a signer.

    Attributes:
        pid: of the process.
        host: its machine.
        since_ms: wall time, epoch ms.
    """

    pid: int
    host: str
    since_ms: int


class Lease(Protocol):
    """What says between machines who has a signer."""

    def check(self, signer: str) -> None:
        """Make sure; a local look.

        Raises:
            NotOwner: another has it, or nobody can say.
        """
        ...


@dataclass(slots=True)
class _Lock:
    """A locked file: its handle and its inode."""

    path: str
    handle: int
    inode: int


def this_process(clock: Clock) -> Holder:
    """Name this process."""
    return Holder(pid=os.getpid(), host=socket.gethostname(), since_ms=clock.now_ms())


class SignerOwnership:
    """The signers that this process has.

    Args:
        folder: of the locks; made when missing. All processes of a machine share it.
        me: this process.
        lease: between machines; None where one machine is all there is.
    """

    def __init__(self, folder: Path, me: Holder, *, lease: Lease | None = None) -> None:
        self._folder = folder
        self._me = me
        self._lease = lease
        self._locks: dict[str, _Lock] = {}
        self._pid = os.getpid()

    def take(self, signers: Iterable[str]) -> None:
        """Take signers, all of them or none.

        Args:
            signers: their addresses, lower case.

        Raises:
            InUse: another process has one; it is named.
            StorageError: the locks cannot be made.
        """
        try:
            for signer in signers:
                self._locks[signer] = self._taken(signer)
        except BaseException:
            self.close()
            raise

    def check(self, signer: str) -> None:
        """Make sure, right before a signature and right before a send.

        Raises:
            NotOwner: another process has the signer, or nobody can say.
        """
        lock = self._locks.get(signer)
        if lock is None:
            raise NotOwner(f"the signer {signer} is not that of this process")
        if os.getpid() != self._pid:
            raise NotOwner(f"the signer {signer} is that of process {self._pid}, not of a child")
        try:
            is_there = os.stat(lock.path).st_ino == lock.inode  # noqa: PTH116 - before every send
        except OSError as error:
            raise NotOwner(
                f"nobody can say who has the signer {signer}: {lock.path}: {error.strerror}"
            ) from None
        if not is_there:
            raise NotOwner(f"the signer {signer} may be another's: {lock.path} was replaced")
        if self._lease is not None:
            self._lease.check(signer)

    def close(self) -> None:
        """Let another process have them."""
        while self._locks:
            os.close(self._locks.popitem()[1].handle)

    def _taken(self, signer: str) -> _Lock:
        path = self._folder / f"{signer}.lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = _named(os.pread(handle, _MOST_BYTES, 0))
            os.close(handle)
            raise InUse(
                f"the signer {signer} is in use: {who} holds {path}; one key, one process: stop "
                "that one first"
            ) from None
        except OSError as error:
            os.close(handle)
            raise StorageError(f"cannot lock {path}: {error.strerror}") from None
        with suppress(OSError):  # a full disk takes no name; the lock holds all the same
            os.ftruncate(handle, 0)
            os.pwrite(handle, msgspec.json.encode(self._me), 0)
        return _Lock(str(path), handle, os.fstat(handle).st_ino)


def holder_of(folder: Path, signer: str) -> str:
    """Tell which process has a signer, on this machine; empty where none has.

    Raises:
        StorageError: nobody can say.
    """
    path = folder / f"{signer}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _named(os.pread(handle, _MOST_BYTES, 0))
    finally:
        os.close(handle)
    return ""


def _named(content: bytes) -> str:
    try:
        holder = msgspec.json.decode(content, type=Holder)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "another process"
    return f"process {holder.pid} on {holder.host}"

"""What can be found out about this machine and process without asking anybody else."""

import contextlib
import os
import re
import resource
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from suite.addresses import derived_address
from suite.errors import StorageError

_APPENDS: Final = 24
_RECORD: Final = b"\x00" * 512
_MOST_BYTES: Final = 1 << 20
_SECRET: Final = re.compile(r"(?<![0-9a-fA-F])(?:0x)?([0-9a-fA-F]{64})(?![0-9a-fA-F])")


def has_native_curve() -> bool:
    """Whether the C library of secp256k1 signs and recovers."""
    try:
        from coincurve import PrivateKey, PublicKey
    except ImportError:
        return False
    key = PrivateKey(b"\x01" * 32)
    signature = key.sign_recoverable(b"\x02" * 32, hasher=None)
    found = PublicKey.from_signature_and_message(signature, b"\x02" * 32, hasher=None)
    return found.format() == key.public_key.format()


def is_optimized() -> bool:
    """Whether Python runs without assertions."""
    return sys.flags.optimize > 0


def disk_free(folder: Path) -> float:
    """Tell which share of a folder's disk is free."""
    usage = shutil.disk_usage(folder)
    return usage.free / usage.total


def fsync_times_ms(folder: Path) -> tuple[float, ...]:
    """Append and sync some records, as the journal does, and tell how long each took.

    Raises:
        StorageError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".preflight.{os.getpid()}"
    times = []
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for _ in range(_APPENDS):
                begun = time.perf_counter()
                os.write(handle, _RECORD)
                os.fdatasync(handle)
                times.append((time.perf_counter() - begun) * 1000)
        finally:
            os.close(handle)
            path.unlink()
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from None
    return tuple(times)


def open_files_max() -> int:
    """Tell how many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def has_capabilities() -> bool:
    """Whether the kernel grants this process more than a user has."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16) != 0
    return False


def mode_of(path: Path) -> tuple[int | None, bool]:
    """Tell a file's permission bits, None where it is none, and whether it is our own."""
    try:
        state = path.lstat()
    except OSError:
        return None, False
    if not stat.S_ISREG(state.st_mode):
        return None, False
    return stat.S_IMODE(state.st_mode), state.st_uid == os.geteuid()


def leaked_keys(
    environment: Mapping[str, str], paths: Iterable[Path], addresses: frozenset[str]
) -> tuple[str, ...]:
    """Name the places where a private key of one of some addresses is written.

    Args:
        environment: variables.
        paths: files to look through; those that cannot be read are passed over.
        addresses: whose keys are looked for, lower case.
    """
    found = [
        f"the variable {name}" for name, value in environment.items() if _holds(value, addresses)
    ]
    for path in paths:
        with contextlib.suppress(OSError):
            if path.stat().st_size <= _MOST_BYTES and path.is_file():
                text = path.read_bytes().decode("utf-8", "replace")
                if _holds(text, addresses):
                    found.append(str(path))
    return tuple(found)


def _holds(text: str, addresses: frozenset[str]) -> bool:
    return any(_address(digits) in addresses for digits in _SECRET.findall(text))


def _address(digits: str) -> str:
    from coincurve import PrivateKey

    try:
        key = PrivateKey(bytes.fromhex(digits))
    except ValueError:
        return ""
    return derived_address(key.public_key.format(compressed=False)[1:])

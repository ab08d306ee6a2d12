"""A real, small file system, which can be full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PIECE = 1 << 16


class SmallDisk:
    """A file system of its own.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, share: float = 1.0) -> None:
        """Have so much of it in use; all of it means that not one byte is left."""
        self.free()
        with self._ballast.open("wb", buffering=0) as file:
            state = os.statvfs(self.folder)
            left = int(state.f_bfree * state.f_frsize - (1 - share) * state.f_blocks * 4096)
            while left > 0 or share >= 1:
                try:
                    file.write(bytes(min(_PIECE, left) if share < 1 else _PIECE))
                except OSError:
                    break
                left -= _PIECE

    def free(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one; skips the test where nobody lets us."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a file system of its own takes a user who may mount: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

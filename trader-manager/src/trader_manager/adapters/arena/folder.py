"""The folder of an arena: its lock, and what its commands read."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from suite.errors import Conflict, StorageError
from suite.service.traders_file import load_yaml
from trader_manager.application.arena.parts import ArenaPlan


def read_document(path: Path) -> Any:
    """Read a traders file of any form: YAML or JSON.

    Raises:
        ConfigError: it, or a file that it names, cannot be read, or it is neither.
    """
    return load_yaml(path)


class ArenaFolder:
    """The folder of a result.

    Args:
        out: made when missing.

    Raises:
        StorageError: it cannot be made.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.parts = out / "parts"
        self.plan = self.parts / "plan.json"
        self.traders = self.parts / "traders.json"
        self.notes = self.parts / "notes.json"
        self._lock = self.parts / ".lock"
        self._made = [at for at in (*reversed(out.parents), out, self.parts) if not at.exists()]
        self._before: dict[Path, bytes] = {}
        try:
            self.parts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write to {out}: {error.strerror}") from None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other arenas out of the folder; it goes again where nothing was planned in it.

        Raises:
            Conflict: one is at work there.
        """
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"another arena is at work in {self.out}") from None
            if not self._lock.exists():  # of one that was refused, and has taken it away
                raise Conflict(f"another arena was at work in {self.out}; try again")
            yield
            self._made.clear()
        finally:
            self._unmake()
            os.close(handle)

    def _unmake(self) -> None:
        """Remove what was made here for a run that was never planned."""
        if not self._made or self.plan.exists():
            return
        self._lock.unlink(missing_ok=True)
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # somebody has put something into it
                folder.rmdir()

    def sweep(self) -> None:
        """Remove what ended processes had for their work."""
        for left in self.parts.glob("running-*"):
            shutil.rmtree(left, ignore_errors=True)

    def write_traders(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write who takes part, as a traders file in the one form.

        Raises:
            StorageError: the disk refuses.
        """
        files = [file for file in (self.traders, self.plan) if file.exists()]
        self._before = {file: file.read_bytes() for file in files}
        self._write(self.traders, {"traders": list(entries)})

    def take_back(self) -> None:
        """Let traders file and plan be as they were before `write_traders`."""
        for file in (self.traders, self.plan):
            if file in self._before:
                file.write_bytes(self._before[file])
            else:
                file.unlink(missing_ok=True)

    def write_notes(self, notes: Mapping[str, Any]) -> None:
        """Write what the report cannot know.

        Raises:
            StorageError: the disk refuses.
        """
        self._write(self.notes, notes)

    def read_plan(self) -> ArenaPlan:
        """Read what was planned."""
        return msgspec.json.decode(self.plan.read_bytes(), type=ArenaPlan)

    def groups(self) -> list[dict[str, Any]]:
        """Read the rows of traders that differ by chance only."""
        told = json.loads((self.out / "arena.json").read_bytes())
        groups: list[dict[str, Any]] = told["groups"]
        return groups

    def _write(self, path: Path, document: Any) -> None:
        try:
            path.write_text(json.dumps(document, indent=1, default=str), encoding="utf-8")
        except (OSError, TypeError, ValueError) as error:
            raise StorageError(f"cannot write {path}: {error}") from None

"""Runs of an audit as processes of their own: what one has imported or kept, no other one knows."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self

import msgspec

from suite.errors import BadRequest, StorageError, one_line
from virtual_exchange.research.audit_plays import Job, Play

PLAY: Final = "play.json"
_LOUD_MAX: Final = 4000


class Processes:
    """Runs each job as `virtual-exchange audit-run`; closing ends those that still run.

    Args:
        store: the audited one, which the environment may name.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = Lock()
        self._closed = False
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End those that run; no other one begins."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            process.kill()
        for process in running:
            process.wait()

    def __call__(self, job: Job, folder: Path) -> Play:
        """Run a job in a folder; see `Runner`."""
        with self._lock:
            if self._closed:
                raise BadRequest("the audit was ended")
            self._count += 1
            # Sets and hashes differ between processes of one machine too.
            environment = _environment(self._store, folder) | {"PYTHONHASHSEED": str(self._count)}
            process = subprocess.Popen(
                [sys.executable, "-m", "virtual_exchange", "audit-run"],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            self._running.add(process)
        try:
            _, errors = process.communicate(msgspec.json.encode(job))
        except BaseException:  # Ctrl-C: nobody waits for it any more
            process.kill()
            process.wait()
            raise
        finally:
            with self._lock:
                self._running.discard(process)
        if process.returncode:
            lines = errors[-_LOUD_MAX:].decode(errors="replace").strip().splitlines()
            last = lines[-1] if lines else f"its process ended with {process.returncode}"
            raise BadRequest(one_line(last.removeprefix("virtual-exchange: ")))
        try:
            return msgspec.json.decode((folder / PLAY).read_bytes(), type=Play)
        except (OSError, msgspec.MsgspecError) as error:
            raise StorageError(f"a run of the audit left no result: {error}") from None


def _environment(store: Path, folder: Path) -> dict[str, str]:
    """The environment, where what names the store names the copy, and paths are whole ones."""
    copy = folder / "var" / "data"
    told: dict[str, Any] = dict(os.environ)
    for name, value in told.items():
        if str(store.resolve()) in value:
            told[name] = value.replace(str(store.resolve()), str(copy))
    told["VIRTUAL_EXCHANGE_DATA"] = str(copy)
    paths = [str(Path(one).resolve()) for one in told.get("PYTHONPATH", "").split(":") if one]
    return told | {"PYTHONPATH": ":".join(paths)}

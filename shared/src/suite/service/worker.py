"""A function of bytes in a process of its own, at low priority.

    work = start("package.module:function", payload)
    work.done()                     # at any time; never waits
    work.result()                   # waits

    python -m suite.service.worker package.module:function INPUT OUTPUT

Input and output are files, so whoever starts it never waits for it to read, and a worker that dies
leaves no half of an answer that could be taken for a whole one.
"""

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, cast

from suite.errors import SuiteError

NICE: Final = 10
TIMEOUT_S: Final = 110.0
"""A worker that takes longer is ended: it hangs, or the machine has no time for it."""


class WorkerFailed(SuiteError):
    """A worker has not come to its end."""

    code = "worker_failed"


class Worker:
    """A call that runs in a process.

    Args:
        function: `package.module:function`, of bytes to bytes.
        payload: its argument.
        timeout_s: of `result`.

    Raises:
        WorkerFailed: the system starts no process, or takes no file.
    """

    def __init__(self, function: str, payload: bytes, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="worker-")
            place = Path(self._folder.name)
            (place / "input").write_bytes(payload)
            self._errors = (place / "errors").open("wb")
            self._process = subprocess.Popen(  # noqa: S603  this interpreter and a module of ours
                [
                    sys.executable,
                    "-m",
                    "suite.service.worker",
                    function,
                    str(place / "input"),
                    str(place / "output"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerFailed(f"no worker could be started: {error.strerror}") from None
        self.pid = self._process.pid

    def done(self) -> bool:
        """Whether it has come to its end."""
        return self._process.poll() is not None

    def result(self) -> bytes:
        """Wait for the result.

        Raises:
            WorkerFailed: it raised, was killed, or hung.
        """
        try:
            status = self._process.wait(self._timeout_s)
            if status:
                raise WorkerFailed(f"the worker ended with {status}: {self._last_words()}")
            return (Path(self._folder.name) / "output").read_bytes()
        except subprocess.TimeoutExpired:
            raise WorkerFailed(f"the worker took longer than {self._timeout_s:g} s") from None
        except OSError as error:
            raise WorkerFailed(f"the worker left no answer: {error.strerror}") from None
        finally:
            self.close()

    def close(self) -> None:
        """End it, and forget it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._errors.close()
        with contextlib.suppress(OSError):
            self._folder.cleanup()

    def _last_words(self) -> str:
        lines = (Path(self._folder.name) / "errors").read_text("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


class Workers:
    """Starts workers of one function, and ends those that are left; a context.

    Args:
        function: as for `Worker`.
    """

    def __init__(self, function: str) -> None:
        self._function = function
        self._begun: list[Worker] = []

    def start(self, payload: bytes) -> Worker:
        """Start one."""
        self._begun = [worker for worker in self._begun if not worker.done()]
        worker = Worker(self._function, payload)
        self._begun.append(worker)
        return worker

    def close(self) -> None:
        """End all that are left."""
        for worker in self._begun:
            worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def main(function: str, source: str, target: str) -> None:
    """Read the input, call the function, write the output whole."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    module, _, name = function.partition(":")
    call = cast("Callable[[bytes], bytes]", getattr(importlib.import_module(module), name))
    answer = call(Path(source).read_bytes())
    draft = Path(f"{target}.draft")
    draft.write_bytes(answer)
    draft.replace(target)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The engines as processes: who they are, what they can do, and how they are asked."""

import json
import os
import selectors
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, cast

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[3]
READY_SECONDS = 300
ONE_THREAD = ("RAYON_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Rival:
    """An engine, or one of two ways to use it.

    Attributes:
        environment: section of the requirements.
        works: what its interface can express.
    """

    name: str
    script: str
    environment: str
    works: str


RIVALS = (
    Rival("raptorbt", "peer_raptorbt.py", "raptorbt", "ae"),
    Rival("raptorbt callback", "peer_raptorbt_callback.py", "raptorbt", "acd"),
    Rival("vectorbt", "peer_vectorbt.py", "vectorbt", "abce"),
    Rival("hftbacktest", "peer_hftbacktest.py", "hftbacktest", "bd"),
    Rival("backtesting.py", "peer_backtestingpy.py", "backtesting", "abcde"),
    Rival("backtrader", "peer_backtrader.py", "backtrader", "abcde"),
    Rival("nautilus", "peer_nautilus.py", "nautilus", "abcde"),
)
OURS = {"jitted": "abcde", "callback": "abcd"}
"""Our drivers, and the work of each."""


class ChildFailedError(Exception):
    """A child ended or stayed silent; the message is one line."""


class Child:
    """One engine doing one work on one series, measured on request."""

    def __init__(self, python: Path, script: str, series: Path, work: str) -> None:
        """Start it and wait until it is ready.

        Raises:
            ChildFailedError: it never was.
        """
        threads = dict.fromkeys(ONE_THREAD, "1")
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the child
        self._process = subprocess.Popen(
            [python, HERE / script, series, work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **threads, "PYTHONPATH": str(ROOT)},
        )
        self._requests = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)
        self.version = str(self._answer(READY_SECONDS)["version"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def measure(self, patience_s: float) -> dict[str, Any]:
        """Seconds of one run of the work, and what it did.

        Raises:
            ChildFailedError: it ended, or took longer than one waits.
        """
        with suppress(BrokenPipeError):  # it has ended, and its last words tell why
            self._requests.write("\n")
            self._requests.flush()
        return self._answer(patience_s)

    def end(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._answers, self._errors):
            with suppress(BrokenPipeError):
                stream.close()

    def _answer(self, patience_s: float) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            ready = selector.select(patience_s)
        line = self._answers.readline() if ready else ""
        if line:
            return dict(json.loads(line))
        reason = self._last_words() if ready else f"stopped, it took more than {patience_s:.0f} s"
        self.end()
        raise ChildFailedError(reason)

    def _last_words(self) -> str:
        self._errors.seek(0)
        told = [text.strip() for text in self._errors if text.strip()]
        return told[-1][:160] if told else f"ended with status {self._process.wait()}"

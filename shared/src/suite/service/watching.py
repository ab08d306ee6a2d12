"""A thread that ends the process where it neither works nor ends by itself.

What hangs in the event loop, in a destructor or in a thread cannot be ended from the loop. Whoever
started the process starts it again; `suite.service.starts` counts how often.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

EXIT_STALLED: Final = 70
EXIT_OVERDUE: Final = 71
_TICK_S: Final = 1.0
_STDERR: Final = 2


class Watch:
    """Watches the process from a thread of its own.

    It counts its own ticks, so time in which the whole process stood still does not count.

    Args:
        beats: of the event loop; None until there is one.
        stalled_s: without a beat, after which the process ends; 0 for never.
        still_open: names what is not closed yet.
        leave: ends the process with a code.
        tick_s: between two looks.
    """

    def __init__(
        self,
        beats: Callable[[], int],
        *,
        stalled_s: float,
        still_open: Callable[[], Sequence[str]],
        leave: Callable[[int], None] = os._exit,
        tick_s: float = _TICK_S,
    ) -> None:
        self._beats = beats
        self._stalled_s = stalled_s
        self._still_open = still_open
        self._leave = leave
        self._tick_s = tick_s
        self._done = threading.Event()
        self._deadline_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end_within(self, seconds: float) -> None:
        """The process was told to end; only the first time counts."""
        if self._deadline_s is None:
            self._deadline_s = time.monotonic() + seconds

    def close(self) -> None:
        """Stop watching: the process is past what could hang."""
        self._done.set()

    def _run(self) -> None:
        last, still_s = self._beats(), 0.0
        while not self._done.wait(self._tick_s):
            if self._deadline_s is not None:
                if time.monotonic() >= self._deadline_s:
                    names = ", ".join(self._still_open()) or "the interpreter"
                    self._end(f"not ended in time; still open: {names}", EXIT_OVERDUE)
                    return
                continue
            beats = self._beats()
            still_s = 0.0 if beats != last else still_s + self._tick_s
            last = beats
            # Before the first beat a service opens its parts, which has limits of its own.
            if beats and self._stalled_s and still_s >= self._stalled_s:
                self._end(f"the event loop has stood still for {still_s:.0f} s", EXIT_STALLED)
                return

    def _end(self, why: str, code: int) -> None:
        sys.stderr.write(f'{{"event": "process_ended", "reason": "{why}", "level": "critical"}}\n')
        if code == EXIT_STALLED:
            faulthandler.dump_traceback(_STDERR)  # files and lines only, no values
        sys.stderr.flush()
        self._leave(code)

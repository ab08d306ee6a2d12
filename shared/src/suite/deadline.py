"""A limit on how long code may run that cannot be asked to hurry, be it an endless loop in Python.

Only a process can end code that never comes back to the interpreter.
"""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Final, Self

from suite.errors import Overrun

_AGAIN_S: Final = 0.05
"""An interruption may be lost in a destructor, or be swallowed, so it is repeated."""
_AT_ONCE_S: Final = 1e-6
_NONE: Final = contextlib.nullcontext()


class Deadlines:
    """Many deadlines in a row, while its context is open: handler and timer are seldom set.

    Setting one takes longer than a short decision, so a timer that was set for an earlier limit
    rings on, and is set anew only then. Where none is open at that time, it stops.
    """

    def __init__(self) -> None:
        self._alarm = _Alarm() if _on_main_thread() else None

    def __enter__(self) -> Self:
        if self._alarm is not None:
            self._alarm.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._alarm is not None:
            self._alarm.end()

    def limit(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Interrupt what runs on the main thread when its time is over; nothing on another thread.

        Args:
            seconds: wall time from now on.

        Raises:
            Overrun: from wherever the code then is.
        """
        if self._alarm is None:
            return _NONE
        self._alarm.seconds = seconds
        return self._alarm


class _Alarm:
    """The process's one timer, and the limit that is open.

    Attributes:
        seconds: of the limit that is opened next.
    """

    def __init__(self) -> None:
        self.seconds = math.inf
        self._ends_s = self._rings_s = self._theirs_s = math.inf
        self._is_over = False

    def begin(self) -> None:
        """Take the alarm over; somebody else's that is set still comes."""
        self._before = signal.signal(signal.SIGALRM, self._ring)
        remaining_s, _ = signal.getitimer(signal.ITIMER_REAL)
        if remaining_s:
            self._theirs_s = self._rings_s = time.monotonic() + remaining_s

    def end(self) -> None:
        """Give it back."""
        self._set(self._theirs_s, again_s=0.0)  # first: another's handler may end the process
        signal.signal(signal.SIGALRM, self._before)

    def __enter__(self) -> None:
        self._is_over = False
        now_s = time.monotonic()
        self._ends_s = now_s + self.seconds
        if not now_s < self._rings_s <= self._ends_s:
            self._set(self._ends_s)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends_s = math.inf
        if self._is_over and kind is None:  # the code has swallowed it
            raise Overrun

    def _set(self, at_s: float, again_s: float = _AGAIN_S) -> None:
        self._rings_s = at_s
        if at_s == math.inf:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        else:
            ahead_s = max(at_s - time.monotonic(), _AT_ONCE_S)
            signal.setitimer(signal.ITIMER_REAL, ahead_s, again_s)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if self._ends_s <= now_s:
            self._is_over = True
            if frame is None or frame.f_code not in _OWN:
                raise Overrun
            return
        is_theirs, theirs = self._theirs_s <= now_s, self._before
        if is_theirs:
            self._theirs_s = math.inf
        self._set(min(self._ends_s, self._theirs_s))
        if is_theirs and callable(theirs):
            theirs(number, frame)


_OWN: Final = (_Alarm.__enter__.__code__, _Alarm.__exit__.__code__, _Alarm._set.__code__)  # noqa: SLF001
"""Code that begins or ends a limit; an interruption there would leave it open."""


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupt what runs on the main thread when its time is over; see `Deadlines.limit`.

    Args:
        seconds: wall time from now on.

    Raises:
        Overrun: from wherever the code then is.
    """
    with Deadlines() as deadlines, deadlines.limit(seconds):
        yield

"""A limit on how long code may run that cannot be asked to hurry, be it an endless loop in Python.

Only a process can end code that never comes back to the interpreter.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Final, Self

from suite.errors import Overrun

_AGAIN_S: Final = 0.05
"""An interruption may be lost in a destructor, or be swallowed, so it is repeated."""


class Deadlines:
    """Many deadlines in a row, while its context is open: the signal's handler is set once.

    Setting it takes longer than a short decision.
    """

    def __init__(self) -> None:
        self._is_main = threading.current_thread() is threading.main_thread()
        self._armed = self._is_over = False

    def __enter__(self) -> Self:
        if self._is_main:
            self._before = signal.signal(signal.SIGALRM, self._over)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_main:
            signal.signal(signal.SIGALRM, self._before)

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Interrupt what runs on the main thread when its time is over; nothing on another thread.

        Args:
            seconds: wall time from now on.

        Raises:
            Overrun: from wherever the code then is.
        """
        if not self._is_main:
            yield
            return
        self._armed, self._is_over = True, False
        remaining, _ = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
        try:
            yield
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, remaining)
        if self._is_over:  # the code has swallowed it
            raise Overrun

    def _over(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            self._is_over = True
            if frame is None or frame.f_code not in _OWN:
                raise Overrun
            return
        if callable(self._before):  # an alarm of somebody else's
            self._before(number, frame)


_OWN: Final = (
    Deadlines.limit.__wrapped__.__code__,  # type: ignore[attr-defined]
    contextlib._GeneratorContextManager.__exit__.__code__,  # noqa: SLF001 - runs around it
)
"""Code that ends a limit; an interruption there would leave the timer running."""


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

"""A limit on how long code may run that cannot be asked to hurry, be it an endless loop in Python.

Only a process can end code that never comes back to the interpreter.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from suite.errors import Overrun


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupt what runs on the main thread when its time is over; nothing on another thread.

    Args:
        seconds: wall time from now on.

    Raises:
        Overrun: from wherever the code then is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    armed = True

    def over(_number: int, _frame: FrameType | None) -> None:
        if armed:
            raise Overrun

    before = signal.signal(signal.SIGALRM, over)
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, remaining)
        signal.signal(signal.SIGALRM, before)

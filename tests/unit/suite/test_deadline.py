"""Code that cannot be asked to hurry is ended, whatever it does."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable

import pytest

from suite.deadline import Deadlines, deadline
from suite.errors import Overrun

BUDGET_S = 0.1


def spin() -> None:
    while True:
        pass


def swallow_once() -> None:
    with contextlib.suppress(BaseException):
        spin()
    spin()


def swallow_and_return() -> None:
    with contextlib.suppress(BaseException):
        spin()


def clean_up_slowly() -> None:
    try:
        spin()
    finally:
        time.sleep(10)


@pytest.mark.parametrize("code", [spin, swallow_once, swallow_and_return, clean_up_slowly])
def test_it_is_ended_however_it_resists(code: Callable[[], None]) -> None:
    """An interruption may be swallowed, so it comes again; who has swallowed it has overrun."""
    begun = time.monotonic()
    with pytest.raises(Overrun), deadline(BUDGET_S):
        code()
    assert time.monotonic() - begun < 5
    assert 0.0 == signal.getitimer(signal.ITIMER_REAL)[1], "it would come again"


def test_one_that_is_in_time_is_left_alone_and_so_is_what_comes_after() -> None:
    """The timer is off, the handler as it was; many in a row too."""
    before = signal.getsignal(signal.SIGALRM)
    with Deadlines() as deadlines:
        for _ in range(3):
            with deadlines.limit(BUDGET_S):
                time.sleep(0.001)
        time.sleep(2 * BUDGET_S)
    assert before is signal.getsignal(signal.SIGALRM)
    assert 0.0 == signal.getitimer(signal.ITIMER_REAL)[1], "it would come again"


def test_on_another_thread_nothing_is_interrupted() -> None:
    """Signals are the main thread's."""
    done: list[bool] = []

    def work() -> None:
        with deadline(0.01):
            time.sleep(0.05)
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [True] == done


def test_an_alarm_of_somebody_elses_comes_in_time_whatever_is_limited() -> None:
    """It is served within a limit, and after them all."""
    rung: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: rung.append(time.monotonic()))
    was_s, _ = signal.getitimer(signal.ITIMER_REAL)
    try:
        begun = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, BUDGET_S)
        with Deadlines() as deadlines, deadlines.limit(60):
            time.sleep(2 * BUDGET_S)
        assert BUDGET_S <= rung.pop() - begun < 2 * BUDGET_S
        signal.setitimer(signal.ITIMER_REAL, BUDGET_S)
        with Deadlines() as deadlines, deadlines.limit(60):
            pass
        time.sleep(2 * BUDGET_S)
        assert 1 == len(rung)
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, was_s)


def test_each_limit_of_many_has_its_own_time() -> None:
    """A timer of an earlier and longer limit does not let a shorter one run on."""
    with Deadlines() as deadlines:
        with deadlines.limit(60):
            pass
        with pytest.raises(Overrun), deadlines.limit(BUDGET_S):
            spin()
        with deadlines.limit(BUDGET_S):
            time.sleep(BUDGET_S / 2)
        with pytest.raises(Overrun), deadlines.limit(BUDGET_S):
            time.sleep(60)

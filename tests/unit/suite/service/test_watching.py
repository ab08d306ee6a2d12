"""A process that hangs is ended from a thread that does not."""

import queue

import pytest
from tests.support.waiting import until

from suite.service.watching import EXIT_OVERDUE, EXIT_STALLED, Watch


class Left:
    """What a watch ends a process with."""

    def __init__(self) -> None:
        self.codes: queue.Queue[int] = queue.Queue()
        self.beats = 0

    def watch(self, stalled_s: float) -> Watch:
        return Watch(
            lambda: self.beats,
            stalled_s=stalled_s,
            still_open=lambda: ["store"],
            leave=self.codes.put,
            tick_s=0.01,
        )


def test_a_loop_that_stands_still_ends_the_process() -> None:
    left = Left()
    left.beats = 1
    left.watch(0.05).start()
    assert EXIT_STALLED == left.codes.get(timeout=60)


def test_a_stop_that_takes_too_long_ends_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    left = Left()
    watch = left.watch(0)
    watch.end_within(0.0)
    watch.end_within(1000.0)  # a second signal buys no time
    watch.start()
    assert EXIT_OVERDUE == left.codes.get(timeout=60)
    assert "still open: store" in capsys.readouterr().err


async def test_a_loop_that_has_not_begun_is_not_watched() -> None:
    left = Left()
    watch = left.watch(0.02)
    watch.start()
    watch.close()
    await until(lambda: not watch._thread.is_alive(), 60)
    assert left.codes.empty()

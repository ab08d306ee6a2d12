"""The way to one provider, shared by all who ask it: a queue, and a breaker."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from strategy_core.llm.port import FaultKind
from strategy_models.errors import AttemptFailed

_MINUTE_S: Final = 60.0
_LONGEST: Final = 16


class Breaker:
    """Leaves a provider alone that fails again and again; then one question tries it.

    Args:
        failures: in a row until it opens.
        pause_s: that it stays open at first; twice as long each time a try fails, up to 16 times.
        now_s: a clock that never goes back, seconds.
    """

    def __init__(self, *, failures: int, pause_s: float, now_s: Callable[[], float]) -> None:
        self._limit = failures
        self._first_s = pause_s
        self._pause_s = pause_s
        self._now_s = now_s
        self._failures = 0
        self._opens_s = 0.0
        self._tries = False

    @property
    def closed_in_s(self) -> float:
        """Seconds until it may be tried; 0 where it may be now."""
        if self._failures < self._limit:
            return 0.0
        return self._pause_s if self._tries else max(0.0, self._opens_s - self._now_s())

    def begin(self) -> None:
        """Take note that a question leaves."""
        self._tries = self._failures >= self._limit

    def ended(self, *, down: bool | None) -> None:
        """Take note of how it ended.

        Args:
            down: the provider failed; None where nothing is known.
        """
        tried, self._tries = self._tries, False
        if down is None:
            return
        if not down:
            self._failures, self._pause_s = 0, self._first_s
            return
        self._failures += 1
        if tried:
            self._pause_s = min(2 * self._pause_s, _LONGEST * self._first_s)
        if self._failures >= self._limit:
            self._opens_s = self._now_s() + self._pause_s


class Gate:
    """Lets questions to one provider pass, in the order they come; for several threads.

    Args:
        name: of the provider.
        per_minute: that may leave in any minute.
        at_once: that may be under way.
        breaker: of the provider.
        now_s: a clock that never goes back, seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        per_minute: int,
        at_once: int,
        breaker: Breaker,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._per_minute = per_minute
        self._at_once = at_once
        self._breaker = breaker
        self._now_s = now_s
        self._left: deque[float] = deque(maxlen=per_minute)
        self._under_way = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def passing(self, until_s: float) -> Iterator[None]:
        """Wait for a place, and hold it while a question is under way.

        Args:
            until_s: how long at most, on the gate's clock.

        Raises:
            AttemptFailed: the provider is left alone at present, or the queue is too long.
        """
        self._enter(until_s)
        down: bool | None = None
        try:
            yield
            down = False
        except AttemptFailed as error:
            down = error.is_down
            raise
        finally:
            with self._changed:
                self._under_way -= 1
                self._breaker.ended(down=down)
                self._changed.notify_all()

    def _enter(self, until_s: float) -> None:
        ticket = object()
        with self._changed:
            self._check_breaker()
            self._queue.append(ticket)
            try:
                while (pause_s := self._pause_s(ticket)) > 0:
                    left_s = until_s - self._now_s()
                    if left_s <= 0:
                        raise self._too_long(pause_s)
                    self._changed.wait(min(pause_s, left_s))
                    self._check_breaker()
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
            self._left.append(self._now_s())
            self._under_way += 1
            self._breaker.begin()

    def _check_breaker(self) -> None:
        if (closed_s := self._breaker.closed_in_s) > 0:
            raise AttemptFailed(
                FaultKind.BREAKER_OPEN,
                f"{self._name} failed again and again and is left alone for {closed_s:.0f} s more",
                after_s=closed_s,
            )

    def _pause_s(self, ticket: object) -> float:
        """Say how long to wait before looking again; 0 where the way is free."""
        if self._queue[0] is not ticket or self._under_way >= self._at_once:
            return _MINUTE_S
        if len(self._left) < self._per_minute:
            return 0.0
        return max(0.0, self._left[0] + _MINUTE_S - self._now_s())

    def _too_long(self, pause_s: float) -> AttemptFailed:
        return AttemptFailed(
            FaultKind.RATE_LIMITED,
            f"{self._name} is asked {self._per_minute} times a minute, {self._at_once} at once, "
            "and the queue is longer than a question may wait",
            after_s=pause_s,
        )

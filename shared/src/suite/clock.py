"""What time it is: one protocol, and the clock that tests and backtests advance by hand.

The clock that reads the machine's time is `suite.service.clock.SystemClock`.
"""

from typing import Protocol


class Clock(Protocol):
    """The only source of time."""

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""
        ...


class ManualClock:
    """Time that moves only when told to."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""
        return self._now_ms

    def advance_to(self, now_ms: int) -> None:
        """Move forward.

        Raises:
            ValueError: the time is in the past.
        """
        if now_ms < self._now_ms:
            raise ValueError(f"time cannot go back from {self._now_ms} to {now_ms}")
        self._now_ms = now_ms

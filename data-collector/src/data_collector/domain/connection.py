"""What one connection has told: the venue's time, and how far it can be believed."""

from collections import Counter
from typing import Final

from suite.bars import MINUTE_MS

FAITH_MS: Final = 10 * MINUTE_MS
"""Venue time without a flaw after which a connection is believed when it says nothing."""
STEP_MS: Final = 10 * MINUTE_MS
"""A larger step of the venue's time needs a second witness."""


class VenueClock:
    """The venue's time, as its messages tell it; never ours.

    A single absurd stamp must not close every bar there is: a step of more than ten minutes is
    believed when a second message agrees.

    Attributes:
        now_ms: the latest time told, 0 before any.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self._rumor_ms = 0

    def tell(self, time_ms: int) -> None:
        """Take the stamp of a message; older ones and 0 say nothing."""
        if time_ms <= self.now_ms:
            return
        if self.now_ms and time_ms - self.now_ms <= STEP_MS:
            self.now_ms = time_ms
        elif abs(time_ms - self._rumor_ms) <= STEP_MS:
            self.now_ms = max(time_ms, self._rumor_ms)
        else:
            self._rumor_ms = time_ms


class Connection:
    """One connection; after its end the next one in its place, to which its doubts are left.

    Attributes:
        clock: the venue's time over it.
        since_ms: venue time since which it tells everything, 0 before any was told.
        flaws: frames that came twice, out of order, unreadable, or evidently not at all.
        doubts: spans of venue time, [start, end), within `FAITH_MS` of a flaw; rising and apart.
    """

    def __init__(self) -> None:
        self.clock = VenueClock()
        self.since_ms = 0
        self.flaws: Counter[str] = Counter()
        self.doubts: list[tuple[int, int]] = []

    def begin(self) -> None:
        """Begin anew: nothing is known of the time that has passed since."""
        self.clock = VenueClock()
        self.since_ms = 0

    def tell(self, time_ms: int, *, is_past: bool = False) -> None:
        """Take the stamp of a message.

        Args:
            time_ms: of the venue.
            is_past: it may be of something that was before the connection, as the trades are that
                a venue tells first of all.
        """
        before_ms = self.clock.now_ms
        self.clock.tell(time_ms)
        now_ms = self.clock.now_ms
        if self.since_ms and now_ms - before_ms > STEP_MS:
            self.since_ms = now_ms  # of what was between nothing came
        elif self.since_ms == 0 and not is_past:
            self.since_ms = now_ms

    def flawed(self, reason: str) -> None:
        """Note that not everything came as it was sent."""
        self.flaws[reason] += 1
        now_ms = self.clock.now_ms
        start_ms, end_ms = now_ms - FAITH_MS, now_ms + FAITH_MS
        if self.doubts and start_ms <= self.doubts[-1][1]:
            self.doubts[-1] = (self.doubts[-1][0], max(end_ms, self.doubts[-1][1]))
        else:
            self.doubts.append((start_ms, end_ms))

    @property
    def faithful(self) -> bool:
        """Whether silence means that nothing happened."""
        now_ms = self.clock.now_ms
        if self.since_ms == 0 or now_ms - self.since_ms < FAITH_MS:
            return False
        return not self.doubts or self.doubts[-1][1] <= now_ms

    def forget_before(self, time_ms: int) -> None:
        """Drop doubts that are settled."""
        self.doubts = [span for span in self.doubts if span[1] > time_ms]

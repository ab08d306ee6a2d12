"""The venue's time, carried on by a local clock between what the venue says of it."""

import math
import time
from collections.abc import Callable
from typing import Final

from suite.bars import MINUTE_MS
from suite.contracts.clock import ClockState

_UNTOLD_S: Final = 2.0
_UNTOLD_BARS: Final = 1.5
"""For how long the time of a paced world is carried on without a word of it, the longer of both."""
_LEAST_S: Final = 1e-3
"""Of a wait for what is not so yet, however numbers are rounded."""
_WINDOW_S: Final = 600.0
"""How long the latest lead of the venue's clock over ours counts; two clocks drift apart."""


class VenueTime:
    """What time it is at a venue that wakes nobody.

    Wall time goes on evenly. What the venue says of it is on its way for a moment, so of all it
    said lately the latest time counts. The time of a paced world stands at a boundary until the
    venue tells the next; should it not, it is taken to have come half a bar late. That goes on for
    a moment only: a venue that tells nothing at all has stopped, or is lost, and so its time is.
    The time of a world that waits for somebody stands until the venue tells a later one.

    Args:
        state: the venue's clock, as it was just asked for.
        now_s: seconds of a clock that never goes back.
        bar_ms: of a paced world.
    """

    def __init__(
        self,
        state: ClockState,
        *,
        now_s: Callable[[], float] = time.monotonic,
        bar_ms: int = MINUTE_MS,
    ) -> None:
        self.speed = state.speed or 1.0
        self.paced = state.mode != "wall"
        self._now_s = now_s
        self._bar_ms = bar_ms
        self._shown_ms = state.now_ms
        self._heard_ms = 0
        self._anchor_ms, self._anchor_s = state.now_ms, now_s()
        self._begun = not state.waits_for
        self._began_s = self._anchor_s
        self._lead_ms = self._earlier_lead_ms = self._lead(state.now_ms)

    def now_ms(self) -> int:
        """The venue's time, epoch ms; never goes back."""
        now_s = self._now_s()
        if self.paced:
            passed_s = min(now_s - self._anchor_s, self._untold_s) if self._begun else 0.0
            passed_ms = passed_s * 1000 * self.speed - self._bar_ms / 2
            now_ms = self._anchor_ms + max(0, int(passed_ms // self._bar_ms)) * self._bar_ms
        else:
            lead_ms = max(self._lead_ms, self._earlier_lead_ms)
            now_ms = int(now_s * 1000 * self.speed + lead_ms)
        self._shown_ms = max(self._shown_ms, now_ms)
        return self._shown_ms

    def begun(self) -> None:
        """Note that a paced world has begun, a moment ago."""
        if not self._begun:
            self._anchor_s, self._begun = self._now_s(), True

    def heard(self, server_ms: int) -> None:
        """Take in a time that the venue has told."""
        if server_ms <= self._heard_ms:
            return  # told again, of which nothing follows
        now_s, self._heard_ms = self._now_s(), server_ms
        if self.paced and server_ms > self._anchor_ms:
            self._anchor_ms, self._anchor_s, self._begun = server_ms, now_s, True
        if now_s - self._began_s > _WINDOW_S:
            self._began_s, self._earlier_lead_ms = now_s, self._lead_ms
            self._lead_ms = self._lead(server_ms)
        self._lead_ms = max(self._lead_ms, self._lead(server_ms))

    def wait_s(self, until_ms: int) -> float:
        """Real seconds until a time of the venue; a paced world may tell of it earlier.

        Its time comes in whole bars, and stands where it has told nothing for too long: until a
        time within a bar, or one that does not come by itself, nobody looks again and again.
        """
        if not self.paced:
            return max(0.0, (until_ms - self.now_ms()) / 1000 / self.speed)
        if until_ms <= self.now_ms():
            return 0.0
        bars = -(-(until_ms - self._anchor_ms) // self._bar_ms)
        due_s = (bars + 0.5) * self._bar_ms / 1000 / self.speed
        if due_s > self._untold_s:
            return math.inf
        return max(_LEAST_S, due_s - (self._now_s() - self._anchor_s))

    def passed(self, real_ms: float) -> int:
        """How much of the venue's time is over since something came, ms; whole bars where paced."""
        passed_ms = int(real_ms * self.speed)
        return passed_ms // self._bar_ms * self._bar_ms if self.paced else passed_ms

    def real(self, stretch: float) -> float:
        """How long a stretch of the venue's time really takes, in its unit; never longer."""
        return stretch / max(1.0, self.speed)

    @property
    def _untold_s(self) -> float:
        return max(_UNTOLD_S, _UNTOLD_BARS * self._bar_ms / 1000 / self.speed)

    def _lead(self, server_ms: int) -> float:
        return server_ms - self._now_s() * 1000 * self.speed

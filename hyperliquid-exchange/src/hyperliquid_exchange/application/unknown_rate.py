"""How many of the last minute's actions have lost their answer."""

from collections import deque
from typing import Final

SHARE: Final = 0.02
"""Share of a minute's actions beyond which nobody may add risk."""
LEAST: Final = 3
"""Fewer of them are chance."""
WINDOW_S: Final = 60.0


class UnknownRate:
    """Counts what left and what was lost within a minute."""

    def __init__(self) -> None:
        self._left: deque[float] = deque()
        self._lost: deque[float] = deque()

    def left(self, now_s: float) -> None:
        """Count an action that left."""
        self._left.append(now_s)
        self._forget(now_s)

    def lost(self, now_s: float) -> bool:
        """Count an answer that was lost; say whether they are too many."""
        self._lost.append(now_s)
        self._forget(now_s)
        lost = len(self._lost)
        return lost >= LEAST and lost > SHARE * len(self._left)

    def healed(self, now_s: float) -> bool:
        """Whether no answer was lost for a minute."""
        self._forget(now_s)
        return not self._lost

    def _forget(self, now_s: float) -> None:
        for times in (self._left, self._lost):
            while times and times[0] <= now_s - WINDOW_S:
                times.popleft()

"""How many requests may leave in any minute, with a part kept for exits."""

from collections import deque
from collections.abc import Callable
from typing import Final

_MINUTE_S: Final = 60.0


class RateBudget:
    """What is left of the requests of the last minute.

    Exits are never refused: what they take beyond the budget is missing for entries afterwards.

    Args:
        now_s: a clock that never goes back, seconds.
        per_minute: requests in any minute.
        reserve: of these, what only cancels and reduce-only orders may use.
    """

    def __init__(
        self, now_s: Callable[[], float], *, per_minute: int = 960, reserve: int = 192
    ) -> None:
        if not 0 <= reserve < per_minute:
            raise ValueError("the reserve must be smaller than the budget")
        self._now_s = now_s
        self._per_minute = per_minute
        self._reserve = reserve
        self._taken: deque[float] = deque(maxlen=per_minute)

    @property
    def left(self) -> int:
        """Requests that may still leave in this minute, the reserve included."""
        now_s = self._now_s()
        while self._taken and self._taken[0] + _MINUTE_S <= now_s:
            self._taken.popleft()
        return self._per_minute - len(self._taken)

    def take(self, *, exits: bool) -> bool:
        """Take one request out of the budget; say whether it may leave.

        Args:
            exits: it reduces risk, or finds out what became of another.
        """
        if not exits and self.left <= self._reserve:
            return False
        self._taken.append(self._now_s())
        return True

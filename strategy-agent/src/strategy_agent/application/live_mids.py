"""Mid prices of all coins as they are pushed."""

import time
from collections.abc import Callable, Mapping
from typing import Final

_NEVER_S: Final = float("-inf")


class LiveMids:
    """The latest mid prices.

    Args:
        now_s: seconds of a clock that never goes back.

    Attributes:
        mids: USD by coin, as the venue writes them; replaced whole.
        listeners: called when there are others; they return at once.
    """

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self.mids: Mapping[str, str] = {}
        self.listeners: list[Callable[[], None]] = []
        self._now_s = now_s
        self._told_s = _NEVER_S

    @property
    def age_ms(self) -> float:
        """Since they were told; infinite before."""
        return (self._now_s() - self._told_s) * 1000

    def received(self, mids: Mapping[str, str]) -> None:
        """Take the latest ones in."""
        self.mids = mids
        self._told_s = self._now_s()
        for listener in self.listeners:
            listener()

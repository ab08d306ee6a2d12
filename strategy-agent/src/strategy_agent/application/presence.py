"""Whether a trader's venue is there, and whether its world has begun: told as it changes."""

from collections.abc import Callable

from suite.clock import Clock
from suite.errors import one_line


class Presence:
    """What is known of one trader's venue.

    Args:
        wall: the machine's clock.

    Attributes:
        lost_since_ms: since when nothing comes from it, wall time; None while it is there.
        reason: why it counts as lost, empty while it is there.
        waits_for: accounts that its world waits for before it begins.
        on_change: told after each change.
    """

    def __init__(self, wall: Clock) -> None:
        self.lost_since_ms: int | None = None
        self.reason = ""
        self.waits_for: tuple[str, ...] = ()
        self.on_change: Callable[[], None] = lambda: None
        self._wall = wall

    def lost(self, reason: str, *, silent_s: float = 0.0) -> None:
        """Note that the venue does not answer; nothing when that is known.

        Args:
            reason: in words.
            silent_s: for how long nothing has come.
        """
        if self.lost_since_ms is None:
            self.lost_since_ms = self._wall.now_ms() - int(silent_s * 1000)
            self.reason = one_line(reason)
            self.on_change()

    def lost_s(self) -> float:
        """Tell for how long it has been lost; 0 while it is there."""
        if self.lost_since_ms is None:
            return 0.0
        return max(0, self._wall.now_ms() - self.lost_since_ms) / 1000

    def back(self) -> None:
        """Note that it answers; nothing when that is known."""
        if self.lost_since_ms is not None:
            self.lost_since_ms, self.reason = None, ""
            self.on_change()

    def waits(self, accounts: tuple[str, ...]) -> None:
        """Note for whom its world waits before it begins; for nobody where it has."""
        if accounts != self.waits_for:
            self.waits_for = accounts
            self.on_change()

"""How far this machine's clock is from the venue's, as one question and its answer prove it."""

from dataclasses import dataclass
from typing import Final

SKEW_WARN_MS: Final = 250
"""From here on people are told."""
SKEW_FAIL_MS: Final = 1000
"""From here on nothing adds risk: nonces and expiries are this machine's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """Bounds of the venue's time less ours, ms.

    The venue read its clock somewhere between question and answer, so a slow answer proves little
    and never too much.

    Attributes:
        least_ms, most_ms: it is between these.
    """

    least_ms: int
    most_ms: int

    @property
    def proven_ms(self) -> int:
        """The difference that is certain, with its sign: positive where the venue is ahead."""
        if self.least_ms > 0:
            return self.least_ms
        return min(self.most_ms, 0)

    @property
    def text(self) -> str:
        """In words."""
        where = "behind" if self.proven_ms > 0 else "ahead of"
        return f"this machine's clock is {abs(self.proven_ms) / 1000:.2f} s {where} the venue's"


def skew_of(venue_ms: int, *, answered_ms: int, took_ms: int) -> Skew:
    """Bound the difference.

    Args:
        venue_ms: the venue's time in an answer.
        answered_ms: ours when it was there.
        took_ms: from question to answer, by a clock that never goes back.
    """
    least_ms = venue_ms - answered_ms
    return Skew(least_ms=least_ms, most_ms=least_ms + max(took_ms, 0))

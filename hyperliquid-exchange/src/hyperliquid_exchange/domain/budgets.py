"""How many requests the venue still takes, and what is kept of them for getting out.

An account may send 10,000 actions and one more for every USDC that it has traded; an IP address
has a weight of 1,200 a minute for actions and reads together. Of both a reserve is kept: below it,
only what reduces passes.

Source: venue documentation, "Rate limits and user limits", read 2026-11.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

FIRST_REQUESTS: Final = 10_000
RESERVED_REQUESTS: Final = 500
WEIGHT_A_MINUTE: Final = 1_200
RESERVED_SHARE: Final = 5
"""A fifth of the weight is kept."""
_WINDOW_S: Final = 60.0
_ITEMS_A_WEIGHT: Final = 40


def action_weight(items: int) -> int:
    """Weight of an action.

    Args:
        items: orders or cancels in it.
    """
    return 1 + items // _ITEMS_A_WEIGHT


@dataclass(slots=True)
class AddressBudget:
    """Requests of one account.

    Attributes:
        cap: how many it may ever have sent, as far as is known.
        used: how many it has.
        reserve: kept for what reduces.
    """

    cap: int = FIRST_REQUESTS
    used: int = 0
    reserve: int = RESERVED_REQUESTS

    def told(self, *, used: int, cap: int) -> None:
        """Take the venue's own numbers; what left since it counted counts on top."""
        self.used, self.cap = used, cap

    def spend(self, requests: int) -> None:
        """Count what leaves."""
        self.used += requests

    @property
    def left(self) -> int:
        """How many the venue still takes."""
        return max(0, self.cap - self.used)

    def refusal(self, requests: int) -> str:
        """Tell why requests that may add risk do not fit; empty where they do."""
        if self.left - requests >= self.reserve:
            return ""
        return f"{self.left} requests are left to the account, {self.reserve} kept for exits"


@dataclass(slots=True)
class WeightBudget:
    """Weight of an IP address, over a sliding minute.

    Attributes:
        limit: a minute.
        reserve: kept for what reduces.
    """

    limit: int = WEIGHT_A_MINUTE
    reserve: int = WEIGHT_A_MINUTE // RESERVED_SHARE
    _spent: deque[tuple[float, int]] = field(default_factory=deque)
    _sum: int = 0

    def spend(self, weight: int, now_s: float) -> None:
        """Count what leaves, or what an answer has cost beyond it.

        Args:
            weight: of it.
            now_s: of a clock that never goes back.
        """
        self._forget(now_s)
        self._spent.append((now_s, weight))
        self._sum += weight

    def left(self, now_s: float) -> int:
        """Weight that is left of the last minute."""
        self._forget(now_s)
        return max(0, self.limit - self._sum)

    def refusal(self, weight: int, now_s: float) -> str:
        """Tell why something that is no exit does not fit; empty where it does."""
        left = self.left(now_s)
        if left - weight >= self.reserve:
            return ""
        return f"{left} of {self.limit} weight a minute is left, {self.reserve} kept for exits"

    def wait_s(self, weight: int, now_s: float) -> float:
        """Tell in how many seconds it fits, if nothing else is sent; 0 for now."""
        self._forget(now_s)
        excess = self._sum + weight + self.reserve - self.limit
        for at_s, spent in self._spent:
            if excess <= 0:
                break
            excess -= spent
            if excess <= 0:
                return max(0.0, at_s + _WINDOW_S - now_s)
        return 0.0 if excess <= 0 else _WINDOW_S

    def _forget(self, now_s: float) -> None:
        while self._spent and self._spent[0][0] <= now_s - _WINDOW_S:
            self._sum -= self._spent.popleft()[1]

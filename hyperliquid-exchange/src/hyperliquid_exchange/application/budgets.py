"""The request limits of the venue, known from its own word and from what leaves here."""

import time
from collections import defaultdict
from collections.abc import Callable

from hyperliquid_exchange.domain.budgets import (
    AddressBudget,
    WeightBudget,
    action_weight,
)
from suite.info_weights import weight


class Budgets:
    """What all traders of this process may still send.

    Args:
        now_s: seconds of a clock that never goes back.

    Attributes:
        weight: of the IP address.
    """

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self.weight = WeightBudget()
        self._addresses: dict[str, AddressBudget] = defaultdict(AddressBudget)
        self._now_s = now_s

    def address(self, address: str) -> AddressBudget:
        """Requests of one account."""
        return self._addresses[address]

    def told(self, address: str, *, used: int, cap: int) -> None:
        """Take what `userRateLimit` says of an account: `nRequestsUsed`, `nRequestsCap`."""
        self._addresses[address].told(used=used, cap=cap)

    def traded(self, address: str, usd: int) -> None:
        """Take note of a fill, whole USDC: an account may send one more for each."""
        self._addresses[address].cap += usd

    def action_refusal(self, address: str, items: int) -> str:
        """Tell why an action that may add risk does not fit; empty where it does."""
        return self._addresses[address].refusal(items) or self.weight.refusal(
            action_weight(items), self._now_s()
        )

    def action_left(self, address: str, items: int) -> None:
        """Count an action that leaves."""
        self._addresses[address].spend(items)
        self.weight.spend(action_weight(items), self._now_s())

    def read_refusal(self, kind: str) -> str:
        """Tell why a read does not fit; empty where it does. Not for what a resolver must know."""
        return self.weight.refusal(weight(kind), self._now_s())

    def read_wait_s(self, kind: str) -> float:
        """Tell in how many seconds a read fits; 0 for now."""
        return self.weight.wait_s(weight(kind), self._now_s())

    def read_left(self, kind: str) -> None:
        """Count a read that leaves."""
        self.weight.spend(weight(kind), self._now_s())

    def read_answered(self, kind: str, items: int) -> None:
        """Count what the rows of an answer cost beyond the read itself."""
        beyond = weight(kind, items) - weight(kind)
        if beyond:
            self.weight.spend(beyond, self._now_s())

"""Mid prices of all coins, and the best prices of those that are traded, as they are pushed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from suite.account.events import BestPush
from suite.fixed import is_decimal

_NEVER_S: Final = float("-inf")


@dataclass(slots=True, kw_only=True)
class BestPrices:
    """The touch of one coin, USD and units of it.

    Attributes:
        known_s: when it was told, or the mid that was told last lay within it.
    """

    bid: float
    bid_size: float
    ask: float
    ask_size: float
    known_s: float


class LivePrices:
    """The latest prices of a connection.

    Best prices are told when they change, so that silence says nothing of their age. What does is
    the mid, which is told again and again: while it lies between them they hold, and where a venue
    forgets to tell them it leaves.

    Args:
        now_s: seconds of a clock that never goes back.

    Attributes:
        mids: USD by coin, as the venue writes them; replaced whole.
        listeners: called when there are other mids; they return at once.
    """

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self.mids: Mapping[str, str] = {}
        self.listeners: list[Callable[[], None]] = []
        self._now_s = now_s
        self._told_s = _NEVER_S
        self._best: dict[str, BestPrices] = {}

    @property
    def age_ms(self) -> float:
        """Since the mids were told; infinite before."""
        return (self._now_s() - self._told_s) * 1000

    def received(self, mids: Mapping[str, str]) -> None:
        """Take the latest mids in."""
        self.mids = mids
        self._told_s = self._now_s()
        for coin, best in self._best.items():
            mid = mids.get(coin, "")
            if is_decimal(mid) and best.bid <= float(mid) <= best.ask:
                best.known_s = self._told_s
        for listener in self.listeners:
            listener()

    def received_best(self, push: BestPush) -> None:
        """Take the latest touch of a coin in; one with a side that is empty is none."""
        bid, ask = push.bid, push.ask
        self._best.pop(push.coin, None)
        if bid is None or ask is None:
            return
        if not all(map(is_decimal, (bid.px, bid.sz, ask.px, ask.sz))):
            return
        best = BestPrices(
            bid=float(bid.px),
            bid_size=float(bid.sz),
            ask=float(ask.px),
            ask_size=float(ask.sz),
            known_s=self._now_s(),
        )
        if 0 < best.bid <= best.ask and min(best.bid_size, best.ask_size) >= 0:
            self._best[push.coin] = best

    def best(self, coin: str) -> tuple[BestPrices, float] | None:
        """Tell the touch of a coin and its age in ms; None where it is not known."""
        found = self._best.get(coin)
        return None if found is None else (found, (self._now_s() - found.known_s) * 1000)

"""The nonces of one signer: each may be used once, and none that is old."""

import heapq
from collections import deque
from typing import Final

from suite.bars import DAY_MS

KEPT: Final = 100
"""Highest nonces that are kept; a new one must be above the smallest of them."""
_REMEMBERED: Final = 10_000
_BACK_MS: Final = 2 * DAY_MS - 120_000
_AHEAD_MS: Final = DAY_MS - 120_000
"""Measured on the venue's testnet: the documented window is narrower by two minutes a side."""


class NonceWindow:
    """What a signer has used.

    Source: venue documentation, "Nonces and API wallets", read 2026-11.
    """

    def __init__(self) -> None:
        self._highest: list[int] = []
        self._seen: set[int] = set()
        self._order: deque[int] = deque()

    def use(self, nonce: int, now_ms: int) -> str | None:
        """Use a nonce up; tell in the venue's words why it may not be.

        Args:
            nonce: as sent.
            now_ms: wall time.
        """
        if nonce in self._seen or nonce in self._highest:
            return f"Invalid nonce: duplicate nonce {nonce}"
        lowest = now_ms - _BACK_MS
        if len(self._highest) == KEPT:
            lowest = max(lowest, self._highest[0])
        if nonce < lowest:
            return f"Invalid nonce: nonce too low {nonce} < {lowest}"
        if nonce > now_ms + _AHEAD_MS:
            return f"Invalid nonce: nonce too high {nonce} > {now_ms + _AHEAD_MS}"
        if len(self._highest) < KEPT:
            heapq.heappush(self._highest, nonce)
        else:
            heapq.heapreplace(self._highest, nonce)
        self._remember(nonce)
        return None

    def _remember(self, nonce: int) -> None:
        """Keep what was seen; what is forgotten is too low by now, or among the highest."""
        self._seen.add(nonce)
        self._order.append(nonce)
        if len(self._order) > _REMEMBERED:
            self._seen.discard(self._order.popleft())

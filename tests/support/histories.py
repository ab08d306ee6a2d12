"""A venue's past in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np

from suite.bars import F64, I64, Bars
from suite.errors import SuiteError
from suite.klines import Gap, Source


class MemoryHistory:
    """Answers from what it is given, in pages, and keeps what it was asked.

    Attributes:
        asked: every range of bars.
        funding_asked: every range of funding.
        fails_after: pages after which it fails with `fault`.
    """

    def __init__(
        self,
        bars: Mapping[str, Bars],
        funding: Mapping[str, tuple[Sequence[int], Sequence[float]]] | None = None,
        *,
        page: int = 100,
    ) -> None:
        self.source = Source("hyperliquid")
        self._bars = bars
        self._funding = funding or {}
        self._page = page
        self.asked: list[tuple[str, Gap]] = []
        self.funding_asked: list[tuple[str, Gap]] = []
        self.fails_after: int | None = None
        self.fault: SuiteError | None = None
        self.closed = False

    async def klines(
        self, coin: str, interval: str, from_ms: int, to_ms: int
    ) -> AsyncIterator[Bars]:
        self.asked.append((coin, Gap(from_ms, to_ms)))
        found = self._bars[coin].between(from_ms, to_ms)
        for number, first in enumerate(range(0, len(found), self._page)):
            if self.fault is not None and number == self.fails_after:
                raise self.fault
            yield found.rows(first, min(first + self._page, len(found)))

    async def funding(self, coin: str, from_ms: int, to_ms: int) -> AsyncIterator[tuple[I64, F64]]:
        self.funding_asked.append((coin, Gap(from_ms, to_ms)))
        if coin in self._funding:
            stamps, rates = (np.asarray(column) for column in self._funding[coin])
            inside = (stamps >= from_ms) & (stamps < to_ms)
            if inside.any():
                yield stamps[inside], rates[inside]

    async def instruments(self) -> Mapping[str, Mapping[str, Any]]:
        return {coin: {"source_symbol": coin, "sz_decimals": 3} for coin in self._bars}

    async def close(self) -> None:
        self.closed = True

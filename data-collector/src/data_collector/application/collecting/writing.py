"""Closed bars on their way to the disk: journal first, then the tail, then the store."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import numpy as np
import structlog

from data_collector.application.collecting.live_bars import Tail, bars_from
from data_collector.application.collecting.ports import Journal, LiveStore
from data_collector.domain.candles import Candle
from suite.bars import INTERVAL_MS, Bars
from suite.errors import StorageError, one_line
from suite.klines import WriteResult, bars_equal, merge_bars, take_bars

_log = structlog.get_logger()
_RETRY_S: Final = 1.0
_TAIL_BARS: Final = 200_000
"""The tail is flushed early beyond this: a fast world closes bars by thousands a second."""


class Writer:
    """The one who writes; acknowledged is what would survive a loss of power.

    Args:
        store, journal, tail: where bars go.
        acknowledged: is told of bars once they are safe.
        flush_s: how long bars stay in journal and tail.
    """

    def __init__(
        self,
        store: LiveStore,
        journal: Journal,
        tail: Tail,
        *,
        acknowledged: Callable[[Sequence[Candle]], None],
        flush_s: float = 300.0,
    ) -> None:
        self._store = store
        self._journal = journal
        self._tail = tail
        self._acknowledged = acknowledged
        self._flush_s = flush_s
        self._step_ms = INTERVAL_MS[tail.interval]
        self._waiting: list[Candle] = []
        self._interest: dict[str, dict[int, float]] = {}
        self._work = asyncio.Event()
        self._turn = asyncio.Lock()
        self.fault = ""

    def recover(self) -> int:
        """Bring what an earlier process journaled into the store; say how many bars."""
        count = 0
        for source, coin, bars in self._journal.replay():
            self._store.append_bars(source, coin, bars)
            count += len(bars)
        self._journal.forget()
        return count

    def put(self, candles: Iterable[Candle]) -> None:
        """Take closed bars; they are safe when `acknowledged` hears of them."""
        self._waiting.extend(candles)
        self._work.set()

    def waiting(self) -> set[str]:
        """Name the coins with bars that are not safe yet, and so not to be read."""
        return {candle.coin for candle in self._waiting}

    def put_interest(self, coin: str, time_ms: int, value: float) -> None:
        """Take an open interest; it is stored with the next flush."""
        self._interest.setdefault(coin, {})[time_ms] = value

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + self._flush_s
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await self._work.wait()
            self._work.clear()
            try:
                await self._commit()
                if loop.time() >= due_s or len(self._tail) > _TAIL_BARS:
                    due_s = loop.time() + self._flush_s
                    await self.flush()
                self.fault = ""
            except StorageError as error:
                self.fault = one_line(str(error))
                _log.error("collected_bars_not_written", reason=self.fault)
                await asyncio.sleep(_RETRY_S)
                self._work.set()

    async def finish(self) -> None:
        """Write all there is."""
        await self._commit()
        await self.flush()

    async def flush(self) -> None:
        """Bring the tail into the store."""
        async with self._turn:
            await asyncio.to_thread(self._flush)

    async def correct(self, coin: str, bars: Bars) -> WriteResult:
        """Store bars that were asked for, or that changed after they were closed.

        They go to the store at once. Where the tail has other values, the tail goes there first:
        so the store keeps what was replaced, and the journal never holds two values of one bar.
        """
        await self._commit()
        async with self._turn:
            return await asyncio.to_thread(self._correct, coin, bars)

    async def _commit(self) -> None:
        async with self._turn:
            batch = list(self._waiting)
            if not batch:
                return
            by_coin: dict[str, list[Candle]] = {}
            for candle in batch:
                by_coin.setdefault(candle.coin, []).append(candle)
            items = [
                (self._tail.source, coin, bars_from(rows, self._step_ms))
                for coin, rows in by_coin.items()
            ]
            await asyncio.to_thread(self._journal.append, items)
            del self._waiting[: len(batch)]
            self._tail.add(batch)
        self._acknowledged(batch)

    def _flush(self) -> None:
        for coin in self._tail.coins():
            self._store.append_bars(self._tail.source, coin, self._tail.bars(coin))
        interest, self._interest = self._interest, {}
        for coin, values in interest.items():
            times = np.array(sorted(values), np.int64)
            self._store.write_open_interest(
                self._tail.source, coin, times, np.array([values[int(at)] for at in times])
            )
        self._journal.forget()
        for coin in self._tail.coins():
            self._tail.drop(coin)

    def _correct(self, coin: str, bars: Bars) -> WriteResult:
        tail = self._tail.bars(coin)
        known = np.isin(bars.open_time_ms, tail.open_time_ms)
        if not bars_equal(merge_bars(tail, take_bars(bars, known)).bars, tail):
            self._flush()
        else:
            bars = take_bars(bars, ~known)
        if len(bars) == 0:
            return WriteResult()
        return self._store.append_bars(self._tail.source, coin, bars)

"""Closed bars on their way to the disk: journal first, then the tail, then the store."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

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
_WAITING_BARS: Final = 200_000
"""No more wait in memory for a disk that refuses; what comes then is asked for again later."""

T = TypeVar("T")


class Writer:
    """The one who writes; acknowledged is what would survive a loss of power.

    What it has begun it ends: a write goes on where its caller is cancelled meanwhile, because its
    thread does too, and nothing may be written beside it.

    Args:
        store, journal, tail: where bars go.
        acknowledged: is told of bars once they are safe.
        flush_s: how long bars stay in journal and tail.

    Attributes:
        fault: why the last write was refused, empty when it was not.
        held: why no more bars are taken at present; empty when they are.
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
        self._newest_ms: dict[str, int] = {}
        self._interest: dict[str, dict[int, float]] = {}
        self._work = asyncio.Event()
        self._turn = asyncio.Lock()
        self.fault = ""
        self.held = ""

    def recover(self) -> int:
        """Bring what an earlier process journaled into the store; say how many bars."""
        count = 0
        for source, coin, bars in self._journal.replay():
            self._store.append_bars(source, coin, bars)
            count += len(bars)
        self._journal.forget()
        return count

    def put(self, candles: Sequence[Candle]) -> bool:
        """Take closed bars, also those that changed after they were closed.

        They are safe when `acknowledged` hears of them.

        Returns:
            False when there is no room for them.
        """
        if self.held or len(self._waiting) + len(candles) > _WAITING_BARS:
            return False
        self._waiting.extend(candles)
        self._work.set()
        return True

    def waiting(self) -> set[str]:
        """Name the coins with bars that are not safe yet, and so not to be read."""
        return {candle.coin for candle in self._waiting}

    def put_interest(self, coin: str, time_ms: int, value: float) -> None:
        """Take an open interest; it is stored with the next flush."""
        if self.held:
            return
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
                if loop.time() >= due_s or len(self._tail) > _TAIL_BARS:
                    await self._flush_and_commit()
                    due_s = loop.time() + self._flush_s
                else:
                    await self.commit()
                self.fault = ""
            except StorageError as error:
                self.refused(error)
                await asyncio.sleep(_RETRY_S)
                self._work.set()

    def refused(self, error: StorageError) -> None:
        """Say that something could not be written; the next write that succeeds takes it back."""
        self.fault = one_line(str(error))
        _log.error("collected_bars_not_written", reason=self.fault)

    async def finish(self) -> None:
        """Write all there is."""
        await self.commit()
        await self.flush()

    async def commit(self) -> None:
        """Journal what waits; a journal that refuses is emptied into the store first."""
        try:
            await self._alone(self._commit)
        except StorageError:
            await self.flush()
            await self._alone(self._commit)

    async def flush(self) -> None:
        """Bring the tail into the store."""
        await self._alone(self._flush)

    async def correct(self, coin: str, bars: Bars) -> WriteResult:
        """Store bars that were asked for; they go to the store at once.

        Where the tail has other values, the tail goes there first: so the store keeps what was
        replaced, and the journal never holds two values of one bar.
        """
        await self.commit()
        return await self._alone(lambda: self._correct(coin, bars))

    async def _flush_and_commit(self) -> None:
        """Do both, also where the store refuses: bars must be in the journal at least."""
        try:
            await self.flush()
        finally:
            await self.commit()

    async def _alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do some work while no other is done, and to its end even when cancelled meanwhile."""

        async def in_turn() -> T:
            async with self._turn:
                return await work()

        task = asyncio.create_task(in_turn())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            if (error := task.exception()) is not None:
                _log.error("collected_bars_not_written", reason=one_line(str(error)))
            raise

    # ---- in turn

    async def _commit(self) -> None:
        batch = list(self._waiting)
        if not batch:
            return
        latest = {(candle.coin, candle.open_time_ms): candle for candle in batch}
        by_coin: dict[str, list[Candle]] = {}
        for candle in latest.values():
            by_coin.setdefault(candle.coin, []).append(candle)
        bars = {coin: bars_from(rows, self._step_ms) for coin, rows in by_coin.items()}
        if any(self._changes(coin, rows) for coin, rows in bars.items()):
            await self._flush()
        items = [(self._tail.source, coin, rows) for coin, rows in bars.items()]
        await asyncio.to_thread(self._journal.append, items)
        del self._waiting[: len(batch)]
        self._tail.add(latest.values())
        for coin, rows in bars.items():
            self._newest_ms[coin] = max(int(rows.open_time_ms[-1]), self._newest_ms.get(coin, 0))
        self._acknowledged(list(latest.values()))

    def _changes(self, coin: str, bars: Bars) -> bool:
        """Whether a bar in the tail has other values: the store is to record those first."""
        if len(bars) == 0 or int(bars.open_time_ms[0]) > self._newest_ms.get(coin, 0):
            return False
        tail = self._tail.bars(coin)
        known = take_bars(bars, np.isin(bars.open_time_ms, tail.open_time_ms))
        return not bars_equal(merge_bars(tail, known).bars, tail)

    async def _flush(self) -> None:
        interest, self._interest = self._interest, {}
        try:
            await asyncio.to_thread(self._store_tail, interest)
            self._newest_ms.clear()
        finally:
            for coin, values in interest.items():  # which were not written
                self._interest[coin] = values | self._interest.get(coin, {})

    def _store_tail(self, interest: dict[str, dict[int, float]]) -> None:
        """Store the tail, and open interest, which is taken out as it is written."""
        coins = self._tail.coins()
        for coin in coins:
            self._store.append_bars(self._tail.source, coin, self._tail.bars(coin))
        self._journal.forget()
        for coin in coins:
            self._tail.drop(coin)
        for coin in list(interest):
            values = interest[coin]
            times = np.array(sorted(values), np.int64)
            self._store.write_open_interest(
                self._tail.source, coin, times, np.array([values[int(at)] for at in times])
            )
            del interest[coin]

    async def _correct(self, coin: str, bars: Bars) -> WriteResult:
        if self._changes(coin, bars):
            await self._flush()
        else:
            tail = self._tail.bars(coin)
            bars = take_bars(bars, ~np.isin(bars.open_time_ms, tail.open_time_ms))
        if len(bars) == 0:
            return WriteResult()
        return await asyncio.to_thread(self._store.append_bars, self._tail.source, coin, bars)

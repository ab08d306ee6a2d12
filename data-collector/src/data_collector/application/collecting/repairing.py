"""What the stream did not tell, asked of the venue: rarely, and counted."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import structlog

from data_collector.application.collecting.ports import LiveStore
from data_collector.application.collecting.writing import Writer
from data_collector.application.ports import History
from data_collector.domain.assembly import Assembly, Missing, Question
from data_collector.domain.candles import Candle
from suite.bars import INTERVAL_MS
from suite.errors import StorageError, SuiteError, UpstreamUnavailable, one_line
from suite.klines import VENUE_HAS_NONE, Gap, concat_bars, gaps_of

_log = structlog.get_logger()
NOT_ASKED: Final = "not asked for: DISABLE_REST_FALLBACK is set"
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 60.0


class Repairer:
    """Asks a venue's history for what is missing.

    Args:
        history: of the venue.
        store: where reasons and funding go.
        writer: where bars go.
        interval: of the bars.
        now_ms: our clock, for when something was asked.
        corrected: is told of bars that the venue's record has otherwise than its stream.
        asks: for bars; else they stay gaps.

    Attributes:
        calls: questions by reason, `gap`, `funding`, `instruments`; a long one takes a request
            for each page.
    """

    def __init__(
        self,
        history: History,
        store: LiveStore,
        writer: Writer,
        interval: str,
        now_ms: Callable[[], int],
        *,
        corrected: Callable[[Sequence[Candle]], None],
        asks: bool = True,
    ) -> None:
        self.calls: Counter[str] = Counter()
        self._history = history
        self._store = store
        self._writer = writer
        self._interval = interval
        self._now_ms = now_ms
        self._corrected = corrected
        self._asks = asks
        self._step_ms = INTERVAL_MS[interval]
        self._not_before_s: dict[str, float] = {}
        self._failures: Counter[str] = Counter()

    def rests(self, coin: str) -> bool:
        """Whether a coin's last question failed so recently that it is not asked yet."""
        return asyncio.get_running_loop().time() < self._not_before_s.get(coin, 0.0)

    async def fill(self, assembly: Assembly, question: Question) -> None:
        """Ask for all that is open of a coin, and store what comes; the rest gets its reason."""
        coin = assembly.coin
        self.calls["gap"] += self._asks
        try:
            await self._fill(assembly, question)
        except SuiteError as error:
            assembly.reopen(question)
            self._failed(coin, error)

    async def _fill(self, assembly: Assembly, question: Question) -> None:
        coin = assembly.coin
        from_ms, to_ms = question.from_ms, question.to_ms
        asking = self._history.klines(coin, self._interval, from_ms, to_ms)
        pages = [page async for page in asking] if self._asks else []
        bars = concat_bars(pages, self._step_ms).between(from_ms, to_ms)
        result = await self._writer.correct(coin, bars)
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        found = dict(zip(bars.open_time_ms.tolist(), rows, strict=True))
        missing = question.missing
        absent = {at: why for at, why in missing.items() if at not in found}
        reason = VENUE_HAS_NONE if self._asks else NOT_ASKED
        await self._note(coin, absent, f"{reason} ({{why}})")
        if question.skipped is not None:
            await self._note_one(coin, Gap(*question.skipped), "older than what venues keep")
        self._corrected(assembly.answer(found))
        self._answered(coin)
        _log.info(
            "gaps_filled",
            coin=coin,
            missing=len(missing),
            added=result.added,
            revised=result.revised,
            absent=len(absent),
        )

    async def _note(self, coin: str, minutes: dict[int, Missing], text: str) -> None:
        for why in Missing:
            times = np.array(sorted(at for at, item in minutes.items() if item is why), np.int64)
            if len(times) == 0:
                continue
            starts, end = [int(times[0])], int(times[-1]) + self._step_ms
            holes = gaps_of(times, self._step_ms)
            starts += [hole.end_ms for hole in holes]
            ends = [*(hole.start_ms for hole in holes), end]
            for start_ms, end_ms in zip(starts, ends, strict=True):
                await self._note_one(coin, Gap(start_ms, end_ms), text.format(why=why.value))

    async def _note_one(self, coin: str, gap: Gap, reason: str) -> None:
        await asyncio.to_thread(
            self._store.note_gap,
            self._history.source,
            coin,
            self._interval,
            gap,
            reason,
            asked_ms=self._now_ms(),
        )

    async def funding(self, coin: str, from_ms: int, to_ms: int) -> list[int] | None:
        """Store the funding settled in a range; return its stamps, None where nobody answered.

        Streams tell a rate that is still being made, not what was settled; it is asked for once a
        settlement.
        """
        stamps: list[int] = []

        async def ask() -> None:
            async for times, rates in self._history.funding(coin, from_ms, to_ms):
                await asyncio.to_thread(
                    self._store.write_funding, self._history.source, coin, times, rates
                )
                stamps.extend(times.tolist())

        return stamps if await self._attempt("funding", coin, ask) else None

    async def instruments(self, coins: set[str]) -> set[str] | None:
        """Store the records of coins; return those the venue does not have, None if unknown."""
        records: dict[str, Mapping[str, Any]] = {}

        async def ask() -> None:
            records.update(await self._history.instruments())
            if not records:
                raise UpstreamUnavailable("the venue lists no instruments")
            for coin in sorted(coins & set(records)):
                await asyncio.to_thread(
                    self._store.write_record, self._history.source, coin, records[coin]
                )

        return coins - set(records) if await self._attempt("instruments", "", ask) else None

    async def _attempt(self, reason: str, coin: str, ask: Callable[[], Awaitable[None]]) -> bool:
        """Ask; say whether there was an answer, and it is stored."""
        self.calls[reason] += 1
        try:
            await ask()
        except SuiteError as error:
            self._failed(coin, error)
            return False
        self._answered(coin)
        return True

    def _answered(self, coin: str) -> None:
        self._not_before_s.pop(coin, None)
        del self._failures[coin]

    def _failed(self, coin: str, error: SuiteError) -> None:
        """Leave a coin alone for a while."""
        self._failures[coin] += 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._failures[coin] - 1, 10))
        self._not_before_s[coin] = asyncio.get_running_loop().time() + pause_s
        if isinstance(error, StorageError):
            self._writer.refused(error)
        else:
            _log.warning("history_not_answered", coin=coin, reason=one_line(str(error)))

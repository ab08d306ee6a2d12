"""Filling a store from a venue's past: only what is missing is asked for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np

from data_collector.application.ports import FillStore, History
from data_collector.domain.cleaning import decimals_of
from data_collector.domain.spans import union, without
from suite.bars import I64, INTERVAL_MS, Bars
from suite.errors import DataGap, SuiteError, UpstreamRefused
from suite.gaps import Ledger
from suite.klines import VENUE_HAS_NONE, Gap
from suite.moments import format_moment

AT_ONCE: Final = 4
"""Coins that are filled at one time; what they may ask together is the venue's affair."""
NEAR_BARS: Final = 500
"""Spans that are nearer to each other are asked for as one: a request costs more than bars."""
"""Reason in the gap ledger of what is not asked for again."""
FUNDING_FROM: Final = "funding_asked_from_ms"
"""Field of a record: since when funding was asked for; before the first stamp there is none."""

Status = Literal["filled", "complete", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to fill.

    Attributes:
        interval: `1m`.
        from_ms, to_ms: open times of the bars, [from_ms, to_ms).
        funding: whether to fill settled funding too.
    """

    interval: str
    from_ms: int
    to_ms: int
    funding: bool = True

    @property
    def bars_span(self) -> Gap:
        """The open times that are on the grid."""
        step = INTERVAL_MS[self.interval]
        return Gap(-(-self.from_ms // step) * step, -(-self.to_ms // step) * step)


@dataclass(slots=True, kw_only=True)
class Filled:
    """What became of one coin, also of one that failed on the way.

    Attributes:
        status: `complete` had nothing missing that the venue could have.
        reason: why it failed, or what is missing still.
        added, funding_added: bars and funding stamps that were not stored before.
        revised: bars that were stored with other values; the old ones are kept.
        missing: bars before the last stored one that the venue does not have.
    """

    coin: str
    status: Status = "complete"
    reason: str = ""
    added: int = 0
    revised: int = 0
    funding_added: int = 0
    missing: int = 0


class Listener(Protocol):
    """Who watches a backfill."""

    def progress(self, coin: str, done: int, total: int) -> None:
        """Take note that so many of the missing bars of a coin were dealt with."""
        ...

    def finished(self, filled: Filled) -> None:
        """Take note of what became of a coin."""
        ...


class Backfiller:
    """Fills a store from one venue.

    Args:
        store: what to fill.
        history: the venue's past.
        now_ms: our clock, for the gap ledger.
        lacks: what to say, and to do, about bars that the venue does not have.
    """

    def __init__(
        self, store: FillStore, history: History, now_ms: Callable[[], int], *, lacks: str
    ) -> None:
        self._store = store
        self._history = history
        self._source = history.source
        self._now_ms = now_ms
        self._lacks = lacks
        self._records: asyncio.Task[Mapping[str, Mapping[str, Any]] | None] | None = None

    async def run(self, coins: Sequence[str], order: Order, listener: Listener) -> None:
        """Fill coins, some at a time; one that fails never stops the others."""
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(coin: str) -> None:
            filled = Filled(coin=coin)
            async with turn:
                try:
                    await self._fill(filled, order, listener)
                    if filled.added or filled.revised or filled.funding_added:
                        filled.status = "filled"
                except (SuiteError, ValueError) as error:
                    filled.status, filled.reason = "failed", str(error)
                listener.finished(filled)

        async with asyncio.TaskGroup() as group:
            for coin in coins:
                group.create_task(one(coin))

    async def _fill(self, filled: Filled, order: Order, listener: Listener) -> None:
        coin, step = filled.coin, INTERVAL_MS[order.interval]
        missing = self._missing_bars(coin, order)
        stamps = self._missing_funding(coin, order) if order.funding else ()
        if missing or stamps:
            await self._write_record(coin)
        total = sum(span.bars(step) for span in missing)
        listener.progress(coin, 0, total)
        for span in union(missing, within_ms=NEAR_BARS * step):
            cursor = span.start_ms
            pages = self._history.klines(coin, order.interval, span.start_ms, span.end_ms)
            async for bars in pages:
                self._write_page(filled, order.interval, cursor, bars)
                cursor = int(bars.open_time_ms[-1]) + step
                before = [part for part in missing if part.start_ms < cursor]
                done = sum(Gap(p.start_ms, min(p.end_ms, cursor)).bars(step) for p in before)
                listener.progress(coin, done, total)
        listener.progress(coin, total, total)
        for span in stamps:
            await self._fill_funding(filled, span)
        filled.missing = self._lacking_bars(coin, order)
        if filled.missing:
            filled.reason = f"{filled.missing:,} bars are missing: {self._lacks}"

    # ---- bars -----------------------------------------------------------------------------------

    def _missing_bars(self, coin: str, order: Order) -> tuple[Gap, ...]:
        """What is neither stored nor known to be lacking at the venue."""
        ledger = self._store.ledger_now(self._source, coin, order.interval)
        lacking = [note for note in ledger.notes if note.reason.startswith(VENUE_HAS_NONE)]
        return without([order.bars_span], [*_runs(ledger), *lacking])

    def _write_page(self, filled: Filled, interval: str, cursor_ms: int, bars: Bars) -> None:
        """Store a page, and remember what it skipped since `cursor_ms`."""
        coin, prices = filled.coin, (bars.open, bars.high, bars.low, bars.close)
        decimals = max(decimals_of(column) for column in prices)
        self._store.write_record(self._source, coin, {"price_decimals": decimals})
        result = self._store.write_bars(self._source, coin, bars)
        filled.added += result.added
        filled.revised += result.revised
        for gap in _skipped(cursor_ms, bars.open_time_ms, bars.interval_ms):
            self._store.note_gap(
                self._source, coin, interval, gap, VENUE_HAS_NONE, asked_ms=self._now_ms()
            )

    def _lacking_bars(self, coin: str, order: Order) -> int:
        """How many bars before the last one stored are missing.

        Raises:
            DataGap: nothing of what was asked for is stored.
        """
        ledger = self._store.ledger_now(self._source, coin, order.interval)
        span, stored = order.bars_span, _runs(ledger)
        ends = [part.end_ms for part in stored if part.start_ms < span.end_ms]
        if not ends or ends[-1] <= span.start_ms:
            start, end = format_moment(span.start_ms), format_moment(span.end_ms)
            raise DataGap(
                f"{self._source} has no {order.interval} bars of {coin} from {start} to {end}: "
                f"{self._lacks}"
            )
        reached = Gap(span.start_ms, min(span.end_ms, ends[-1]))
        return sum(gap.bars(ledger.interval_ms) for gap in without([reached], stored))

    # ---- the rest -------------------------------------------------------------------------------

    def _missing_funding(self, coin: str, order: Order) -> tuple[Gap, ...]:
        times, _ = self._store.funding_at(self._source, coin)
        record = self._store.record_at(self._source, coin) or {}
        known = list(_between_stamps(times))
        if len(times) and FUNDING_FROM in record:
            known.append(Gap(record[FUNDING_FROM], int(times[0])))
        return without([Gap(order.from_ms, order.to_ms)], known)

    async def _fill_funding(self, filled: Filled, span: Gap) -> None:
        async for times, rates in self._history.funding(filled.coin, span.start_ms, span.end_ms):
            result = self._store.write_funding(self._source, filled.coin, times, rates)
            filled.funding_added += result.added
        times, _ = self._store.funding_at(self._source, filled.coin)
        if len(times) and span.start_ms < times[0]:
            fields = {FUNDING_FROM: span.start_ms}
            self._store.write_record(self._source, filled.coin, fields)

    async def _write_record(self, coin: str) -> None:
        """Write what the venue says of a coin; it is asked once for all coins.

        Where it refuses to say, bars may be had nevertheless.

        Raises:
            DataGap: it does not have the coin.
        """
        if self._records is None:
            self._records = asyncio.ensure_future(self._instruments())
        records = await asyncio.shield(self._records)
        if records is not None and coin not in records:
            raise DataGap(f"{self._source} does not trade {coin}")
        fields = {"synthetic": False, "source": f"backfilled from {self._source}"}
        self._store.write_record(self._source, coin, {**(records or {}).get(coin, {}), **fields})

    async def _instruments(self) -> Mapping[str, Mapping[str, Any]] | None:
        try:
            return await self._history.instruments()
        except UpstreamRefused:
            return None


def _runs(ledger: Ledger) -> list[Gap]:
    return [Gap(start, end) for start, end in ledger.runs.tolist()]


def _skipped(cursor_ms: int, times: I64, step_ms: int) -> tuple[Gap, ...]:
    """What is missing from `cursor_ms` to the last of rising open times."""
    before = np.concatenate([[cursor_ms - step_ms], times[:-1]])
    holes = np.flatnonzero(times - before > step_ms)
    return tuple(Gap(int(before[row]) + step_ms, int(times[row])) for row in holes)


def _between_stamps(times: I64) -> tuple[Gap, ...]:
    """Spans that stamps cover: each up to the next, where that is not late.

    The last one covers the usual distance, so that nobody asks for what has not been settled.
    """
    if len(times) < 2:
        return ()
    steps = np.diff(times)
    usual = int(np.median(steps))
    covered = [
        Gap(int(start), int(start + step))
        for start, step in zip(times[:-1], steps, strict=True)
        if step <= usual * 3 // 2
    ]
    return union([*covered, Gap(int(times[-1]), int(times[-1]) + usual)])

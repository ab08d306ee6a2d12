"""Collecting of a venue's bars: which coins, over which connections, and how they are doing."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from data_collector.application.collecting.group import Group
from data_collector.application.collecting.live_bars import Tail
from data_collector.application.collecting.ports import FeedMaker, Journal, LiveStore
from data_collector.application.collecting.repairing import Repairer
from data_collector.application.collecting.writing import Writer
from data_collector.application.ports import BarReader, History
from data_collector.domain.assembly import ASKED_BARS, Assembly
from data_collector.domain.candles import Candle, MarketEvent
from suite.bars import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS
from suite.errors import BadRequest, DataGap, NotFound, StorageError, one_line
from suite.instrument import coin_of

_log = structlog.get_logger()
_TICK_S: Final = 1.0
_RETRY_S: Final = 10.0
"""After which a coin is begun again whose stored bars could not be read."""
_FUNDING_LOOK_BACK_MS: Final = 8 * HOUR_MS
_SETTLING_MS: Final = MINUTE_MS
"""How long after a settlement it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorOptions:
    """How to collect.

    Attributes:
        interval: collected; longer ones are made of it when they are read.
        coins_per_connection: as many as the venue's limit of subscriptions allows.
        flush_s: how long bars stay in the journal before they go to the store.
        settle_s: how long messages of one moment may take to arrive.
        asks: the venue's history for bars that are missing.
    """

    interval: str = "1m"
    coins_per_connection: int = 300
    flush_s: float = 300.0
    settle_s: float = 0.05
    asks: bool = True


@dataclass(slots=True)
class _Funding:
    """When the next settlement of a coin is due, and since when none is stored."""

    from_ms: int | None = None
    interval_ms: int = HOUR_MS


class Collector:
    """Collects one market of one venue.

    Args:
        history: the venue's past.
        make_feed: opens its present.
        reader: `LiveBars` over the store and the tail: all that was acknowledged.
        store: where bars go in the end.
        journal: where they go first.
        tail: what is between the two.
        now_ms: our clock; the venue's is told by its stream.
        options: how to collect.
    """

    def __init__(
        self,
        history: History,
        make_feed: FeedMaker,
        *,
        reader: BarReader,
        store: LiveStore,
        journal: Journal,
        tail: Tail,
        now_ms: Callable[[], int],
        options: CollectorOptions,
    ) -> None:
        self._history = history
        self._make_feed = make_feed
        self._reader = reader
        self._options = options
        self._now_ms = now_ms
        self._step_ms = INTERVAL_MS[options.interval]
        self._writer = Writer(
            store, journal, tail, acknowledged=self._tell, flush_s=options.flush_s
        )
        self._repairer = Repairer(
            history,
            store,
            self._writer,
            options.interval,
            now_ms,
            corrected=self._tell,
            asks=options.asks,
        )
        self._asked: dict[str, tuple[str, ...]] = {}
        self._unknown: set[str] = set()
        self._unread: dict[str, str] = {}
        self._groups: list[Group] = []
        self._funding: dict[str, _Funding] = {}
        self._listeners: list[Callable[[MarketEvent], None]] = []
        self._covered: dict[str, int] = {}
        self._changes = asyncio.Event()
        self._closings = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._instruments_due_ms = 0
        self.turns = 0
        """How often it has looked after a coin, or found nothing to do."""

    # ---- control

    def start(self, coin: str, intervals: Sequence[str]) -> None:
        """Collect a coin from now on.

        Args:
            coin: by any venue's convention.
            intervals: those wanted; all of them are multiples of the one that is collected.

        Raises:
            NotFound: not a symbol.
            BadRequest: an interval that cannot be made.
        """
        try:
            name = coin_of(coin)
        except ValueError as error:
            raise NotFound(str(error)) from None
        for interval in intervals:
            if INTERVAL_MS.get(interval, 0) < self._step_ms:
                names = ", ".join(i for i, step in INTERVAL_MS.items() if step >= self._step_ms)
                raise BadRequest(f"interval {interval[:10]!r} is not collected; there are {names}")
        self._asked[name] = tuple(intervals) or (self._options.interval,)
        self._unknown.discard(name)
        self._changes.set()

    def stop(self, coin: str) -> None:
        """Collect a coin no longer; what is closed stays.

        Raises:
            NotFound: it is not collected.
        """
        try:
            del self._asked[coin_of(coin)]
        except (ValueError, KeyError):
            raise NotFound(f"{coin[:24]} is not collected") from None
        self._changes.set()

    def collects(self, coin: str) -> bool:
        """Whether a coin is collected, or will be as soon as that is possible."""
        return coin in self._asked

    def covered_ms(self, coin: str) -> int:
        """Until when every minute of a coin can be read or is known to be missing; 0 for never."""
        return self._covered.get(coin, 0)

    def listen(self, callback: Callable[[MarketEvent], None]) -> Callable[[], None]:
        """Have events told as they come, and closed bars once they are safe.

        Returns:
            What ends it.
        """
        self._listeners.append(callback)

        def leave() -> None:
            with suppress(ValueError):
                self._listeners.remove(callback)

        return leave

    def hold(self, reason: str) -> None:
        """Take no more bars for as long as there is a reason; empty where there is none.

        What is closed meanwhile is missing, and asked for once bars are taken again.
        """
        if bool(reason) is not bool(self._writer.held):
            _log.warning("collecting_held", reason=reason)
        self._writer.held = reason
        self._closings.set()

    def status(self) -> list[dict[str, Any]]:
        """Describe each coin and interval: state, last bar, lag, open gaps, source."""
        groups = {coin: group for group in self._groups for coin in group.coins}
        rows = []
        for coin, intervals in sorted(self._asked.items()):
            if coin in groups:
                row = groups[coin].status(coin)
            else:
                row = {"state": "unknown to the venue" if coin in self._unknown else "starting"}
                if coin in self._unread:
                    row = {"state": "not read", "reason": self._unread[coin]}
            if trouble := self._writer.held or self._writer.fault:
                row["state"], row["reason"] = "not written", trouble
            about = {"coin": coin, "source": str(self._history.source)}
            rows += [{**about, "interval": interval, **row} for interval in intervals]
        return rows

    @property
    def rest_calls(self) -> dict[str, int]:
        """Questions to the venue's history by reason; a long one takes a request for each page."""
        return dict(self._repairer.calls)

    @property
    def flaws(self) -> dict[str, int]:
        """What was wrong with the streams, by kind."""
        total: dict[str, int] = {}
        for group in self._groups:
            for kind, count in group.connection.flaws.items():
                total[kind] = total.get(kind, 0) + count
        return total

    # ---- running

    async def open(self) -> None:
        """Bring what an earlier process acknowledged into the store; once, before `run`.

        Raises:
            StorageError: it cannot be, and nothing must be collected over it.
        """
        recovered = await asyncio.to_thread(self._writer.recover)
        if recovered:
            _log.info("journal_recovered", bars=recovered)

    async def run(self) -> None:
        """Collect until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._writer.run())
            tasks.create_task(self._follow_changes())
            tasks.create_task(self._repair())

    async def close(self) -> None:
        """Bring everything into the store; to be called when `run` has ended."""
        try:
            await self._writer.finish()
        finally:
            await self._history.close()

    async def _follow_changes(self) -> None:
        """Bring connections in line with what is asked for."""
        while True:
            await self._changes.wait()
            self._changes.clear()
            wanted = set(self._asked) - self._unknown
            held = {coin: group for group in self._groups for coin in group.coins}
            touched = []
            for coin in sorted(set(held) - wanted):
                held[coin].remove(coin)
                touched.append(held[coin])
            for coin in sorted(wanted - set(held)):
                assembly = await self._begun(coin)
                if assembly is not None:
                    group = self._group_with_room()
                    group.add(assembly)
                    touched.append(group)
            for group in dict.fromkeys(touched):
                await group.feed.follow(group.followed())
            if wanted - set(held):
                self._instruments_due_ms = 0

    async def _begun(self, coin: str) -> Assembly | None:
        """Begin a coin; one whose stored bars cannot be read must not stop the others."""
        try:
            assembly = await asyncio.to_thread(self._assembly_of, coin)
        except StorageError as error:
            self._unread[coin] = one_line(str(error))
            _log.error("collected_bars_not_read", coin=coin, reason=self._unread[coin])
            asyncio.get_running_loop().call_later(_RETRY_S, self._changes.set)
            return None
        self._unread.pop(coin, None)
        return assembly

    def _assembly_of(self, coin: str) -> Assembly:
        """Begin where the bars end; what came since, and was never asked for, is an outage."""
        source, interval = self._history.source, self._options.interval
        try:
            held = self._reader.coverage(coin, interval, source=source)
            last = self._reader.read(coin, interval, held.end_ms - self._step_ms, source=source)
            stamps, _ = self._reader.read_funding(coin, source=source)
        except DataGap:
            self._funding[coin] = _Funding()
            return Assembly(coin, self._step_ms)
        self._funding[coin] = _Funding(from_ms=int(stamps[-1]) + 1 if len(stamps) else None)
        assembly = Assembly(
            coin, self._step_ms, next_ms=held.end_ms, last_close=float(last.close[-1])
        )
        oldest_ms = held.end_ms - ASKED_BARS * self._step_ms
        for gap in held.gaps:
            if gap.asked_ms is None and gap.start_ms >= oldest_ms:
                assembly.outage(gap.start_ms, gap.end_ms)
        return assembly

    def _group_with_room(self) -> Group:
        for group in self._groups:
            if len(group.coins) < self._options.coins_per_connection:
                return group
        group = Group(self._step_ms, self, self._now_ms, settle_s=self._options.settle_s)
        group.feed = self._make_feed(f"klines-{len(self._groups) + 1}", group)
        self._groups.append(group)
        if self._tasks is not None:
            self._tasks.create_task(group.feed.run())
        return group

    async def _repair(self) -> None:
        """Ask for what is missing, a coin at a time, whenever bars were closed."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._closings.wait()
            self._closings.clear()
            self.turns += 1
            if self._writer.held:
                continue
            await self._learn_instruments()
            for group in self._groups:
                for coin, assembly in list(group.coins.items()):
                    self.turns += 1
                    if self._repairer.rests(coin):
                        continue
                    question = assembly.question(group.connection)
                    if question is not None:
                        await self._repairer.fill(assembly, question)
                    await self._learn_funding(coin, group.connection.clock.now_ms)
                if group.coins:
                    settled = min(item.confirmed_ms for item in group.coins.values())
                    group.connection.forget_before(settled)

    async def _learn_instruments(self) -> None:
        """Ask what the venue has: when there are new coins, once a day, oftener when cut off.

        A venue that no longer has a coin may refuse the whole connection for it, so our own clock
        says when; an answer that comes early or late does no harm.
        """
        if self._now_ms() < self._instruments_due_ms or self._repairer.rests(""):
            return
        asked = set(self._asked)
        unknown = await self._repairer.instruments(asked)
        if unknown is None:
            return
        if asked >= set(self._asked):
            live = all(group.live for group in self._groups)
            self._instruments_due_ms = self._now_ms() + (DAY_MS if live else HOUR_MS)
        if unknown - self._unknown:
            _log.warning("unknown_to_the_venue", coins=sorted(unknown))
        if unknown != self._unknown:
            self._unknown = unknown
            self._changes.set()

    async def _learn_funding(self, coin: str, now_ms: int) -> None:
        funding = self._funding.get(coin)
        if funding is None or not now_ms:
            return
        if funding.from_ms is None:
            funding.from_ms = now_ms - _FUNDING_LOOK_BACK_MS
        elif now_ms < funding.from_ms + funding.interval_ms + _SETTLING_MS:
            return
        stamps = await self._repairer.funding(coin, funding.from_ms, now_ms)
        if stamps is None:
            return
        if not stamps:
            # None settled yet: the venue's interval is longer than was thought.
            funding.interval_ms = min(_FUNDING_LOOK_BACK_MS, funding.interval_ms + HOUR_MS)
            return
        funding.from_ms = stamps[-1] + 1
        if len(stamps) > 1:
            funding.interval_ms = stamps[-1] - stamps[-2]

    # ---- the outlet of groups

    def closed(self, candles: Sequence[Candle]) -> bool:
        """Have bars made safe."""
        return self._writer.put(candles)

    def interest(self, coin: str, time_ms: int, value: float) -> None:
        """Keep an open interest."""
        self._writer.put_interest(coin, time_ms, value)

    def heard(self, event: MarketEvent) -> None:
        """Tell what came."""
        for callback in tuple(self._listeners):
            callback(event)

    def closing_done(self) -> None:
        """Look for gaps."""
        self._cover()
        self._closings.set()

    def _cover(self) -> None:
        """Say how far the coins are, apart from those with bars that cannot be read yet."""
        waiting = self._writer.waiting()
        for group in self._groups:
            for coin, assembly in group.coins.items():
                if assembly.next_ms is not None and coin not in waiting:
                    self._covered[coin] = assembly.next_ms

    def _tell(self, candles: Sequence[Candle]) -> None:
        self._cover()
        for candle in candles:
            self.heard(candle)

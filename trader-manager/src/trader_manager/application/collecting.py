"""What traders did, brought into the store: from the venue, and from their own processes.

    collector = Collector(store=..., venue=..., agents=..., look=..., on_trouble=...)
    await collector.run()                       # until it is cancelled

Fills, equity and positions are the venue's word, so they do not depend on the trader being alive;
decisions are told by the trader's process. Each round goes on where the store stands, or where an
earlier round stopped. While the store is away rows wait here, up to a bound; beyond it nothing is
read, and fills and decisions wait at the venue and in the trader's journal.

Source: `docs/collecting.md`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import islice
from typing import Final, Protocol, TypeAlias

from suite.contracts.clock import ClockState
from suite.errors import BadRequest, Conflict, SuiteError, one_line, trouble_of
from suite.ids import TraderId, WorldId
from trader_manager.application.account_reader import AccountNews, AccountReader, Recorded
from trader_manager.application.agents import AgentControl
from trader_manager.application.decision_reader import DecisionReader
from trader_manager.application.ports import BoardReader, RecordReader, RecordStore, TraderStore
from trader_manager.application.runtime import Sighting
from trader_manager.application.venue_reads import VenueReads
from trader_manager.domain.records import (
    LIVE_WORLD,
    Batch,
    Decision,
    EquitySample,
    FundingPayment,
    ModelBill,
    Positions,
    Progress,
    Trade,
)
from trader_manager.domain.traders import StoredTrader

Row: TypeAlias = Trade | FundingPayment | EquitySample | Decision

VENUE: Final = "the venue"
STORE: Final = "the store"
_ROWS_A_SAVE: Final = 2000
_AT_ONCE: Final = 8
"""Traders that are read side by side."""


class CollectedStore(TraderStore, RecordStore, RecordReader, BoardReader, Protocol):
    """Who is collected, and how far that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectingRules:
    """How often is collected, and how much is kept.

    Attributes:
        cadence_ms: between two samples, the venue's time.
        pause_s: between two rounds at least, however fast the venue's time runs.
        rows_max: that wait for the store.
        decisions_s: that a round gives the traders' processes to tell their decisions.
    """

    cadence_ms: int = 60_000
    pause_s: float = 1.0
    rows_max: int = 100_000
    decisions_s: float = 5.0


@dataclass(slots=True, kw_only=True)
class _Followed:
    """One trader that is collected.

    Attributes:
        trouble: with its account; empty without.
        opened: it has run, so its account is there. One that is merely asked for might be opened by
            the asking (a venue with a faucet does), and could not be opened for its trader then.
        silent: why its process tells no decisions.
    """

    account_id: str
    account: AccountReader
    decisions: DecisionReader
    opened: bool
    trouble: str = ""
    silent: str = ""

    @property
    def troubles(self) -> str:
        """All that is wrong with it; empty when nothing is."""
        said = (self.trouble, self.silent, self.decisions.trouble)
        return "; ".join(text for text in said if text)


@dataclass(slots=True, kw_only=True)
class _Unsaved:
    """What the store does not have, in the order in which it was read."""

    rows: deque[Row] = field(default_factory=deque)
    positions: dict[TraderId, Positions] = field(default_factory=dict)


async def _always() -> bool:
    return True


class Collector:
    """Brings what traders do into the store.

    Args:
        store: of the traders and of their records.
        venue: of all of them.
        agents: their processes.
        look: says where a trader runs at present.
        supervises: whether this manager is the one that looks after the traders.
        on_trouble: told of what is in trouble and why; again with an empty text when it is not.
        on_news: told of what is new of an account.
        rules: how often and how much.

    Attributes:
        troubles: what is in trouble at present, and why.
        refused: rows that the store would not have, and that were let go.
        took_s: the last round; None before one, and while somebody else collects.
        turns: how often it came round.
    """

    def __init__(
        self,
        *,
        store: CollectedStore,
        venue: VenueReads,
        agents: AgentControl,
        look: Callable[[TraderId], Sighting],
        supervises: Callable[[], Awaitable[bool]] = _always,
        on_trouble: Callable[[str, str], None] = lambda _name, _why: None,
        on_news: Callable[[TraderId, AccountNews], None] = lambda _name, _news: None,
        rules: CollectingRules | None = None,
    ) -> None:
        self._store = store
        self._venue = venue
        self._agents = agents
        self._look = look
        self._supervises = supervises
        self._on_trouble = on_trouble
        self._on_news = on_news
        self._rules = rules or CollectingRules()
        self._world: WorldId | None = None
        self._traders: tuple[StoredTrader, ...] = ()
        self._followed: dict[TraderId, _Followed] = {}
        self._unsaved = _Unsaved()
        self._round = asyncio.Lock()
        self._ours = False
        self.troubles: dict[str, str] = {}
        self.refused = 0
        self.took_s: float | None = None
        self.turns = 0

    def decided(self, trader_id: TraderId) -> int:
        """Tell the highest number of a decision of a trader that is read; 0 where none is."""
        followed = self._followed.get(trader_id)
        return 0 if followed is None else followed.decisions.last

    async def run(self) -> None:
        """Collect until cancelled, for as long as this manager supervises."""
        while True:
            clock = await self.collect() if await self._is_ours() else None
            self.turns += 1
            await asyncio.sleep(pause_s(clock, self._rules))

    async def _is_ours(self) -> bool:
        """Whether nobody else collects; where the store does not say, it is as it was.

        What waits for the store is let go of once somebody else collects: that one reads it again,
        and rows of one trader are stored in the order of their time.
        """
        with suppress(SuiteError):
            self._ours = await self._supervises()
        if not self._ours:
            self._followed, self._unsaved, self.took_s = {}, _Unsaved(), None
            for name in list(self.troubles):
                self._tell(name, "")
        return self._ours

    async def collect(self) -> ClockState | None:
        """Go round once; a round that is under way comes to its end before.

        Returns:
            The venue's time; None where the venue is away.
        """
        async with self._round:
            now_s = asyncio.get_running_loop().time
            begun_s = now_s()
            clock = await self._collect()
            self.took_s = now_s() - begun_s
            return clock

    async def _collect(self) -> ClockState | None:
        clock, trouble = None, ""
        if len(self._unsaved.rows) < self._rules.rows_max:
            clock = await self._time()
        if clock is not None:
            trouble = await self._look_around(clock)
            await self._read_accounts()
        trouble = await self._save() or trouble
        if clock is not None:
            await self._read_decisions(clock)
            trouble = await self._save() or trouble
        waiting = len(self._unsaved.rows)
        if trouble and waiting >= self._rules.rows_max:
            trouble += f"; {waiting} rows wait, and nothing more is read until it is back"
        self._tell(STORE, trouble)
        return clock

    # who is collected

    async def _time(self) -> ClockState | None:
        try:
            clock = await self._venue.clock()
        except SuiteError as error:
            self._tell(VENUE, str(error))
            return None
        self._tell(VENUE, "")
        return clock

    async def _look_around(self, clock: ClockState) -> str:
        """See who is to be collected, in which world, and from where on.

        Returns:
            Why the store does not say; empty when it does.
        """
        world = world_of(clock)
        if world != self._world:
            self._world, self._followed = world, {}
        try:
            self._traders = await self._store.list_traders()
            await self._follow(world)
        except SuiteError as error:
            return str(error)
        return ""

    async def _follow(self, world: WorldId) -> None:
        """Find out how far traders are recorded that were not followed before."""
        known = {trader.trader_id: trader.account_id for trader in self._traders}
        for name, followed in list(self._followed.items()):
            if known.get(name) != followed.account_id:
                del self._followed[name]
        if all(name in self._followed for name in known):
            return
        progress = await self._store.get_progress(world)
        for trader in self._traders:
            name = trader.trader_id
            if name not in self._followed:
                reached = progress.get(name, Progress())
                self._followed[name] = _Followed(
                    account_id=trader.account_id,
                    account=AccountReader(
                        world,
                        name,
                        await self._venue.address(name, trader.account_id),
                        await self._recorded(world, name, reached),
                    ),
                    decisions=await self._decisions_of(world, name, reached),
                    opened=reached != Progress(),
                )

    async def _decisions_of(
        self, world: WorldId, name: TraderId, reached: Progress
    ) -> DecisionReader:
        """Read on where decisions, and the bill of their models, are recorded."""
        if reached.last_decision is None:
            return DecisionReader(world, name, 0)
        bill = await self._store.get_model_bill(world, name)
        return DecisionReader(world, name, reached.last_decision, bill)

    async def _recorded(self, world: WorldId, name: TraderId, reached: Progress) -> Recorded:
        paid = await self._store.get_funding(world, name)
        newest_ms = paid[-1].time_ms if paid else 0
        recorded = Recorded(
            equity_ms=reached.last_equity_ms,
            funding_ms=newest_ms,
            coins={row.coin for row in paid if row.time_ms == newest_ms},
            received_usd=sum((row.received_usd for row in paid), Decimal(0)),
        )
        if reached.last_trade_ms is not None:
            summed = await self._store.get_trader_performance(world, name)
            newest = await self._store.get_trades(world, name, since_ms=reached.last_trade_ms)
            recorded.fill_ms = reached.last_trade_ms
            recorded.tids = {trade.tid for trade in newest}
            recorded.fees_usd = summed.totals.fees_usd
        return recorded

    # what they did

    async def _read_accounts(self) -> None:
        """Read all side by side; where the venue goes away meanwhile, the rest are not tried."""
        read: dict[TraderId, _Followed] = {}
        gone = asyncio.Event()

        async def one(name: TraderId, followed: _Followed) -> None:
            if gone.is_set():
                return
            if not followed.opened and not self._is_there(name):
                read[name] = followed
                return
            followed.opened = True
            try:
                followed.trouble = self._take(
                    name, await followed.account.read(self._venue), followed.decisions.bill
                )
            except SuiteError as error:
                if gone.is_set():
                    return  # it is the venue's, and not this trader's
                if error.retryable:
                    gone.set()
                followed.trouble = str(error)
            except Exception as error:  # noqa: BLE001 - what it says may be anything
                followed.trouble = trouble_of(error)
            read[name] = followed

        await _side_by_side(self._followed, one)
        # Who was not read is the first in the next round.
        self._followed = {**_without(self._followed, read), **read}
        for name, followed in read.items():
            self._tell(name, followed.troubles)

    def _is_there(self, name: TraderId) -> bool:
        """Tell whether a trader runs in the present world, so that its account is there."""
        seen = self._look(name)
        return seen.actual not in {"absent", "claimable"} and seen.world in {"", self._world}

    def _take(self, name: TraderId, news: AccountNews, bill: ModelBill) -> str:
        """Put what is new to what is to be saved; say what is wrong with it."""
        self._on_news(name, news)
        self._unsaved.rows.extend(news.trades)
        self._unsaved.rows.extend(news.funding)
        if news.sample is not None:
            sample = replace(news.sample, llm_cost_usd=bill.usd, llm_tokens=bill.tokens)
            self._unsaved.rows.append(sample)
        if news.positions is not None:
            self._unsaved.positions[name] = news.positions
        return "its account never stood still long enough for a sample" if news.moved else ""

    async def _read_decisions(self, clock: ClockState) -> None:
        """Read all side by side for a while; whom it was not enough for is first the next time."""
        read: dict[TraderId, _Followed] = {}

        async def one(name: TraderId, followed: _Followed) -> None:
            sighting = self._look(name)
            if sighting.control_url:
                try:
                    self._unsaved.rows.extend(await followed.decisions.read(self._agents, sighting))
                    followed.silent = ""
                except SuiteError as error:
                    # A process that begins, or ends with its world, is no news.
                    expected = error.retryable or clock.finished
                    followed.silent = "" if expected else str(error)
                except Exception as error:  # noqa: BLE001 - what it says may be anything
                    followed.silent = trouble_of(error)
            read[name] = followed

        with suppress(TimeoutError):
            async with asyncio.timeout(self._rules.decisions_s):
                await _side_by_side(self._followed, one)
        self._followed = {**_without(self._followed, read), **read}
        for name, followed in read.items():
            self._tell(name, followed.troubles)

    # into the store

    async def _save(self) -> str:
        """Save what can be saved, oldest first.

        Returns:
            Why the rest cannot; empty when nothing is left.
        """
        rows = self._unsaved.rows
        try:
            while rows:
                some = tuple(islice(rows, _ROWS_A_SAVE))
                await self._save_rows(some)
                for _ in some:
                    rows.popleft()
            if self._unsaved.positions:
                positions = tuple(self._unsaved.positions.values())
                await self._store.save_records(Batch(positions=positions))
                self._unsaved.positions.clear()
        except SuiteError as error:
            return str(error)
        return ""

    async def _save_rows(self, rows: Sequence[Row]) -> None:
        """Save rows; the store refuses a batch as a whole, so one that it will not have is sought.

        Raises:
            SuiteError: the store is away; how much is saved is not known, and may be sent again.
        """
        try:
            await self._store.save_records(_batch(rows))
        except (Conflict, BadRequest) as error:
            if len(rows) == 1:
                self.refused += 1
                self._on_trouble(rows[0].trader_id, f"a row was refused: {one_line(str(error))}")
                return
            half = len(rows) // 2
            await self._save_rows(rows[:half])
            await self._save_rows(rows[half:])

    def _tell(self, name: str, why: str) -> None:
        """Tell a trouble when it is another than before."""
        if self.troubles.get(name, "") == why:
            return
        if why:
            self.troubles[name] = why
        else:
            del self.troubles[name]
        self._on_trouble(name, why)


async def _side_by_side(
    followed: Mapping[TraderId, _Followed], do: Callable[[TraderId, _Followed], Awaitable[None]]
) -> None:
    """Do something with each, a few at a time; what goes wrong with one is told by what is done."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(name: TraderId, who: _Followed) -> None:
        async with places:
            await do(name, who)

    await asyncio.gather(*(one(name, who) for name, who in followed.items()))


def _without(
    followed: Mapping[TraderId, _Followed], read: Mapping[TraderId, _Followed]
) -> dict[TraderId, _Followed]:
    return {name: who for name, who in followed.items() if name not in read}


def world_of(clock: ClockState) -> WorldId:
    """Name the world that a venue's time is of."""
    return WorldId(clock.world) if clock.world else LIVE_WORLD


def pause_s(clock: ClockState | None, rules: CollectingRules) -> float:
    """How long to wait until the next round.

    Args:
        clock: the venue's; None where it is away.
        rules: how often.
    """
    cadence_s = rules.cadence_ms / 1000
    if clock is None or clock.finished:
        return min(cadence_s, 5 * rules.pause_s)
    if clock.mode == "wall":
        return max(rules.pause_s, cadence_s)
    if clock.mode == "lockstep" or clock.speed <= 0:
        return rules.pause_s
    return max(rules.pause_s, cadence_s / clock.speed)


def _batch(rows: Sequence[Row]) -> Batch:
    return Batch(
        trades=tuple(row for row in rows if isinstance(row, Trade)),
        funding=tuple(row for row in rows if isinstance(row, FundingPayment)),
        equity=tuple(row for row in rows if isinstance(row, EquitySample)),
        decisions=tuple(row for row in rows if isinstance(row, Decision)),
    )

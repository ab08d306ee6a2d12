"""When traders decide, where somebody else than they themselves says so.

`HighFreqScheduler` asks all traders of a fleet at a cadence, `DecisionScheduler` one trader, in
process, for tests and debugging.

A round takes one snapshot of the market, asks every trader that shall run to decide now, and
compares them. It is the snapshot that the round is logged with: a trader's process takes its own
market data at its turn, as its guards judge by that, so none is handed to it. Where the venue's
barrier drives (lockstep) a round asks nobody and only observes.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

from suite.clock import Clock
from suite.contracts.clock import ClockState
from suite.contracts.leaderboard import LeaderboardRow, Standing
from suite.errors import BadRequest, Conflict, trouble_of
from trader_manager.application.board import Compared
from trader_manager.domain.traders import DesiredState, StoredTrader

Mode = Literal["drives", "observes"]
_KEPT: Final = 200
"""How many rounds are kept at most."""
_KEPT_ROWS: Final = 20_000
"""Rows of all rounds together that are kept: of 1,000 traders the last 20 rounds."""
_LEAST_S: Final = 0.1
_MOST_S: Final = 604_800.0
"""A week: of who asks for less than that, one means another unit."""
_BUSY: Final = "still at an earlier round"
_LATE: Final = "no answer within this round"
_REASON: Final = "round of the scheduler"


class Market(Protocol):
    """Says what time it is at the venue, and what things cost there; may raise `SuiteError`."""

    async def clock(self) -> ClockState:
        """Read the venue's time, and who moves it."""
        ...

    async def mids(self) -> Mapping[str, str]:
        """Read the mid price of every coin."""
        ...


class Fleet(Protocol):
    """Traders that can be asked to decide, and compared."""

    async def run_once(self, trader_id: str | None = None, *, reason: str = "") -> Any:
        """Let one decide now.

        Raises:
            SuiteError: it cannot, and why.
        """
        ...

    async def compare_performance(self) -> Compared:
        """Compare all of them."""
        ...


class Traders(Protocol):
    """Who shall run."""

    async def list_traders(self) -> tuple[StoredTrader, ...]:
        """Read all."""
        ...

    async def claim_supervision(self) -> bool:
        """Become the one manager of these traders, or make sure of being it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a round tells of one trader's row of the leaderboard, in its units."""

    trader_id: str
    standing: Standing
    rank: int | None
    total_return: float | None
    equity_usd: int | None
    stale_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round.

    Attributes:
        number: 1, 2, 3, ..., since the process began.
        mode: `observes` where the venue's barrier drives.
        begun_ms: epoch ms.
        took_s: how long it took.
        now_ms: the venue's time; None where the venue did not answer.
        mids: snapshot of the market.
        asked: what became of each trader that shall run: empty for one that took its turn.
        rows: the comparison, best first.
        trouble: why something of it is missing.
    """

    number: int
    mode: Mode
    begun_ms: int
    took_s: float = 0.0
    now_ms: int | None = None
    mids: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[Place, ...] = ()
    trouble: tuple[str, ...] = ()


class HighFreqScheduler:
    """Lets all traders decide at a cadence; rounds never overlap.

    A trader that is slow or dead holds up neither its own round beyond the cadence nor the next
    round of the others: it is not asked again until it has answered.

    Args:
        fleet: of the traders.
        traders: says who shall run.
        market: of the snapshots.
        wall: the machine's clock.

    Attributes:
        cadence_s: between the beginnings of two rounds; 0 where none are done by itself.
        on_round: told of each round.
        on_end: told when it goes on no more, by whatever cause.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        traders: Traders,
        market: Market,
        wall: Clock,
    ) -> None:
        self._fleet = fleet
        self._traders = traders
        self._market = market
        self._wall = wall
        self._rounds: deque[Round] = deque(maxlen=_KEPT)
        self._number = 0
        self._busy: dict[str, asyncio.Task[str]] = {}
        self._one = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.cadence_s = 0.0
        self.on_round: Callable[[Round], None] = lambda _: None
        self.on_end: Callable[[asyncio.Task[None]], None] = lambda _: None

    @property
    def running(self) -> bool:
        """Whether it goes on by itself."""
        return self._task is not None and not self._task.done()

    def rounds(self, limit: int = _KEPT) -> tuple[Round, ...]:
        """Tell the last rounds, newest first; nothing in them can be changed."""
        return tuple(list(self._rounds)[: -limit - 1 : -1])

    def start(self, cadence_s: float) -> None:
        """Do a round now, and each `cadence_s` from now on.

        Raises:
            BadRequest: that is no cadence.
            Conflict: it runs already.
        """
        if not _LEAST_S <= cadence_s <= _MOST_S:
            raise BadRequest(
                f"cadence_s: {cadence_s:g} is not from {_LEAST_S:g} to {_MOST_S:g} s, a week"
            )
        if self.running:
            raise Conflict(f"the scheduler runs already, each {self.cadence_s:g} s; stop it first")
        self.cadence_s = cadence_s
        self._task = asyncio.create_task(self._go_on(cadence_s), name="scheduler")
        self._task.add_done_callback(self.on_end)

    async def stop(self) -> None:
        """Do no further round; the one under way is left, what was asked goes on."""
        task, self._task, self.cadence_s = self._task, None, 0.0
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        """Stop, and wait for nobody."""
        await self.stop()
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def run_round(self, *, limit_s: float = 10.0) -> Round:
        """Do one round.

        Args:
            limit_s: how long its traders are waited for.
        """
        async with self._one:
            return await self._round(limit_s)

    async def _go_on(self, cadence_s: float) -> None:
        clock = asyncio.get_running_loop().time
        due_s = clock()
        while True:
            await self.run_round(limit_s=cadence_s)
            due_s = max(due_s + cadence_s, clock())
            await asyncio.sleep(due_s - clock())

    async def _round(self, limit_s: float) -> Round:
        self._number += 1
        begun_s, begun_ms = asyncio.get_running_loop().time(), self._wall.now_ms()
        trouble: list[str] = []
        clock = await _or(self._market.clock(), trouble)
        mids = await _or(self._market.mids(), trouble) or {}
        mode: Mode = "observes" if clock is not None and clock.mode == "lockstep" else "drives"
        asked: dict[str, str] = {}
        if mode == "drives" and await self._is_ours(trouble):
            stored = await _or(self._traders.list_traders(), trouble) or ()
            wanted = [t.trader_id for t in stored if t.desired is DesiredState.RUNNING]
            asked = await self._ask(wanted, limit_s)
        compared = await _or(self._fleet.compare_performance(), trouble)
        done = Round(
            number=self._number,
            mode=mode,
            begun_ms=begun_ms,
            took_s=round(asyncio.get_running_loop().time() - begun_s, 3),
            now_ms=None if clock is None else clock.now_ms,
            mids=MappingProxyType(dict(mids)),
            asked=MappingProxyType(asked),
            rows=() if compared is None else tuple(map(_place, compared.board.rows)),
            trouble=tuple(trouble),
        )
        self._keep(done)
        self.on_round(done)
        return done

    def _keep(self, done: Round) -> None:
        """Keep a round, and of the earlier ones what there is room for."""
        self._rounds.append(done)
        while len(self._rounds) > 1 and sum(map(_size, self._rounds)) > _KEPT_ROWS:
            self._rounds.popleft()

    async def _is_ours(self, trouble: list[str]) -> bool:
        ours = await _or(self._traders.claim_supervision(), trouble)
        if ours is False:
            trouble.append("another manager supervises these traders: nobody was asked")
        return bool(ours)

    async def _ask(self, names: Sequence[str], limit_s: float) -> dict[str, str]:
        """Ask all side by side that are not at an earlier question still."""
        told = {name: _BUSY for name in names if name in self._busy}
        fresh = {
            name: asyncio.create_task(self._one_of(name)) for name in names if name not in told
        }
        for name, task in fresh.items():
            self._busy[name] = task
            task.add_done_callback(lambda _, name=name: self._busy.pop(name, None))  # type: ignore[misc]
        if fresh:
            await asyncio.wait(fresh.values(), timeout=limit_s)
        told |= {name: task.result() if task.done() else _LATE for name, task in fresh.items()}
        return {name: told[name] for name in names}

    async def _one_of(self, name: str) -> str:
        """Let one decide; say why it could not."""
        try:
            await self._fleet.run_once(name, reason=_REASON)
        except Exception as error:  # noqa: BLE001 - what one does ends nobody else's rounds
            return trouble_of(error)
        return ""


class Deciding(Protocol):
    """A trader that shows its decisions, and carries one out; `Trader` is one."""

    async def get_decision(self) -> Mapping[str, Any]:
        """Say what it would decide now; nothing is carried out."""
        ...

    async def execute_decision(
        self, decision: Mapping[str, Any], *, reason: str
    ) -> Mapping[str, Any]:
        """Carry a decision out, after the trader's guards."""
        ...


class DecisionScheduler:
    """Lets one trader decide, step by step, in the process of who calls: to test and to debug.

    Args:
        trader: whom.
        look: sees each decision before it is carried out, and says whether it shall be.
    """

    def __init__(
        self,
        trader: Deciding,
        *,
        look: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    ) -> None:
        self._trader = trader
        self._look = look
        self._task: asyncio.Task[None] | None = None
        self.records: list[Mapping[str, Any]] = []

    async def run_once(self) -> Mapping[str, Any] | None:
        """Let it decide, and carry that out; None where `look` refused.

        Raises:
            SuiteError: the trader refuses, or cannot be reached.
        """
        shown = await self._trader.get_decision()
        if not self._look(shown):
            return None
        record = await self._trader.execute_decision(shown["decision"], reason=_REASON)
        self.records.append(record)
        return record

    def start(self, cadence_s: float) -> None:
        """Do that now and each `cadence_s` after it; a decision that fails ends it, see `stop`.

        Raises:
            Conflict: it runs already.
        """
        if self._task is not None and not self._task.done():
            raise Conflict("it runs already; stop it first")

        async def go_on() -> None:
            while True:
                await self.run_once()
                await asyncio.sleep(cadence_s)

        self._task = asyncio.create_task(go_on(), name="decisions")

    async def stop(self) -> None:
        """Do no more.

        Raises:
            SuiteError: why it had ended already.
        """
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _place(row: LeaderboardRow) -> Place:
    return Place(
        trader_id=row.trader_id,
        standing=row.standing,
        rank=row.rank,
        total_return=row.total_return,
        equity_usd=row.equity_usd,
        stale_ms=row.stale_ms,
    )


def _size(one: Round) -> int:
    """Count what a round holds in memory: a row each of traders and of the market."""
    return max(len(one.asked), len(one.rows)) + len(one.mids)


async def _or(asked: Awaitable[Any], trouble: list[str]) -> Any:
    """Wait for an answer; None where there is none, and why is noted."""
    try:
        return await asked
    except Exception as error:  # noqa: BLE001 - a round misses something, and the next is done
        trouble.append(trouble_of(error))
        return None

"""What a level of the ladder means at the venue: cancel, verify, perhaps flatten, verify, report.

The order of work never changes: what is forbidden is forbidden already when this begins; then the
orders that may add risk are canceled, and the venue is asked until none is left; then, if wanted,
positions are closed in slices and the venue is asked until none is left. Protective stops stay
until then. What could not be finished is tried again until it is.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from hyperliquid_exchange.application.safety_ports import RiskPath
from hyperliquid_exchange.domain.facts import RestingOrder
from hyperliquid_exchange.domain.flattening import FlattenRules, entries, slice_of
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.clock import Clock
from suite.contracts.hyperliquid_exchange import Cancel, CancelItem, Order
from suite.errors import UpstreamTimeout, trouble_of
from suite.fixed import Price, Size
from suite.ids import TraderId
from suite.instrument import Instrument

CANCELS_AT_ONCE: Final = 50
LOOKS: Final = 6
"""How often in a row the venue is asked whether orders are gone, before a longer pause."""

_log = structlog.get_logger(__name__)


class Levels(Protocol):
    """What is forbidden to whom."""

    on_engage: list[Callable[[Cause], None]]

    @property
    def causes(self) -> Sequence[Cause]:
        """Everything that is set."""
        ...

    def level(self, trader_id: TraderId) -> Level:
        """Tell what is forbidden to a trader now."""
        ...

    def look(self) -> None:
        """Look at what others may have set."""
        ...


class Desk(Protocol):
    """What the venue says when it is asked."""

    async def universe(self) -> Sequence[Instrument]:
        """Tell what is listed."""
        ...

    async def orders(self, trader_id: TraderId) -> tuple[RestingOrder, ...]:
        """List what rests."""
        ...

    async def positions(self, trader_id: TraderId) -> dict[int, Size]:
        """Tell signed sizes by asset."""
        ...

    async def mids(self) -> dict[int, Price]:
        """Tell prices by asset."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was done for a trader, and what the venue says.

    Attributes:
        trader_id: whose account.
        at_ms: wall time.
        canceled: orders whose cancel was sent.
        entries: orders that may add risk and still rest.
        stops: reduce-only orders that rest.
        positions: signed sizes by coin; None where it was not asked.
        trouble: why it is not finished, in one line; empty where it is.
    """

    trader_id: TraderId
    at_ms: int
    canceled: int = 0
    entries: int = 0
    stops: int = 0
    positions: dict[str, str] | None = None
    trouble: str = ""

    @property
    def is_done(self) -> bool:
        """Everything that was asked for is so at the venue."""
        return not self.trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRules:
    """How the work goes about.

    Attributes:
        flatten: how positions are closed.
        keep_paused: entries of a trader that is only PAUSED stay.
        look_s: how often files that forbid are looked for.
        again_s: after which what is not finished is tried again.
        between_s: two looks at the venue.
    """

    flatten: FlattenRules = field(default_factory=FlattenRules)
    keep_paused: bool = False
    look_s: float = 0.25
    again_s: float = 5.0
    between_s: float = 0.2


class SafetyWork:
    """Carries out what the ladder says.

    Args:
        ladder: see there; told of every cause from now on.
        desk: the venue, asked.
        path: the way out for what reduces.
        traders: that there are.
        clock: wall time.
        unsettled: whether something that may add risk has left and its fate is not known.
        rules: see there.
        pause: waits, seconds.

    Attributes:
        reports: the last one by trader.
    """

    def __init__(
        self,
        *,
        ladder: Levels,
        desk: Desk,
        path: RiskPath,
        traders: Sequence[TraderId],
        clock: Clock,
        unsettled: Callable[[TraderId], bool] = lambda _: False,
        rules: WorkRules | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.reports: dict[TraderId, Report] = {}
        self._ladder = ladder
        self._desk = desk
        self._path = path
        self._traders = tuple(traders)
        self._clock = clock
        self._unsettled = unsettled
        self._rules = rules or WorkRules()
        self._pause = pause
        self._locks = {one: asyncio.Lock() for one in self._traders}
        self._due = {one for one in self._traders if ladder.level(one) > Level.LIVE}
        scopes = {cause.scope for cause in ladder.causes if cause.flatten}
        self._flat = {one for one in self._traders if scopes & {EVERYBODY, one}}
        """Whose positions are to be closed, and could not be so far, or in an earlier life."""
        self._tasks: dict[TraderId, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        ladder.on_engage.append(self.wake)

    def wake(self, cause: Cause) -> None:
        """Begin the work for a cause; returns at once."""
        self._due.update(one for one in self._traders if cause.scope in {EVERYBODY, one})
        self._woken.set()

    async def run(self) -> None:
        """Do the work as it comes, until canceled."""
        try:
            while True:
                self._woken.clear()
                self._ladder.look()
                for trader_id in sorted(self._due - self._tasks.keys()):
                    self._begin(trader_id)
                try:
                    async with asyncio.timeout(self._rules.look_s):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def carry_out(self, trader_id: TraderId, *, flatten: bool = False) -> Report:
        """Do everything that the present level asks for, once.

        Args:
            trader_id: whose account.
            flatten: close the positions too.

        Returns:
            What the venue says; never raises for what goes wrong there.
        """
        async with self._locks[trader_id]:
            # not before it is done: what wakes meanwhile asks for another look
            self._due.discard(trader_id)
            flatten = self._is_to_be_flat(trader_id, asked=flatten)
            canceled: list[int] = []
            try:
                report = await self._carry_out(trader_id, canceled, flatten=flatten)
            except Exception as error:  # noqa: BLE001 - whatever the venue told: it is tried again
                report = self._report(trader_id, canceled, trouble=trouble_of(error))
            self.reports[trader_id] = report
            if report.is_done or report.positions is not None:  # or it is a person's turn
                self._flat.discard(trader_id)
            elif flatten:
                self._again_soon(trader_id)
            log = _log.info if report.is_done else _log.warning
            log("safety_work", trader_id=trader_id, canceled=report.canceled, why=report.trouble)
            return report

    # how

    def _is_to_be_flat(self, trader_id: TraderId, *, asked: bool) -> bool:
        """Whether positions are closed now: it is asked for, or was and is still in force."""
        if asked:
            self._flat.add(trader_id)
        elif self._ladder.level(trader_id) < Level.STOPPED:
            self._flat.discard(trader_id)
        return trader_id in self._flat

    def _begin(self, trader_id: TraderId) -> None:
        if self._ladder.level(trader_id) is Level.LIVE:
            self._due.discard(trader_id)
            return
        task = asyncio.create_task(self._until_done(trader_id), name=f"safety of {trader_id}")
        self._tasks[trader_id] = task
        task.add_done_callback(lambda _: self._ended(trader_id))

    def _ended(self, trader_id: TraderId) -> None:
        self._tasks.pop(trader_id, None)
        if trader_id in self._due:  # something was set while it went on
            self._woken.set()

    async def _until_done(self, trader_id: TraderId) -> None:
        report = await self.carry_out(trader_id)
        if not report.is_done:
            self._again_soon(trader_id)

    def _again_soon(self, trader_id: TraderId) -> None:
        asyncio.get_running_loop().call_later(self._rules.again_s, self._again, trader_id)

    def _again(self, trader_id: TraderId) -> None:
        self._due.add(trader_id)
        self._woken.set()

    async def _carry_out(
        self, trader_id: TraderId, canceled: list[int], *, flatten: bool
    ) -> Report:
        level = self._ladder.level(trader_id)
        keep = level is Level.PAUSED and self._rules.keep_paused
        orders = await self._desk.orders(trader_id)
        if level > Level.LIVE and not keep:
            orders = await self._cancel_entries(trader_id, canceled)
        left = entries(orders)
        trouble = "orders that may add risk still rest" if left and not keep else ""
        if level > Level.LIVE and self._unsettled(trader_id):
            trouble = trouble or "an order that may add risk has left and its fate is not known"
        positions = None
        if flatten and not trouble:
            trouble = await self._flatten(trader_id)
            held = await self._desk.positions(trader_id)
            positions = await self._named(held)
            if not held:
                await self._cancel(trader_id, await self._desk.orders(trader_id), canceled)
            orders = await self._desk.orders(trader_id)
            left = entries(orders)
        return self._report(
            trader_id,
            canceled,
            trouble=trouble,
            entries=len(left),
            stops=len(orders) - len(left),
            positions=positions,
        )

    async def _cancel_entries(
        self, trader_id: TraderId, canceled: list[int]
    ) -> tuple[RestingOrder, ...]:
        """Cancel what may add risk until the venue has none, or for some looks."""
        orders = await self._desk.orders(trader_id)
        for look in range(LOOKS):
            left = entries(orders)
            if not left:
                break
            if look:
                await self._pause(self._rules.between_s * look)
            await self._cancel(trader_id, left, canceled)
            orders = await self._desk.orders(trader_id)
        return orders

    async def _cancel(
        self, trader_id: TraderId, orders: Sequence[RestingOrder], canceled: list[int]
    ) -> None:
        for start in range(0, len(orders), CANCELS_AT_ONCE):
            some = orders[start : start + CANCELS_AT_ONCE]
            items = [CancelItem(a=one.asset, o=one.oid) for one in some]
            with contextlib.suppress(UpstreamTimeout):  # the venue is asked what became of it
                await self._path.send(trader_id, Cancel(cancels=items))
            canceled.extend(one.oid for one in some if one.oid not in canceled)

    async def _flatten(self, trader_id: TraderId) -> str:
        """Close the positions in slices; tell why some are left, in one line."""
        rules = self._rules.flatten
        universe = await self._desk.universe()
        for turn in range(rules.rounds):
            held = await self._desk.positions(trader_id)
            if not held:
                return ""
            if turn:
                await self._pause(rules.pause_s)
            mids = await self._desk.mids()
            items = [
                slice_of(asset, size, mids[asset], universe[asset], rules)
                for asset, size in sorted(held.items())
                if mids.get(asset, 0) > 0
            ]
            if not items:
                return "no price of what is held is known"
            with contextlib.suppress(UpstreamTimeout):  # reduce-only: twice is no more than once
                await self._path.send(trader_id, Order(orders=items, grouping="na"))
        held = await self._desk.positions(trader_id)
        return f"positions are left after {rules.rounds} rounds" if held else ""

    async def _named(self, held: dict[int, Size]) -> dict[str, str]:
        universe = await self._desk.universe()
        return {
            universe[asset].coin: universe[asset].format_size(size) for asset, size in held.items()
        }

    def _report(
        self,
        trader_id: TraderId,
        canceled: Sequence[int],
        *,
        trouble: str,
        entries: int = 0,
        stops: int = 0,
        positions: dict[str, str] | None = None,
    ) -> Report:
        return Report(
            trader_id=trader_id,
            at_ms=self._clock.now_ms(),
            canceled=len(canceled),
            entries=entries,
            stops=stops,
            positions=positions,
            trouble=trouble,
        )

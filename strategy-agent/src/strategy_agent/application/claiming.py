"""Traders that are claimed: a process that was started without one asks for a free one, keeps it.

    claimer = Claimer(manager=..., prepare=..., alpha=..., holder="host-1", now_s=..., wall=...)
    await claimer.run(places=2)      # until cancelled; traders end in order and are given back

Each place holds one trader at a time. A lease is renewed after a third of its time. After two
thirds without a renewal the trader takes no new risk and its entries are canceled; at the end of
the lease nothing of it leaves the process any more, see `fencing`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.fencing import Fence
from strategy_agent.application.instance import StrategyInstance
from strategy_agent.application.parts import ProcessContext
from suite.clock import Clock
from suite.contracts.trader import TraderSpec
from suite.errors import Conflict, NotFound, SuiteError, one_line

RUNNING: Final = "running"
_ASK_S: Final = 1.0
"""Between two questions for a free trader."""
_AWAY_S: Final = 2.0
_AGAIN_S: Final = 60.0
"""How long a trader that could not be run, or had ended, is left to others."""
_RENEWALS: Final = 3
"""How often a lease is renewed in its time."""
_END_S: Final = 10.0
"""What one that was removed may take to cancel its entries and to leave its venue's time."""
_TRIES: Final = 15
"""How often that is tried, while nobody answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A trader that was claimed.

    Attributes:
        entry: of `traders.yaml`, secrets as names.
        generation: of that configuration.
        fence: number of the lease.
        ttl_s: how long it lasts without being renewed.
        trading_url, data_service_url: of its venue, and of its data.
        token: of its account; empty where the manager has none.
        seed: of what it draws at random.
        decided: highest number of a decision of it that is recorded.
    """

    trader_id: str
    entry: Mapping[str, Any]
    generation: int
    fence: int
    ttl_s: float
    trading_url: str
    data_service_url: str
    token: str
    seed: int
    decided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """What is wanted of a trader by now."""

    desired: str
    generation: int
    ttl_s: float


class Manager(Protocol):
    """Who gives traders away; every call may raise a `SuiteError`."""

    async def claim(self, place: str, *, passed_over: Sequence[str]) -> Claimed | None:
        """Ask for a free trader; None when there is none."""
        ...

    async def renew(self, claimed: Claimed, place: str) -> Renewed:
        """Keep one.

        Raises:
            Conflict: it is lost.
            NotFound: it was removed, so nobody has it.
        """
        ...

    async def release(self, claimed: Claimed, place: str, *, reason: str) -> None:
        """Give one back; `reason` says why it cannot be run, empty where it can."""
        ...


Prepare = Callable[[Claimed, Fence], tuple[TraderSpec, ProcessContext]]
"""Reads a trader; raises a `SuiteError` that says what is wrong with it."""


class Claimer:
    """Fills the places of a process with traders.

    Args:
        manager: gives them away.
        prepare: reads one.
        alpha: runs them.
        holder: name of the process.
        now_s: a clock that goes on while the process stands still.
        wall: the machine's clock.
        tell: told in words what becomes of the traders.
    """

    def __init__(
        self,
        *,
        manager: Manager,
        prepare: Prepare,
        alpha: AlphaLoop,
        holder: str,
        now_s: Callable[[], float],
        wall: Clock,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._manager = manager
        self._prepare = prepare
        self._alpha = alpha
        self._holder = holder
        self._now_s = now_s
        self._wall = wall
        self._tell = tell
        self._asking = asyncio.Lock()
        self._passed_over: dict[str, float] = {}
        self._away = ""

    async def run(self, *, places: int) -> None:
        """Hold up to so many traders until cancelled; each then ends in order."""
        async with asyncio.TaskGroup() as group:
            for number in range(1, places + 1):
                group.create_task(self._fill(f"{self._holder}/{number}"))

    async def _fill(self, place: str) -> None:
        while True:
            claimed, fence = await self._next(place)
            reason = ""
            try:
                reason = await self._hold(claimed, fence, place)
            except SuiteError as error:
                reason = one_line(str(error))
            finally:
                if reason:
                    self._passed_over[claimed.trader_id] = self._now_s() + _AGAIN_S
                await self._give_back(claimed, place, reason)

    async def _next(self, place: str) -> tuple[Claimed, Fence]:
        """Ask until there is a free trader; one place at a time."""
        async with self._asking:
            while True:
                asked_s, pause_s = self._now_s(), _ASK_S
                over = [name for name, at_s in self._passed_over.items() if at_s > asked_s]
                try:
                    claimed = await self._manager.claim(place, passed_over=over)
                    self._note_away("")
                except SuiteError as error:
                    self._note_away(one_line(str(error)))
                    claimed, pause_s = None, _AWAY_S
                if claimed is not None:
                    fence = Fence(now_s=self._now_s, wall=self._wall)
                    fence.renewed(asked_s=asked_s, ttl_s=claimed.ttl_s)
                    self._tell(f"{claimed.trader_id}: claimed as {place}, fence {claimed.fence}")
                    return claimed, fence
                await asyncio.sleep(pause_s)

    def _note_away(self, why: str) -> None:
        if why and not self._away:
            self._tell(f"no trader can be claimed: {why}")
        self._away = why

    async def _hold(self, claimed: Claimed, fence: Fence, place: str) -> str:
        """Run a trader for as long as it is ours; say why that came to its end."""
        spec, context = self._prepare(claimed, fence)
        instance = self._alpha.add(spec, written=claimed.entry, context=context)
        try:
            self._alpha.begin(instance)
            return await self._keep(claimed, fence, place, instance)
        finally:
            await self._alpha.let_go(instance)

    async def _keep(
        self, claimed: Claimed, fence: Fence, place: str, instance: StrategyInstance
    ) -> str:
        ttl_s, silent = claimed.ttl_s, False
        while True:
            pause_s = ttl_s / (_TRIES if silent else _RENEWALS)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await instance.finished()
            if not instance.running:
                return str(instance.failure or "its world has ended")
            asked_s = self._now_s()
            try:
                async with asyncio.timeout(ttl_s / _RENEWALS):
                    renewed = await self._manager.renew(claimed, place)
            except NotFound as error:  # so nobody else has it: its end may leave
                self._tell(f"{claimed.trader_id}: removed: {one_line(str(error))}")
                instance.leaves = True
                fence.renewed(asked_s=asked_s, ttl_s=_END_S)
                return ""
            except Conflict as error:
                self._tell(f"{claimed.trader_id}: lost: {one_line(str(error))}")
                return ""
            except (SuiteError, TimeoutError) as error:
                if not silent:
                    self._tell(f"{claimed.trader_id}: its lease is not renewed: {error}")
                silent = True
                if not fence.is_safe:
                    instance.look()  # its turn takes the entries back
                continue
            was_safe, silent, ttl_s = fence.is_safe, False, renewed.ttl_s
            ours = (renewed.desired, renewed.generation) == (RUNNING, claimed.generation)
            if ours or not fence.is_over:  # what was held back must not leave beside another's
                fence.renewed(asked_s=asked_s, ttl_s=ttl_s)
            if not ours:
                instance.leaves = renewed.desired != RUNNING
                return ""
            if not was_safe:
                self._tell(f"{claimed.trader_id}: its lease is renewed")
                self._alpha.begin(instance)  # one that waits for a further try, tries now
                instance.look()

    async def _give_back(self, claimed: Claimed, place: str, reason: str) -> None:
        self._tell(f"{claimed.trader_id}: given back{f': {reason}' if reason else ''}")
        try:
            async with asyncio.timeout(claimed.ttl_s / _RENEWALS):
                await self._manager.release(claimed, place, reason=reason)
        except (SuiteError, TimeoutError):
            return  # it ends by itself

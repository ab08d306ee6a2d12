"""Carrying plans out, step by step, whatever happens in between; and telling traders their limits.

A step is first written down: from then on the limit holds. Then its trader is told, again and again
until it has it, or does not run: one that begins is told. What is given up comes first, and nobody
is given more before that has arrived.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from portfolio_service.application.capital import Capital
from portfolio_service.application.following import Followed
from portfolio_service.application.portfolio import Age, Portfolio
from portfolio_service.application.ports import (
    FleetCommands,
    PlanProgress,
    PlanStore,
    StepDone,
    StoredPlan,
)
from portfolio_service.application.showing import exactly
from portfolio_service.domain.allocating import Step
from suite.errors import Conflict, SuiteError, one_line
from suite.fixed import Usd

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_MOMENT_S: Final = 0.5
"""How long those that are told are waited for, before other things are done."""
_AT_ONCE: Final = 16
"""Traders that are told at a time."""


@dataclass(slots=True)
class _Telling:
    """How one trader is being told."""

    usd: Usd
    again_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    trouble: str = ""


class Rebalancer:
    """Carries plans out, one at a time.

    Args:
        portfolio: says who runs, and what each says that it may use.
        capital: what is allotted.
        plans: where plans are kept; progress: where how far they are is.
        commands: tells traders.
        age: of the picture; its clock never goes back.

    Attributes:
        capital: what is allotted.
        running: the plan that is being carried out, None without one.
        trouble: why nothing is carried out at present; empty otherwise.
        leads: this process carries plans out.
        due: set where there is something to do at once.
    """

    def __init__(
        self,
        *,
        portfolio: Portfolio,
        capital: Capital,
        plans: PlanStore,
        progress: PlanProgress,
        commands: FleetCommands,
        age: Callable[[], Age],
    ) -> None:
        self._portfolio = portfolio
        self.capital = capital
        self._plans = plans
        self._progress = progress
        self._commands = commands
        self._age = age
        self._telling: dict[str, _Telling] = {}
        self._told_s: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[str]] = {}
        self._beginning, self._advancing = asyncio.Lock(), asyncio.Lock()
        self.due = asyncio.Event()
        self.running: StoredPlan | None = None
        self.trouble = ""
        self.leads = False

    async def load(self) -> None:
        """Go on from what is kept.

        Raises:
            SuiteError: the database is away.
        """
        kept = await self._plans.load()
        self.capital.limits = kept.limits
        self.capital.allotments = dict(kept.allotments)
        self.running = kept.running

    async def run(self, plan_id: str) -> StoredPlan:
        """Let a plan be carried out; one that runs or is done is told as it is.

        Raises:
            NotFound: there is none.
            Conflict: it is outdated, or another one runs.
        """
        async with self._beginning:
            if not self.leads:
                raise Conflict("another portfolio-service carries plans out: ask that one")
            stored = await self.look(plan_id)
            if stored.status in {"running", "done"}:
                return stored
            if self.running is not None:
                raise Conflict(f"the plan {self.running.plan.plan_id} is being carried out")
            if why := self.capital.outdated(stored, self._age()):
                await self._progress.end(stored, "outdated", why)
                raise Conflict(f"the plan {plan_id} is outdated: {why}; make another")
            await self._progress.begin(stored, self.capital.allotments)
            self.running = replace(stored, status="running")
        self.due.set()
        return self.running

    async def look(self, plan_id: str) -> StoredPlan:
        """Read a plan, and how far it is.

        Raises:
            NotFound: there is none.
        """
        if self.running is not None and self.running.plan.plan_id == plan_id:
            return self.running
        return await self._plans.get_plan(plan_id)

    async def turn(self) -> None:
        """Do what is due: carry on with the plan, and tell who does not know its limit yet."""
        try:
            was_leading, self.leads = self.leads, await self._progress.lead()
            if not self.leads or not was_leading:
                await self.load()
            if not self.leads:
                self.trouble = "another portfolio-service carries plans out"
                return
            self.trouble = ""
            await self.advance()
            await self._tell_all()
        except SuiteError as error:
            self.trouble = one_line(str(error))

    async def advance(self) -> None:
        """Carry on with the running plan, as far as that goes at present."""
        async with self._advancing:
            await self._advance()

    async def _advance(self) -> None:
        while (stored := self.running) is not None:
            step = next((one for one in stored.plan.steps if not _done(stored, one).told), None)
            if step is None:
                await self._progress.end(stored, "done", "")
                self.running = None
                return
            if not _done(stored, step).allotted:
                forgets = not step.to_usd and self._is_gone(step.trader_id)
                await self._progress.allot(stored, step.number, forgets=forgets)
                self.capital.allotments[step.trader_id] = step.to_usd
                if forgets:
                    del self.capital.allotments[step.trader_id]
                stored = self._note(stored, step, StepDone(allotted=True))
            if why := await self._arrive(step):
                self.running = replace(stored, note=why)
                return
            await self._progress.mark_told(stored, step.number)
            self._note(stored, step, StepDone(allotted=True, told=True))

    def _is_gone(self, trader_id: str) -> bool:
        one = self._portfolio.traders.get(trader_id)
        return self._age().fleet_s is not None and (one is None or one.removed)

    def _note(self, stored: StoredPlan, step: Step, done: StepDone) -> StoredPlan:
        noted = replace(stored, steps={**stored.steps, step.number: done}, note="")
        self.running = noted
        return noted

    async def _arrive(self, step: Step) -> str:
        """Bring a limit to its trader; why it is not there yet, empty where it is."""
        if self._age().fleet_s is None:
            return "the manager has not answered yet"
        one = self._portfolio.traders.get(step.trader_id)
        if step.trader_id in self._tasks:
            return f"{step.trader_id} is being told something else yet"
        if one is None or not needs_telling(one):
            return ""  # it is told when it runs
        return "" if self._says(one, step.to_usd) else await self._tell(one, step.to_usd)

    def _says(self, one: Followed, usd: Usd) -> bool:
        """Whether a trader was seen to have a limit, since it was told anything."""
        seen_s, told_s = self._age().fleet_s, self._told_s.get(one.trader_id)
        is_newer = told_s is None or (seen_s is not None and seen_s > told_s)
        return is_newer and one.told_allocation == usd

    async def _tell_all(self) -> None:
        """Tell who runs and says another limit than is allotted to it; who is slow holds up nobody.

        Raises:
            Exception: a bug in one that was told.
        """
        for name, usd in self.capital.allotments.items():
            one = self._portfolio.traders.get(name)
            if one is None or not needs_telling(one):
                continue
            if self._says(one, usd):
                self._telling.pop(name, None)
            elif name not in self._tasks and len(self._tasks) < _AT_ONCE:
                self._tasks[name] = asyncio.create_task(self._tell(one, usd))
        if not self._tasks:
            return
        await asyncio.wait(self._tasks.values(), timeout=_MOMENT_S)
        for name, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[name]
                task.result()

    async def _tell(self, one: Followed, usd: Usd) -> str:
        """Tell a trader, where it is time to; why it does not have it yet, empty where it has."""
        now_s = self._age().now_s
        telling = self._telling.get(one.trader_id)
        if telling is None or telling.usd != usd:
            telling = self._telling[one.trader_id] = _Telling(usd=usd)
        if now_s < telling.again_s:
            return telling.trouble
        try:
            answer = await self._commands.allocate(
                one.trader_id, exactly(usd), reason="allocation of the portfolio"
            )
        except SuiteError as error:
            telling.trouble = one_line(f"{one.trader_id} does not have its limit yet: {error}")
        else:
            state = str(answer.get("state", ""))
            telling.trouble = (
                "" if state == "taken" else f"{one.trader_id} has its limit at its next turn"
            )
        self._told_s[one.trader_id] = self._age().now_s
        telling.again_s = self._told_s[one.trader_id] + telling.pause_s
        telling.pause_s = min(2 * telling.pause_s, _LONGEST_PAUSE_S)
        return telling.trouble

    async def close(self) -> None:
        """Tell nobody any more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    @property
    def troubles(self) -> Mapping[str, str]:
        """Why traders do not have their limits yet, by trader."""
        return {name: one.trouble for name, one in self._telling.items() if one.trouble}


def needs_telling(one: Followed) -> bool:
    """Whether a trader has a process that could use more than it may."""
    row = one.managed
    if one.removed or row is None:
        return False
    return row.actual == "running" or row.status is not None


def _done(stored: StoredPlan, step: Step) -> StepDone:
    return stored.steps.get(step.number, StepDone())

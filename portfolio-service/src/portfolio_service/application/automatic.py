"""Rebalances that nobody asks for: daily at a set time, and when a trader joins or leaves.

They are plans as any other: made by the usual method, kept, carried out step by step, gone on with
after a kill. What a plan is made for is written down with it before it is run, so that one
occasion has one plan, whenever the service is killed.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from portfolio_service.application.answers import AutomaticAnswer
from portfolio_service.application.following import Followed
from portfolio_service.application.portfolio import Age, Portfolio
from portfolio_service.application.ports import Automatic, AutomaticStore
from portfolio_service.application.rebalancing import Rebalancer
from suite.clock import Clock
from suite.errors import Conflict, SuiteError, one_line

ACTOR: Final = "automatic"
_DAILY: Final = "daily"
_DAY_MS: Final = 86_400_000
_MINUTE_MS: Final = 60_000
_PAUSE_S: Final = 30.0
"""Between two tries at a plan that could not be made."""


class AutomaticRebalance:
    """Makes plans when it is time to, and has them carried out.

    Args:
        portfolio: who there is.
        rebalancer: carries plans out; where it does not lead, nothing is made here either.
        store: keeps what plans were made for.
        wall: its time: a set time of day is by it, UTC.
        age: of the picture; its clock never goes back.
        settle_s: how long who takes part has to stay the same, until a change is acted upon:
            traders that come together make one plan.

    Attributes:
        state: when plans are made, and what the last ones were made for.
        trouble: why one that is due could not be made yet; empty otherwise.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        rebalancer: Rebalancer,
        store: AutomaticStore,
        wall: Clock,
        *,
        age: Callable[[], Age],
        settle_s: float,
    ) -> None:
        self._portfolio = portfolio
        self._rebalancer = rebalancer
        self._store = store
        self._wall = wall
        self._age = age
        self._settle_s = settle_s
        self._seen: tuple[str, ...] = ()
        self._since_s: float | None = None
        self._again_s = 0.0
        self._led = False
        self._changing = asyncio.Lock()
        self.state = Automatic()
        self.trouble = ""

    async def load(self) -> None:
        """Go on from what is kept.

        Raises:
            SuiteError: the database is away.
        """
        self.state = await self._store.load_automatic()

    async def change(self, *, daily_at: int | None, on_change: bool) -> Automatic:
        """Have plans made at other times: from the next occasion on, none is made up for.

        Args:
            daily_at: minute of the day, UTC; None for not daily.
            on_change: when a trader joins or leaves.

        Raises:
            Conflict: another process makes plans.
        """
        if not self._rebalancer.leads:
            raise Conflict("another portfolio-service carries plans out: ask that one")
        async with self._changing:
            was, now_ms = self.state, self._wall.now_ms()
            last_day = was.last_day
            if daily_at != was.daily_at:
                today = now_ms // _DAY_MS
                is_over = daily_at is not None and _minute(now_ms) >= daily_at
                last_day = today if is_over else today - 1
            members = was.members if on_change and was.on_change else None
            changed = replace(
                was, daily_at=daily_at, on_change=on_change, last_day=last_day, members=members
            )
            await self._store.save_automatic(changed)
            self.state = changed
        return changed

    async def run(self, every_s: float) -> None:
        """Look each so many seconds, for as long as the service runs."""
        while True:
            await self.turn()
            await asyncio.sleep(every_s)

    async def turn(self) -> None:
        """Make a plan where it is time to, and go on with one that was made."""
        age = self._age()
        members = self._members(age)
        was_leading, self._led = self._led, self._rebalancer.leads
        if not self._led or age.now_s < self._again_s:
            return
        try:
            async with self._changing:
                if not was_leading:  # somebody else did meanwhile
                    await self.load()
                if self.state.plan_id:
                    await self._carry_out(age)
                elif self.state.on_change and self.state.members is None and members is not None:
                    await self._keep(replace(self.state, members=members))
                elif why := self._due(members):
                    await self._make(age, why, members)
        except SuiteError as error:
            self.trouble = one_line(str(error))
            self._again_s = age.now_s + _PAUSE_S
        else:
            self.trouble = ""

    def _members(self, age: Age) -> tuple[str, ...] | None:
        """Tell who is to take part, once that has settled; None before."""
        if age.fleet_s is None or self._portfolio.trouble:
            return None
        # Whoever is wanted takes part, so one that has crashed has not left; who is new does once
        # its money is known.
        before = self.state.members or ()
        found = tuple(
            one.trader_id
            for one in self._portfolio.present
            if one.managed is not None
            and one.managed.desired == "running"
            and (one.trader_id in before or _is_ready(one))
        )
        if found != self._seen or self._since_s is None:
            self._seen, self._since_s = found, age.now_s
        return found if age.now_s - self._since_s >= self._settle_s else None

    def _due(self, members: tuple[str, ...] | None) -> str:
        """Say what a plan is due for; empty where none is."""
        state, now_ms = self.state, self._wall.now_ms()
        today = now_ms // _DAY_MS
        if (
            state.daily_at is not None
            and _minute(now_ms) >= state.daily_at
            and (state.last_day is None or state.last_day < today)
        ):
            return f"{_DAILY} at {_clock(state.daily_at)} UTC"
        if not state.on_change or members is None or state.members is None:
            return ""
        joined, left = set(members) - set(state.members), set(state.members) - set(members)
        told = [f"{name} joined" for name in sorted(joined)]
        return ", ".join(told + [f"{name} left" for name in sorted(left)])

    async def _make(self, age: Age, why: str, members: tuple[str, ...] | None) -> None:
        made = await self._rebalancer.capital.preview(age, reason=why[:500], actor=ACTOR)
        # A plan is of the present, so it meets both occasions.
        state, is_daily = self.state, why.startswith(_DAILY)
        await self._keep(
            replace(
                state,
                last_day=self._wall.now_ms() // _DAY_MS if is_daily else state.last_day,
                members=state.members if members is None else members,
                plan_id=made.plan.plan_id,
            )
        )
        await self._carry_out(age)

    async def _carry_out(self, age: Age) -> None:
        """Run the plan that was made; where it is outdated by now, another one in its place.

        Raises:
            Conflict: another plan is being carried out.
        """
        plan_id = self.state.plan_id
        try:
            await self._rebalancer.run(plan_id)
        except Conflict:
            stored = await self._rebalancer.look(plan_id)
            if stored.status != "outdated":
                raise
            made = await self._rebalancer.capital.preview(age, reason=stored.reason, actor=ACTOR)
            await self._keep(replace(self.state, plan_id=made.plan.plan_id))
            await self._rebalancer.run(made.plan.plan_id)
        await self._keep(replace(self.state, plan_id=""))

    async def _keep(self, changed: Automatic) -> None:
        await self._store.save_automatic(changed)
        self.state = changed

    def answer(self) -> AutomaticAnswer:
        """Tell when plans are made, and when the next daily one is."""
        state, now_ms = self.state, self._wall.now_ms()
        next_ms = None
        if state.daily_at is not None:
            today = now_ms // _DAY_MS
            is_over = state.last_day is not None and state.last_day >= today
            next_ms = (today + is_over) * _DAY_MS + state.daily_at * _MINUTE_MS
        return AutomaticAnswer(
            daily_at=None if state.daily_at is None else _clock(state.daily_at),
            on_change=state.on_change,
            next_ms=next_ms,
            trouble=self.trouble,
        )


def _is_ready(one: Followed) -> bool:
    return one.status in {"LIVE", "PAUSED"} and one.sample is not None and not one.recalled


def _minute(now_ms: int) -> int:
    return now_ms % _DAY_MS // _MINUTE_MS


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"

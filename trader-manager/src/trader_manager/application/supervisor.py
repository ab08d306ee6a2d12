"""Bringing what is to what is wanted, for each trader on its own.

    supervisor = Supervisor(store=..., runtimes=..., access=..., wall=...)
    await supervisor.run()                      # until it is cancelled; traders run on

What is wanted is in the store; what is, the runtimes say. Neither is remembered here, so a manager
that was killed goes on where it was.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from suite.clock import Clock
from suite.crashes import CRASH_WINDOW_MS, is_crash_loop
from suite.errors import ConfigError, SuiteError, one_line, trouble_of
from suite.ids import RunId, TraderId
from trader_manager.application.access import Access
from trader_manager.application.agents import AgentControl
from trader_manager.application.claims import REPLICAS
from trader_manager.application.ports import CrashStore, TraderStore
from trader_manager.application.runtime import Ending, Launch, Runtime, Sighting, seen_as
from trader_manager.domain.lifecycle import Seen, Step, Wanted, next_step
from trader_manager.domain.traders import Crash, DesiredState, StoredTrader

_LOOK_S: Final = 1.0
_AWAY_S: Final = 2.0
"""Until a store that is away is asked again."""
_STATUS_MS: Final = 5_000
"""Between two questions to a process how its trader is."""
_STATUS_S: Final = 2.0
_WORLD_MS: Final = 2_000
"""Between two questions to the venue which world it has."""
_ANOTHER: Final = "another manager supervises the traders of this database; end one of the two"


class SupervisedStore(TraderStore, CrashStore, Protocol):
    """What is wanted, and what became of it."""

    async def claim_supervision(self) -> bool:
        """Become the one manager that supervises these traders, or make sure of being it.

        Returns:
            False where another manager is.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Where one trader stands.

    Attributes:
        trader: as it is wanted.
        sighting: what is seen of it.
        step: what is being done about the difference.
        waits_ms: how long that has to wait, after crashes in a row.
        problem: why it cannot be done, or not yet; empty when it can.
        ending: nothing is wrong: it is being ended in order.
    """

    trader: StoredTrader
    sighting: Sighting
    step: Step = "none"
    waits_ms: int = 0
    problem: str = ""
    ending: bool = False


class Supervisor:
    """Brings the traders of a store to what is wanted of them.

    Args:
        store: what is wanted.
        runtimes: by their names.
        access: the way to the venue.
        agents: control of running traders: whether one whose process is there has failed.
        wall: the machine's clock.
        on_change: told of each trader whose condition is another than before.
        on_trouble: told why nobody is looked after; empty once they are again.
        look_s: between two looks at all of them.
    """

    def __init__(
        self,
        *,
        store: SupervisedStore,
        runtimes: Mapping[str, Runtime],
        access: Access,
        agents: AgentControl,
        wall: Clock,
        on_change: Callable[[Condition], None] = lambda _: None,
        on_trouble: Callable[[str], None] = lambda _: None,
        look_s: float = _LOOK_S,
    ) -> None:
        self._store = store
        self._runtimes = runtimes
        self._access = access
        self._agents = agents
        self._rows: dict[TraderId, tuple[int, int, Mapping[str, Any]]] = {}
        self._world, self._world_asked_ms = "", 0
        self._wall = wall
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._look_s = look_s
        self._asked = asyncio.Event()
        self._working: dict[TraderId, asyncio.Task[None]] = {}
        self.conditions: dict[TraderId, Condition] = {}
        self.trouble = ""
        self.turns = 0

    def wake(self) -> None:
        """Look at once: something else is wanted."""
        self._asked.set()

    def sighting(self, trader_id: TraderId) -> Sighting:
        """Tell what was last seen of a trader."""
        condition = self.conditions.get(trader_id)
        return Sighting(actual="absent") if condition is None else condition.sighting

    def has_settled(self, trader: StoredTrader) -> bool:
        """Tell whether a trader, as it is wanted at present, was seen to run nowhere else."""
        seen = self.conditions.get(trader.trader_id)
        if seen is None or seen.trader.generation != trader.generation:
            return False
        return not seen.problem  # one that cannot be ended elsewhere has one

    async def run(self) -> None:
        """Supervise until cancelled; what is being done then is done to its end."""
        try:
            while True:
                self._asked.clear()
                await self._look()
                self.turns += 1
                with suppress(TimeoutError):
                    async with asyncio.timeout(_AWAY_S if self.trouble else self._look_s):
                        await self._asked.wait()
        finally:
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def settled(self) -> None:
        """Look once, and wait until all that had to be done is done."""
        await self._look()
        await asyncio.gather(*self._working.values())

    async def _look(self) -> None:
        """Begin what has to be done; a trader that is being worked on is left alone."""
        try:
            if not await self._store.claim_supervision():
                self._say(_ANOTHER)
                return
            stored = await self._store.list_traders(with_removed=True)
        except SuiteError as error:
            self._say(str(error))  # traders run on; what is wanted is not known just now
            return
        busy = set(self._working)  # what is seen of those may be over when it is read
        seen = await self._look_all()
        await self._see_world(seen)
        strays, strangers = self._strays(stored, seen)
        silent = [f"runtime {place}: {why}" for place, why in seen.items() if isinstance(why, str)]
        self._say("; ".join(filter(None, (*silent, _unknown(strangers)))))
        wanted = {one.trader_id: one for one in stored if one.removed_ms is None}
        for name in {**wanted, **strays, **self.conditions}:
            trader = wanted.get(name)
            found = seen.get(trader.runtime, {}) if trader is not None else {}
            if name in busy or isinstance(found, str):
                continue
            sighting = found.get(name, Sighting(actual="absent"))
            if trader is not None and silent and sighting.actual in {"absent", "claimable"}:
                continue  # it may yet be where nobody can look
            work = self._do(name, trader, sighting, strays.get(name, ()))
            self._working[name] = asyncio.create_task(work)

    async def _look_all(self) -> Mapping[str, Mapping[str, Sighting] | str]:
        """See who is where; why that cannot be seen, where it cannot."""
        seen: dict[str, Mapping[str, Sighting] | str] = {}
        for place, runtime in self._runtimes.items():
            try:
                seen[place] = await runtime.look_all()
            except Exception as error:  # noqa: BLE001 - a runtime is anybody's code
                seen[place] = trouble_of(error)
        return seen

    async def _see_world(self, seen: Mapping[str, Mapping[str, Sighting] | str]) -> None:
        """Find out which world the venue has, where traders are of one; unknown while it is away.

        A simulated venue that was restarted has another one, where they have no accounts yet.
        """
        found = (one for of in seen.values() if not isinstance(of, str) for one in of.values())
        asked_ms = self._wall.now_ms() - self._world_asked_ms
        if 0 <= asked_ms < _WORLD_MS or not any(one.world for one in found):
            return
        self._world = ""
        with suppress(SuiteError, TimeoutError):
            async with asyncio.timeout(_STATUS_S):
                self._world = await self._access.world()
        self._world_asked_ms = self._wall.now_ms()

    def _strays(
        self, stored: Iterable[StoredTrader], seen: Mapping[str, Mapping[str, Sighting] | str]
    ) -> tuple[Mapping[TraderId, list[Runtime]], list[TraderId]]:
        """Find who is where it is not wanted.

        Args:
            stored: all traders, those that were removed among them.
            seen: who is where.

        Returns:
            The places to end each in that was removed, or moved to another runtime; and those that
            the store has never heard of. They are somebody else's, or the database is: they run on.
        """
        places = {one.trader_id: one.runtime if one.removed_ms is None else "" for one in stored}
        strays: dict[TraderId, list[Runtime]] = {}
        strangers: list[TraderId] = []
        for place, found in seen.items():
            for name in map(TraderId, () if isinstance(found, str) else found):
                if name not in places:
                    strangers.append(name)
                elif places[name] != place:
                    strays.setdefault(name, []).append(self._runtimes[place])
        return strays, strangers

    async def _do(
        self,
        name: TraderId,
        trader: StoredTrader | None,
        sighting: Sighting,
        strays: Iterable[Runtime],
    ) -> None:
        """Work on one trader; whatever goes wrong there is told, and nobody else's business."""
        try:
            for runtime in strays:  # before it begins elsewhere: never in two places at once
                if trader is None or trader.desired is DesiredState.STOPPED:
                    await self._let_leave(name, await runtime.look(name))
                await runtime.stop(name)
                await runtime.forget(name)
            if trader is None:
                self.conditions.pop(name, None)
                self._rows.pop(name, None)
            else:
                await self._attend(trader, sighting)
        except Exception as error:  # noqa: BLE001 - a runtime is anybody's code
            self._cannot(name, trader, trouble_of(error), ending=isinstance(error, Ending))
        finally:
            self._working.pop(name, None)

    def _cannot(
        self, name: TraderId, trader: StoredTrader | None, problem: str, *, ending: bool
    ) -> None:
        """Tell why something cannot be done with a trader, or not yet."""
        before = self.conditions.get(name)
        if before is None and trader is not None:
            before = Condition(trader=trader, sighting=Sighting(actual="absent"))
        if before is None and ending:
            return
        if before is None:
            self._say(f"{name}, which is not wanted any more, cannot be ended: {problem}")
        else:
            self._note(replace(before, problem=problem, ending=ending))

    async def _attend(self, trader: StoredTrader, sighting: Sighting) -> None:
        runtime = self._runtime(trader)
        sighting = await self._as_it_says(trader, sighting)
        wanted = Wanted(desired=trader.desired, generation=trader.generation)
        seen = Seen(
            actual=sighting.actual,
            generation=sighting.generation,
            crashes_ms=await self._crashes(trader, sighting),
            lasting=sighting.lasting,
            outlived=bool(sighting.world and self._world) and sighting.world != self._world,
        )
        step, waits_ms = next_step(wanted, seen, now_ms=self._wall.now_ms())
        before = self.conditions.get(trader.trader_id)
        self._note(
            Condition(
                trader=trader,
                sighting=sighting,
                step=step,
                waits_ms=waits_ms,
                problem=before.problem if before is not None and step != "none" else "",
                ending=before is not None and before.ending and step != "none",
            )
        )
        if step == "none" or waits_ms:
            return
        # Whoever claims a trader has its secrets, and hears of the change by itself.
        begins = step != "stop" and trader.runtime != REPLICAS
        launch = await self._launch(trader, seen.crashes_ms) if begins else None
        # One that cannot begin anew, for want of a secret or of its venue, goes on as it is.
        if step == "stop":
            await self._let_leave(trader.trader_id, sighting)
        if step in {"stop", "restart"}:
            await runtime.stop(trader.trader_id)
        if launch is not None:
            await runtime.start(launch)
        self._note(Condition(trader=trader, sighting=await runtime.look(trader.trader_id)))

    async def _launch(self, trader: StoredTrader, crashes_ms: Sequence[int]) -> Launch:
        """Say what a trader is started with: PAUSED where it has a position amid many crashes.

        So is one that is leaving, as its file has it no more.

        Whether it has one is asked of the venue; where that is not known, it has.

        Raises:
            SuiteError: it cannot be started as it is written.
        """
        launch = await self._access.launch(trader)
        if trader.leaving:  # a person has started it, to have it flattened
            return replace(launch, paused="its entry is in the traders file no more")
        if not is_crash_loop(crashes_ms, now_ms=self._wall.now_ms()):
            return launch
        try:
            held = await self._access.held(trader)
        except SuiteError as unknown:
            why = one_line(str(unknown))
        else:
            if not held:
                return launch
            why = f"it holds {', '.join(held)}"
        count, minutes = len(crashes_ms), CRASH_WINDOW_MS // 60_000
        return replace(launch, paused=f"{count} crashes within {minutes} minutes, and {why}")

    async def _let_leave(self, name: TraderId, sighting: Sighting) -> None:
        """Say to one that does not come back that it leaves its venue's time with its end.

        A lockstep world would wait for it otherwise. One that is silent is ended all the same.
        """
        if sighting.control_url:
            with suppress(SuiteError, TimeoutError):
                async with asyncio.timeout(_STATUS_S):
                    await self._agents.leave(name, sighting)

    async def _as_it_says(self, trader: StoredTrader, sighting: Sighting) -> Sighting:
        """Ask a process what its trader does: it stays where that has failed for good."""
        asked = sighting.row is not None
        if asked or sighting.actual != "running" or not sighting.control_url:
            return sighting
        return seen_as(await self._row(trader.trader_id, sighting), sighting)

    async def _row(self, name: TraderId, sighting: Sighting) -> Mapping[str, Any]:
        """Read what a process says of its trader, not at each look; nothing where it is silent."""
        now_ms = self._wall.now_ms()
        asked_ms, started_ms, row = self._rows.get(name, (0, -1, {}))
        if started_ms == sighting.started_ms and 0 <= now_ms - asked_ms < _STATUS_MS:
            return row
        row = {}
        with suppress(SuiteError, TimeoutError):
            async with asyncio.timeout(_STATUS_S):
                row = await self._agents.status(name, sighting)
        self._rows[name] = now_ms, sighting.started_ms, row
        return row

    async def _crashes(self, trader: StoredTrader, sighting: Sighting) -> tuple[int, ...]:
        """Note a crash, once, and read those of late."""
        if sighting.actual not in {"crashed", "failed"}:
            return ()
        crash = Crash(
            trader_id=trader.trader_id,
            run_id=RunId(str(sighting.started_ms)),
            generation=sighting.generation,
            reason=sighting.reason or "killed",
        )
        await self._store.save_crash(crash)
        found = await self._store.list_crashes(trader.trader_id, window_ms=CRASH_WINDOW_MS)
        return tuple(one.crashed_ms for one in found)

    def _runtime(self, trader: StoredTrader) -> Runtime:
        try:
            return self._runtimes[trader.runtime]
        except KeyError:
            known = ", ".join(self._runtimes)
            raise ConfigError(
                f"there is no runtime {trader.runtime!r}; there are {known}"
            ) from None

    def _say(self, trouble: str) -> None:
        before, self.trouble = self.trouble, trouble
        if trouble != before:
            self._on_trouble(trouble)

    def _note(self, condition: Condition) -> None:
        name = condition.trader.trader_id
        before = self.conditions.get(name)
        self.conditions[name] = condition
        if before is None or _mark(before) != _mark(condition):
            self._on_change(condition)


def _unknown(strangers: Sequence[TraderId]) -> str:
    """Tell of processes that nobody looks after; nothing where there are none."""
    if not strangers:
        return ""
    names = ", ".join(strangers[:5]) + (", ..." if len(strangers) > 5 else "")
    return f"{names} runs here, and this database does not know it: is DATABASE_URL the right one?"


def _mark(condition: Condition) -> tuple[object, ...]:
    """What makes a condition another one."""
    return (
        condition.sighting.actual,
        condition.sighting.generation,
        condition.step,
        condition.waits_ms > 0,
        condition.problem,
    )

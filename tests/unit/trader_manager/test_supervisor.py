"""Reality is brought to what is wanted, for each trader on its own."""

import asyncio
from dataclasses import replace
from typing import Any

from suite.errors import ConfigError, NotFound, UpstreamUnavailable
from suite.ids import AccountId, TraderId
from trader_manager.application.runtime import Launch, Sighting
from trader_manager.application.supervisor import Condition, Supervisor
from trader_manager.domain.lifecycle import CRASHES_MAX
from trader_manager.domain.traders import Crash, DesiredState, StoredTrader

RUNNING, STOPPED = DesiredState.RUNNING, DesiredState.STOPPED


def stored(name: str, **more: Any) -> StoredTrader:
    fields = {"desired": RUNNING, "runtime": "scripted", "generation": 1, **more}
    return StoredTrader(
        trader_id=TraderId(name), spec={}, account_id=AccountId(name), created_ms=0, updated_ms=0,
        removed_ms=None, **fields,
    )  # fmt: skip


class Wall:
    """The machine's clock, moved by the test."""

    ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms


class ScriptedStore:
    """What is wanted, as the test says."""

    def __init__(self, wall: Wall, *traders: StoredTrader) -> None:
        self.traders = {trader.trader_id: trader for trader in traders}
        self.crashes: dict[str, Crash] = {}
        self.is_away = self.is_anothers = False
        self._wall = wall

    async def claim_supervision(self) -> bool:
        return not self.is_anothers

    async def list_traders(self, *, with_removed: bool = False) -> tuple[StoredTrader, ...]:
        if self.is_away:
            raise UpstreamUnavailable("the database does not answer")
        return tuple(one for one in self.traders.values() if with_removed or not one.removed_ms)

    async def save_crash(self, crash: Crash) -> Crash:
        noted = replace(crash, crashed_ms=self._wall.now_ms())
        return self.crashes.setdefault(crash.run_id, noted)

    async def list_crashes(self, trader_id: TraderId, *, window_ms: int) -> tuple[Crash, ...]:
        return tuple(one for one in self.crashes.values() if one.trader_id == trader_id)

    def __getattr__(self, name: str) -> Any:
        raise NotFound(name)


class ScriptedRuntime:
    """Runs nothing, and notes what it was told."""

    def __init__(self, wall: Wall) -> None:
        self.seen: dict[str, Sighting] = {}
        self.told: list[str] = []
        self.stuck = asyncio.Event()
        self.stuck.set()
        self._wall = wall

    async def start(self, launch: Launch) -> None:
        name = launch.trader_id
        self.told.append(f"start {name} {launch.generation}")
        self.seen[name] = Sighting(
            actual="running",
            generation=launch.generation,
            started_ms=self._wall.now_ms(),
            control_url="http://agent",
        )

    async def stop(self, trader_id: str) -> None:
        self.told.append(f"stop {trader_id}")
        await self.stuck.wait()
        self.seen[trader_id] = replace(self.seen[trader_id], actual="crashed")

    async def look(self, trader_id: str) -> Sighting:
        return self.seen.get(trader_id, Sighting(actual="absent"))

    async def known(self) -> tuple[str, ...]:
        return tuple(self.seen)

    async def forget(self, trader_id: str) -> None:
        del self.seen[trader_id]

    def crash(self, name: str) -> None:
        self.seen[name] = replace(self.seen[name], actual="crashed", reason="boom")


class ScriptedAccess:
    def __init__(self) -> None:
        self.keyless = {"keyless"}

    async def launch(self, trader: StoredTrader) -> Launch:
        if trader.trader_id in self.keyless:
            raise ConfigError("environment variable KEY is not set")
        return Launch(
            trader_id=trader.trader_id, written={}, generation=trader.generation,
            venue_url="http://venue", data_url="http://venue",
        )  # fmt: skip


class ScriptedAgents:
    """What processes say of their traders."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked = 0

    async def status(self, trader_id: str, sighting: Sighting) -> dict[str, Any]:
        self.asked += 1
        if trader_id not in self.rows:
            raise UpstreamUnavailable("it does not answer")
        return self.rows[trader_id]

    def __getattr__(self, name: str) -> Any:
        raise NotFound(name)


class Bench:
    def __init__(self, *traders: StoredTrader) -> None:
        self.wall = Wall()
        self.store = ScriptedStore(self.wall, *traders)
        self.runtime = ScriptedRuntime(self.wall)
        self.other = ScriptedRuntime(self.wall)
        self.access = ScriptedAccess()
        self.agents = ScriptedAgents()
        self.changes: list[Condition] = []
        self.supervisor = self.another()

    def another(self) -> Supervisor:
        """Make the supervisor of a manager that has begun anew."""
        return Supervisor(
            store=self.store,
            runtimes={"scripted": self.runtime, "other": self.other},
            access=self.access,
            agents=self.agents,
            wall=self.wall,
            on_change=self.changes.append,
        )

    async def settled(self) -> list[str]:
        """What the runtime was told since the last time."""
        begin = len(self.runtime.told)
        await self.supervisor.settled()
        return self.runtime.told[begin:]

    def want(self, name: str, **changed: Any) -> None:
        key = TraderId(name)
        self.store.traders[key] = replace(self.store.traders[key], **changed)


async def test_each_is_started_stopped_changed_and_removed_once() -> None:
    """Asking again for what is so changes nothing: start and stop are idempotent."""
    bench = Bench(stored("a"), stored("b"), stored("c", desired=STOPPED))
    assert ["start a 1", "start b 1"] == await bench.settled()
    assert [] == await bench.settled()
    bench.want("a", generation=2)
    assert ["stop a", "start a 2"] == await bench.settled()
    bench.want("a", desired=STOPPED, generation=3)
    assert ["stop a"] == await bench.settled()
    assert [] == await bench.settled()
    bench.want("b", removed_ms=7)
    assert ["stop b"] == await bench.settled()
    assert ("a",) == await bench.runtime.known()
    assert [] == await bench.settled()


async def test_one_that_cannot_be_started_is_named_and_the_others_run() -> None:
    """No secret, no such runtime; and it is tried again, as that may have been set right."""
    bench = Bench(stored("keyless"), stored("lost", runtime="moon"), stored("fine"))
    assert ["start fine 1"] == await bench.settled()
    problems = {name: one.problem for name, one in bench.supervisor.conditions.items()}
    assert "environment variable KEY is not set" == problems[TraderId("keyless")]
    assert "there is no runtime 'moon'; there are scripted, other" == problems[TraderId("lost")]
    assert "" == problems[TraderId("fine")]
    told = len(bench.changes)
    await bench.settled()
    assert told == len(bench.changes), "what stays as it is is not told again"


async def test_crashes_are_noted_once_and_too_many_in_a_row_wait() -> None:
    """The reason is kept; the others do not notice."""
    bench = Bench(stored("a"), stored("b"))
    await bench.settled()
    for count in range(1, CRASHES_MAX + 1):
        bench.wall.ms += 10
        bench.runtime.crash("a")
        assert ["start a 1"] == await bench.settled()
        assert count == len(bench.store.crashes)
    bench.wall.ms += 10
    bench.runtime.crash("a")
    assert [] == await bench.settled()
    condition = bench.supervisor.conditions[TraderId("a")]
    assert ("start", 60_000) == (condition.step, condition.waits_ms)
    assert {"boom"} == {crash.reason for crash in bench.store.crashes.values()}
    bench.wall.ms += 60_000
    assert ["start a 1"] == await bench.settled()
    assert "start b 1" not in bench.runtime.told[2:]


async def test_one_that_is_slow_to_stop_holds_up_nobody() -> None:
    """Each is worked on by itself; a look leaves those alone that are being worked on."""
    bench = Bench(stored("a"), stored("b", desired=STOPPED))
    await bench.settled()
    bench.runtime.stuck.clear()
    bench.want("a", desired=STOPPED)
    task = asyncio.create_task(bench.supervisor.run())
    await asyncio.sleep(0.01)
    bench.want("b", desired=RUNNING)
    bench.supervisor.wake()
    await asyncio.sleep(0.01)
    assert ["start a 1", "stop a", "start b 1"] == bench.runtime.told
    bench.supervisor.wake()
    await asyncio.sleep(0.01)
    assert 3 == len(bench.runtime.told)
    bench.runtime.stuck.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_database_that_is_away_stops_nobody() -> None:
    """It is told; when it is back, what is wanted is done."""
    bench = Bench(stored("a"))
    bench.store.is_away = True
    assert [] == await bench.settled()
    assert "the database does not answer" == bench.supervisor.trouble
    bench.store.is_away = False
    assert ["start a 1"] == await bench.settled()
    assert "" == bench.supervisor.trouble


async def test_one_that_cannot_begin_anew_goes_on_as_it_is() -> None:
    """A secret that is missing, a venue that is away: what works is not ended for it."""
    bench = Bench(stored("a"))
    await bench.settled()
    bench.access.keyless.add("a")
    bench.want("a", generation=2)
    for _ in range(2):
        assert [] == await bench.settled()
    condition = bench.supervisor.conditions[TraderId("a")]
    assert "running" == condition.sighting.actual
    assert "environment variable KEY is not set" == condition.problem
    bench.access.keyless.clear()
    assert ["stop a", "start a 2"] == await bench.settled()
    assert "" == bench.supervisor.conditions[TraderId("a")].problem


async def test_one_removed_while_nobody_looked_is_ended() -> None:
    """The manager was down, or died before it ended the process."""
    bench = Bench(stored("a"), stored("b"))
    await bench.settled()
    bench.want("a", removed_ms=7)
    bench.supervisor = bench.another()
    assert ["stop a"] == await bench.settled()
    assert ("b",) == await bench.runtime.known()
    assert {"b"} == set(bench.supervisor.conditions)


async def test_whom_the_database_does_not_know_runs_on_and_is_told() -> None:
    """Another database, or an empty one, must not end a fleet that trades."""
    bench = Bench(stored("a"), stored("b"))
    await bench.settled()
    bench.store.traders.clear()
    bench.supervisor = bench.another()
    assert [] == await bench.settled()
    assert ("a", "b") == await bench.runtime.known()
    assert bench.supervisor.trouble.startswith("a, b runs here, and this database does not know")


async def test_one_that_moves_is_never_in_two_runtimes() -> None:
    """It begins in the new one after it has ended in the old one, however long that takes."""
    bench = Bench(stored("a"))
    await bench.settled()
    bench.want("a", runtime="other", generation=2)
    bench.runtime.stuck.clear()
    task = asyncio.create_task(bench.settled())
    await asyncio.sleep(0.01)
    assert [] == bench.other.told
    bench.runtime.stuck.set()
    assert ["stop a"] == await task
    assert (["start a 2"], ()) == (bench.other.told, await bench.runtime.known())


async def test_a_runtime_that_does_not_say_who_it_has_is_told() -> None:
    """Nothing is begun meanwhile: it might be there already."""
    bench = Bench(stored("a"))

    async def fails() -> tuple[str, ...]:
        raise UpstreamUnavailable("the cluster does not answer")

    known, bench.other.known = bench.other.known, fails  # type: ignore[method-assign]
    assert [] == await bench.settled()
    assert "the cluster does not answer" == bench.supervisor.trouble
    bench.other.known = known  # type: ignore[method-assign]
    assert ["start a 1"] == await bench.settled()


async def test_the_second_of_two_managers_starts_nobody() -> None:
    """It says so, and takes over once the first is gone."""
    bench = Bench(stored("a"))
    bench.store.is_anothers = True
    for _ in range(2):
        assert [] == await bench.settled()
    assert bench.supervisor.trouble.startswith("another manager supervises")
    bench.store.is_anothers = False
    assert ["start a 1"] == await bench.settled()
    assert "" == bench.supervisor.trouble


async def test_one_whose_process_stays_though_it_failed_is_begun_anew() -> None:
    """By the rule of crashes, where the failure may pass; a process is not asked at each look."""
    bench = Bench(stored("a"))
    await bench.settled()
    bench.wall.ms += 10_000
    bench.agents.rows["a"] = {"state": "running"}
    assert [] == await bench.settled()
    bench.agents.rows["a"] = {"state": "failed", "error": "disk full", "lasting": False}
    asked = bench.agents.asked
    assert [] == await bench.settled()
    assert asked == bench.agents.asked
    for count in range(1, CRASHES_MAX + 1):
        bench.wall.ms += 10_000
        assert ["stop a", "start a 1"] == await bench.settled()
        assert count == len(bench.store.crashes)
    bench.wall.ms += 10_000
    assert [] == await bench.settled()
    condition = bench.supervisor.conditions[TraderId("a")]
    assert ("failed", "disk full") == (condition.sighting.actual, condition.sighting.reason)
    assert ("restart", 60_000) == (condition.step, condition.waits_ms)
    assert {"disk full"} == {crash.reason for crash in bench.store.crashes.values()}


async def test_one_that_failed_for_good_waits_for_a_person() -> None:
    """It is shown with its reason; one that is changed, or stopped and started, begins anew."""
    bench = Bench(stored("a"))
    await bench.settled()
    bench.wall.ms += 10_000
    bench.agents.rows["a"] = {"state": "failed", "error": "unknown token", "lasting": True}
    for _ in range(3):
        assert [] == await bench.settled()
    condition = bench.supervisor.conditions[TraderId("a")]
    assert ("failed", "unknown token", "none") == (
        condition.sighting.actual, condition.sighting.reason, condition.step,
    )  # fmt: skip
    bench.want("a", generation=2)
    assert ["stop a", "start a 2"] == await bench.settled()


async def test_one_whose_world_has_ended_has_ended() -> None:
    """Also while its process is there; a process that is silent is not known to have failed."""
    bench = Bench(stored("a"), stored("b"))
    await bench.settled()
    bench.wall.ms += 10_000
    bench.agents.rows["a"] = {"state": "ended"}
    assert [] == await bench.settled()
    seen = {name: one.sighting.actual for name, one in bench.supervisor.conditions.items()}
    assert {"a": "ended", "b": "running"} == seen

"""Reality is brought to what is wanted, for each trader on its own."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from suite.crashes import CRASHES_MAX
from suite.errors import ConfigError, Conflict, NotFound, UpstreamUnavailable
from suite.ids import AccountId, TraderId
from trader_manager.application.runtime import Launch, Sighting
from trader_manager.application.supervisor import Condition, Supervisor
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
        since_ms = self._wall.now_ms() - window_ms
        return tuple(
            one
            for one in self.crashes.values()
            if one.trader_id == trader_id and one.crashed_ms >= since_ms
        )

    def __getattr__(self, name: str) -> Any:
        raise NotFound(name)


class ScriptedRuntime:
    """Runs nothing, and notes what it was told."""

    def __init__(self, wall: Wall) -> None:
        self.seen: dict[str, Sighting] = {}
        self.told: list[str] = []
        self.looks = 0
        self.paused = ""
        self.stuck = asyncio.Event()
        self.stuck.set()
        self._wall = wall

    async def start(self, launch: Launch) -> None:
        name = launch.trader_id
        assert self._is_over(name), f"{name} runs already"
        self.told.append(f"start {name} {launch.generation}")
        self.paused = launch.paused
        self.seen[name] = Sighting(
            actual="running",
            generation=launch.generation,
            world=launch.world,
            started_ms=self._wall.now_ms(),
            control_url="http://agent",
        )

    async def stop(self, trader_id: str) -> None:
        self.told.append(f"stop {trader_id}")
        await self.stuck.wait()
        self.seen[trader_id] = replace(self.seen[trader_id], actual="crashed")

    async def look(self, trader_id: str) -> Sighting:
        return self.seen.get(trader_id, Sighting(actual="absent"))

    async def look_all(self) -> dict[str, Sighting]:
        self.looks += 1
        return dict(self.seen)

    def _is_over(self, name: str) -> bool:
        return name not in self.seen or self.seen[name].actual in {"absent", "crashed", "ended"}

    async def forget(self, trader_id: str) -> None:
        assert self._is_over(trader_id), "nobody lets go of one that runs"
        del self.seen[trader_id]

    def crash(self, name: str) -> None:
        self.seen[name] = replace(self.seen[name], actual="crashed", reason="boom")


class ScriptedAccess:
    def __init__(self) -> None:
        self.keyless = {"keyless"}
        self.present: str | None = ""
        self.holds: tuple[str, ...] | None = ()

    async def held(self, trader: StoredTrader) -> tuple[str, ...]:
        if self.holds is None:
            raise Conflict(f"whether {trader.trader_id} holds a position is not known: away")
        return self.holds

    async def launch(self, trader: StoredTrader, *, with_secrets: bool = True) -> Launch:
        assert with_secrets, "whoever is started from here has no other way to them"
        if trader.trader_id in self.keyless:
            raise ConfigError("environment variable KEY is not set")
        return Launch(
            trader_id=trader.trader_id, written={}, generation=trader.generation,
            venue_url="http://venue", data_url="http://venue", world=self.present or "",
        )  # fmt: skip

    async def world(self) -> str:
        if self.present is None:
            raise UpstreamUnavailable("the venue does not answer")
        return self.present


class ScriptedAgents:
    """What processes say of their traders."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked = 0
        self.left: list[str] = []

    async def leave(self, trader_id: str, sighting: Sighting) -> None:
        self.left.append(trader_id)
        if sighting.control_url == "http://silent":
            raise UpstreamUnavailable("it does not answer")

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
        self.runtimes = {"scripted": self.runtime, "other": self.other}
        self.access = ScriptedAccess()
        self.agents = ScriptedAgents()
        self.changes: list[Condition] = []
        self.supervisor = self.another()

    def another(self) -> Supervisor:
        """Make the supervisor of a manager that has begun anew."""
        return Supervisor(
            store=self.store,
            runtimes=self.runtimes,
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
    assert {"a"} == set(bench.runtime.seen)
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
    assert {"b"} == set(bench.runtime.seen)
    assert {"b"} == set(bench.supervisor.conditions)


async def test_whom_the_database_does_not_know_runs_on_and_is_told() -> None:
    """Another database, or an empty one, must not end a fleet that trades."""
    bench = Bench(stored("a"), stored("b"))
    await bench.settled()
    bench.store.traders.clear()
    bench.supervisor = bench.another()
    assert [] == await bench.settled()
    assert {"a", "b"} == set(bench.runtime.seen)
    assert bench.supervisor.trouble.startswith("a, b runs here, and this database does not know")


async def test_one_that_moves_is_never_in_two_runtimes() -> None:
    """It begins in the new one after it has ended in the old one, however long that takes."""
    bench = Bench(stored("a"))
    await bench.settled()
    bench.want("a", runtime="other", generation=2)
    bench.runtime.stuck.clear()
    task = asyncio.create_task(bench.settled())
    await asyncio.sleep(0.01)
    moved = bench.store.traders[TraderId("a")]
    assert ([], False) == (bench.other.told, bench.supervisor.has_settled(moved))
    bench.runtime.stuck.set()
    assert ["stop a"] == await task
    assert bench.supervisor.has_settled(moved)
    assert (["start a 2"], {}) == (bench.other.told, bench.runtime.seen)


async def test_a_runtime_that_does_not_say_who_it_has_is_told() -> None:
    """Nothing is begun meanwhile: it might be there already."""
    bench = Bench(stored("a"))

    look_all, bench.other.look_all = bench.other.look_all, fails  # type: ignore[method-assign]
    assert [] == await bench.settled()
    assert "runtime other: the cluster does not answer" == bench.supervisor.trouble
    bench.other.look_all = look_all  # type: ignore[method-assign]
    assert ["start a 1"] == await bench.settled()


async def test_one_that_is_seen_is_looked_after_while_another_runtime_is_silent() -> None:
    """It began here after it had ended elsewhere, so it is in no other place."""
    bench = Bench(stored("a"), stored("b", runtime="other"))
    await bench.settled()
    bench.other.look_all = fails  # type: ignore[method-assign]
    bench.wall.ms += 10
    bench.runtime.crash("a")
    bench.want("b", runtime="other", generation=2)
    assert ["start a 1"] == await bench.settled()
    assert ["start b 1"] == bench.other.told


async def test_a_bug_of_one_runtime_is_its_own_trouble() -> None:
    """A runtime is anybody's code: those of the others are looked after."""
    bench = Bench(stored("a"), stored("b", runtime="other"))

    async def look_all() -> dict[str, Sighting]:
        raise KeyError("IPAddress")

    bench.other.look_all = look_all  # type: ignore[method-assign]
    await bench.settled()
    assert "runtime other: KeyError: 'IPAddress'" == bench.supervisor.trouble
    assert [] == bench.other.told


async def test_a_round_asks_each_runtime_once_however_many_traders_there_are() -> None:
    """Those whose runtime has asked their process are not asked again."""
    bench = Bench(*(stored(f"t{number}") for number in range(50)))
    await bench.settled()
    for name, seen in bench.runtime.seen.items():
        bench.runtime.seen[name] = replace(seen, row={"state": "running"})
    bench.wall.ms += 60_000
    looks, asked = bench.runtime.looks, bench.agents.asked
    assert [] == await bench.settled()
    assert (looks + 1, asked) == (bench.runtime.looks, bench.agents.asked)


async def fails() -> dict[str, Sighting]:
    raise UpstreamUnavailable("the cluster does not answer")


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


async def test_one_that_does_not_come_back_is_told_before_it_is_ended() -> None:
    """A lockstep world would wait for it; one that is silent is ended all the same."""
    names = ("stopped", "removed", "changed", "moved", "silent")
    bench = Bench(*map(stored, names))
    await bench.supervisor.settled()
    bench.runtime.seen["silent"] = replace(
        bench.runtime.seen["silent"], control_url="http://silent"
    )
    changes: dict[str, dict[str, Any]] = {
        "stopped": {"desired": STOPPED},
        "removed": {"removed_ms": 1},
        "changed": {"generation": 2},
        "moved": {"runtime": "other"},
        "silent": {"desired": STOPPED},
    }
    for name, change in changes.items():
        changed = replace(bench.store.traders[TraderId(name)], **change)
        bench.store.traders[changed.trader_id] = changed
    await bench.supervisor.settled()
    assert {f"stop {name}" for name in names} <= set(bench.runtime.told)
    assert ["removed", "silent", "stopped"] == sorted(bench.agents.left)


async def test_secrets_of_a_claimed_trader_are_not_asked_for() -> None:
    """Its agent has them, and begins anew by itself when it hears of the change."""
    bench = Bench(stored("keyless", runtime="replicas", generation=2))
    bench.runtimes["replicas"] = bench.other
    del bench.runtimes["other"]
    bench.other.seen["keyless"] = Sighting(actual="running", generation=1, holder="p/1")
    await bench.settled()
    assert ["stop keyless"] == bench.other.told
    assert "" == bench.supervisor.conditions[TraderId("keyless")].problem


@pytest.mark.parametrize("crashes", range(6))
@pytest.mark.parametrize(
    ("holds", "why"),
    [
        (("BTC", "ETH"), "it holds BTC, ETH"),
        ((), ""),
        (None, "whether a holds a position is not known: away"),
    ],
)
async def test_one_that_crashes_on_comes_back_paused_where_it_may_hold_a_position(
    crashes: int, holds: tuple[str, ...] | None, why: str
) -> None:
    """After few crashes it goes on as it was, whatever it holds."""
    bench = Bench(stored("a"))
    bench.access.holds = holds
    await bench.settled()
    for _ in range(crashes):
        bench.wall.ms += 60_000
        bench.runtime.crash("a")
        await bench.settled()
        bench.wall.ms += 60_000
        await bench.settled()
    many = crashes > CRASHES_MAX and why
    expected = f"{crashes} crashes within 10 minutes, and {why}" if many else ""
    assert expected == bench.runtime.paused

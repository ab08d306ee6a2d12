"""What a trader manager needs, in memory: a database, and machines on which traders run."""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
from pydantic import SecretStr
from tests.support.simulation.clients import Session
from tests.support.simulation.disk import Disk, Disks
from tests.support.simulation.machine import Process, SimulatedLoop
from tests.support.simulation.network import Network
from tests.support.simulation.services import Agent, wallet

from suite.errors import (
    BadRequest,
    Conflict,
    NotFound,
    SuiteError,
    UpstreamUnavailable,
)
from suite.ids import TraderId
from trader_manager.application.runtime import Launch, Sighting
from trader_manager.domain.traders import Crash, DesiredState, StoredTrader, WantedTrader

STOP_S: Final = 20.0
"""How long an agent may take to end in order."""


@dataclass
class Tables:
    """What a database keeps, whoever is connected.

    Attributes:
        supervisor: the connection that supervises.
        now_ms: its clock.
    """

    now_ms: Callable[[], int]
    traders: dict[TraderId, StoredTrader] = field(default_factory=dict)
    crashes: dict[tuple[TraderId, str], Crash] = field(default_factory=dict)
    supervisor: "MemoryStore | None" = None


class MemoryStore:
    """One connection to the traders and crashes of a database in memory; a `SupervisedStore`.

    Args:
        tables: of the database.
        reach: raises where it cannot be reached.
    """

    def __init__(self, tables: Tables, reach: Callable[[], None] = lambda: None) -> None:
        self._tables = tables
        self._reach = reach

    async def open(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Let another supervise."""
        if self._tables.supervisor is self:
            self._tables.supervisor = None

    async def claim_supervision(self) -> bool:
        """Become the one that supervises, or make sure of being it."""
        await self._asked()
        if self._tables.supervisor is None:
            self._tables.supervisor = self
        return self._tables.supervisor is self

    async def save_trader(
        self, trader: WantedTrader, *, generation: int | None = None
    ) -> StoredTrader:
        """Add a trader, or change one."""
        await self._asked()
        _check_json(trader.spec)
        found, tables = self._tables.traders.get(trader.trader_id), self._tables
        if found is None and generation is not None:
            raise NotFound(f"no trader {trader.trader_id}")
        if found is not None and found.removed_ms is None:
            if _as_wanted(found) == trader:
                return found
            if generation is None:
                raise Conflict(f"there is a trader {trader.trader_id} already")
            if generation != found.generation:
                raise Conflict(f"trader {trader.trader_id} was changed meanwhile")
        elif found is not None and generation is not None:
            raise NotFound(f"no trader {trader.trader_id}")
        taken = (
            other.trader_id != trader.trader_id and other.account_id == trader.account_id
            for other in tables.traders.values()
            if other.removed_ms is None
        )
        if any(taken):
            raise Conflict(f"account {trader.account_id} is another trader's")
        return self._put(trader, found)

    async def get_trader(self, trader_id: TraderId) -> StoredTrader:
        """Read one that is not removed."""
        await self._asked()
        return self._there(trader_id)

    async def list_traders(self, *, with_removed: bool = False) -> tuple[StoredTrader, ...]:
        """Read all, by id."""
        await self._asked()
        rows = (self._tables.traders[name] for name in sorted(self._tables.traders))
        return tuple(row for row in rows if with_removed or row.removed_ms is None)

    async def set_desired(
        self, trader_ids: Sequence[TraderId], desired: DesiredState
    ) -> tuple[StoredTrader, ...]:
        """Want some to run or to stop, all or none of them."""
        await self._asked()
        rows = [self._there(name) for name in trader_ids]
        return tuple(
            row
            if row.desired == desired
            else self._put(replace(_as_wanted(row), desired=desired), row)
            for row in rows
        )

    async def remove_trader(self, trader_id: TraderId) -> StoredTrader:
        """Forget a trader."""
        await self._asked()
        row = self._tables.traders.get(trader_id)
        if row is None:
            raise NotFound(f"no trader {trader_id}")
        if row.removed_ms is None:
            stopped = replace(_as_wanted(row), desired=DesiredState.STOPPED)
            row = replace(self._put(stopped, row), removed_ms=self._tables.now_ms())
            self._tables.traders[trader_id] = row
        return row

    async def save_crash(self, crash: Crash) -> Crash:
        """Note a crash; one noted before is returned as it stands."""
        await self._asked()
        if crash.trader_id not in self._tables.traders:
            raise NotFound(f"no trader {crash.trader_id}")
        stamped = replace(crash, crashed_ms=self._tables.now_ms())
        return self._tables.crashes.setdefault((crash.trader_id, crash.run_id), stamped)

    async def list_crashes(self, trader_id: TraderId, *, window_ms: int) -> tuple[Crash, ...]:
        """Read those of late, oldest first."""
        await self._asked()
        since_ms = self._tables.now_ms() - window_ms
        rows = [one for (name, _), one in self._tables.crashes.items() if name == trader_id]
        late = [one for one in rows if one.crashed_ms > since_ms]
        return tuple(sorted(late, key=lambda one: (one.crashed_ms, one.run_id)))

    async def _asked(self) -> None:
        await asyncio.sleep(0)
        self._reach()

    def _there(self, trader_id: TraderId) -> StoredTrader:
        row = self._tables.traders.get(trader_id)
        if row is None or row.removed_ms is not None:
            raise NotFound(f"no trader {trader_id}")
        return row

    def _put(self, trader: WantedTrader, before: StoredTrader | None) -> StoredTrader:
        now_ms = self._tables.now_ms()
        fields = {name: getattr(trader, name) for name in WantedTrader.__dataclass_fields__}
        row = StoredTrader(
            **fields,
            generation=1 if before is None else before.generation + 1,
            created_ms=now_ms if before is None else before.created_ms,
            updated_ms=now_ms,
            removed_ms=None,
        )
        self._tables.traders[trader.trader_id] = row
        return row


def _as_wanted(row: StoredTrader) -> WantedTrader:
    fields = {name: getattr(row, name) for name in WantedTrader.__dataclass_fields__}
    return WantedTrader(**fields)


def _check_json(spec: Mapping[str, Any]) -> None:
    """Refuse what a database takes for no JSON.

    Raises:
        BadRequest: why.
    """
    try:
        text = json.dumps(spec, allow_nan=False, ensure_ascii=False)
        text.encode()
        is_kept = json.loads(text) == spec and "\\u0000" not in json.dumps(spec)
    except (ValueError, TypeError) as error:
        raise BadRequest(f"the spec is not JSON: {error}") from None
    if not is_kept:
        raise BadRequest("the spec is not JSON: it is read otherwise than it was written")


# where traders run


@dataclass(slots=True)
class Run:
    """A process of one trader, running or not."""

    launch: Launch
    process: Process
    started_ms: int
    agent: Agent | None = None
    wanted_end: bool = False


@dataclass
class Machines:
    """The machines on which agents run; they outlive every manager.

    Attributes:
        runs: the last one of each trader.
        problems: two at once.
        skew_ms: of each machine's clock.
        processes: all that were ever started.
    """

    loop: SimulatedLoop
    disks: Disks
    network: Network
    disk_of: Callable[[str], Disk]
    runs: dict[str, Run] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    skew_ms: dict[str, int] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    _count: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def begin(self, launch: Launch) -> None:
        """Start a process, whatever runs already."""
        name = launch.trader_id
        before = self.runs.get(name)
        if before is not None and before.process.alive:
            self.problems.append(f"two processes of {name} at once")
        process = Process(name, self.loop, self.skew_ms.get(name, 0))
        process.on_death.append(lambda: self.disks.let_go(process))
        run = Run(launch, process, self.loop.now_ms * 100 + next(self._count) % 100)
        self.runs[name] = run
        self.processes.append(process)
        self.network.note("machine", "started", name)
        _ = process.start(self._main(run))

    async def _main(self, run: Run) -> None:
        launch = run.launch
        run.agent = Agent(
            launch.trader_id,
            self.disk_of(launch.trader_id),
            launch.token.get_secret_value(),
            launch.paused,
        )
        await run.agent.run()

    def agent(self, name: str) -> Agent | None:
        """The agent of a trader whose process runs."""
        run = self.runs.get(name)
        return run.agent if run is not None and run.process.alive else None


class SimulatedRuntime:
    """Starts and ends the processes of traders, on behalf of one manager; a `Runtime`."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def start(self, launch: Launch) -> None:
        """Start a trader; nothing where it runs already."""
        await asyncio.sleep(0)
        run = self._machines.runs.get(launch.trader_id)
        if run is None or not run.process.alive:
            self._machines.begin(launch)

    async def stop(self, trader_id: str) -> None:
        """End a trader in order, and by force where it does not."""
        run = self._machines.runs.get(trader_id)
        if run is None:
            return
        run.wanted_end = True
        if run.process.alive:
            if run.agent is not None:
                ending = run.process.start(run.agent.instance.stop())
                await asyncio.wait((ending,), timeout=STOP_S)
            run.process.kill()

    async def look(self, trader_id: str) -> Sighting:
        """See what a trader is doing."""
        await asyncio.sleep(0)
        return self._seen(trader_id)

    async def look_all(self) -> Mapping[str, Sighting]:
        """See what all traders are doing that were started here and not forgotten."""
        await asyncio.sleep(0)
        return {name: self._seen(name) for name in sorted(self._machines.runs)}

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that does not run."""
        run = self._machines.runs.get(trader_id)
        if run is not None and not run.process.alive:
            del self._machines.runs[trader_id]

    def _seen(self, name: str) -> Sighting:
        run = self._machines.runs.get(name)
        if run is None or (run.wanted_end and not run.process.alive):
            return Sighting(actual="absent")
        return Sighting(
            actual="running" if run.process.alive else "crashed",
            generation=run.launch.generation,
            started_ms=run.started_ms,
            control_url=f"http://{name}" if run.process.alive else "",
            pid=1 if run.process.alive else 0,
            reason="" if run.process.alive else "killed",
        )


class SimulatedControl:
    """Asks agents how they are; of `AgentControl` what a supervisor uses."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def status(self, trader_id: str, sighting: Sighting) -> Mapping[str, Any]:
        """Read the row of one trader in the status of its process."""
        del sighting
        await asyncio.sleep(0.01)
        status = self._reached(trader_id).instance.status
        return {"state": status.state, "error": status.error, "lasting": status.lasting}

    async def leave(self, trader_id: str, sighting: Sighting) -> None:
        """Say that its next end is for good."""
        del sighting
        await asyncio.sleep(0.01)
        self._reached(trader_id).instance.leaves = True

    def _reached(self, trader_id: str) -> Agent:
        agent = self._machines.agent(trader_id)
        if agent is None or self._machines.network.is_parted("manager", trader_id):
            raise UpstreamUnavailable(f"{trader_id} does not answer")
        return agent


class SimulatedAccess:
    """The way to the venue: tokens as the proxy wrote them, and reads over the network.

    Args:
        network: to the venue.
        proxy: disk of the proxy, whose tokens the manager may read.
    """

    def __init__(self, network: Network, proxy: Disk) -> None:
        self._network, self._proxy = network, proxy

    async def launch(self, trader: StoredTrader, *, with_secrets: bool = True) -> Launch:
        """Say what a trader is started with."""
        del with_secrets
        await asyncio.sleep(0)
        path = self._proxy.root / "var" / "tokens" / f"{trader.trader_id}.token"
        if not path.exists():
            raise UpstreamUnavailable(f"there is no account of {trader.trader_id} yet")
        return Launch(
            trader_id=trader.trader_id,
            written=trader.spec,
            generation=trader.generation,
            venue_url="http://proxy",
            data_url="http://venue",
            token=SecretStr(path.read_text().strip()),
        )

    async def world(self) -> str:
        """Name the venue's present world: money is real."""
        return ""

    async def held(self, trader: StoredTrader) -> tuple[str, ...]:
        """Tell the coins of which a trader holds a position."""
        user = wallet(f"master of {trader.trader_id}").address
        body = msgspec.json.encode({"type": "clearinghouseState", "user": user})
        session = Session(self._network, "http://venue", {}, 5.0)
        try:
            async with session.post("info", data=body) as answer:
                told = msgspec.json.decode(await answer.read())
        except Exception as error:  # noqa: BLE001 - whatever the network does
            raise UpstreamUnavailable(str(error)) from None
        return tuple(row["position"]["coin"] for row in told["assetPositions"])


async def wanted_by_operator(store: MemoryStore, name: str, desired: DesiredState) -> None:
    """Have a trader run, or not; tried until the database takes it."""
    for _ in range(100):
        with suppress(SuiteError):
            await store.set_desired((TraderId(name),), desired)
            return
        await asyncio.sleep(0.5)

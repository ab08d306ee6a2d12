"""One history: the suite on simulated machines, what goes wrong there, and how it is healed."""

import asyncio
import contextlib
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import msgspec
import structlog
from tests.support.simulation.clients import connected
from tests.support.simulation.disk import Disk, Disks
from tests.support.simulation.machine import Process, SimulatedLoop, run, sealed
from tests.support.simulation.manager import (
    Machines,
    MemoryStore,
    SimulatedAccess,
    SimulatedControl,
    SimulatedRuntime,
    Tables,
    wanted_by_operator,
)
from tests.support.simulation.network import Network
from tests.support.simulation.record import Record, recording
from tests.support.simulation.services import TRADERS, Proxy, Venue, custody, spec_of

from hyperliquid_exchange.domain.safety import EVERYBODY, Level
from suite.errors import SuiteError, UpstreamUnavailable
from suite.ids import AccountId, TraderId
from suite.service.clock import SystemClock
from trader_manager.application.supervisor import Supervisor
from trader_manager.domain.traders import DesiredState, WantedTrader

BEGUN_S: Final = 20.0
TROUBLED_S: Final = 40.0
"""For how long things go wrong."""
HEALED_S: Final = 180.0
"""Until all must be well again: a crash loop is waited out, and every expiry."""
PLACES: Final = ("venue", "proxy", "manager", *TRADERS)
LINKS: Final = (
    ("proxy", "venue"),
    *((name, "proxy") for name in TRADERS),
    *((name, "venue") for name in TRADERS),
    *(("manager", name) for name in TRADERS),
    ("manager", "store"),
)


@dataclass(slots=True)
class History:
    """What came of one seed.

    Attributes:
        problems: what must not be.
        trace: the same for the same seed.
        reached: what has happened, and how often.
        healed_s: after the last fault, until all was well.
        log: every message, where it was asked for.
    """

    seed: int
    problems: list[str] = field(default_factory=list)
    trace: str = ""
    reached: Counter[str] = field(default_factory=Counter)
    healed_s: float = 0.0
    log: list[str] = field(default_factory=list)


Plant = Callable[["World"], contextlib.AbstractContextManager[Any]]
"""Puts a bug into the product for one history."""


def sound(_world: "World") -> contextlib.AbstractContextManager[Any]:
    """No bug."""
    return contextlib.nullcontext()


def simulate(
    seed: int, *, plant: Plant = sound, calm: bool = False, logged: bool = False
) -> History:
    """Live through one history; the same seed is the same one.

    Args:
        seed: of everything.
        plant: a bug.
        calm: nothing goes wrong.
        logged: keep every message.
    """
    loop = SimulatedLoop(seed)
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="dst-", dir=base) as folder:
        world = World(loop, seed, Path(folder))
        if logged:
            world.network.log = world.history.log
        with world.closed(plant):
            run(world.main(calm=calm), loop)
    return world.history


class World:
    """All machines, and what is between them.

    Attributes:
        history: what comes of it.
        record: what the services wrote down, and what left.
        kills: scopes that were killed, and since when that is acknowledged, loop time.
    """

    def __init__(self, loop: SimulatedLoop, seed: int, folder: Path) -> None:
        self.loop = loop
        self.history = History(seed)
        self.chance = random.Random(seed)
        self.network = Network(loop, random.Random(f"{seed} network"))
        self.network.folder = str(folder)
        self.disks = Disks(folder)
        self.record = Record(loop)
        self.network.left.append(self.record.left)
        self.network.answered.append(self.record.answered)
        self.names = tuple(TRADERS)
        self.tables = Tables(lambda: loop.now_ms)
        self.machines = Machines(loop, self.disks, self.network, self.disk)
        self.processes: dict[str, Process] = {}
        self.skew_ms = self.machines.skew_ms
        self.proxy: Proxy | None = None
        self.venue: Venue | None = None
        self.store_away = False
        self.restarting = True
        self._tasks: set[asyncio.Task[Any]] = set()

    def disk(self, name: str) -> Disk:
        """The disk of a machine."""
        return self.disks.make(name, random.Random(f"{self.history.seed} disk {name}"))

    @contextlib.contextmanager
    def closed(self, plant: Plant) -> Iterator[None]:
        """Close the world: nothing real is left but the processor."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(_quiet())
            stack.enter_context(sealed(self.loop))
            stack.enter_context(self.disks.standing())
            stack.enter_context(connected(self.network))
            stack.enter_context(recording(self.record))
            live = "hyperliquid_exchange.bootstrap"
            stack.enter_context(patch(f"{live}.open_custody", lambda *_, **__: custody(self.names)))
            stack.enter_context(patch(f"{live}.hide_process", lambda: ""))
            stack.enter_context(patch("hyperliquid_exchange.running.build_hash", lambda *_: ""))
            stack.enter_context(plant(self))
            yield

    # processes

    def begin(self, name: str) -> Process:
        """Make the process of a service."""
        process = Process(name, self.loop, self.skew_ms.get(name, 0))
        process.on_death.append(lambda: self.disks.let_go(process))
        self.processes[name] = process
        self.network.note("machine", "started", name)
        return process

    async def begin_venue(self) -> None:
        """Open the exchange."""
        process = self.begin("venue")
        kind = self.chance.randrange(3)

        async def main() -> None:
            self.venue = Venue(process, self.names, kind)
            self.network.serve("venue", process, self.venue.app)
            await self.venue.open()

        await process.start(main())

    def begin_proxy(self) -> None:
        """Start the proxy, on what its disk has."""
        process = self.begin("proxy")

        async def main() -> None:
            proxy = Proxy(self.disk("proxy"))
            proxy.container.on_bug = lambda bug: self.fail(f"the proxy has failed: {bug!r}")
            try:
                await proxy.container.open()
            except (SuiteError, OSError) as error:
                self.history.reached[f"proxy cannot start: {type(error).__name__}"] += 1
                self.network.note("proxy", error)
                self.loop.after(0, process.kill)
                self.restart("proxy")
                return
            self.proxy = proxy
            self.network.serve("proxy", process, proxy.app)

        _ = process.start(main())

    def begin_manager(self) -> None:
        """Start the manager; what is wanted is in the database."""
        process = self.begin("manager")
        store = MemoryStore(self.tables, self._reach)
        process.on_death.append(lambda: self._let_supervise(store))
        supervisor = Supervisor(
            store=store,
            runtimes={"process": SimulatedRuntime(self.machines)},
            access=SimulatedAccess(self.network, self.disk("proxy")),
            agents=SimulatedControl(self.machines),  # type: ignore[arg-type]
            wall=SystemClock(),
        )
        _ = process.start(supervisor.run())

    def _let_supervise(self, store: MemoryStore) -> None:
        if self.tables.supervisor is store:
            self.tables.supervisor = None

    def _reach(self) -> None:
        if self.store_away or self.network.is_parted("manager", "store"):
            raise UpstreamUnavailable("the database does not answer")

    def process(self, name: str) -> Process | None:
        """The process of a service or trader."""
        if name in TRADERS:
            run = self.machines.runs.get(name)
            return None if run is None else run.process
        return self.processes.get(name)

    def kill(self, name: str) -> None:
        """End a process where it is; whoever keeps services begins it again."""
        process = self.process(name)
        if process is None or not process.alive:
            return
        self.history.reached[f"killed: {name} {self._state(name)}".strip()] += 1
        self.network.note("machine", "killed", name)
        process.kill()
        if name == "proxy":
            self.proxy = None
        if name not in TRADERS:
            self.restart(name)

    def _state(self, name: str) -> str:
        """What a process was doing when it was killed."""
        if name == "proxy":
            waits = any(one for one in self.record.open_live)
            return "with open intents" if waits else "idle"
        if name in TRADERS:
            waits = any(trader == name for trader, _ in self.record.open_agent)
            return "with open intents" if waits else "idle"
        return ""

    def restart(self, name: str) -> None:
        """Begin a service again after a moment."""
        begin = {"proxy": self.begin_proxy, "manager": self.begin_manager}[name]
        self.loop.after(0.5 + 3 * self.chance.random(), begin)

    def cut_power(self, name: str) -> None:
        """End a process, and lose what was not synced."""
        process = self.process(name)
        if process is not None and process.alive:
            self.kill(name)
            before = self.disk(name).lost
            self.disk(name).cut_power()
            self.history.reached[f"power cut: {name}"] += 1
            if self.disk(name).lost > before:
                self.history.reached["unsynced bytes lost"] += 1

    def fail(self, problem: str) -> None:
        """Note what must not be."""
        if self.loop.is_over:
            return
        self.history.problems.append(problem)

    def soon(self, work: Any) -> None:
        """Do something beside."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # the history

    async def main(self, *, calm: bool) -> None:
        """Begin, let things go wrong, heal, and judge."""
        from tests.support.simulation import faults, judging

        await self.begin_venue()
        self.begin_proxy()
        operator = MemoryStore(self.tables)
        for name in self.names:
            await operator.save_trader(_wanted(name))
        self.begin_manager()
        await self.wait_until(self.is_well, BEGUN_S)
        if not calm:
            await faults.trouble(self, operator)
        since_s = self.loop.time()
        await faults.heal(self, operator)
        is_well = await self.wait_until(self.is_well, HEALED_S)
        self.history.healed_s = self.loop.time() - since_s
        if not is_well:
            self.fail(f"not well: {'; '.join(self.ill())}")
        self.history.problems += judging.problems(self)
        self._count()
        self.end()

    def _count(self) -> None:
        """Note which fates there were."""
        reached, record = self.history.reached, self.record
        for fates in record.live_fates.values():
            reached[f"fate: {fates[-1].outcome}"] += 1
        reached["fate: found out"] += sum(one > 1 for one in record.known_s.values())
        reached["refused by the proxy"] += len(record.live_fates.keys() - record.live.keys())
        reached["trader started again"] += len(self.machines.processes) - len(self.names)
        reached["intents"] += len(record.live)

    def end(self) -> None:
        """Stop everything where it is."""
        self.history.problems += [f"a bug nobody saw: {bug}" for bug in self.loop.bugs[:3]]
        self.history.trace = self.network.trace
        for kind, count in self.network.done.items():
            self.history.reached[f"network: {kind}"] += count
        for process in [*self.processes.values(), *self.machines.processes]:
            process.kill()
        self.loop.graves += [*self._tasks, *self.network.under_way]
        with self.disks.burying():
            self.loop.bury()

    async def wait_until(self, is_so: Callable[[], bool], limit_s: float) -> bool:
        """Look again and again, for no longer than that."""
        until_s = self.loop.time() + limit_s
        while not is_so():
            if self.loop.time() > until_s:
                return False
            await asyncio.sleep(0.25)
        return True

    def is_well(self) -> bool:
        """Whether everything runs, and nothing is unknown."""
        return next(self.ill(), "") == ""

    def ill(self) -> Iterator[str]:
        """Tell what is not well yet."""
        from tests.support.simulation import judging

        live = None if self.proxy is None else self.proxy.container.live
        if live is None:
            yield "the proxy does not run"
            return
        for intent in live.journal.open_intents():
            yield f"unknown at the proxy: {intent.trader_id} {intent.kind} {intent.key}"
        for name in self.names:
            agent = self.machines.agent(name)
            if agent is None:
                yield f"{name} does not run"
                continue
            status = agent.instance.status
            if status.state != "running":
                yield f"{name} is {status.state}: {status.error}"
                continue
            yield from judging.differences(self, name, agent)
        for name, key in self.record.open_agent:
            yield f"unknown at {name}: {key}"
        for task in self.network.under_way:
            yield f"under way: {task.get_name()}"  # type: ignore[attr-defined]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing: a history has its own."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _wanted(name: str) -> WantedTrader:
    return WantedTrader(
        trader_id=TraderId(name),
        spec=msgspec.json.decode(msgspec.json.encode(spec_of(name))),
        account_id=AccountId(name),
        desired=DesiredState.RUNNING,
        runtime="process",
    )


__all__ = ["EVERYBODY", "History", "Level", "World", "simulate", "wanted_by_operator"]

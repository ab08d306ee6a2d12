"""What goes wrong in a history, chosen by its seed, and how it is put right."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from tests.support.simulation.manager import MemoryStore, wanted_by_operator
from tests.support.simulation.network import Weather

from hyperliquid_exchange.domain.safety import EVERYBODY, Level
from suite.errors import SuiteError
from suite.ids import TraderId
from trader_manager.domain.traders import DesiredState

if TYPE_CHECKING:
    from tests.support.simulation.world import World

STORM: Final = Weather(lost=0.05, answer_lost=0.05, repeated=0.05, error=0.05, broken=0.003)
TROUBLED_S: Final = 40.0
"""For how long things go wrong."""
_PAUSE_S: Final = 4.0
"""Between two faults, on average."""


async def trouble(world: "World", operator: MemoryStore) -> None:
    """Let things go wrong for a while."""
    chance = world.chance
    end_s = world.loop.time() + TROUBLED_S
    if chance.random() < 0.8:
        world.network.weather = STORM
        world.history.reached["storm"] += 1
    while world.loop.time() < end_s:
        fault = chance.choice(FAULTS)
        world.network.note("fault", fault.__name__)
        world.history.reached[f"fault: {fault.__name__}"] += 1
        world.soon(fault(world, operator))
        await asyncio.sleep(chance.expovariate(1 / _PAUSE_S))


async def heal(world: "World", operator: MemoryStore) -> None:
    """Put right what an operator or time puts right."""
    network = world.network
    world.network.weather = Weather()
    network.parted.clear()
    network.erring.clear()
    world.store_away = False
    world.skew_ms.clear()
    for name in (*world.processes, *world.names):
        if (process := world.process(name)) is not None:
            process.skew_ms = 0
    for name in ("proxy", *world.names):
        world.disk(name).full = False
    for name in world.names:
        await wanted_by_operator(operator, name, DesiredState.RUNNING)


async def proxy_killed(world: "World", _: MemoryStore) -> None:
    await _moment(world, lambda: bool(world.record.open_live))
    world.kill("proxy")


async def proxy_power_cut(world: "World", _: MemoryStore) -> None:
    await _moment(world, lambda: bool(world.record.open_live))
    world.cut_power("proxy")


async def agent_killed(world: "World", _: MemoryStore) -> None:
    name = world.chance.choice(world.names)
    await _moment(world, lambda: any(one == name for one, _ in world.record.open_agent))
    world.kill(name)


async def agent_power_cut(world: "World", _: MemoryStore) -> None:
    name = world.chance.choice(world.names)
    await _moment(world, lambda: any(one == name for one, _ in world.record.open_agent))
    world.cut_power(name)


async def _moment(world: "World", is_it: Callable[[], bool]) -> None:
    """Wait for a moment that hurts, in two of three cases, or any other."""
    until_s = world.loop.time() + (8 if world.chance.random() < 0.67 else 0)
    while not is_it() and world.loop.time() < until_s:  # noqa: ASYNC110 - no time passes
        await asyncio.sleep(0.01)
    if is_it():
        await asyncio.sleep(world.chance.expovariate(1 / 0.01))


async def manager_killed(world: "World", _: MemoryStore) -> None:
    world.kill("manager")


async def parted(world: "World", _: MemoryStore) -> None:
    from tests.support.simulation.world import LINKS

    pair = frozenset(world.chance.choice(LINKS))
    world.network.parted.add(pair)
    await asyncio.sleep(world.chance.uniform(1, 20))
    world.network.parted.discard(pair)


async def venue_errs(world: "World", _: MemoryStore) -> None:
    await _erring(world, "venue")


async def proxy_errs(world: "World", _: MemoryStore) -> None:
    await _erring(world, "proxy")


async def _erring(world: "World", name: str) -> None:
    world.network.erring.add(name)
    await asyncio.sleep(world.chance.uniform(1, 10))
    world.network.erring.discard(name)


async def disk_full(world: "World", _: MemoryStore) -> None:
    disk = world.disk(world.chance.choice(("proxy", *world.names)))
    before, disk.full = disk.refused, True
    await asyncio.sleep(world.chance.uniform(1, 15))
    disk.full = False
    if disk.refused > before:
        world.history.reached["disk refused"] += 1


async def clock_jumped(world: "World", _: MemoryStore) -> None:
    name = world.chance.choice(("proxy", "manager", *world.names))
    by_ms = world.chance.choice((-30_000, -2_000, 1_000, 10_000))
    world.skew_ms[name] = by_ms
    process = world.process(name)
    if process is not None:
        process.skew_ms = by_ms


async def database_away(world: "World", _: MemoryStore) -> None:
    world.store_away = True
    await asyncio.sleep(world.chance.uniform(1, 15))
    world.store_away = False


async def trader_stopped(world: "World", operator: MemoryStore) -> None:
    name = world.chance.choice(world.names)
    await wanted_by_operator(operator, name, DesiredState.STOPPED)
    await asyncio.sleep(world.chance.uniform(1, 15))
    await wanted_by_operator(operator, name, DesiredState.RUNNING)


async def all_killed(world: "World", _: MemoryStore) -> None:
    """The kill switch; only once in four times, since little happens after it."""
    if world.chance.random() < 0.25:
        await forbid(world, EVERYBODY)


async def one_killed(world: "World", _: MemoryStore) -> None:
    await forbid(world, world.chance.choice(world.names))


async def forbid(world: "World", scope: str) -> None:
    """Kill, and ask again until it is acknowledged."""
    while True:
        process, proxy = world.processes.get("proxy"), world.proxy
        if process is not None and process.alive and proxy is not None:
            asked_s = world.loop.time()
            work = process.start(_told(proxy, scope))
            await asyncio.wait((work,), timeout=15)
            if work.done() and not work.cancelled() and work.exception() is None:
                is_quiet = work.result()
                live: Any = proxy.container.live
                if live is None or live.ladder._unsaved:  # in force, and not durable yet
                    world.history.reached["kill on a full disk"] += 1
                    return
                world.history.reached["kill acknowledged" if is_quiet else "kill not quiet"] += 1
                if is_quiet:
                    world.record.killed.append((scope, world.loop.time()))
                world.network.note("killed", scope, f"{world.loop.time() - asked_s:.3f}")
                return
        await asyncio.sleep(1)


async def _told(proxy: Any, scope: str) -> bool:
    """Whether nothing that adds risk is leaving any more."""
    control = proxy.container.control()
    try:
        done = await control.forbid(
            EVERYBODY if scope == EVERYBODY else TraderId(scope),
            Level.KILLED,
            by="operator",
            reason="by hand",
        )
    except SuiteError:
        return False
    return bool(done.is_quiet)


Fault = Callable[["World", MemoryStore], Awaitable[None]]
FAULTS: Final[tuple[Fault, ...]] = (
    proxy_killed,
    proxy_power_cut,
    agent_killed,
    agent_power_cut,
    manager_killed,
    parted,
    parted,
    venue_errs,
    venue_errs,
    proxy_errs,
    disk_full,
    clock_jumped,
    database_away,
    trader_stopped,
    all_killed,
    one_killed,
)

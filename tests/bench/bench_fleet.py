"""Measure a fleet in one process: start, memory, a look at all, a command to all, a crash of all.

python tests/bench/bench_fleet.py --traders 1000
"""

import argparse
import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from pydantic import SecretStr
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.unit.trader_manager.test_supervisor import ScriptedStore, stored

from suite.service.clock import SystemClock
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.local_processes import FleetProcess
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.held import held_coins
from trader_manager.application.runtime import Launch
from trader_manager.application.supervisor import Supervisor
from trader_manager.domain.traders import StoredTrader


class Access:
    """Every trader's token is known."""

    def __init__(self, venue: VenueUnderTest) -> None:
        self._venue = venue
        self.reads = VenueReadsHttp(venue.url)
        self._tokens = {
            path.stem: path.read_text().strip()
            for path in (venue.folder or Path()).glob("var/tokens/*.token")
        }

    async def launch(self, trader: StoredTrader, *, with_secrets: bool = True) -> Launch:
        return Launch(
            trader_id=trader.trader_id, written=trader.spec, generation=trader.generation,
            venue_url=self._venue.url, data_url=self._venue.url,
            token=SecretStr(self._tokens[trader.trader_id]),
        )  # fmt: skip

    async def world(self) -> str:
        return ""

    async def held(self, trader: StoredTrader) -> tuple[str, ...]:
        return await held_coins(self.reads, trader)


async def measure(venue: VenueUnderTest, folder: Path, count: int) -> None:
    wall, runtime, agents = SystemClock(), FleetProcess(folder, SystemClock()), AgentHttp()
    names = [f"t{number:04}" for number in range(count)]
    spec = {"strategy": {"kind": "sma_cross"}, "symbols": ["BTC"], "interval": "1m"}
    traders = [stored(name, runtime="fleet") for name in names]
    for trader in traders:
        trader.spec.update({"trader_id": trader.trader_id, **spec})  # type: ignore[attr-defined]
    store = ScriptedStore(wall, *traders)  # type: ignore[arg-type]
    access = Access(venue)
    supervisor = Supervisor(
        store=store,
        runtimes={"fleet": runtime},
        access=access,
        agents=agents,
        wall=wall,
    )
    began_s = time.perf_counter()
    supervising = asyncio.create_task(supervisor.run())
    pid = await all_running(runtime, count)
    print(f"start of {count}: {time.perf_counter() - began_s:.1f} s until all trade")
    process = psutil.Process(pid)
    show(process, "after the start")
    seen_s = await taken(runtime.look_all())
    print(f"one look at all: {seen_s * 1000:.0f} ms")
    cpu_s, own_s = sum(process.cpu_times()[:2]), time.process_time()
    await asyncio.sleep(20)
    used, own = sum(process.cpu_times()[:2]) - cpu_s, time.process_time() - own_s
    print(f"20 s of trading and looks: fleet {used / 20:.0%} of a core, supervisor {own / 20:.0%}")
    show(process, "after that")
    looks = await runtime.look_all()
    began_s = time.perf_counter()
    answers = await asyncio.gather(
        *(agents.tell(name, looks[name], "run-once", reason="now") for name in names),
        return_exceptions=True,
    )
    refused = sum(isinstance(answer, BaseException) for answer in answers)
    print(f"run-once to each: {time.perf_counter() - began_s:.1f} s, {refused} refused")
    began_s = time.perf_counter()
    await asyncio.gather(*(agents.status(name, looks[name]) for name in names))
    print(f"status of each, asked at once: {time.perf_counter() - began_s:.2f} s")
    os.kill(pid, signal.SIGKILL)
    began_s = time.perf_counter()
    await all_running(runtime, count, but=pid)
    print(f"killed: all trade again after {time.perf_counter() - began_s:.1f} s")
    supervising.cancel()
    await asyncio.gather(supervising, return_exceptions=True)
    began_s = time.perf_counter()
    await asyncio.gather(*(runtime.stop(name) for name in names))
    print(f"stop of each, in order: {time.perf_counter() - began_s:.1f} s")
    await runtime.close()
    await agents.close()
    await access.reads.close()


async def all_running(runtime: FleetProcess, count: int, *, but: int = 0) -> int:
    """Wait until each of them trades; the pid of their process."""
    told_s = time.perf_counter()
    while True:
        found = await runtime.look_all()
        states = Counter((one.row or {}).get("state") for one in found.values())
        pids = {one.pid for one in found.values()}
        if states.get("running") == count and but not in pids:
            (pid,) = pids
            return pid
        if time.perf_counter() - told_s > 10:
            told_s = time.perf_counter()
            print("  ", dict(states), flush=True)
        await asyncio.sleep(0.5)


async def taken(work: object) -> float:
    began_s = time.perf_counter()
    await work  # type: ignore[misc]
    return time.perf_counter() - began_s


def show(process: psutil.Process, when: str) -> None:
    memory = process.memory_info().rss / 2**20
    print(f"{when}: {memory:.0f} MiB, {process.num_fds()} files, {process.num_threads()} threads")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--traders", type=int, default=1000)
    parser.add_argument("--speed", type=float, default=1.0)
    args = parser.parse_args()
    names = ",".join(f"t{number:04}" for number in range(args.traders))
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        with running_venue(
            folder / "venue", "--accounts", names, coins=("BTC",), speed=args.speed
        ) as venue:
            asyncio.run(measure(venue, folder / "fleet", args.traders))


if __name__ == "__main__":
    main()

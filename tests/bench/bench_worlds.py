"""Memory and speed of many worlds in one process: `python -m tests.bench.bench_worlds`.

A hundred worlds of three coins and 51 days, four accounts each; every world is read once, ten of
them are stepped by four traders each. Three ways to ask for them: the same range, a range of its
own each, a mask of its own each.
"""

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.stores import make_store

from suite.bars import DAY_MS, MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.clock import WaitRequest, WakeOn, Want
from suite.contracts.world import AccountRequest, MaskRequest, WorldRequest
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.session import Session
from virtual_exchange.application.worlds import Worlds
from virtual_exchange.lean import reclaim

COINS = ("BTC", "ETH", "SOL")
DAYS = 51
LIMIT_MB = 1536
KINDS = ("same range", "own range", "own mask")
SHARING = KINDS[:2]
"""Those that the limit is for: a mask of its own has arrays of its own."""


def rss_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def request(kind: str, number: int) -> WorldRequest:
    """What the world of a number is like."""
    own: dict[str, Any] = {}
    start_ms = 1_746_403_200_000
    if kind == "own range":
        own = {"from_": start_ms + (number % 20) * DAY_MS, "to": start_ms + DAYS * DAY_MS - number}
    if kind == "own mask":
        own = {"mask": MaskRequest(seed=number)}
    accounts = tuple(AccountRequest(id=f"trader{n}") for n in range(4))
    return WorldRequest(symbols=COINS, accounts=accounts, **own)


def read_all(session: Session) -> None:
    """Have everything built that a first read builds."""
    session.queries.market.contexts()
    for coin in session.world.market.coins:
        session.data.snapshot(coin)


def step(session: Session, steps: int, done: int) -> None:
    """Let four traders decide every 15 minutes."""
    coins = session.world.market.coins
    want = Want(snapshots=coins, intervals=("15",), mids=True)
    for number in range(done + 1, done + steps + 1):
        until_ms = session.world.now_ms + 15 * MINUTE_MS
        for account in range(4):
            wish = WaitRequest(
                step_seq=number, until_ms=until_ms, wake_on=WakeOn(fill=True), want=want
            )
            session.barrier.wait(account, wish)
        while session.barrier.move():
            pass


async def measure(root: Path, kind: str, worlds: int, stepping: int, steps: int) -> str:
    """Build, read, step and delete; what it cost."""
    source = StoreMarkets(root, isolated=True)
    registry = Worlds(source=source, clock=ManualClock(0))
    empty = rss_mb()
    begun = time.perf_counter()
    for number in range(worlds):
        read_all(await registry.create(request(kind, number)))
    built, build_s = rss_mb(), time.perf_counter() - begun
    chosen = registry.all()[:stepping]
    begun = time.perf_counter()
    for session in chosen:
        for account in range(4):
            session.barrier.join(account, Want())
    for done in range(0, steps, 10):
        for session in chosen:
            step(session, 10, done)
    step_s = time.perf_counter() - begun
    stepped = rss_mb()
    for session in registry.all():
        registry.delete(session.world.world_id)
    del chosen, session
    reclaim()
    source.close()
    verdict = "ok" if stepped <= LIMIT_MB else f"MORE THAN {LIMIT_MB} MB"
    if kind not in SHARING:
        verdict = f"{(stepped - empty) / worlds:.0f} MB a world"
    rate = 4 * stepping * steps / step_s
    return (
        f"{kind:<11} empty {empty:5.0f} MB  built {built:5.0f} MB in {build_s:5.1f} s  "
        f"stepped {stepped:5.0f} MB at {rate:6.0f} decisions/s  deleted {rss_mb():5.0f} MB  "
        f"{verdict}"
    )


def one(root: Path, kind: str, options: argparse.Namespace) -> None:
    """One kind in a process of its own."""
    print(
        asyncio.run(measure(root, kind, options.worlds, options.stepping, options.steps)),
        flush=True,
    )


def main() -> None:
    """Measure each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--stepping", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200, help="of each trader")
    options = parser.parse_args()
    print(f"{options.worlds} worlds, {len(COINS)} coins, {DAYS} days, {options.stepping} stepping")
    with tempfile.TemporaryDirectory() as folder:
        root = make_store(Path(folder), *COINS, minutes=DAYS * 1440)
        for kind in KINDS:
            context = multiprocessing.get_context("spawn")
            child = context.Process(target=one, args=(root, kind, options))
            child.start()
            child.join()


if __name__ == "__main__":
    main()

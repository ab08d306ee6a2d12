"""Reads of account states, and pauses of the garbage collector, with many traders in one process.

    python tests/bench/bench_account_state.py [--traders 1000] [--updates 300000]

Each trader has its cache with 500 fills, five positions and ten orders. A stream of pushes is read
from JSON and applied to one after the other; after each push three states are read and timed. A
pause is the processor time of a collection, and so is the time of a push: others run here too.
"""

import argparse
import gc
import random
import time
from dataclasses import dataclass, field

import msgspec
import numpy as np
from tests.support.account_wire import change, fill, fills, order, position, push, state

from suite.account.pushes import read_message
from suite.account.state import AccountStateCache
from suite.service.clock import SystemClock

COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE")
FILLS, ORDERS = 500, 10
READS = 3
_encode = msgspec.json.Encoder().encode


@dataclass
class Pauses:
    """Collections, seconds by generation."""

    seconds: dict[int, list[float]] = field(default_factory=lambda: {0: [], 1: [], 2: []})
    _since_s: float = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._since_s = time.thread_time()
        else:
            self.seconds[info["generation"]].append(time.thread_time() - self._since_s)

    def longest_ms(self, *generations: int) -> float:
        found = [one for number in generations for one in self.seconds[number]]
        return 1000 * max(found, default=0.0)


def cache_of(number: int) -> AccountStateCache:
    """A trader in the middle of its day."""
    cache = AccountStateCache(clock=SystemClock())
    cache.connected()
    told = tuple(
        fill(tid, COINS[tid % 5], at=tid, cloid=f"0x{number:016x}{tid:016x}", hash=f"0x{tid:064x}")
        for tid in range(FILLS)
    )
    cache.received(fills(*told, snapshot=True))
    held = tuple(position(coin, "1.0") for coin in COINS)
    cache.received(push(*held, at=FILLS, orders=tuple(order(oid) for oid in range(ORDERS))))
    return cache


def frames(count: int, seed: int) -> list[bytes]:
    """Pushes as they come over the wire: states, fills, updates of orders."""
    chance = random.Random(seed)
    sizes, cash, made = dict.fromkeys(COINS, 1), 1000, []
    for tid in range(FILLS, FILLS + count):
        kind, coin = chance.random(), chance.choice(COINS)
        if kind < 0.6:
            held = (position(name, f"{size}.0") for name, size in sizes.items() if size)
            account = state(*held, cash=f"{cash}.0", time=tid)
            orders = [order(oid) for oid in range(ORDERS)]
            data = {"clearinghouseState": account, "openOrders": orders, "serverTime": tid}
            made.append(_encode({"channel": "webData2", "data": data}))
        elif kind < 0.8:
            sign = 1 if sizes[coin] <= 0 else -1
            start, side = f"{sizes[coin]}.0", "B" if sign > 0 else "A"
            row = fill(tid, coin, at=tid, side=side, start=start, hash=f"0x{tid:064x}")  # type: ignore[arg-type]
            sizes[coin] += sign
            cash -= 100 * sign
            made.append(_encode({"channel": "userFills", "data": {"fills": [row]}}))
        else:
            changes = change(order(tid % ORDERS), at=tid).changes
            made.append(_encode({"channel": "orderUpdates", "data": changes}))
    return made


def measure(
    caches: list[AccountStateCache], told: list[bytes], updates: int
) -> tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", float, Pauses]:
    """Apply pushes and read states; nanoseconds of reads, seconds of a push, pauses."""
    chance, pauses = random.Random(1), Pauses()
    reads = np.zeros(READS * updates, np.int64)
    now, total = time.perf_counter_ns, len(caches)
    gc.callbacks.append(pauses)
    spent_s = 0.0
    for number in range(updates):
        cache = caches[number % total]
        begun_s = time.thread_time()
        for event in read_message(told[(number // total) % len(told)]):
            cache.heard()
            cache.received(event)
        spent_s += time.thread_time() - begun_s
        for index in range(READS):
            wanted = caches[chance.randrange(total)]
            begun = now()
            shown = wanted.state
            ended = now()
            assert shown.view is not None
            reads[READS * number + index] = ended - begun
    gc.callbacks.remove(pauses)
    return reads, spent_s / updates, pauses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traders", type=int, default=1000)
    parser.add_argument("--updates", type=int, default=300_000)
    options = parser.parse_args()
    caches = [cache_of(number) for number in range(options.traders)]
    each = max(2, options.updates // options.traders)
    told = frames(2 * each, seed=3)
    gc.collect()
    print(f"{options.traders} traders, {len(gc.get_objects()):,} containers that are looked at")
    print("| | read p50 | p99 | p99.9 | most | a push | longest pause | full collections |")
    for name, part in (("collector as it is", told[:each]), ("after gc.freeze()", told[each:])):
        if name.startswith("after"):
            gc.collect()
            gc.freeze()
        reads, push_s, pauses = measure(caches, part, options.updates)
        began_s = time.thread_time()
        gc.collect()
        full_ms = 1000 * (time.thread_time() - began_s)
        p50, p99, p999 = (np.percentile(reads, q) / 1000 for q in (50, 99, 99.9))
        print(
            f"| {name} | {p50:.2f} us | {p99:.2f} us | {p999:.2f} us | {reads.max() / 1000:.0f} us "
            f"| {push_s * 1e6:.0f} us | {pauses.longest_ms(0, 1, 2):.1f} ms "
            f"| {len(pauses.seconds[2])}, one now {full_ms:.1f} ms |"
        )


if __name__ == "__main__":
    main()

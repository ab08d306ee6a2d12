"""What kept answers save: pages of bars made, from memory, and from a Redis: `make bench`.

Collectors serve one store from the cores that there are, beside their client. What is asked for
the first time is a range that begins a millisecond later than the last one: the same rows, under
another name. Side by side, in rounds.
"""

import asyncio
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from tests.bench import load
from tests.bench.bench_serve_data import get
from tests.bench.bench_wire import BIN, Cost, Server, told
from tests.support.redis_server import PROGRAM, redis_server
from tests.support.stores import make_store
from tests.support.waiting import until
from tests.support.worlds import START_MS

from suite.bars import MINUTE_MS
from suite.bodies import Encoded
from suite.service.caching import Version
from suite.service.redis_tier import RedisTier

MINUTES = 180 * 1440
ROUNDS = 3
ASKED = 60
"""Pages of a round; the other collector asks for them while they are in the Redis."""
MEMORY = 2000
SIZES = (62_422, 282_667, 624_190)
FINDS = 200
PAGES = {
    "500 bars": (500, "1m"),
    "5,000 bars": (5000, "1m"),
    "90 days of 1h bars": (90 * 1440, "1h"),
}


def pages(minutes: int, interval: str) -> Iterator[bytes]:
    """Ask for the last minutes, each time under another name."""
    start = START_MS + (MINUTES - minutes) * MINUTE_MS - MINUTE_MS
    for more in count(1):
        yield get(f"/klines/BTC?interval={interval}&start={start + more}")


def cost(server: Server, batch: list[bytes]) -> Cost:
    """Send one batch."""
    before = server.cpu_s()
    last = load.run(server.port, iter(batch), connections=4)
    used = (server.cpu_s() - before) / len(batch) * 1e6
    return Cost(last.rate, used, last)


def in_redis(server: Server) -> float:
    """How many answers came from the Redis."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as reply:
        (line,) = (row for row in reply.read().decode().splitlines() if 'tier="shared"' in row)
    return float(line.split()[-1])


def median(costs: list[Cost]) -> Cost:
    """The middle of some rounds."""
    rates = statistics.median(one.rate for one in costs)
    return Cost(rates, statistics.median(one.cpu_us for one in costs), costs[-1].last)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as redis:
        folder = Path(name)
        make_store(folder / "data", "BTC", minutes=MINUTES)
        print(f"caching: {os.cpu_count()} cores; Redis is {PROGRAM or 'made of Python'}")
        command = (f"{BIN}/data-collector", "serve", "--port", "0", "--data", "data")
        with Server(folder, *command) as alone:
            os.environ["REDIS_URL"] = redis.url
            with Server(folder, *command) as one, Server(folder, *command) as other:
                for server in (
                    alone,
                    one,
                    other,
                ):  # two that share a core would wait for each other
                    os.sched_setaffinity(server.process.pid, os.sched_getaffinity(0))
                for words, (minutes, interval) in PAGES.items():
                    compare(words, pages(minutes, interval), alone, (one, other))
        for size in SIZES:
            us = asyncio.run(find_us(redis.url, size))
            print(f"  a value of {size:,} bytes is found in {us:,.0f} us")


async def find_us(url: str, size: int) -> float:
    """Processor time of one look into the Redis that finds a value."""
    tier, version = RedisTier(url, "bench", call_s=10.0), Version(1, "state")
    work = asyncio.create_task(tier.run())
    await until(lambda: not tier.trouble)
    used_s: list[float] = []
    while len(used_s) < FINDS:
        start = time.process_time()
        if await tier.find("key", version) is not None:
            used_s.append(time.process_time() - start)
        else:  # it was never there, or its five seconds are over
            tier.offer("key", version, Encoded.of(bytes(size)))
            await asyncio.sleep(0.01)
    work.cancel()
    return statistics.median(used_s) * 1e6


def compare(words: str, asked: Iterator[bytes], alone: Server, both: tuple[Server, Server]) -> None:
    """Tell what a page costs that is made, one in memory, and one that another has made."""
    made: list[Cost] = []
    memory: list[Cost] = []
    shared: list[Cost] = []
    found = 0.0
    for _ in range(ROUNDS):
        batch = list(islice(asked, ASKED))
        made.append(cost(alone, batch))
        memory.append(cost(alone, batch[-1:] * MEMORY))
        load.run(both[0].port, iter(batch), connections=4)
        before = in_redis(both[1])
        shared.append(cost(both[1], batch))
        found += (in_redis(both[1]) - before) / len(batch) / ROUNDS
    redis = f"{found:.0%} from Redis"
    for tier, costs in (("made", made), (redis, shared), ("from memory", memory)):
        told(f"{words}, {tier}", median(costs), None, "")


if __name__ == "__main__":
    main()

"""What an answer of the collector costs over HTTP: `make bench`.

The server runs on one core, the client on the other, over half a year of minutes of three coins.
"""

import itertools
import os
import random
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from tests.bench import load
from tests.bench.bench_wire import BIN, Server, measure, told
from tests.support.stores import make_store
from tests.support.worlds import START_MS

from suite.bars import MINUTE_MS
from suite.contracts.market_data import ARROW

COINS = ("BTC", "ETH", "SOL")
MINUTES = 180 * 1440
SEED = 5
_more = itertools.count()


def get(path: str, *headers: str) -> bytes:
    """One GET."""
    lines = (f"GET {path} HTTP/1.1", "host: 127.0.0.1", *headers, "", "")
    return "\r\n".join(lines).encode()


def newest() -> list[bytes]:
    """Every trader of a fleet asks for the same three."""
    return list(islice(cycle(get(f"/gpt-latest/{coin}") for coin in COINS), 12_000))


def past(generator: random.Random) -> Callable[[], list[bytes]]:
    """Minutes that nobody has asked for."""

    def batch() -> list[bytes]:
        moments = (START_MS + generator.randrange(1, MINUTES) * MINUTE_MS for _ in range(1500))
        return [
            get(f"/gpt-latest/{coin}?timestamp={at}")
            for coin, at in zip(cycle(COINS), moments, strict=False)
        ]

    return batch


def klines(count: int, accept: str) -> list[bytes]:
    """The last bars of a coin, each time under another name: none of them is kept yet."""
    start = START_MS + (MINUTES - count - 1) * MINUTE_MS + 1
    return [
        get(f"/klines/BTC?start={start + next(_more)}", f"accept: {accept}") for _ in range(150)
    ]


def main() -> None:
    """Print the table."""
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_store(folder / "data", *COINS, minutes=MINUTES)
        print("data: one core for the server, another for the client; half a year of three coins")
        command = (f"{BIN}/data-collector", "serve", "--port", "0", "--data", "data")
        with Server(folder, *command) as server:
            load.run(server.port, iter(newest()), connections=1)
            told("newest snapshot", measure(server, newest, connections=16), None, "3,000/s")
            cold = measure(server, past(random.Random(SEED)), connections=16)
            told("past minute, cold", cold, None, "")
            for count in (500, 5000):
                for form, accept in (("JSON", "application/json"), ("Arrow", ARROW)):
                    batch = partial(klines, count, accept)
                    cost = measure(server, batch, connections=4)
                    told(f"{count} klines, {form}", cost, None, "")


if __name__ == "__main__":
    main()

"""Collectors that share a Redis, and one that has none, asked the same while all goes wrong.

The store changes between rounds, never while it is asked; whatever the Redis does, and whatever is
put into it, all collectors answer with the same bytes.
"""

import random
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.processes import serving
from tests.support.redis_server import RedisProcess, redis_server
from tests.support.worlds import START_MS, random_bars

from suite.bars import MINUTE_MS
from suite.contracts.market_data import ARROW, JSON
from suite.klines import Source
from suite.service.kline_store import KlineStore

COINS: Final = ("BTC", "ETH")
INTERVALS: Final = ("1m", "15m", "1h")
FIRST: Final = 2000
"""Minutes of a coin at the start; each round a few more."""
MARKET: Final = Source("synthetic")
WAYS: Final = ("on", "off", "flapping", "flushed", "frozen", "stale")


@dataclass
class Stack:
    """What is asked.

    Attributes:
        collectors: addresses; the first two share the Redis, the third has none.
        asked: by what was being done to the Redis.
        differ: what was not answered alike.
    """

    store: KlineStore
    redis: RedisProcess
    collectors: tuple[str, ...]
    chance: random.Random
    minutes: int = FIRST
    asked: Counter[str] = field(default_factory=Counter)
    differ: list[str] = field(default_factory=list)
    saved: dict[bytes, bytes] = field(default_factory=dict)

    def grow(self) -> None:
        """Have a few minutes more of each coin, or other values of the last ones."""
        more = self.chance.randrange(1, 30)
        for seed, coin in enumerate(COINS):
            whole = random_bars(coin, self.minutes + more, seed=seed)
            if self.chance.random() < 0.3:
                whole = random_bars(coin, self.minutes + more, seed=seed + 100)
            self.store.append_bars(MARKET, coin, whole.rows(self.minutes - 20, len(whole)))
        self.minutes += more

    def questions(self, count: int) -> list[tuple[str, str]]:
        """Pages that are asked for, some of them more than once."""
        found = []
        for _ in range(count):
            coin, interval = self.chance.choice(COINS), self.chance.choice(INTERVALS)
            start = START_MS + self.chance.randrange(0, FIRST, 500) * MINUTE_MS
            path = f"/klines/{coin}?interval={interval}&start={start}"
            found.append((path, self.chance.choice((JSON, ARROW))))
        return found + found[: count // 2]

    def compare(self, way: str, count: int) -> None:
        """Ask all of them the same."""
        for path, form in self.questions(count):
            told = [answer(url, path, form) for url in self.collectors]
            self.asked[way] += 1
            if len(set(told)) != 1:
                self.differ.append(f"{way}: {path} as {form}")

    def live_through(self, way: str, count: int) -> None:
        """Ask while one thing is being done to the Redis, on a store that has just changed."""
        self.grow()
        if way == "off":
            self.redis.kill()
            self.compare(way, count)
            self.redis.start()
        elif way == "flapping":
            for _ in range(3):
                self.redis.kill()
                self.compare(way, count // 3)
                self.redis.start()
                self.compare(way, count // 3)
        elif way == "frozen":
            self.redis.freeze()
            self.compare(way, count)
            self.redis.thaw()
        else:
            self.compare(way, count)
            with self.redis.client() as client:
                if way == "flushed":
                    client.flushall()
                elif way == "stale":
                    self._bring_back_old()
            self.compare(way, count)

    def _bring_back_old(self) -> None:
        """Put what was there in earlier rounds over what is there, as if it were of now."""
        with self.redis.client() as client:
            present: dict[bytes, bytes] = {}
            for name in client.scan_iter("*/of/*"):
                value = client.get(name)
                if isinstance(value, bytes):
                    present[name] = value
            namespace = next(iter(client.scan_iter("*/namespace")), None)
            now = client.get(namespace) if namespace else None
            for name, value in self.saved.items():
                _, _, rest = value.partition(b" ")
                client.set(name, b"%b %b" % (now if isinstance(now, bytes) else b"0", rest))
            self.saved |= present


def answer(url: str, path: str, form: str) -> tuple[int, str, bytes]:
    """Status, name and bytes of an answer."""
    asked = urllib.request.Request(url + path, headers={"accept": form})
    with urllib.request.urlopen(asked, timeout=60) as reply:
        return reply.status, reply.headers["etag"], reply.read()


def counted(url: str) -> dict[str, float]:
    """Answers of a collector by where they came from."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as reply:
        rows = (line.rsplit(" ", 1) for line in reply.read().decode().splitlines())
        return {
            name.split('"')[1]: float(value)
            for name, value in rows
            if name.startswith("data_collector_cached_answers_total")
        }


@contextmanager
def collector(folder: Path, data: Path, redis_url: str) -> Iterator[str]:
    """Serve a store; it ends in order and has complained of nothing but the Redis."""
    env = {"REDIS_URL": redis_url, "DATA_COLLECTOR_LOG_FORMAT": "json"}
    folder.mkdir()
    log = folder / "log"
    with serving("data-collector", folder, log, "--data", str(data), **env) as (url, process):
        yield url
    assert process.returncode == 0
    told = log.read_text().splitlines()
    assert [] == [row for row in told if '"error"' in row or '"critical"' in row]


@contextmanager
def stack(folder: Path, seed: int) -> Iterator[Stack]:
    """Start all of it."""
    store = KlineStore(folder / "data")
    for number, coin in enumerate(COINS):
        store.write_bars(MARKET, coin, random_bars(coin, FIRST, seed=number))
    with ExitStack() as running:
        redis = running.enter_context(redis_server(folder))
        collectors = tuple(
            running.enter_context(collector(folder / name, folder / "data", url))
            for name, url in (("one", redis.url), ("other", redis.url), ("alone", ""))
        )
        yield Stack(store, redis, collectors, random.Random(seed))

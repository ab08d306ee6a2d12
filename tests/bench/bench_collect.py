"""What collecting costs: `make bench`.

200 coins of a made-up venue in a process of its own; each coin trades every second, and its candle
is told each time, with contexts and mids beside: 470 frames a second of the venue's time. The venue
plays faster than life, and the collector's processor time is divided by the venue's.

    python tests/bench/bench_collect.py            the cost, and memory, of 200 coins
    python tests/bench/bench_collect.py --week     memory over a week of 50 coins, told sparsely
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.collector_process import CollectorProcess
from tests.support.generator_venue import MINUTE_MS, START_MS

COINS, SPEED, SECONDS = 200, 8.0, 30
CPU_GOAL, MEMORY_GOAL_MB = 0.15, 300
WEEK_COINS, WEEK_SPEED, WEEK_UPDATES, WEEK_MINUTES = 25, 6000.0, 2, 7 * 1440
GROWTH_GOAL_MB = 10


@contextmanager
def venue(coins: int, speed: float, updates: int) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.support.generator_venue"]
    options = ["--coins", str(coins), "--speed", str(speed), "--updates", str(updates)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def names(coins: int) -> str:
    return ",".join(f"C{number}" for number in range(coins))


def steady() -> None:
    with tempfile.TemporaryDirectory() as folder, venue(COINS, SPEED, 60) as url:
        collector = CollectorProcess(Path(folder), url, names(COINS), flush_s=10)
        while _minutes(collector) < 2:
            time.sleep(0.5)
        before, events, bars = collector.cpu_s(), _events(collector), _minutes(collector)
        begun = time.monotonic()
        time.sleep(SECONDS)
        passed = (time.monotonic() - begun) * SPEED
        used, seen = collector.cpu_s() - before, _events(collector) - events
        closed = (_minutes(collector) - bars) * COINS
        memory_mb = collector.memory_kb() / 1024
        requests = collector.metrics()['data_collector_rest_calls_total{reason="gap"}']
        collector.stop()
    print(f"{COINS} coins, {passed:.0f} s of the venue: {seen / passed:.0f} events/s")
    print(f"  processor  {used / passed:6.1%} of a core (goal {CPU_GOAL:.0%})")
    print(f"  an event   {used / seen * 1e6:6.0f} us, a closed bar {used / closed * 1e6:.0f} us")
    print(f"  memory     {memory_mb:6.0f} MB (goal {MEMORY_GOAL_MB})")
    print(f"  requests   {requests:6.0f} for klines")


def week() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        venue(WEEK_COINS, WEEK_SPEED, WEEK_UPDATES) as url,
    ):
        collector = CollectorProcess(Path(folder), url, names(WEEK_COINS), flush_s=1)
        sizes: list[tuple[int, float]] = []
        while not sizes or sizes[-1][0] < WEEK_MINUTES:
            time.sleep(5)
            sizes.append((_minutes(collector), collector.memory_kb() / 1024))
            print(f"  {sizes[-1][0]:6d} minutes  {sizes[-1][1]:6.0f} MB", flush=True)
        missing = sum(collector.missing().values())
        asked = collector.metrics()['data_collector_rest_calls_total{reason="gap"}']
        collector.stop()
    first = next(size for minutes, size in sizes if minutes > WEEK_MINUTES / 4)
    print(f"a week of {WEEK_COINS} coins: {WEEK_COINS * sizes[-1][0]:,} bars, {missing} missing")
    print(
        f"  growth after the first quarter {sizes[-1][1] - first:+.1f} MB (goal {GROWTH_GOAL_MB})"
    )
    print(f"  requests   {asked:6.0f} for klines")


def _minutes(collector: CollectorProcess) -> int:
    """How many minutes of the venue are closed."""
    return max(0, (collector.last_bar_ms("C0") - START_MS) // MINUTE_MS + 1)


def _events(collector: CollectorProcess) -> float:
    return collector.metrics()['feed_events_total{feed="klines-1"}']


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--week", action="store_true")
    if parser.parse_args().week:
        week()
    else:
        steady()

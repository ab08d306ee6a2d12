"""How much a paper world costs: time of a second, and memory over many of them.

    python -m tests.bench.bench_paper [--seconds 100000]

Two coins, ten trades of each and a telling of its minute in every second, an order a minute.
"""

import argparse
import asyncio
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
from tests.support.paper import NOW_MS, Paper, minute, open_paper

from suite.bars import MINUTE_MS
from suite.contracts.venue import PlaceOrder

COINS = {"BTC": 94_000.0, "ETH": 1_800.0}


def resident_mb() -> float:
    rows = Path("/proc/self/status").read_text().splitlines()
    (line,) = (row for row in rows if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def play(paper: Paper, seconds: int, chance: np.random.Generator) -> None:
    """Tell, and move on, second by second."""
    for _ in range(seconds):
        now_ms = NOW_MS + paper.clock.now_ms()
        for coin, price in COINS.items():
            steps = price * (1 + chance.normal(0, 1e-4, 10))
            paper.trades(coin, *steps.tolist(), size=0.1)
            high, low, last = float(steps.max()), float(steps.min()), float(steps[-1])
            opened = now_ms // MINUTE_MS * MINUTE_MS
            paper.tell(minute(coin, opened, last, high, low, last, 10.0))
        if now_ms % MINUTE_MS == 0:
            bid = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.001"), limit_px=Decimal(93990))
            paper.session.barrier.send(0, bid)
            paper.session.data.snapshot("BTC")
        paper.second()


async def main(seconds: int) -> None:
    paper = await open_paper(*COINS)
    paper.connect(**COINS)
    chance = np.random.default_rng(1)
    play(paper, 3_600, chance)
    print(f"{'seconds':>9} {'MB resident':>12} {'us a second':>12} {'fills':>7}")
    for _ in range(5):
        start = time.perf_counter()
        play(paper, seconds // 5, chance)
        spent_us = (time.perf_counter() - start) / (seconds // 5) * 1e6
        bar, fills = paper.session.world.engine.bar, len(paper.session.world.books[0].fills)
        print(f"{bar:>9} {resident_mb():>12.1f} {spent_us:>12.0f} {fills:>7}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=100_000)
    asyncio.run(main(parser.parse_args().seconds))

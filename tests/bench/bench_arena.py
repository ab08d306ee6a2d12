"""How fast a thousand rule traders are in one history: `python tests/bench/bench_arena.py`.

In process, hourly decisions, a synthetic market of three coins; the traders in two halves, each in
a process of its own, as an arena runs them on two cores. `takers` trade at the market, or hold;
`mixed` has two market makers in seven, which move six quotes an hour and are filled in between.
Each trader trades all three coins, or with `--coins 1` one of them, in turn.

    python tests/bench/bench_arena.py --traders 1000 --days 30 --mix takers --mix mixed --coins 1
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec

from perp_engine.warm import warm_up
from suite.contracts.trader import TraderSpec
from suite.service.clock import SystemClock
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.session import world_request

COINS = ("BTC", "ETH", "SOL")
HALVES = 2
DAY_MS = 86_400_000
START = "2025-05-02"
START_MS = 1_746_144_000_000
MIXES = {
    "takers": ("sma_cross", "sma_cross", "sma_cross", "random", "hodl"),
    "mixed": ("sma_cross", "sma_cross", "sma_cross", "random", "hodl", "fixed_spread",
              "funding_rate"),
}  # fmt: skip


def params_of(kind: str, number: int) -> dict[str, Any]:
    """Parameters of a trader, by its number."""
    if kind == "sma_cross":
        exposure = 0.5 + number % 5 * 0.3
        return {"fast": 5 + number % 7, "slow": 20 + number % 29, "exposure": exposure}
    if kind in {"random", "hodl"}:
        return {}
    # quotes that are looked at each hour, and at fills
    once_an_hour = {"max_age_ms": 7_200_000, "jump": 0, "fill_delay_ms": 0, "refresh_pause_ms": 0}
    return {"spread": 0.01 + number % 6 * 0.002, **once_an_hour}


def traders(mix: str, count: int, coins: int) -> Iterator[TraderSpec]:
    """So many traders, each with money of its own, and so many coins."""
    for number, kind in enumerate(islice(cycle(MIXES[mix]), count)):
        strategy = {"kind": kind, "params": params_of(kind, number)}
        fields = {"trader_id": f"t{number:04}", "name": f"{kind} {number}", "interval": "1h"}
        symbols = (COINS * 2)[number % len(COINS) :][:coins]
        yield msgspec.convert({**fields, "strategy": strategy, "symbols": symbols}, TraderSpec)


def run_half(data: str, mix: str, count: int, days: int, half: int, coins: int) -> None:
    """Run every other trader, and print what it took as a line of JSON."""
    specs = tuple(traders(mix, count, coins))[half::HALVES]
    to = str(START_MS + days * DAY_MS)
    request = world_request(specs, symbols=COINS, from_=START, to=to, seed=0)
    warm_up(lambda _text: None)
    begun, clock_s = time.process_time(), time.perf_counter()
    source, clock = StoreMarkets(data), SystemClock()
    record = run_backtest(request, specs, source=source, clock=clock, progress=lambda _done: None)
    source.close()
    taken = {
        "processor_s": time.process_time() - begun,
        "wall_s": time.perf_counter() - clock_s,
        "decisions": sum(row.guards.decisions for row in record.accounts if row.guards),
        "fills": sum(len(row.fills) for row in record.accounts),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(taken))


def run_mix(data: str, mix: str, count: int, days: int, coins: int) -> None:
    """Run both halves at once, and print a row."""
    asked = [sys.executable, __file__, "--data", data, "--mix", mix]
    asked += ["--traders", str(count), "--days", str(days), "--coins", str(coins)]
    children = [
        subprocess.Popen([*asked, "--half", str(half)], stdout=subprocess.PIPE, text=True)
        for half in range(HALVES)
    ]
    halves = [json.loads(child.communicate()[0]) for child in children]
    total = {name: sum(half[name] for half in halves) for name in halves[0]}
    wall_s = max(half["wall_s"] for half in halves)
    print(
        f"  {mix:<7} {coins} {count:>5} x {days:>2} days {total['decisions']:>8,.0f} decisions"
        f" {total['fills']:>8,.0f} fills {wall_s:7.1f} s {total['decisions'] / wall_s:7,.0f} /s"
        f" {1e6 * total['processor_s'] / total['decisions']:6,.0f} us of a processor each"
        f" {max(half['peak_mb'] for half in halves):5,.0f} MB a half"
    )


def main() -> None:
    """Print a row for each mix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traders", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--mix", choices=MIXES, action="append")
    parser.add_argument("--coins", type=int, choices=(1, 2, 3), default=3)
    parser.add_argument("--data")
    parser.add_argument("--half", type=int)
    asked = parser.parse_args()
    mixes = asked.mix or list(MIXES)
    if asked.half is not None:
        run_half(asked.data, mixes[0], asked.traders, asked.days, asked.half, asked.coins)
        return
    with tempfile.TemporaryDirectory() as folder:
        data = asked.data or folder
        if not asked.data:
            collector = Path(sys.executable).parent / "data-collector"
            words = ("--symbols", ",".join(COINS), "--days", "30", "--seed", "7", "--data", data)
            subprocess.run([collector, "generate", *words], check=True, capture_output=True)
        print(f"arena in process, hourly decisions, {HALVES} processes")
        for mix in mixes:
            run_mix(data, mix, asked.traders, asked.days, asked.coins)


if __name__ == "__main__":
    main()

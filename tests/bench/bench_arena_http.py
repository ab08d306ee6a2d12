"""Time an arena over HTTP: ten traders that decide every 15 minutes, three coins, 30 days.

    PYTHONPATH=. python tests/bench/bench_arena_http.py [--days 30]

Of each way of running it: seconds, processor seconds of all its processes, decisions a second. The
budget is 60 s for 30 days on two free cores; where others work on them, look at the processor
seconds.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

BIN = Path(sys.executable).parent
COINS = "BTC,ETH,SOL"
KINDS = ("hodl", "flat", "random", "random", "random", "sma_cross", "sma_cross", "sma_cross")
WAYS = (
    ("--transport", "http"),
    ("--transport", "http", "--together"),
    ("--transport", "inprocess"),
)
DECISIONS_A_DAY = 96


def write_traders(file: Path) -> int:
    """Ten rule traders; returns how many."""
    kinds = [*KINDS, "random", "sma_cross"]
    rows = [
        {"trader_id": f"t{number}-{kind}", "strategy": {"kind": kind}, "symbols": COINS.split(",")}
        for number, kind in enumerate(kinds)
    ]
    file.write_text(yaml.safe_dump({"traders": rows}))
    return len(rows)


def main() -> None:
    """Run each way once and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = write_traders(folder / "traders.yaml")
        run(folder, "data-collector", "generate", "--symbols", COINS, "--days", str(days))
        results = set()
        for way in WAYS:
            before, began_s = _cpu_s(), time.perf_counter()
            out = run(
                folder,
                *("trader-manager", "arena", "--fresh", "--no-baselines", *way),
                *("--traders", "traders.yaml", "--symbols", COINS),
            )
            seconds, cpu_s = time.perf_counter() - began_s, _cpu_s() - before
            results.add(next(line for line in out.splitlines() if "sha256=" in line).split()[1])
            rate = count * days * DECISIONS_A_DAY / seconds
            print(f"{' '.join(way)}: {seconds:.1f} s, {cpu_s:.1f} cpu s, {rate:.0f} decisions/s")
        assert len(results) == 1, "every way gives the same result"


def run(folder: Path, command: str, *words: str) -> str:
    """Run a command of the suite to its end; returns what it said."""
    return subprocess.run(
        [str(BIN / command), *words, "--data", "data"],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()

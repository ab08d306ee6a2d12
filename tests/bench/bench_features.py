"""Speed of the twelve features, and a rival's side by side: `python -m tests.bench.bench_features`.

A year of minutes at once, bar by bar, in two threads; then the structures of `smartmoneyconcepts`
on the same bars, in an environment of its own below `var/peers`, and what either takes back of what
it said before. `--data` takes real bars; the rival is left out where it cannot be installed.
"""

import argparse
import gc
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.bench.peers.environments import NotInstalledError, install
from tests.bench.series import MINUTE_MS, START_MS, YEAR, load
from tests.support.ict_markets import rows

from strategy_core.ict.features import Stream, batch
from strategy_core.ict.kernel import layout
from strategy_core.ict.structures import event_log
from suite.bars import Bars

ROOT = Path(__file__).parents[2]
BUDGET_YEAR_S, BUDGET_BAR_US = 0.3, 5.0
WINDOW, MOMENTS = 3000, 400


def bars_of(data: Path | None, count: int) -> Bars:
    """Bars of the benchmark series, in USD and coins."""
    table = load(data, count).astype(np.float64)
    first = START_MS - START_MS % MINUTE_MS
    times = first + np.arange(count, dtype=np.int64) * MINUTE_MS
    opened, high, low, close = table[:4] / 10
    return Bars(MINUTE_MS, times, opened, high, low, close, table[4] / 1e5)


def fastest(work: Callable[[], object], repeats: int) -> float:
    """The shortest of some runs, seconds: others may be busy."""
    told = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        told.append(time.perf_counter() - begin)
    return min(told)


def speed(bars: Bars) -> None:
    """Print what the features cost."""
    begin = time.perf_counter()
    batch(bars)
    print(f"  first call, compile cache as it was      {time.perf_counter() - begin:8.3f} s")
    year = fastest(lambda: batch(bars), 7)
    print(f"  {len(bars):,} bars x 12                       {year:8.3f} s   budget {BUDGET_YEAR_S}")
    both = fastest(lambda: in_two_threads(bars), 3)
    print(f"  the same twice, in two threads           {both:8.3f} s")
    stream, table = Stream(MINUTE_MS), rows(bars.rows(0, 60_000))
    costs = []
    gc.disable()
    for row in table:
        begin = time.perf_counter()
        stream.step(*row)
        costs.append(time.perf_counter() - begin)
    gc.enable()
    middle, late = np.quantile(np.array(costs[2000:]) * 1e6, [0.5, 0.99])
    print(
        f"  bar by bar                               {middle:8.2f} us, 99 % below {late:.2f}"
        f"   budget {BUDGET_BAR_US}"
    )
    print(f"  state of a coin                          {len(stream.snapshot()):8,} bytes")


def in_two_threads(bars: Bars) -> None:
    """Two coins at once: the kernel lets go of the interpreter."""
    threads = [threading.Thread(target=batch, args=(bars,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def taken_back(bars: Bars) -> int:
    """Bytes of features and of known events that the next of some live moments changes."""
    changed, features, log = 0, batch(bars.rows(0, WINDOW)).values, event_log(bars.rows(0, WINDOW))
    for now in range(WINDOW + 1, WINDOW + MOMENTS):
        part = bars.rows(0, now)
        values, events = batch(part).values, event_log(part)
        old = events[: len(log)]
        changed += int((features.view(np.uint8) != values[: now - 1].view(np.uint8)).sum())
        changed += int((log.view(np.uint8) != old.view(np.uint8)).sum())
        changed += int((events[len(log) :, layout.KNOWN] <= log[-1, layout.KNOWN]).sum())
        features, log = values, events
    return changed


def against_a_rival(bars: Bars) -> None:
    """Print the same structures of smartmoneyconcepts on the same bars."""
    try:
        python = install("smc", ROOT / "var" / "peers")
    except NotInstalledError as error:
        print(f"  smartmoneyconcepts cannot be installed: {error}")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.npy"
        np.save(path, np.array([bars.open, bars.high, bars.low, bars.close, bars.volume]))
        script = ROOT / "tests" / "bench" / "peers" / "peer_smc.py"
        command = [str(python), str(script), str(path), str(MOMENTS)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    seconds, rewritten = told["seconds"], told["rewritten"]
    theirs = sum(seconds.values())
    features, drawn = fastest(lambda: batch(bars), 7), fastest(lambda: event_log(bars), 3)
    print(f"smartmoneyconcepts 0.0.27, {len(bars):,} bars:")
    for name, spent in seconds.items():
        print(f"  {name:10s} {spent:9.3f} s   taken back {rewritten[name]:6,} readings")
    print(f"  together   {theirs:9.3f} s   taken back {sum(rewritten.values()):6,} readings")
    print(
        f"  ours       {drawn:9.3f} s   taken back {taken_back(bars):6,} bytes, "
        f"{theirs / drawn:,.0f} times as fast, features included; those alone {features:.3f} s"
    )
    print(f"  over {MOMENTS} live moments, one bar after the other")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder with real minutes")
    parser.add_argument("--bars", type=int, default=45_000, help="bars for the rival")
    asked = parser.parse_args()
    print(f"features, load {os.getloadavg()[0]:.1f}:")
    speed(bars_of(asked.data, YEAR))
    against_a_rival(bars_of(asked.data, asked.bars))


if __name__ == "__main__":
    main()

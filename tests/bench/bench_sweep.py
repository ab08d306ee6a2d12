"""How fast sweeps are, beside vectorbt and Optuna on backtesting.py: `make bench`.

    --part compiled   100 sets x a year of minutes, one core
    --part called     1,000 backtests of 30 days in plain Python, two workers; and one, for scaling
    --part traders    backtests of 30 days of a trader's kind with gate, exits and orders
    --part ray        what Ray adds to a task (needs Ray: make distributed)
    --part rivals     vectorbt, and Optuna on backtesting.py, on the same grid (installs them)

Seconds on the clock and of processors, since a shared machine stretches the first.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.bench import series, workloads

from suite.bars import Bars
from suite.errors import ConfigError
from suite.service.kline_store import KlineStore, Source
from virtual_exchange.research.executor import LocalPool, open_executor
from virtual_exchange.research.search import Params
from virtual_exchange.research.sweep import Sweep, run_sweep
from virtual_exchange.research.sweep_runs import perform
from virtual_exchange.research.sweep_spec import read_spec
from virtual_exchange.research.sweep_strategies import Called, Compiled

START_MS = 1_746_403_200_000
MINUTE_MS = 60_000
PEERS = Path(os.environ.get("PEERS") or Path(__file__).parents[2] / "var" / "peers")

cross = Compiled(
    workloads.cross, ints={"fast": workloads.FAST, "slow": workloads.SLOW, "size": 10_000}
)
PAIRS = {"fast": {"from": 5, "to": 23, "step": 2}, "slow": {"from": 50, "to": 140, "step": 10}}


def _make(run: Any, params: Any) -> Callable[[int, int], None]:
    """A moving-average cross that keeps its sums itself, in plain Python."""
    fast, slow, size = params["fast"], params["slow"], params["size"]
    closes: list[int] = []
    sums, before = [0, 0], 0

    def on_bar(bar: int, last: int) -> None:
        nonlocal before
        if bar == 0:
            return
        closes.append(last)
        sums[0] += last - (closes[-fast - 1] if bar > fast else 0)
        sums[1] += last - (closes[-slow - 1] if bar > slow else 0)
        if bar < slow:
            return
        side = 1 if sums[0] * slow > sums[1] * fast else -1
        if before and side != before:
            change = side * size - run.position
            run.market(1 if change > 0 else -1, abs(change))
        before = side

    return on_bar


called = Called(_make, {"fast": 20, "slow": 100, "size": 10_000})


def store_of(folder: Path, days: int) -> Path:
    """A store with a seeded random walk."""
    bars = series.synthetic(days * 1440)
    store, count = KlineStore(folder), bars.shape[1]
    opened, high, low, close = (row / 10.0 for row in bars[:4])
    times = START_MS + MINUTE_MS * np.arange(count, dtype=np.int64)
    store.write_bars(
        Source("synthetic"),
        "BTC",
        Bars(MINUTE_MS, times, opened, high, low, close, np.full(count, 1e4)),
    )
    store.write_record(Source("synthetic"), "BTC", {"synthetic": True, "price_decimals": 1})
    return folder


def spec(**changed: Any) -> Any:
    """A sweep of one window."""
    base: dict[str, Any] = {
        "strategy": "tests.bench.bench_sweep:cross",
        "space": PAIRS,
        "symbols": ["BTC"],
        "folds": {"count": 0},
        "sensitivity": False,
        "world": {"profile": "plain", "fees": {"taker": "0.0005"}},
        "initial_balance": 1_000_000,
    }
    return read_spec(base | changed)


def processors() -> float:
    """Seconds of processors of this process and of its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds on the clock, and of processors."""
    began, used = time.perf_counter(), processors()
    work()
    return time.perf_counter() - began, processors() - used


def tell(name: str, seconds: float, used: float, target: str = "") -> None:
    print(f"  {name:<58}{seconds:9.2f} s {used:9.2f} s processor  {target}", flush=True)


def compiled(folder: Path) -> None:
    """The backtests alone, in one process that has everything open; then the whole command."""
    store = store_of(folder / "year", 365)
    sweep = Sweep(spec(), store)
    tasks = list(sweep.tasks(0, list(enumerate(_sets()))))
    shared = sweep.shared
    for task in tasks[:1]:
        perform(shared, task)
    rounds = [timed(lambda: [perform(shared, task) for task in tasks]) for _ in range(5)]
    tell(
        "compiled: 100 sets x 1 year, with daily returns and metrics",
        min(one for one, _ in rounds), min(used for _, used in rounds), "target 0.5 s",
    )  # fmt: skip
    whole = timed(lambda: run_sweep(spec(), data=store, out=folder / "compiled", fresh=True))
    tell("the same with reading, hashing and writing", *whole)


def _sets() -> list[Params]:
    return [{"fast": f, "slow": s} for f in range(5, 25, 2) for s in range(50, 150, 10)]


def in_workers(folder: Path, **changed: Any) -> None:
    """1,000 backtests of 30 days on one worker and on two."""
    store = store_of(folder / "month", 30)
    chosen = spec(
        strategy="tests.bench.bench_sweep:called",
        space={"fast": {"from": 2, "to": 41}, "slow": {"from": 50, "to": 290, "step": 10}},
        **changed,
    )
    sweep = Sweep(chosen, store)
    sets: list[tuple[int, Params]] = [
        (place, {"fast": 2 + place % 40, "slow": 50 + place // 40 * 10}) for place in range(1000)
    ]
    tasks = list(sweep.tasks(0, sets))
    taken = {}
    for workers in (1, 2):
        with LocalPool(perform, sweep.shared, workers=workers) as pool:
            list(pool.run(tasks[:workers]))  # processes begin, and compile nothing in the figures
            began, used = time.perf_counter(), processors()
            list(pool.run(tasks))
            taken[workers] = time.perf_counter() - began
        tell(f"called: 1,000 x 30 days, {workers} worker(s)", taken[workers], processors() - used,
             "target 60 s on 2" if workers == 2 else "")  # fmt: skip
    share = taken[1] / (2 * taken[2])
    print(
        f"  scaling on two workers {100 * share:.0f} %   target 90 %, on processors that are free"
    )


def traders(folder: Path) -> None:
    """A trader's kind, hourly."""
    store = store_of(folder / "month", 30)
    chosen = spec(
        strategy="sma_cross",
        space={"fast": {"from": 2, "to": 21}, "slow": [30, 50]},
        decides="1h",
        world={},
    )
    sweep = Sweep(chosen, store)
    sets: list[tuple[int, Params]] = [
        (place, {"fast": 2 + place % 20, "slow": 30 + place // 20 * 20}) for place in range(40)
    ]
    tasks = list(sweep.tasks(0, sets))
    perform(sweep.shared, tasks[0])
    taken = timed(lambda: [perform(sweep.shared, task) for task in tasks])
    tell("trader's kind: 40 x 30 days, hourly, one process", *taken)


def nothing(_shared: Any, task: Any) -> Any:
    """A task that does nothing."""
    return task


def ray_overhead(_folder: Path) -> None:
    """What a task costs besides its work."""
    shared = np.zeros(10_000_000)
    for name, workers, count in (("local", 2, 2000), ("ray", 2, 2000)):
        try:
            with open_executor(name, nothing, shared, workers=workers) as opened:
                list(opened.run(range(100)))
                seconds, _ = timed(lambda: list(opened.run(range(count))))  # noqa: B023
        except ConfigError as error:
            print(f"  {name}: {error}")
            continue
        print(f"  {name}: {1e3 * seconds / count:.2f} ms a task   target 15 ms", flush=True)


VECTORBT = """
import sys, time, warnings
import numpy as np
warnings.filterwarnings("ignore")
import vectorbt as vbt
bars = np.load(sys.argv[1]) / 10.0
opened, close = bars[0], bars[3]
pairs = [(f, s) for f in range(5, 25, 2) for s in range(50, 150, 10)]
def mean(length):
    total = np.concatenate([[0.0], np.cumsum(close)])
    found = np.full(len(close), np.nan)
    found[length - 1:] = (total[length:] - total[:-length]) / length
    return found
def run(chosen):
    above = np.column_stack([mean(f) > mean(s) for f, s in chosen])
    later = np.zeros_like(above); later[1:] = above[:-1]
    flip = np.zeros_like(later); flip[1:] = later[1:] != later[:-1]
    done = vbt.Portfolio.from_signals(close[:, None], entries=flip & later,
        short_entries=flip & ~later, price=opened[:, None], size=0.1, fees=0.0005,
        init_cash=1e6, upon_opposite_entry="reverse", freq="1min")
    return done.total_profit()
run(pairs[:1])
began, used = time.perf_counter(), time.process_time()
for first in range(0, 100, 20):
    run(pairs[first:first + 20])
print(time.perf_counter() - began, time.process_time() - used)
"""

BACKTESTING = """
import sys, time, warnings, logging
import numpy as np, pandas as pd
warnings.filterwarnings("ignore")
import optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
import backtesting
from backtesting import Backtest, Strategy
backtesting.backtesting._tqdm = lambda items, **_: items
bars = np.load(sys.argv[1])[:, :int(sys.argv[2])] / 1e4
count, trials = bars.shape[1], int(sys.argv[3])
frame = pd.DataFrame(dict(zip(["Open", "High", "Low", "Close", "Volume"], bars)),
    index=pd.date_range("2025-05-05", periods=count, freq="min"))
def mean(values, length):
    return pd.Series(values).rolling(length).mean()
class Cross(Strategy):
    fast, slow = 20, 100
    def init(self):
        self.quick = self.I(mean, self.data.Close, self.fast)
        self.steady = self.I(mean, self.data.Close, self.slow)
        self.before = 0
    def next(self):
        side = 1 if self.quick[-1] > self.steady[-1] else -1
        if self.before and side != self.before:
            size = abs(side * 100 - self.position.size)
            (self.buy if side > 0 else self.sell)(size=size)
        self.before = side
test = Backtest(frame, Cross, cash=1e6, commission=0.0005, margin=0.05)
def objective(trial):
    return test.run(fast=trial.suggest_int("fast", 5, 23, step=2),
                    slow=trial.suggest_int("slow", 50, 140, step=10))["Return [%]"]
test.run()
began, used = time.perf_counter(), time.process_time()
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0), direction="maximize")
study.optimize(objective, n_trials=trials)
print(time.perf_counter() - began, time.process_time() - used)
"""


def rivals(folder: Path) -> None:
    """The same walk and grid; Optuna on backtesting.py for 30 days, beside ours with Optuna."""
    from tests.bench.peers.environments import install, uv_command

    file = folder / "bars.npy"
    np.save(file, series.synthetic(525_600))
    python = install("vectorbt", PEERS)
    shown = subprocess.run(
        [python, "-c", VECTORBT, file], check=True, capture_output=True, text=True
    ).stdout.split()
    tell("vectorbt: 100 sets x 1 year, profit alone", float(shown[0]), float(shown[1]))
    compiled(folder)
    python, uv = install("backtesting", PEERS), uv_command()
    if (
        uv
        and subprocess.run(
            [python, "-c", "import optuna"], check=False, capture_output=True
        ).returncode
    ):
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", python, "optuna==5.0.0"], check=True
        )
    shown = subprocess.run(
        [python, "-c", BACKTESTING, file, "43200", "20"], check=True, capture_output=True, text=True
    ).stdout.split()
    tell("Optuna on backtesting.py: 20 trials x 30 days", float(shown[0]), float(shown[1]))
    store = store_of(folder / "month", 30)
    for name in ("called", "cross"):
        chosen = spec(
            strategy=f"tests.bench.bench_sweep:{name}",
            search={"kind": "optuna", "trials": 20, "objective": "return"},
        )
        taken = timed(lambda: run_sweep(chosen, data=store, out=folder / name))  # noqa: B023
        tell(f"ours with Optuna, {name}: 20 trials x 30 days, all told", *taken)


PARTS: dict[str, Callable[[Path], None]] = {
    "compiled": compiled,
    "called": in_workers,
    "traders": traders,
    "ray": ray_overhead,
    "rivals": rivals,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=PARTS, action="append")
    options = parser.parse_args()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"sweeps, {len(os.sched_getaffinity(0))} processors, load {load}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.part or PARTS:
            PARTS[name](Path(folder))


if __name__ == "__main__":
    main()

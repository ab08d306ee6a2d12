"""How fast sweeps are, beside vectorbt and Optuna on backtesting.py: `make bench`.

    --part compiled   100 sets x a year of minutes, one core
    --part called     1,000 backtests of 30 days in plain Python, two workers
    --part scaling    200 of them on one worker and on two, turn about; how workers begin
    --part traders    backtests of 30 days of a trader's kind with gate, exits and orders
    --part ray        what Ray adds to a task (needs Ray: make distributed)
    --part rivals     vectorbt, and Optuna on backtesting.py, on the same grid (installs them):
                      what they take, and what profits they find

Seconds on the clock and of processors, since a shared machine stretches the first.
"""

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tests.bench import series, workloads

from suite.bars import Bars
from suite.errors import ConfigError
from suite.service.kline_store import KlineStore, Source
from virtual_exchange.research.executor import LocalPool, open_executor
from virtual_exchange.research.search import Params
from virtual_exchange.research.sweep import Sweep, run_sweep
from virtual_exchange.research.sweep_runs import Task, perform
from virtual_exchange.research.sweep_spec import read_spec
from virtual_exchange.research.sweep_strategies import Called, Compiled

START_MS = 1_746_403_200_000
MINUTE_MS = 60_000
MONEY = 1_000_000
WARM = 8
"""Tasks before anything is measured: more than workers, so that each has had one."""
PAIRS_OF_TURNS = 5
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
        "world": {"profile": "plain", "fees": {"taker": "0.0005"}, "funding": "0"},
        "initial_balance": MONEY,
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


def measured(shared: Any, task: Any) -> float:
    """Processor seconds of a task."""
    began = time.process_time()
    perform(shared, task)
    return time.process_time() - began


def turn(pool: LocalPool, tasks: list[Task]) -> tuple[float, float]:
    """Seconds on the clock, and of processors, handing out and in included."""
    began, used = time.perf_counter(), time.process_time()
    spent = sum(seconds for _, seconds in pool.run(tasks))
    return time.perf_counter() - began, spent + time.process_time() - used


def in_workers(folder: Path) -> None:
    """1,000 backtests of 30 days on two workers."""
    sweep, tasks = _called(folder, 1000)
    with LocalPool(measured, sweep.shared, workers=2) as pool:
        list(pool.run(tasks[:WARM]))
        tell("called: 1,000 x 30 days, 2 workers", *turn(pool, tasks), "target 60 s")


def scaling(folder: Path) -> None:
    """One worker and two, turn about, so that what else the machine does meets both."""
    sweep, tasks = _called(folder, 200)
    pools: list[LocalPool] = []
    with ExitStack() as stack:
        for workers in (1, 2):
            pools.append(stack.enter_context(LocalPool(measured, sweep.shared, workers=workers)))
            first, _ = turn(pools[-1], tasks[:workers])
            print(f"  {workers} worker(s) gave their first results after {first:.2f} s", flush=True)
            list(pools[-1].run(tasks[:WARM]))
        shares = []
        for _ in range(PAIRS_OF_TURNS):
            (one, one_cpu), (two, two_cpu) = (turn(pool, tasks) for pool in pools)
            shares.append((one / (2 * two), one_cpu / two_cpu))
            print(
                f"  1 worker {one:6.2f} s, {one_cpu:6.2f} s processor; 2 workers {two:6.2f} s, "
                f"{two_cpu:6.2f} s processor", flush=True,
            )  # fmt: skip
    clock, cpu = (100 * median(column) for column in zip(*shares, strict=True))
    print(
        f"  scaling on two workers, median of {PAIRS_OF_TURNS} pairs: {clock:.0f} % on the clock, "
        f"{cpu:.0f} % by processor time   target 90 %, on processors that are free"
    )


def _called(folder: Path, count: int) -> tuple[Sweep, list[Task]]:
    store = store_of(folder / "month", 30)
    chosen = spec(
        strategy="tests.bench.bench_sweep:called",
        space={"fast": {"from": 2, "to": 41}, "slow": {"from": 50, "to": 290, "step": 10}},
    )
    sweep = Sweep(chosen, store)
    sets: list[tuple[int, Params]] = [
        (place, {"fast": 2 + place % 40, "slow": 50 + place // 40 * 10}) for place in range(count)
    ]
    return sweep, list(sweep.tasks(0, sets))


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
import json, sys, time, warnings
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
    known = np.column_stack([np.isfinite(mean(s)) for _, s in chosen])
    later = np.zeros_like(above); later[1:] = above[:-1]
    flip = np.zeros_like(later); flip[2:] = (above[1:-1] != above[:-2]) & known[:-2]
    done = vbt.Portfolio.from_signals(close[:, None], entries=flip & later,
        short_entries=flip & ~later, price=opened[:, None], size=0.1, fees=0.0005,
        init_cash=1e6, upon_opposite_entry="reverse", freq="1min")
    return done.total_profit()
run(pairs[:1])
began, used = time.perf_counter(), time.process_time()
profits = np.concatenate([run(pairs[first:first + 20]) for first in range(0, 100, 20)])
seconds, used = time.perf_counter() - began, time.process_time() - used
print(json.dumps([seconds, used, [[*pair, gain] for pair, gain in zip(pairs, profits.tolist())]]))
"""

BACKTESTING = """
import json, sys, time, warnings
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
seconds, used = time.perf_counter() - began, time.process_time() - used
tried = [[one.params["fast"], one.params["slow"], one.value * 1e4] for one in study.trials]
print(json.dumps([seconds, used, tried]))
"""


def ran(python: Path, script: str, *words: Path | str) -> tuple[float, float, list[list[float]]]:
    """Seconds, processor seconds, and rows of fast, slow and profit in USD."""
    done = subprocess.run(
        [python, "-c", script, *words], check=True, capture_output=True, text=True
    )
    seconds, used, rows = json.loads(done.stdout)
    return seconds, used, rows


def compare(name: str, store: Path, rows: Sequence[Sequence[float]]) -> None:
    """Print how far the profits of a rival are from ours of the same sets."""
    sets: list[tuple[int, Params]] = [
        (place, {"fast": int(fast), "slow": int(slow)})
        for place, (fast, slow, _) in enumerate(rows)
    ]
    sweep = Sweep(spec(), store)
    found = [row for task in sweep.tasks(0, sets) for row in perform(sweep.shared, task)]
    ours = np.array([float(row.metrics["return"] or 0) * MONEY for row in found])
    theirs = np.array([gain for _, _, gain in rows])
    print(
        f"  profits of {name}: ours {ours.mean():,.2f} USD in the mean of {len(ours)} sets, theirs "
        f"{theirs.mean():,.2f}; largest difference {np.abs(ours - theirs).max():,.2f}; best set "
        f"{'the same' if ours.argmax() == theirs.argmax() else 'another'}", flush=True,
    )  # fmt: skip


def rivals(folder: Path) -> None:
    """The same walk and grid; Optuna on backtesting.py for 30 days, beside ours with Optuna."""
    from tests.bench.peers.environments import install, uv_command

    file = folder / "bars.npy"
    np.save(file, series.synthetic(525_600))
    seconds, used, rows = ran(install("vectorbt", PEERS), VECTORBT, file)
    tell("vectorbt: 100 sets x 1 year, profit alone", seconds, used)
    compiled(folder)
    compare("vectorbt", folder / "year", rows)
    python, uv = install("backtesting", PEERS), uv_command()
    optuna = subprocess.run([python, "-c", "import optuna"], check=False, capture_output=True)
    if uv and optuna.returncode:
        packages = ["--quiet", "--python", str(python), "optuna==5.0.0"]
        subprocess.run([uv, "pip", "install", *packages], check=True)
    seconds, used, rows = ran(python, BACKTESTING, file, "43200", "20")
    tell("Optuna on backtesting.py: 20 trials x 30 days", seconds, used)
    store = store_of(folder / "month", 30)
    compare("backtesting.py", store, rows)
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
    "scaling": scaling,
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

"""Sweeps: one strategy over many parameter sets, windows and coins, as one run.

    from pathlib import Path
    from virtual_exchange.research.sweep import run_sweep
    from virtual_exchange.research.sweep_spec import read_spec

    spec = read_spec({
        "strategy": "sma_cross",
        "space": {"fast": [5, 10, 20], "slow": {"from": 30, "to": 50, "step": 10}},
        "symbols": ["BTC"],
    })
    if __name__ == "__main__":  # workers import this file again
        run_sweep(spec, data="var/data", out=Path("var/sweeps/first"))

What it leaves behind is told in `sweep_store`; `docs/research.md` is the guide.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from strategy_core.building import StrategyKind
from suite.bars import DAY_MS, INTERVAL_MS
from suite.contracts.world import AccountRequest, WorldRequest
from suite.errors import BadRequest, DataGap
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.backtest import model_fields
from virtual_exchange.application.market.building import query_of
from virtual_exchange.application.market.rules import described_rules, rules_of
from virtual_exchange.application.parts.plan import content_of
from virtual_exchange.domain.market import Market
from virtual_exchange.research.executor import Died, Executor, open_executor
from virtual_exchange.research.search import Params, grid_size, make_search
from virtual_exchange.research.sweep_folds import Window, windows_of
from virtual_exchange.research.sweep_rows import METRICS, RunRow, failed_row, score_of
from virtual_exchange.research.sweep_runs import Shared, Task, name_of, perform
from virtual_exchange.research.sweep_spec import CheckedSpec, Knobs, SpecError, turned
from virtual_exchange.research.sweep_store import PlacedRow, SweepFolder
from virtual_exchange.research.sweep_strategies import Compiled
from virtual_exchange.research.sweep_versions import code_here
from virtual_exchange.research.sweep_windows import window_of

FORM: Final = "autocryptotrader-sweep/1"
_BARS_COMPILED: Final = 10_000_000
_BARS_CALLED: Final = 400_000
_TURNS: Final = 1_500
"""Work of one task: enough that sending it costs little, and so that many can share it."""
_SETS_MAX: Final = 256

Progress = Callable[[int, int], None]
"""Told how many backtests are done, and of how many; the latter may grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Where a sweep runs.

    Attributes:
        name: `local` or `ray`.
        workers: processes of this machine.
        address: of a Ray cluster.
    """

    name: str = "local"
    workers: int = 1
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What a sweep came to.

    Attributes:
        folder: where it is.
        trials, runs: parameter sets and backtests, those that failed included.
        failed: backtests with an error.
        best: number of the set with the highest score of its trainings; None where all failed.
        params, score: of it.
    """

    folder: Path
    trials: int
    runs: int
    failed: int
    best: int | None
    params: Params
    score: float | None


class Sweep:
    """A checked specification with its markets and windows: ready to run.

    Args:
        checked: what shall be done.
        data: root of the kline store.

    Raises:
        SpecError: the data does not hold what is asked for.
        StorageError: a stored file is damaged.
    """

    def __init__(self, checked: CheckedSpec, data: Path | str) -> None:
        self.checked = checked
        spec = checked.spec
        markets = load_markets(checked, data)
        first = max(-(-market.tape.start_ms // DAY_MS) * DAY_MS for market in markets)
        last = min(_end_ms(market) // DAY_MS * DAY_MS for market in markets)
        if last <= first:
            raise SpecError(["symbols: the coins have no whole UTC day in common"])
        try:
            self.windows = windows_of(spec.folds, first, last)
        except ValueError as error:
            raise SpecError([str(error)]) from None
        self.range_ms = (first, last)
        self.markets = tuple(
            market if (market.tape.start_ms, _end_ms(market)) == (first, last)
            else window_of(market, first, last)
            for market in markets
        )  # fmt: skip

    def told(self) -> dict[str, Any]:
        """Everything that its figures follow from, as JSON values: `sweep.json`."""
        checked, spec = self.checked, self.checked.spec
        return {
            "form": FORM,
            "strategy": {"kind": spec.strategy, "params": spec.params},
            "space": {name: axis.described() for name, axis in checked.space.items()},
            "search": msgspec.to_builtins(spec.search) | {"trials": self.trials},
            "folds": msgspec.to_builtins(spec.folds),
            "windows": msgspec.to_builtins(self.windows),
            "symbols": list(checked.groups),
            "period": {"from_ms": self.range_ms[0], "to_ms": self.range_ms[1]},
            "interval": spec.interval,
            "decides": spec.decides,
            "initial_balance": spec.initial_balance,
            "seeds": [spec.seed],
            "costs": described_rules(rules_of(checked.model)),
            "sensitivity": msgspec.to_builtins(spec.sensitivity),
            "data_sha256": {
                name: content_of(market)
                for name, market in zip(checked.groups, self.markets, strict=True)
            },
            "code": dict(code_here(spec.strategy)),
        }

    @property
    def trials(self) -> int:
        """How many parameter sets it tries."""
        search = self.checked.spec.search
        return grid_size(self.checked.space) if search.kind == "grid" else search.trials

    @property
    def shared(self) -> Shared:
        """What all tasks have alike."""
        spec = self.checked.spec
        return Shared(spec, self.markets, code_here(spec.strategy), str(Path.cwd()))

    def tasks(self, round_: int, sets: Sequence[tuple[int, Params]]) -> Iterator[Task]:
        """Cut a round into tasks: by window and coin, then into some sets each."""
        count = 0
        for window in self.windows:
            size = self._sets_of_a_task(window)
            for symbol in range(len(self.markets)):
                for first in range(0, len(sets), size):
                    yield Task(
                        key=f"{round_:06}-{count:06}",
                        window=window,
                        symbol=symbol,
                        sets=tuple(sets[first : first + size]),
                        model=self.checked.model,
                    )
                    count += 1

    def _sets_of_a_task(self, window: Window) -> int:
        spec, length = self.checked.spec, window.to_ms - window.from_ms
        work, unit = _BARS_CALLED, INTERVAL_MS[spec.interval]
        if isinstance(self.checked.strategy, Compiled):
            work = _BARS_COMPILED
        elif isinstance(self.checked.strategy, StrategyKind):
            work, unit = _TURNS, INTERVAL_MS[spec.decides]
        return max(1, min(_SETS_MAX, work * unit // max(length, 1)))


def load_markets(checked: CheckedSpec, data: Path | str) -> tuple[Market, ...]:
    """Load the market of each coin, or of coins that are traded together.

    Raises:
        SpecError: one is not stored as asked for; each is told.
        StorageError: a stored file is damaged.
    """
    spec, source = checked.spec, StoreMarkets(data)
    markets, problems = [], []
    for coins in checked.groups.values():
        try:
            request = WorldRequest(
                symbols=coins,
                from_=spec.from_,
                to=spec.to,
                interval=spec.interval,
                accounts=(AccountRequest(id="sweep"),),
                **model_fields(checked.model),
            )
            markets.append(source.load(query_of(request)))
        except (BadRequest, DataGap) as error:
            problems.append(str(error))
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    return tuple(markets)


def _end_ms(market: Market) -> int:
    return market.tape.time_ms(market.tape.length)


def sweep_id(told: Mapping[str, Any]) -> str:
    """Name a sweep by what it is: equal names, equal figures."""
    name = str(told["strategy"]["kind"]).rpartition(":")[2]
    return f"{name}-{hashlib.sha256(msgspec.json.encode(told, order='sorted')).hexdigest()[:10]}"


def run_sweep(
    checked: CheckedSpec,
    *,
    data: Path | str,
    out: Path | None = None,
    engine: Engine = Engine(),
    progress: Progress = lambda _done, _all: None,
    fresh: bool = False,
) -> SweepResult:
    """Run a sweep, or go on with one that was interrupted.

    Args:
        checked: what shall be done, see `read_spec`.
        data: root of the kline store.
        out: its folder; `var/sweeps/ID` when not given.
        engine: where it runs; the figures do not depend on it.
        progress: told of each task that is done.
        fresh: forget what is kept in the folder.

    Raises:
        SpecError: it cannot be done; every reason is told.
        ConfigError: the folder holds another sweep.
        StorageError: the disk refuses, or a file is damaged; what is kept stays.
    """
    sweep = Sweep(checked, data)
    told = sweep.told()
    folder = SweepFolder(out or Path("var/sweeps") / sweep_id(told))
    folder.begin(told, fresh=fresh)
    if (result := folder.result()) is not None:
        return SweepResult(folder=folder.place, **result)
    with open_executor(
        engine.name, perform, sweep.shared, workers=engine.workers, address=engine.address
    ) as executor:
        return _Run(sweep, folder, executor, progress).run()


class _Run:
    """A sweep under way."""

    def __init__(
        self, sweep: Sweep, folder: SweepFolder, executor: Executor, progress: Progress
    ) -> None:
        self._sweep, self._folder, self._executor = sweep, folder, executor
        self._progress = progress
        self._done = 0
        parts = len(sweep.windows) * len(sweep.markets)
        self._all = sweep.trials * parts

    def run(self) -> SweepResult:
        spec = self._sweep.checked.spec
        search = make_search(
            spec.search.kind,
            self._sweep.checked.space,
            trials=spec.search.trials,
            seed=spec.seed,
            batch=spec.search.batch,
        )
        sets: list[tuple[int, Params]] = []
        rows: dict[int, list[RunRow]] = {}
        scores: list[float | None] = []
        count = 0
        while proposed := search.propose():
            fresh = [(len(sets) + place, chosen) for place, chosen in enumerate(proposed)]
            sets += fresh
            rows |= {trial: [] for trial, _ in fresh}
            for row in self._round(list(self._sweep.tasks(count, fresh))):
                rows[row.trial].append(row)
            round_scores = [score_of(rows[trial], spec.search.objective) for trial, _ in fresh]
            search.tell(round_scores)
            scores += round_scores
            count += 1
        known = [score for score in scores if score is not None]
        best = scores.index(max(known)) if known else None
        self._sensitivity(None if best is None else sets[best])
        placed: list[PlacedRow] = [(row, chosen) for trial, chosen in sets for row in rows[trial]]
        result: dict[str, Any] = {
            "trials": len(sets),
            "runs": len(placed),
            "failed": sum(bool(row.error) for row, _ in placed),
            "best": best,
            "params": {} if best is None else sets[best][1],
            "score": None if best is None else scores[best],
        }
        self._folder.finish(placed, self._sweep.windows, result)
        return SweepResult(folder=self._folder.place, **result)

    def _round(self, tasks: Sequence[Task]) -> list[RunRow]:
        """Run what is not kept; the rows of all, in the order of their tasks."""
        kept = self._folder.kept()
        found: dict[str, list[RunRow]] = {}
        for task in tasks:
            if task.key in kept:
                found[task.key] = self._folder.part(task.key)
                self._tell(len(task.sets))
        missing = [task for task in tasks if task.key not in found]
        for task, result in self._executor.run(missing):
            found[task.key] = self._alone(task) if isinstance(result, Died) else result
            self._folder.keep(task.key, found[task.key])
            self._tell(len(task.sets))
        return [row for task in tasks for row in found[task.key]]

    def _alone(self, task: Task) -> list[RunRow]:
        """Find which sets of a task end their process; the others have their rows."""
        single = [msgspec.structs.replace(task, sets=(one,)) for one in task.sets]
        found: dict[int, list[RunRow]] = {}
        for one, result in self._executor.run(single):
            trial = one.sets[0][0]
            died = isinstance(result, Died)
            found[trial] = [_died(one, self._sweep, result.reason)] if died else result
        return [row for trial, _ in task.sets for row in found[trial]]

    def _tell(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._all)

    def _sensitivity(self, best: tuple[int, Params] | None) -> None:
        """Run the best set again under other costs, on the tests where there are any."""
        knobs = self._sweep.checked.spec.sensitivity
        if best is None or not isinstance(knobs, Knobs):
            return
        part = "test" if any(one.part == "test" for one in self._sweep.windows) else "train"
        windows = [one for one in self._sweep.windows if one.part == part]
        turns = [
            (knob, value, model)
            for knob in msgspec.structs.asdict(knobs)
            for value in getattr(knobs, knob)
            if (model := turned(self._sweep.checked.model, knob, value)) is not None
        ]
        tasks = [
            Task(key=f"sensitivity-{place:04}-{count:06}", window=window, symbol=symbol,
                 sets=(best,), model=model)
            for place, (_, _, model) in enumerate(turns)
            for count, (window, symbol) in enumerate(
                (window, symbol) for window in windows for symbol in range(len(self._sweep.markets))
            )
        ]  # fmt: skip
        self._all += len(tasks)
        rows = self._round(tasks)
        each = len(rows) // max(len(turns), 1)
        self._folder.keep_sensitivity(
            [
                (best[0], knob, f"{value}", together(rows[place * each : (place + 1) * each]))
                for place, (knob, value, _) in enumerate(turns)
            ]
        )


_SUMMED: Final = {"trades", "fees_usd", "funding_usd"}


def together(rows: Sequence[RunRow]) -> dict[str, float | int | None]:
    """Sum up runs of several windows and coins: counts and money added, the rest as means.

    The deepest drawdown stands for all; where a run failed nothing is known.
    """
    told: dict[str, float | int | None] = {}
    for name in METRICS:
        values = [row.metrics[name] for row in rows]
        known = [one for one in values if one is not None]
        if not known or any(row.error for row in rows):
            told[name] = None
        elif name in _SUMMED:
            told[name] = sum(known)
        else:
            told[name] = max(known) if name == "max_drawdown" else float(np.mean(known))
    return told


def _died(task: Task, sweep: Sweep, reason: str) -> RunRow:
    return failed_row(
        trial=task.sets[0][0],
        fold=task.window.fold,
        part=task.window.part,
        symbol=name_of(sweep.markets[task.symbol]),
        error=reason,
    )

"""A sweep is the same bytes whoever does its tasks, in whatever order, however often it stops."""

import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.interrupted import whole_in_parts
from tests.support.stores import make_store

from virtual_exchange.research import sweep as module
from virtual_exchange.research.executor import Inline, LocalPool
from virtual_exchange.research.sweep import Sweep, run_sweep
from virtual_exchange.research.sweep_runs import perform
from virtual_exchange.research.sweep_spec import read_spec

SPECS: dict[str, dict[str, Any]] = {
    "grid": {"space": {"length": [20, 45, 90]}, "search": {"kind": "grid"}},
    "random": {
        "space": {"length": {"from": 10, "to": 90}, "risk.leverage": [1, 3]},
        "search": {"kind": "random", "trials": 3},
    },
    "optuna": {
        "space": {"length": {"from": 10, "to": 90}},
        "search": {"kind": "optuna", "trials": 4, "batch": 2},
    },
}
FIXED: dict[str, Any] = {
    "strategy": "tests.support.swept:of_all",
    "symbols": ["BTC+ETH", "ETH+BTC"],
    "folds": {"count": 1},
    "sensitivity": {"fees": [2], "slippage": [], "latency": [], "bar_path": ["ohlc"]},
}
STOPS = st.frozensets(st.integers(1, 30), max_size=8)


class Shuffled(Inline):
    """Any number of workers: as many tasks are under way, and any of them is ready first."""

    def __init__(self, *given: Any, workers: int, dice: random.Random) -> None:
        super().__init__(*given)
        self._workers, self._dice = workers, dice

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        waiting, running = iter(tasks), list[Any]()
        while True:
            running += islice(waiting, self._workers - len(running))
            if not running:
                return
            yield from super().run([running.pop(self._dice.randrange(len(running)))])


class Kept:
    """Processes that outlast a sweep."""

    def __init__(self, pool: LocalPool) -> None:
        self.run = pool.run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """They go on."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"), "BTC", "ETH", minutes=4 * 1440)


@pytest.fixture(scope="module")
def wholes(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What each is with one worker, in one go."""
    found = {}
    for name, changed in SPECS.items():
        out = tmp_path_factory.mktemp(name)
        run_sweep(read_spec(FIXED | changed), data=store, out=out)
        found[name] = files(out)
    return found


@pytest.fixture(scope="module")
def pool(store: Path) -> Iterator[LocalPool]:
    shared = Sweep(read_spec(FIXED | SPECS["grid"]), store).shared
    with LocalPool(perform, shared, workers=2) as opened:
        yield opened


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stopped(name: str, store: Path, executor: Callable[..., Any], stops: Any) -> dict[str, bytes]:
    """The same in parts, with another executor and tasks of one set."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "open_executor", executor)
        patch.setattr(module, "_SETS_MAX", 1)
        out = Path(folder)
        whole_in_parts(
            lambda: run_sweep(read_spec(FIXED | SPECS[name]), data=store, out=out), patch, at=stops
        )
        return files(out)


@settings(max_examples=20)
@given(
    name=st.sampled_from(sorted(SPECS)), workers=st.integers(1, 5), seed=st.integers(), stops=STOPS
)
def test_order_of_work_and_interruptions_change_no_byte(
    store: Path, wholes: dict[str, Any], name: str, workers: int, seed: int, stops: frozenset[int]
) -> None:
    def executor(_name: str, perform: Any, shared: Any, **_: Any) -> Shuffled:
        return Shuffled(perform, shared, workers=workers, dice=random.Random(seed))

    assert wholes[name] == stopped(name, store, executor, stops)


@settings(max_examples=4)
@given(stops=STOPS)
def test_two_processes_change_no_byte(
    store: Path, wholes: dict[str, Any], pool: LocalPool, stops: frozenset[int]
) -> None:
    assert wholes["grid"] == stopped("grid", store, lambda *_, **__: Kept(pool), stops)

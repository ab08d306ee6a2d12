"""The command `trader-manager arena`."""

import json
import os
import re
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
from tests.support.arena import (
    BIN,
    kill_all,
    processes_of,
    report_of,
    run_arena,
    start_arena,
    until,
)
from tests.support.parts import RULES, write_traders
from tests.support.stores import make_store

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

LAST_LINE = re.compile(r"report sha256=([0-9a-f]{64}) seconds=\d+\.\d+ traders=(\d+) fills=\d+")
SOME = {name: RULES[name] for name in ("hodl", "random", "sma")}
DYING = """
import os

from strategy_core.building import Params
from strategy_core.port import Decision, Needs

class Dying:
    class Params(Params, frozen=True, kw_only=True):
        pass

    def __init__(self, setup, params):
        self.needs = Needs()
        self.asked = 0

    def decide(self, seen):
        self.asked += 1
        if self.asked == 5:
            os._exit(7)
        return Decision()
"""
SLOW = """
import time
from decimal import Decimal
from pathlib import Path

from strategy_core.building import Params
from strategy_core.port import Decision, Needs
from suite.contracts.venue import PlaceOrder

class Slow:
    class Params(Params, frozen=True, kw_only=True):
        pass

    def __init__(self, setup, params):
        self.needs = Needs(slow=True)
        self.sizes = []

    def decide(self, seen):
        with Path("calls").open("a") as file:
            file.write(f"{seen.now_ms}\\n")
        time.sleep(0.05)
        self.sizes.append(str(seen.size_of("BTC")))
        buys = len(self.sizes) % 3 == 1
        order = PlaceOrder(coin="BTC", is_buy=buys, sz=Decimal("0.01"))
        return Decision(actions=(order,), reasoning=f"{len(self.sizes)} {self.sizes[-3:]}")

    def remember(self):
        return self.sizes

    def recall(self, state):
        self.sizes = list(state)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_store(tmp_path / "data", "BTC", "ETH", minutes=1440)
    write_traders(tmp_path / "traders.yaml", SOME)
    return tmp_path


@pytest.mark.parametrize("transport", ["inprocess", "http", "http --together"])
def test_result_is_that_of_one_backtest_and_is_kept(folder: Path, transport: str) -> None:
    """However many workers; what was run before is not run again."""
    one = subprocess.run(
        [
            *(str(BIN / "virtual-exchange"), "backtest", "--data", "data", "--seed", "3"),
            *("--traders", "traders.yaml", "--out", "joint", "--journal", "joint/journals"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    options = ("--no-baselines", "--seed", "3", "--transport", *transport.split())
    done = run_arena(folder, *options, "--workers", "2")
    assert 0 == done.returncode, done.stderr
    (match,) = filter(None, map(LAST_LINE.fullmatch, done.stdout.splitlines()))
    assert one.stdout.splitlines()[-1].split()[1] == f"sha256={match[1]}"
    assert (folder / "joint" / "report.json").read_bytes() == (
        folder / "out" / "report.json"
    ).read_bytes()
    for name in SOME:
        journal = (folder / "out" / "journals" / f"{name}.jsonl").read_bytes()
        turns = [line for line in journal.splitlines() if b'"type":"decision"' in line[:20]]
        joint = (folder / "joint" / "journals" / f"{name}.jsonl").read_bytes().splitlines()
        assert joint[1:-1] == turns
    assert "<html" in (folder / "out" / "report.html").read_text()
    again = run_arena(folder, *options, "--workers", "1")
    assert "3 of 3 traders are kept" in again.stderr
    assert match[1] in again.stdout
    assert [] == list((folder / "out" / "parts").glob("running-*"))


def test_only_what_has_changed_is_run_again(folder: Path) -> None:
    """A trader that is added or changed; another seed is another run."""
    assert 0 == run_arena(folder, "--no-baselines").returncode
    changed = {
        **SOME,
        "sma": {"kind": "sma_cross", "params": {"minutes": 60}},
        "flat": RULES["flat"],
    }
    write_traders(folder / "traders.yaml", changed)
    done = run_arena(folder, "--no-baselines")
    assert "2 of 4 traders are kept" in done.stderr
    assert {"hodl", "random", "sma", "flat"} == set(report_of(folder)["result"]["traders"])
    assert "kept" not in run_arena(folder, "--no-baselines", "--fresh").stderr


def test_every_mistake_is_told_before_anything_runs(folder: Path) -> None:
    """Those of the file and those of the world, a line each."""
    rows = [
        {"trader_id": "a", "strategy": {"kind": "hodle"}, "symbols": ["BTC"]},
        {"trader_id": "b", "strategy": {"kind": "plugin:nowhere:Some"}, "symbols": ["BTC"]},
        {"trader_id": "c", "strategy": {"kind": "hodl"}, "symbols": ["BTC"], "secret_key": 1},
    ]
    (folder / "traders.yaml").write_text(json.dumps({"traders": rows}))
    done = run_arena(folder)
    assert 2 == done.returncode
    for text in ("'hodle' is not one of", "cannot load nowhere:Some", "secret_key: unknown key"):
        assert sum(text in line for line in done.stderr.splitlines()) == 1, done.stderr
    assert "trader-manager: 3 problems" == done.stderr.splitlines()[-1]
    write_traders(folder / "traders.yaml", SOME)
    done = run_arena(folder, "--from", "2030-01-01", "--to", "2030-02-01")
    assert done.returncode
    assert "stored are 2025-05-05" in done.stderr.splitlines()[-1]
    assert not (folder / "out" / "report.json").exists()


def test_trader_that_ends_its_process_ends_nobody_else(folder: Path) -> None:
    """It has no row in the result, and a reason why."""
    (folder / "dying.py").write_text(DYING)
    write_traders(folder / "traders.yaml", {**SOME, "dying": {"kind": "plugin:dying:Dying"}})
    done = run_arena(folder)
    assert 1 == done.returncode, done.stderr
    assert "trader dying failed: exit code 7" in done.stderr
    assert {"dying": "exit code 7"} == json.loads((folder / "out" / "arena.json").read_bytes())[
        "failed"
    ]
    expected = {*SOME, "baseline-flat"}
    assert expected == set(report_of(folder)["result"]["traders"])


@pytest.mark.parametrize("transport", ["inprocess", "http"])
def test_interrupted_arena_goes_on_where_it_was(folder: Path, transport: str) -> None:
    """Ctrl-C, twice: it says how to go on, leaves no process behind, and loses no part."""
    make_store(folder / "data", "BTC", "ETH", minutes=20_000)
    options = ("--no-baselines", "--workers", "1", "--transport", transport)
    process = start_arena(folder, *options)
    parts = folder / "out" / "parts"
    until(lambda: list(parts.glob("*.jsonl")), "part that is kept")
    for _ in range(2):
        os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert 130 == process.returncode, said
    again = "trader-manager arena --data data --traders traders.yaml --out out"
    assert f"  {again} {' '.join(options)}" == said.splitlines()[-1]
    until(lambda: not processes_of(folder), "end of all processes", seconds=20)
    done = run_arena(folder, *options)
    assert 0 == done.returncode, done.stderr
    assert re.search(r"[12] of 3 traders are kept", done.stderr)
    assert set(SOME) == set(report_of(folder)["result"]["traders"])


@pytest.mark.parametrize("transport", ["inprocess", "http"])
def test_no_decision_is_paid_for_twice(folder: Path, transport: str) -> None:
    """Killed twice in the middle, the run goes on: what was under way may be asked again."""
    (folder / "slow.py").write_text(SLOW)
    write_traders(folder / "traders.yaml", {"slow": {"kind": "plugin:slow:Slow"}})
    options = ("--no-baselines", "--transport", transport)
    calls = folder / "calls"

    def lines() -> list[str]:
        return calls.read_text().splitlines() if calls.exists() else []

    done = run_arena(folder, *options)
    assert 0 == done.returncode, done.stderr
    undisturbed, report = lines(), (folder / "out" / "report.json").read_bytes()
    assert len(set(undisturbed)) == len(undisturbed) > 50
    shutil.rmtree(folder / "out")
    calls.unlink()
    for least in (15, 40):
        process = start_arena(folder, *options)
        until(partial(_has_lines, calls, least), "call")
        kill_all(process, folder)
    done = run_arena(folder, *options)
    assert 0 == done.returncode, done.stderr
    assert set(undisturbed) == set(lines())
    assert len(undisturbed) <= len(lines()) <= len(undisturbed) + 2
    assert report == (folder / "out" / "report.json").read_bytes()


def _has_lines(file: Path, least: int) -> bool:
    return file.exists() and len(file.read_text().splitlines()) >= least

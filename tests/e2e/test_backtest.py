"""The command `virtual-exchange backtest` over both transports."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.stores import make_store

pytestmark = pytest.mark.process

BIN = Path(sys.executable).parent
LAST_LINE = re.compile(r"report sha256=([0-9a-f]{64}) seconds=\d+\.\d+ traders=4 fills=(\d+)")
TRADERS = """
traders:
  - {trader_id: hodl, strategy: {kind: hodl}, symbols: [BTC, ETH]}
  - {trader_id: random, strategy: {kind: random}, symbols: [BTC, ETH]}
  - {trader_id: flat, strategy: {kind: flat}, symbols: [BTC]}
  - trader_id: sma
    strategy: {kind: sma_cross, params: {stop_loss: 0.01, take_profit: 0.02}}
    symbols: [BTC, ETH]
"""


ENDLESS = """
from strategy_core.building import Params
from strategy_core.port import Decision, Needs

class Endless:
    class Params(Params, frozen=True, kw_only=True):
        pass

    def __init__(self, setup, params):
        self.needs = Needs()

    def decide(self, seen):
        while seen.woke_by == ("join",):
            pass
        return Decision()
"""
WITH_ENDLESS = """
traders:
  - {trader_id: hodl, strategy: {kind: hodl}, symbols: [BTC]}
  - {trader_id: endless, strategy: {kind: "plugin:endless:Endless"}, symbols: [BTC]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_store(tmp_path / "data", "BTC", "ETH", minutes=4320)
    (tmp_path / "traders.yaml").write_text(TRADERS)
    return tmp_path


def command(*options: str) -> list[str]:
    return [
        *(str(BIN / "virtual-exchange"), "backtest", "--data", "data"),
        *("--traders", "traders.yaml", "--symbols", "BTC,ETH", *options),
    ]


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*options), cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


def test_both_transports_and_every_run_give_the_same_report(folder: Path) -> None:
    """The hash of the report does not depend on wires, processes or the clock on the wall."""
    last: list[str] = []
    guards: list[dict[str, Any]] = []
    journals: list[list[bytes]] = []
    for index, transport in enumerate(("inprocess", "http", "http")):
        options = ("--transport", transport, "--out", f"out-{index}", "--seed", "3")
        done = run(folder, *options, "--journal", f"journal-{index % 2}")
        assert done.returncode == 0, done.stderr
        match = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
        assert match, done.stdout
        last.append(match[1])
        assert (folder / f"out-{index}" / "report.html").stat().st_size > 10_000
        report = json.loads((folder / f"out-{index}" / "report.json").read_text())
        assert match[1] == report["sha256"]
        guards.append(report["guards"])
        lines = (folder / f"journal-{index % 2}" / "sma.jsonl").read_bytes().splitlines()
        assert b'{"type":"run",' == lines[0][:14]
        journals.append([line for line in lines[1:] if not line.startswith(b'{"type":"alert"')])
    assert journals[0] == journals[1] == journals[2]
    assert 1 == len(set(last))
    assert guards[0] == guards[1] == guards[2]
    assert guards[0]["sma"]["accepted"] > 0 < sum(guards[0]["sma"]["exits"].values())
    other = run(folder, "--out", "out-other", "--seed", "4")
    assert last[0] not in other.stdout


@pytest.mark.parametrize("transport", ["inprocess", "http"])
def test_endless_strategy_ends_and_is_told_in_one_line(folder: Path, transport: str) -> None:
    """Its trader is paused, the other trades on, and the exit code says that something failed."""
    (folder / "endless.py").write_text(ENDLESS)
    (folder / "traders.yaml").write_text(WITH_ENDLESS)
    done = run(folder, "--transport", transport, "--out", "out")
    assert 1 == done.returncode
    (line,) = (row for row in done.stderr.splitlines() if row.startswith("virtual-exchange:"))
    assert "trader endless failed" in line
    assert " 1 of " in line
    assert "first at 2025-05-05: decide took longer than its 5 s" in line
    assert "(paused)" in done.stdout
    report = json.loads((folder / "out" / "report.json").read_text())
    assert [["strategy"]] == [one["causes"] for one in report["guards"]["endless"]["stood"]]
    assert report["result"]["traders"]["hodl"]["trades"]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--transport", "pigeon"), 2, "unknown transport"),
        (("--profile", "rosy"), 2, "unknown profile"),
        (("--from", "2030-01-01"), 1, "stored are BTC 2025-05-05"),
        (("--symbols", "BTC"), 2, "which is not in"),
        (("--traders", "nothing.yaml"), 2, "cannot read"),
    ],
)
def test_bad_use_is_one_line(folder: Path, options: tuple[str, ...], code: int, text: str) -> None:
    """The reason on stderr, the right exit code, no traceback."""
    done = run(folder, "--out", "out", *options)
    assert code == done.returncode, done.stderr
    assert text in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def agents_of(folder: Path) -> list[str]:
    found = subprocess.run(
        ["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in found if "strategy-agent run" in line and str(folder) in line]


def started(folder: Path) -> subprocess.Popen[str]:
    """A long run over HTTP, all of whose agents are there."""
    make_store(folder / "data", "BTC", "ETH", minutes=60_000)
    traders = str(folder / "traders.yaml")
    process = subprocess.Popen(
        command("--transport", "http", "--out", "out", "--traders", traders),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while len(agents_of(folder)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert 4 == len(agents_of(folder))
    return process


def test_interrupted_run_stops_everything_it_started(folder: Path) -> None:
    """One line, exit code 1, and no agent is left behind."""
    process = started(folder)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "everything was stopped" in errors.splitlines()[-1]
    assert [] == agents_of(folder)


def test_agent_that_dies_ends_the_run_with_its_name(folder: Path) -> None:
    """The others are stopped, and the line says who it was."""
    process = started(folder)
    (victim,) = (row for row in agents_of(folder) if row.endswith("--trader sma"))
    os.kill(int(victim.split()[0]), signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "agent sma stopped" in errors.splitlines()[-1]
    assert [] == agents_of(folder)

"""A strategy from the template: written, tested, run in process and as a process of its own."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.stores import make_store

pytestmark = pytest.mark.process

BIN = Path(sys.executable).parent


def run(folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / command), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def backtest(folder: Path, transport: str) -> subprocess.CompletedProcess[str]:
    return run(
        folder,
        "virtual-exchange",
        *("backtest", "--data", "data", "--traders", "traders.yaml", "--symbols", "BTC,ETH"),
        *("--transport", transport, "--out", transport),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    done = run(tmp_path, "strategy-agent", "new", "my_momentum")
    assert 0 == done.returncode, done.stderr
    traders = tmp_path / "traders.yaml"
    traders.write_text(traders.read_text().replace("stop_loss: 0.05", "stop_loss: 0.003"))
    make_store(tmp_path / "data", "BTC", "ETH", minutes=5 * 1440)
    return tmp_path


def test_what_new_says_comes_next_works(tmp_path: Path) -> None:
    """With any market in `var/data`: it names no days that somebody else's does not have."""
    made = run(tmp_path, "strategy-agent", "new", "my_momentum")
    make_store(tmp_path / "var/data", "BTC", "ETH", minutes=1440)
    lines = made.stdout.partition("next:\n")[2].splitlines()
    programs = []
    for line in lines:
        command, *arguments = shlex.split(line)
        done = run(tmp_path, command, *arguments)
        assert 0 == done.returncode, f"{line}: {done.stderr}"
        programs.append(command)
    assert ["strategy-agent", "strategy-agent", "virtual-exchange"] == programs


def test_template_passes_and_sends_the_same_orders_both_ways(folder: Path) -> None:
    """In under 40 lines it enters with a stop, is stopped out, and leaves by itself."""
    assert (folder / "my_momentum.py").read_text().count("\n") < 40
    tested = run(folder, "strategy-agent", "test-plugin", "my_momentum:Momentum")
    assert (0, "") == (tested.returncode, tested.stderr), tested.stdout
    reports: list[dict[str, Any]] = []
    for transport in ("inprocess", "http"):
        done = backtest(folder, transport)
        assert 0 == done.returncode, done.stderr
        reports.append(json.loads((folder / transport / "report.json").read_text()))
    one, other = (report["result"]["traders"]["my_momentum-1"] for report in reports)
    assert one["orders"] == other["orders"]
    assert one["trades"] == other["trades"]
    assert reports[0]["sha256"] == reports[1]["sha256"]
    ends = {(order["kind"], order["status"]) for order in one["orders"]}
    assert {("market", "filled"), ("stop", "filled")} <= ends
    assert 0 == one["rejected_orders"]


@pytest.mark.parametrize("transport", ["inprocess", "http"])
def test_plugin_that_cannot_be_loaded_is_told_with_its_trader(folder: Path, transport: str) -> None:
    (folder / "my_momentum.py").write_text("import nothing_like_this")
    done = backtest(folder, transport)
    assert done.returncode != 0
    expected = "traders[my_momentum-1].strategy.kind: cannot load"
    assert expected in done.stderr
    assert "nothing_like_this" in done.stderr
    assert "Traceback" not in done.stderr

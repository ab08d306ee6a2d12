"""`new` writes a strategy that works; `test-plugin` tells what is wrong with one."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from strategy_agent.cli import cli
from strategy_agent.templates import strategy as template
from strategy_core.building import kind_of
from strategy_core.testkit.examination import CHECKS, examine
from suite.service.cli import run_command

BIN = Path(sys.executable).parent / "strategy-agent"
FAULTY = """
import os
from strategy_core import building
from strategy_core.port import Decision, Needs

NOTES = open("notes.txt", "w")

class Faulty:
    class Params(building.Params, frozen=True, kw_only=True):
        level: int = 1

    needs = Needs()

    def __init__(self, setup, params):
        os.listdir(".")

    def decide(self, seen):
        with open("notes.txt") as notes:
            return Decision(reasoning=notes.read() + str(1 / len(seen.mids)))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own; what other tests imported from theirs is not found there."""
    here = tmp_path.parent.parent
    elsewhere = [place for place in sys.path if here not in Path(place).parents]
    monkeypatch.setattr(sys, "path", elsewhere)
    monkeypatch.delitem(sys.modules, "my_momentum", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        run_command(cli, name="strategy-agent", args=arguments)
    assert isinstance(left.value.code, int)
    return left.value.code


def outcome_of(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `test-plugin` in a process of its own: what it listens with stays to the end."""
    command = [str(BIN), "test-plugin", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_template_is_short_and_passes() -> None:
    text = Path(template.__file__).read_text()
    assert text.count("\n") < 40
    found = examine(kind_of(template.Momentum), source=text)
    assert () == found.findings
    assert found.actions > 0


def test_new_writes_both_files_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run("new", "my_momentum")
    (trader,) = yaml.safe_load((folder / "traders.yaml").read_text())["traders"]
    assert "plugin:my_momentum:Momentum" == trader["strategy"]["kind"]
    assert "my_momentum-1" == trader["trader_id"]
    assert 0 == run("check", "--config", "traders.yaml")
    capsys.readouterr()
    (folder / "my_momentum.py").write_text("mine")
    assert 2 == run("new", "my_momentum")
    assert "my_momentum.py is there already; nothing was written" in capsys.readouterr().err
    assert "mine" == (folder / "my_momentum.py").read_text()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a-b", "is no name of a Python module: letters, digits and _, such as a_b"),
        ("class", "such as my_strategy"),
        ("../x", "such as x"),
        ("1st", "such as my_strategy"),
        ("numpy", "a module numpy is installed"),
    ],
)
def test_new_refuses_what_could_not_be_found_or_would_be_lost(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    before = list(folder.iterdir())
    assert 2 == run("new", name)
    assert text in capsys.readouterr().err
    assert before == list(folder.iterdir())


def test_new_leaves_a_traders_file_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And shows what to add to it, which then is in order."""
    assert 0 == run("new", "my_momentum")
    capsys.readouterr()
    assert 0 == run("new", "my_second")
    said = capsys.readouterr().out
    path = folder / "traders.yaml"
    assert "my_second" not in path.read_text()
    entry = said.partition("add to its list:\n")[2].partition("next:\n")[0]
    path.write_text(path.read_text() + entry)
    assert 0 == run("check", "--config", "traders.yaml", "--trader", "my_second-1")
    assert "1 trader, all well" in capsys.readouterr().out


@pytest.mark.process
def test_good_plugin_passes_every_check() -> None:
    run("new", "my_momentum")
    done = outcome_of(
        "my_momentum:Momentum", "--symbols", "BTCUSDT,SOL", "--params", '{"hours": 5}'
    )
    assert (0, "") == (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert [f"ok {check}" for check in CHECKS] == [" ".join(row.split()[:2]) for row in lines[:-2]]
    assert lines[-1].startswith("my_momentum:Momentum keeps the protocol: ")
    assert "300 observations" in lines[-1]
    assert "a decision takes" in lines[-1]


@pytest.mark.process
def test_faulty_plugin_is_told_what_is_wrong(folder: Path) -> None:
    """What it imports, what it does on import, when it is built, and when it decides."""
    (folder / "faulty.py").write_text(FAULTY)
    done = outcome_of("plugin:faulty:Faulty")
    assert (1, "") == (done.returncode, done.stderr)
    failed = [row.split()[1] for row in done.stdout.splitlines() if row.startswith("FAILED")]
    assert ["decides", "outside"] == failed
    for text in (
        "outside: open 'notes.txt' while it is imported",
        "outside: import os (line 2)",
        "outside: os.listdir '.' while it is built",
        "outside: open 'notes.txt' in decide (first with: a young market)",
        "decides: ZeroDivisionError: division by zero (first with: no mid prices)",
    ):
        assert text in done.stdout


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("absent:Mine",), "cannot load absent:Mine: ModuleNotFoundError"),
        (("absent",), "write package.module:Class, such as absent:Momentum, not 'absent'"),
        (("./a/b.py:C",), "such as a.b:C, not"),
        (("json:JSONDecodr",), "json has no class JSONDecodr, did you mean JSONDecoder?"),
        (("json:JSONDecoder",), "has no nested msgspec struct Params"),
        (("absent:Mine", "--symbols", "BTC,BTCUSDT"), "a coin is there twice"),
        (("absent:Mine", "--symbols", "a b"), "--symbols: not a symbol"),
        (("absent:Mine", "--params", "[]"), "--params: "),
    ],
)
def test_wrong_use_is_one_line(arguments: tuple[str, ...], text: str) -> None:
    done = outcome_of(*arguments)
    assert (2, "") == (done.returncode, done.stdout)
    assert text in done.stderr
    assert 1 == done.stderr.count("\n")


@pytest.mark.process
def test_what_could_not_be_looked_at_is_not_called_good() -> None:
    """A strategy that cannot be built has shown nothing else."""
    run("new", "my_momentum")
    done = outcome_of("my_momentum:Momentum", "--params", '{"hour": 5}')
    lines = done.stdout.splitlines()
    assert (1, ["FAILED", *["-"] * (len(CHECKS) - 1)]) == (
        done.returncode,
        [row.split()[0] for row in lines[: len(CHECKS)]],
    )
    assert "my_momentum:Momentum has 1 problem:" in lines
    assert "  builds: strategy.params.hour: unknown key, did you mean hours?" in lines

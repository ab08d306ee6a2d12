"""Every command in the README and the documentation exists as it is written; what can run is run.

A block marked "```bash runnable" is carried out line by line in a folder of its own. Of all other
blocks programs, commands and options are looked up. Why they are not carried out is in `NOT_RUN`.
`curl` lines are in test_documented_calls.py.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OURS = (
    "virtual-exchange",
    "data-collector",
    "strategy-agent",
    "trader-manager",
    "portfolio-service",
    "hyperliquid-exchange",
)
NOT_RUN = {
    "serve": "goes on until it is stopped: the tests of its service start it",
    "watchdog": "likewise",
    "run": "likewise; tests/e2e runs agents of all kinds",
    "monitor": "needs a fleet: tests/e2e/test_operator_commands.py",
    "verify": "likewise, for the manager; of a store it is in a runnable block",
    "backfill": "asks a venue, which is not reached from here: tests/e2e has one of its own",
    "docker": "needs a container engine: make e2e-containers",
    "kubectl": "needs a cluster; tests/unit/repo/test_kubernetes.py renders the manifests",
    "make": "is what runs these tests; tests/unit/repo/test_make.py looks at its targets",
}


def _lines(text: str) -> Iterator[str]:
    """Commands of a block: joined lines, without comments and prompts."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = re.sub(r"\s+#\s.*$", "", line.strip())
        if plain and not plain.startswith("#"):
            yield plain


def _blocks() -> Iterator[tuple[Path, str, list[str]]]:
    for page in PAGES:
        for label, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            is_picture = "─" in text
            if label.startswith(("bash", "sh")) or (label == "" and not is_picture):
                yield page, label, list(_lines(text))


RUNNABLE = [
    pytest.param(lines, id=f"{page.name}-{number}")
    for number, (page, label, lines) in enumerate(_blocks())
    if label == "bash runnable"
]


def _split(line: str) -> list[str]:
    """Words of a command after variables; nothing where it is none of a shell."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return []
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        del words[0]
    return words


WRITTEN = sorted(
    {
        (str(page.relative_to(ROOT)), line)
        for page, _, lines in _blocks()
        for line in lines
        if (words := _split(line))
        and words[0].removeprefix(".venv/bin/") in {*OURS, "make", "docker", "kubectl"}
    }
)


@cache
def _program(name: str) -> Any:
    """The command line of a program, as its library sees it."""
    import typer.main

    (found,) = (one for one in entry_points(group="console_scripts") if one.name == name)
    module = __import__(found.module, fromlist=["cli"])
    return typer.main.get_command(module.cli)


def _check_ours(name: str, words: list[str]) -> None:
    command = _program(name)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands") or words[:1] in ([], ["--help"]), f"no command {words}"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    for word in words:
        if word in {"|", ">", "&&", "&", ";"}:
            break
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{name} has no {word}"


@pytest.mark.parametrize(("page", "line"), WRITTEN)
def test_documented_command_exists(page: str, line: str) -> None:
    words = _split(line)
    name = words.pop(0).removeprefix(".venv/bin/")
    if name in OURS:
        _check_ours(name, words)
    elif name == "make":
        targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        asked = [word for word in words if "=" not in word and not word.startswith("-")]
        assert set(asked) <= set(targets), page
    elif words[:1] == ["compose"]:
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        profiles = {one for service in services.values() for one in service["profiles"]}
        for flag, value in pairwise(words):
            assert flag != "--profile" or value in profiles
            assert flag != "--scale" or value.partition("=")[0] in services
    for word in words:
        if re.match(r"deploy/[\w./-]+$", word):
            written = word.removesuffix(".env") + ".env.example" if word.endswith(".env") else word
            assert (ROOT / written).exists() or word.startswith("deploy/live"), word


def test_there_are_blocks_to_run() -> None:
    assert len(RUNNABLE) >= 3
    assert len(WRITTEN) >= 20
    assert all(NOT_RUN.values())


@pytest.mark.parametrize("lines", RUNNABLE)
def test_runnable_block_runs(lines: list[str], tmp_path: Path) -> None:
    """In an empty folder, with the commands on the path and in `.venv/bin`."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in lines:
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", line],
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert 0 == done.returncode, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_notebook_draws_the_equity_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells one after the other, on a report of the engine."""
    notebook = json.loads((ROOT / "docs/notebooks/equity-curve.ipynb").read_text())
    assert all(not cell.get("outputs") for cell in notebook["cells"])
    bin_ = Path(sys.executable).parent
    coins = ["--symbols", "BTC,ETH,SOL"]
    market = [str(bin_ / "data-collector"), "generate", *coins, "--days", "2", "--data", "data"]
    traders = ["--traders", str(ROOT / "deploy/demo/traders.yaml"), "--out", "var/demo/report"]
    play = [str(bin_ / "virtual-exchange"), "backtest", "--data", "data", *coins, *traders]
    for command in (market, play):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=110)
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), space)
    assert len(space["figure"].data) == len(space["traders"]) >= 5
    assert float(space["curves"].iloc[0].min()) == pytest.approx(10_000)
    assert space["drawdown"].max().max() < 1

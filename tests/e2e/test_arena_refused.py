"""What `trader-manager arena` says of input that is wrong, and what it leaves behind: nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.arena import report_of, run_arena
from tests.support.parts import RULES, write_traders
from tests.support.stores import make_store

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

ABSENT = {"kind": "plugin:nowhere:Some"}
CHATTY = """
import os
import sys

from strategy_core.building import Params
from strategy_core.port import Decision, Needs

print("x" * 3_000_000)

class Chatty:
    class Params(Params, frozen=True, kw_only=True):
        pass

    def __init__(self, setup, params):
        self.needs = Needs()
        self.size = 1_500_000

    def decide(self, seen):
        print("y" * self.size)
        os.write(1, b"z" * self.size)
        print("w" * self.size, file=sys.stderr)
        self.size = 1
        return Decision()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_store(tmp_path / "data", "BTC", "ETH", minutes=1440)
    return tmp_path


def entry(trader_id: str, strategy: dict[str, Any], *coins: str, **more: Any) -> dict[str, Any]:
    row = {"trader_id": trader_id, "strategy": strategy, "symbols": coins or ("BTC",)}
    return row | more


def refused(folder: Path, *rows: dict[str, Any], options: tuple[str, ...] = ()) -> list[str]:
    """What is told of a file, line by line."""
    (folder / "traders.yaml").write_text(json.dumps({"traders": rows}))
    done = run_arena(folder, *options)
    assert 2 == done.returncode, done.stderr
    return [line for line in done.stderr.splitlines() if not line.startswith("arena: ")]


def test_a_coin_that_is_not_stored_is_a_mistake_of_the_user_with_its_place(folder: Path) -> None:
    stored = "no stored bars of XYZ; stored are BTC, ETH"
    lines = refused(folder, entry("a", RULES["hodl"], "BTC", "XYZ"))
    assert [f"trader-manager: traders[a].symbols[1]: {stored}"] == lines
    assert not (folder / "out").exists()
    lines = refused(folder, entry("a", RULES["hodl"]), options=("--symbols", "BTC,XYZ"))
    assert [f"trader-manager: {stored}"] == lines


def test_mistakes_of_file_plugins_and_market_are_told_together(folder: Path) -> None:
    """Also those of plugins whose entry is wrong in another way."""
    lines = refused(
        folder,
        entry("a", RULES["hodl"], foo=1),
        entry("b", ABSENT, bar=2),
        entry("c", ABSENT),
        entry("d", RULES["hodl"], "XYZ"),
    )
    expected = (
        "traders[a].foo: unknown key",
        "traders[b].bar: unknown key",
        "traders[b].strategy.kind: cannot load nowhere:Some",
        "traders[c].strategy.kind: cannot load nowhere:Some",
        "traders[d].symbols[0]: no stored bars of XYZ",
    )
    for text in expected:
        assert 1 == sum(line.startswith(text) for line in lines), lines
    assert "trader-manager: 5 problems" == lines[-1]
    assert not (folder / "out").exists()


def test_a_refused_run_leaves_what_was_kept_as_it_was(folder: Path) -> None:
    """The result, the plan and the parts of the run before."""
    write_traders(folder / "traders.yaml", {"hodl": RULES["hodl"]})
    assert 0 == run_arena(folder, "--no-baselines").returncode
    kept = {path: path.read_bytes() for path in folder.glob("out/**/*") if path.is_file()}
    refused(folder, entry("a", RULES["hodl"], foo=1), entry("b", RULES["flat"]))
    refused(folder, entry("a", RULES["hodl"], "XYZ"))
    assert kept == {path: path.read_bytes() for path in folder.glob("out/**/*") if path.is_file()}


@pytest.mark.parametrize("transport", ["inprocess", "http"])
def test_what_a_plugin_prints_disturbs_nobody(folder: Path, transport: str) -> None:
    """Lines of any length, when it is imported and while it decides."""
    (folder / "chatty.py").write_text(CHATTY)
    rows = [entry("own", {"kind": "plugin:chatty:Chatty"}), entry("b", RULES["hodl"])]
    (folder / "traders.yaml").write_text(json.dumps({"traders": rows}))
    done = run_arena(folder, "--no-baselines", "--transport", transport)
    assert 0 == done.returncode, done.stderr
    assert {"own", "b"} == set(report_of(folder)["result"]["traders"])
    assert "xxxx" not in done.stdout + done.stderr

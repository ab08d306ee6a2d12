"""From one trader to many: accounts and secrets of their own, and nothing written over."""

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from typer.testing import CliRunner

from suite.errors import BadRequest, ConfigError, Conflict
from trader_manager.cli import cli
from trader_manager.commands.migrate import plan, write

FLAT = "llm_model: m\napi_key: sk-'quoted'\\key\nsymbol: BTC,ETH\nname: Old\nvenue_key: 0xabc\n"
ONE = """
traders:
  - trader_id: old
    strategy: {kind: sma_cross, params: {fast: 3}}
    symbols: [BTC]
    account: shared
"""


def source(folder: Path, text: str, name: str = "single.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def traders(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(text)["traders"]
    return found


@pytest.mark.parametrize("name", ["single.yaml", ".env"])
def test_a_flat_entry_becomes_many_with_secrets_of_their_own(tmp_path: Path, name: str) -> None:
    env = "LLM_MODEL=m\nAPI_KEY=\"sk-'quoted'\\\\key\"\nSYMBOL=BTC,ETH\nVENUE_KEY=0xabc\n"
    move = plan(source(tmp_path, FLAT if name != ".env" else env, name), ["anna", "b-2"])
    first, second = traders(move.traders)
    assert ("anna", "anna", ["BTC", "ETH"]) == (
        first["trader_id"], first["account"], first["symbols"],
    )  # fmt: skip
    keys = [one["strategy"]["params"]["api_key"] for one in (first, second)]
    assert ["${ANNA_API_KEY}", "${B_2_API_KEY}"] == keys
    assert ("venue_key",) == move.left_out
    assert "sk-" not in move.traders
    write(move, traders=tmp_path / "many.yaml", env_file=tmp_path / "fleet.env")
    kept = tmp_path / "fleet.env"
    assert 0o600 == stat.S_IMODE(kept.stat().st_mode)
    assert {"ANNA_API_KEY": "sk-'quoted'\\key", "B_2_API_KEY": "sk-'quoted'\\key"} == dotenv_values(
        kept
    )


def test_a_file_of_one_trader_becomes_many_with_accounts_of_their_own(tmp_path: Path) -> None:
    move = plan(source(tmp_path, ONE), ["a", "b", "c"])
    assert ["a", "b", "c"] == [one["account"] for one in traders(move.traders)]
    assert ({}, ()) == (move.secrets, move.problems)
    write(move, traders=tmp_path / "many.yaml", env_file=tmp_path / "fleet.env")
    assert not (tmp_path / "fleet.env").exists()


def test_what_a_manager_would_say_of_the_new_file_is_told(tmp_path: Path) -> None:
    move = plan(source(tmp_path, "strategy: holdl\nsymbol: BTC"), ["a"])
    assert "'holdl'" in move.problems[0]


def test_the_forms_that_the_documentation_shows_are_taken(tmp_path: Path) -> None:
    """A name with a flat entry under it."""
    for text in (
        'trend: {strategy: sma_cross, params: {fast: 5}, symbol: "BTC,ETH"}',
        'model: {llm_model: some-model, api_key: "${MODEL_KEY}", symbol: BTC}',
    ):
        move = plan(source(tmp_path, text), ["anna", "bert"])
        assert ["anna", "bert"] == [one["trader_id"] for one in traders(move.traders)]


def test_a_file_that_is_not_in_order_is_told_by_the_exit_code(tmp_path: Path) -> None:
    path = source(tmp_path, "strategy: holdl\nsymbol: BTC")
    options = ["migrate", "--from", str(path), "--names", "a", "--out", str(tmp_path / "many.yaml")]
    for more in ([], ["--write"]):
        done = CliRunner().invoke(cli, [*options, *more])
        assert (1, True) == (done.exit_code, "not in order yet" in done.output)
    path.write_text("strategy: hodl\nsymbol: BTC")
    assert 0 == CliRunner().invoke(cli, options).exit_code


@pytest.mark.parametrize("there", ["many.yaml", "fleet.env"])
def test_what_is_there_is_never_written_over(tmp_path: Path, there: str) -> None:
    move = plan(source(tmp_path, FLAT), ["a"])
    (tmp_path / there).write_text("mine")
    with pytest.raises(Conflict, match=f"{there} is there already"):
        write(move, traders=tmp_path / "many.yaml", env_file=tmp_path / "fleet.env")
    assert {"single.yaml", there} == {path.name for path in tmp_path.iterdir()}
    assert "mine" == (tmp_path / there).read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("traders: []", "is not of one trader"),
        (ONE + "  - {trader_id: b}", "is not of one trader"),
        ("a: {strategy: hodl}\nb: {strategy: hodl}", "is not of one trader"),
        ("symbol: BTC", "names neither a strategy nor an llm_model"),
        ("- a", "holds no trader"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_source_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        plan(source(tmp_path, text), ["a"])


@pytest.mark.parametrize("names", [[], ["a", "a"], ["../a"], ["A"]])
def test_names_that_are_none_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(BadRequest):
        plan(source(tmp_path, ONE), names)

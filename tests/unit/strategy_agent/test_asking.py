"""Commands about prompts, templates and thoughts."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.scripted_model import ScriptedModel, decisions
from tests.unit.strategy_core.fake_venue import drive, spec_of
from tests.unit.strategy_core.llm.test_mind import LONG, mind_of, params_of, venue_of
from typer.testing import CliRunner

from strategy_agent.cli import cli
from strategy_core.journal import RunStart, journal_line
from strategy_core.port import Needs
from strategy_core.testkit.rehearsal import Rehearsal

RUN = CliRunner()
TRADERS = """
traders:
- trader_id: talker
  strategy: {kind: llm, params: {model: local/one, template: !file mine.prompt}}
  symbols: [BTC, ETH]
- trader_id: rule
  strategy: {kind: sma_cross}
  symbols: [BTC]
"""


def run(*words: str) -> tuple[int, str]:
    done = RUN.invoke(cli, words, standalone_mode=False)
    said = done.output if done.exception is None else f"{done.exception}"
    return done.exit_code, said


@pytest.fixture
def traders(tmp_path: Path) -> Path:
    file = tmp_path / "traders.yaml"
    file.write_text(TRADERS)
    code, said = run("template", "arena", "--write", str(tmp_path / "mine.prompt"))
    assert (0, True) == (code, "template: !file mine.prompt" in said)
    return file


def test_a_prompt_is_shown_as_the_model_would_get_it(traders: Path) -> None:
    """From the edited template, with positions and series; nothing is sent."""
    edited = traders.parent / "mine.prompt"
    edited.write_text(edited.read_text().replace("template: arena 1", "template: mine 7"))
    code, said = run("prompt", "--config", str(traders), "--trader", "talker")
    assert 0 == code
    assert "[system]\nYou trade perpetual futures of BTC, ETH" in said
    assert "asked because of: asked" in said
    assert "template mine 7 sha256:" in said
    again = run("prompt", "--config", str(traders), "--trader", "talker")
    assert said == again[1]


def test_a_template_with_an_unknown_variable_is_refused_by_its_name(traders: Path) -> None:
    """Before anything runs, with the line of the file and what was probably meant."""
    edited = traders.parent / "mine.prompt"
    edited.write_text(edited.read_text().replace("{{equity}}", "{{equty}}"))
    code, said = run("check", "--config", str(traders))
    assert 0 != code
    assert "has 1 problem" in said
    code, said = run("prompt", "--config", str(traders), "--trader", "talker")
    assert "line 4: traders[talker].strategy.params: unknown variable {{equty}}" in said
    assert "did you mean equity?" in said


def test_a_template_file_that_is_not_there_is_named_with_its_line(traders: Path) -> None:
    """And nothing of the environment gets into one."""
    edited = traders.parent / "mine.prompt"
    edited.write_text(edited.read_text() + "\n${HOME} is no secret")
    assert "${HOME} is no secret" in edited.read_text()
    assert 0 == run("prompt", "--config", str(traders), "--trader", "talker")[0]
    edited.unlink()
    _, said = run("prompt", "--config", str(traders), "--trader", "talker")
    assert "line 4: cannot read 'mine.prompt': No such file" in said


def snapshot_of(coin: str, folder: Path, **fields: Any) -> Path:
    """What `curl .../gpt-latest/BTC > btc.json` has saved."""
    world = Rehearsal(
        ("BTC", "ETH"), Needs(snapshots=("BTC", "ETH")), interval_ms=900_000, steps=9, seed=1
    )
    *_, (_, seen) = world.observations()
    told = msgspec.json.decode(msgspec.json.encode(seen.snapshots[coin[:3]]))
    file = folder / f"{coin.lower()}.json"
    file.write_text(json.dumps(told | {"symbol": coin} | fields))
    return file


def test_a_prompt_is_shown_on_snapshots_that_were_saved(traders: Path) -> None:
    """Their prices and the trader's own money; a venue's other spelling is known."""
    files = [snapshot_of(name, traders.parent) for name in ("BTCUSDT", "ETH")]
    words = [word for file in files for word in ("--snapshot", str(file))]
    code, said = run("prompt", "--config", str(traders), "--trader", "talker", *words)
    assert 0 == code, said
    assert "### BTC" in said
    assert "### ETH" in said
    told = json.loads(files[0].read_text())["common_info"]["ticker"]["last_price"]
    assert f"{told:.6g}"[:5] in said
    assert "10000" in said


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"symbol": "SOL"}, "there is no snapshot of BTC"),
        ({"as_of_ms": "soon"}, "as_of_ms a number"),
        ({"intervals_data": []}, "intervals_data an object"),
        ({"intervals_data": {"15": {}}}, "intervals_data.15 has no list of bars"),
        ({"intervals_data": {"15": {"bars": []}}}, "not as /gpt-latest answers"),
        ({"common_info": {}, "intervals_data": {}}, "holds no price"),
    ],
)
def test_what_is_no_snapshot_is_told_in_one_line(
    traders: Path, fields: dict[str, Any], says: str
) -> None:
    btc, eth = snapshot_of("BTC", traders.parent, **fields), snapshot_of("ETH", traders.parent)
    words = ("--snapshot", str(btc), "--snapshot", str(eth))
    code, said = run("prompt", "--config", str(traders), "--trader", "talker", *words)
    assert code
    assert says in said
    assert "\n" not in said.strip()


@pytest.mark.parametrize("text", ["", "[1]", "{}", "{", "\ud800"])
def test_a_file_that_is_no_snapshot_is_named(traders: Path, text: str) -> None:
    file = traders.parent / "odd.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    code, said = run(
        "prompt", "--config", str(traders), "--trader", "talker", "--snapshot", str(file)
    )
    assert code
    assert "odd.json" in said


def test_two_templates_are_told_apart_line_by_line(traders: Path) -> None:
    mine = traders.parent / "mine.prompt"
    assert (0, "") == run("template", "arena", "--diff", str(mine))
    mine.write_text(mine.read_text().replace("template: arena 1", "template: mine 7"))
    code, said = run("template", "arena", "--diff", str(mine))
    assert 0 == code
    assert ["-template: arena 1", "+template: mine 7"] == [
        line for line in said.splitlines() if line[:2] in {"-t", "+t"}
    ]
    mine.write_text(mine.read_text().replace("{{equity}}", "{{equty}}"))
    code, said = run("template", "arena", "--diff", str(mine))
    assert code
    assert "equty" in said


def test_who_asks_no_model_has_no_prompt(traders: Path) -> None:
    """In one line."""
    _, said = run("prompt", "--config", str(traders), "--trader", "rule")
    assert "trader rule asks no model: its kind is sma_cross" == said


def test_templates_are_listed_with_their_variables() -> None:
    """Each with what it means; one that is not there is refused."""
    _, said = run("template")
    assert "arena 1 sha256:" in said
    assert "{{equity}}: account value, USD" in said
    assert "no template nope; there are arena, short" == run("template", "nope")[1]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """What a trader leaves behind that entered once and whose position was closed later."""
    model = ScriptedModel([decisions(LONG | {"leverage": None}), "prose", decisions(), "[]"])
    mind = mind_of(model, heartbeat="1h")
    venue = venue_of(9)
    told = drive(venue, spec_of("llm", params=params_of({})), strategy=mind)
    file = tmp_path / "t.jsonl"
    start = RunStart(trader_id="t", kind="llm", venue="backtest")
    lines = [journal_line("run", start)]
    lines += [journal_line("decision", record) for record in told.records]
    file.write_bytes(b"".join(lines))
    return file


def test_calls_saved_are_told(journal: Path) -> None:
    """Beside what caused the calls, what was wrong with answers, and the money."""
    code, said = run("thoughts", str(journal))
    assert 0 == code
    assert "saved against asking at each look" in said
    assert "  start" in said
    assert "  no_json" in said
    assert "asked a second time" in said
    assert "nobody says when the model's training ended" in said
    assert "cost, USD" in said


def test_each_question_is_told_in_a_line(journal: Path) -> None:
    """When, to whom, why, what was decided and what was allowed."""
    code, said = run("thoughts", str(journal), "--decisions")
    assert 0 == code
    first, second, *_ = said.splitlines()
    assert "2025-05-05        t, start: BTC buy_to_enter: up [1 accepted]" == first
    assert second.endswith(': 1 flaws, first no_json: there is no JSON in "prose"')


def test_the_story_of_a_fill_is_told_from_the_bar_to_the_money(journal: Path) -> None:
    """Bars, prompt, reply, verdicts, order, fill, outcome, and who made what of it."""
    _, said = run("thoughts", str(journal), "--fill", "1")
    for part in (
        "fill 1 of", "bar seen: BTC 15m", "prompt:", "### BTC", "reply:", '"buy_to_enter"',
        "verdict on action 0: accepted", "order: {", "fill: 19.90049 at 100.5",
        "counterfactual: BTC: asked buy 19.90049", "outcome: closed by",
        "what the model asked: 19.90049", "what the guards let through", "what execution cost",
    ):  # fmt: skip
        assert part in said
    assert "not one 99" in run("thoughts", str(journal), "--fill", "99")[1]


def test_trajectories_are_exported_as_lines_of_json(journal: Path, tmp_path: Path) -> None:
    """With messages as models are trained with them."""
    out = tmp_path / "out.jsonl"
    code, said = run("thoughts", str(journal), "--export", str(out))
    assert 0 == code
    rows: list[dict[str, Any]] = [json.loads(line) for line in out.read_text().splitlines()]
    assert f"{out}: {len(rows)} questions" == said.strip()
    assert ["system", "user", "assistant"] == [one["role"] for one in rows[0]["messages"]]
    again = next(row for row in rows if len(row["messages"]) > 3)
    assert ["system", "user", "assistant", "user", "assistant"] == [
        one["role"] for one in again["messages"]
    ]
    assert Decimal(rows[0]["llm_cost_usd"]) > 0
    assert rows[0]["equity_next"] == rows[1]["equity"]


def test_a_journal_without_thoughts_says_so(tmp_path: Path) -> None:
    """In one line."""
    file = tmp_path / "t.jsonl"
    file.write_bytes(journal_line("run", RunStart(trader_id="t", kind="flat", venue="x")))
    assert f"{file} holds no question to a model" == run("thoughts", str(file))[1]

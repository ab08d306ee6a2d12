"""`strategy-agent models`: list, promote, rollback, attest."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.strategy_core.learning.worlds import LABEL, QUICK, drawn_events
from typer.testing import CliRunner

from strategy_agent.cli import cli
from strategy_core.learning.rules import LabelRules
from strategy_core.learning.training import Circumstances, Trained, train
from strategy_core.learning.walkforward import Trial, evaluate
from suite.bars import DAY_MS, MINUTE_MS
from suite.errors import SuiteError
from suite.service.shelves import FolderShelf
from suite.service.store_files import LocalFiles


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def said(*words: str | Path, code: int = 0) -> str:
    """Run a command; what it says, an error included."""
    done = CliRunner().invoke(cli, [*map(str, words)], standalone_mode=False)
    if isinstance(done.exception, SuiteError):
        assert code == 2
        return str(done.exception)
    assert code == (done.return_value or 0), done.output
    return done.output


def kept_model(folder: Path, *, seed: int = 1) -> str:
    """Put a trained model where traders may name it; its name."""
    events = drawn_events(3000, edge=0.8, seed=seed)
    asked = Circumstances(MINUTE_MS, LABEL, QUICK, int(events.end_ms.max()) + DAY_MS)
    found = train(events, asked)
    assert isinstance(found, Trained)
    for name, content in found.files.items():
        LocalFiles(folder / "var" / "models").write(f"{found.meta.model_id}/{name}", content)
    return found.meta.model_id


def test_where_there_is_no_model_is_said() -> None:
    assert (
        "no model in var/models: `strategy-agent train` makes one" == said("models", "list").strip()
    )


def test_models_are_listed_chosen_and_taken_back(tmp_path: Path) -> None:
    first, second = kept_model(tmp_path), kept_model(tmp_path, seed=2)
    listed = said("models", "list")
    assert 2 == listed.count("paper only: it has not been evaluated")
    trader = ("--trader", "ict")
    assert "there is none to go back to" in said("models", "rollback", *trader, code=2)
    said("models", "promote", first, *trader)
    said("models", "promote", second, *trader, "--reason", "newer")
    told = said("models", "rollback", *trader)
    assert f"{first} is in use for ict from its next start on, in place of {second}" in told
    kept = FolderShelf(tmp_path / "var" / "models" / "live" / "ict")
    assert [first, second] == [name for name, _ in kept.models()]
    verdicts = [msgspec.json.decode(line)["verdict"] for line in kept.attempts()]
    assert ["chosen", "chosen", "rolled back"] == verdicts
    listed = said("models", "list")
    assert f"live/ict{'':16} {first:20} in use" in listed
    assert f"{second:20} chosen: newer" in listed
    broken = tmp_path / "var" / "models" / second / "model.ubj"
    broken.write_bytes(b"x")
    (tmp_path / "var" / "models" / "live" / "ict" / second / "model.ubj").write_bytes(b"x")
    told = said("models", "rollback", *trader, code=2)
    assert "model.ubj is damaged" in told
    assert first == kept.models()[0][0]


def test_evaluation_is_noted_in_the_entry_of_its_model(tmp_path: Path) -> None:
    name = kept_model(tmp_path)
    events = drawn_events(3000)
    trial = Trial("one", events, MINUTE_MS, LabelRules(stop_atr=3.0), QUICK)
    file = tmp_path / "evaluation.json"
    file.write_bytes(msgspec.json.encode(evaluate([trial], volatility={})))
    told = said("models", "attest", name, "--evaluation", file, code=1)
    assert "not met  trades" in told
    assert f"{name} may not risk real money: its evaluation was of other labels" in told
    assert "of other labels" in said("models", "list")
    found = msgspec.json.decode(file.read_bytes())
    meta = msgspec.json.decode((tmp_path / "var" / "models" / name / "meta.json").read_bytes())
    same = ("schema_hash", "interval_ms", "label", "training", "coins")
    found["subject"] |= {one: meta[one] for one in same} | {"synthetic": False}
    file.write_bytes(msgspec.json.encode(found))
    told = said("models", "attest", name, "--evaluation", file, code=1)
    assert "its evaluation found no edge (not met: " in told
    conditions = [[name, True, text] for name, _, text in found["evidence"]["conditions"]]
    found["evidence"] = {"passed": True, "conditions": conditions}
    file.write_bytes(msgspec.json.encode(found))
    said("models", "promote", name, "--trader", "ict")
    words = ("models", "attest", name, "--trader", "ict", "--evaluation", file)
    assert f"{name} may risk real money" in said(*words)
    assert "live/ict" in said("models", "list").split("may risk real money")[0]
    file.write_bytes(b"{}")
    assert "is no evaluation of" in said(*words, code=2)

"""What is gathered for a trader: real models on disk, settings, a venue that is away."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.model_server import ModelServer, error, serving
from tests.unit.strategy_agent.test_model_registry import kept_model
from tests.unit.strategy_core.learning.worlds import LABEL, QUICK

from strategy_agent.preflighting import Preflight
from strategy_agent.settings import Settings
from strategy_core.learning.evidence import EVIDENCE, Evidence, Subject, attest
from suite.checklist import Line
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.errors import ConfigError
from suite.service.store_files import LocalFiles

HOLD = '{"decisions": [{"coin": "BTC", "signal": "hold"}], "notes": []}'


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without settings, and a venue that is away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRADING_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STRATEGY_AGENT_CONNECT_WINDOW_S", "0")


def lines_of(spec: TraderSpec, **given: Any) -> dict[int, Line]:
    async def look() -> list[Line]:
        found = Preflight(
            Settings.load(), config=Path("t.yaml"), **({"report": None, "journal": None} | given)
        )
        return await found.lines_of(spec)

    return {line.number: line for line in asyncio.run(look())}


def trader(kind: str, *, interval: str = "15m", **params: Any) -> TraderSpec:
    return TraderSpec(
        trader_id="anna",
        strategy=StrategySpec(kind=kind, params=params),
        symbols=("BTC",),
        interval=interval,
    )


def learner(model: str) -> TraderSpec:
    label, learning = msgspec.to_builtins(LABEL), msgspec.to_builtins(QUICK)
    return trader("ict_xgboost", interval="1m", model=model, label=label, learning=learning)


def attested(name: str) -> None:
    """Note that the evaluation of a model's rules has found an edge."""
    folder = Path("var") / "models" / name
    meta = msgspec.json.decode((folder / "meta.json").read_bytes())
    same = {one: meta[one] for one in ("schema_hash", "interval_ms", "label", "training", "coins")}
    subject = msgspec.convert(
        same | {"synthetic": False, "data_digest": "d", "start_ms": 0, "end_ms": 1}, Subject
    )
    evidence = Evidence(passed=True, conditions=(("trades", True, "enough"),))
    LocalFiles(folder).write(EVIDENCE, attest(subject, evidence))


def test_all_lines_are_there_without_a_venue() -> None:
    """It is missed where it is needed alone."""
    lines = lines_of(trader("sma_cross"), report=Path("none"), journal=Path("none"))
    assert [42, 43, 44, 45, 46] == list(lines)
    assert "cannot reach the venue" in lines[42].reason
    assert "cannot read none" in lines[43].reason
    assert "cannot read none" in lines[44].reason
    assert ["FAIL", "FAIL", "FAIL", "PASS", "PASS"] == [line.status for line in lines.values()]


def test_without_an_address_there_is_nothing_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADING_URL")
    with pytest.raises(ConfigError, match="TRADING_URL is not set"):
        lines_of(trader("sma_cross"))


def test_learned_model_needs_its_evidence_for_real_money(tmp_path: Path) -> None:
    """The rule that lets it open: evaluated, of these rules, and whole."""
    name = kept_model(tmp_path)
    line = lines_of(learner(name))[45]
    assert "FAIL" == line.status
    assert f"PAPER_ONLY: {name}: it has not been evaluated" in line.reason
    attested(name)
    line = lines_of(learner(name))[45]
    assert ("PASS", True) == (line.status, line.reason.endswith("evidence fits")), line
    (tmp_path / "var" / "models" / name / "model.ubj").write_bytes(b"x")
    line = lines_of(learner(name))[45]
    assert "FAIL" == line.status
    assert "NO_MODEL" in line.reason
    assert "FAIL" == lines_of(learner("m-none"))[45].status


def test_override_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = kept_model(tmp_path)
    monkeypatch.setenv("TRADE_WITHOUT_EVIDENCE", name)
    line = lines_of(learner(name))[45]
    assert "WARN" == line.status
    assert "TRADE_WITHOUT_EVIDENCE names it" in line.reason


@pytest.fixture
def server() -> Any:
    with serving() as told:
        yield told


def test_each_model_of_a_trader_is_asked_once(server: ModelServer) -> None:
    """The cheaper ones too, and those of the roles of a meeting; with the trader's own rules."""
    server.text = HOLD
    asks: dict[str, Any] = {"model": "first", "cheaper": ("second",), "base_url": server.url}
    line = lines_of(trader("llm", **asks))[45]
    assert "PASS" == line.status, line
    assert ["first", "second"] == [body["model"] for body in server.bodies]
    system, question = server.bodies[0]["messages"]
    assert "You trade perpetual futures of BTC" in system["content"]
    assert "This is a check of the connection" in question["content"]
    server.bodies.clear()
    line = lines_of(trader("llm_meeting", **asks, roles={"risk_manager": "third"}))[45]
    assert "PASS" == line.status, line
    assert {"first", "second", "third"} == {body["model"] for body in server.bodies}
    assert 3 == len(server.bodies)


def test_model_that_does_not_hold_fails(server: ModelServer) -> None:
    asks: dict[str, Any] = {"model": "first", "base_url": server.url}
    server.text = HOLD.replace("hold", "close")
    assert "answered close BTC" in lines_of(trader("llm", **asks))[45].reason
    server.does(error(401, "no such key"))
    line = lines_of(trader("llm", **asks))[45]
    assert "FAIL" == line.status
    assert "key_refused" in line.reason


def test_question_is_paid_from_the_budget(server: ModelServer, tmp_path: Path) -> None:
    """Reserved before it is asked: with nothing left it is not, and the next start knows of it."""
    server.text = HOLD
    (tmp_path / "providers.yaml").write_text(
        f"providers:\n  mine: {{base_url: '{server.url}'}}\n"
        "prices:\n  mine/dear: {input: 1000, output: 1000}\n"
    )
    spec = trader("llm", model="mine/dear", max_output_tokens=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLM_PROVIDERS_FILE", "providers.yaml")
        rich = msgspec.structs.replace(spec, budget={"usd_per_day": 5})
        line = lines_of(rich)[45]
        assert "PASS" == line.status, line
        assert "cost 0.11 USD" in line.reason
        poor = msgspec.structs.replace(spec, budget={"usd_per_day": "0.12"})
        asked = len(server.bodies)
        line = lines_of(poor)[45]
        assert "FAIL" == line.status
        assert "has spent 0.11" in line.reason
        assert asked == len(server.bodies)

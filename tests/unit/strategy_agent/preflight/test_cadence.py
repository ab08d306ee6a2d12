"""46: decisions that outlive their interval, and settings that cannot be kept."""

from typing import Any

import pytest

from strategy_agent.application.preflight.cadence import check_cadence
from strategy_core.llm.params import LlmParams
from strategy_core.port import Needs
from strategy_core.registry import KINDS, read_params
from suite.contracts.trader import StrategySpec, TraderSpec

NEEDS = Needs(snapshots=("BTC",), intervals=("15", "240"))


def spec(interval: str = "15m", kind: str = "llm") -> TraderSpec:
    return TraderSpec(
        trader_id="anna",
        strategy=StrategySpec(kind=kind, params={}),
        symbols=("BTC",),
        interval=interval,
    )


def params(**told: Any) -> LlmParams:
    found, problems = read_params(KINDS["llm"], {"model": "openai/x", **told})
    assert isinstance(found, LlmParams), problems
    return found


def test_usual_settings_pass() -> None:
    line = check_cadence(spec(), NEEDS, params())
    assert ("PASS", 46) == (line.status, line.number), line
    assert "decides every 15m on bars of 15 min, 240 min, asks every 4h" in line.reason
    assert "an answer opens something for 120 s, an entry rests for 240 min" in line.reason


def test_answer_that_outlives_its_interval_fails() -> None:
    line = check_cadence(spec("1m"), NEEDS, params())
    assert "FAIL" == line.status
    assert "late_s: an answer may open something 120 s after its question" in line.reason
    assert "PASS" == check_cadence(spec("1m"), NEEDS, params(late_s=59.0)).status


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"heartbeat": "5m"}, "heartbeat: 5m cannot be kept"),
        ({"quiet_minutes": 240}, "quiet_minutes: 240 leave no room"),
        ({"short": "1d"}, "short: no bar of 1d closes between two questions, 4h apart"),
        ({"valid_minutes": 241}, "valid_minutes: an entry rests for 241 min, longer than the 4h"),
        ({"late_s": 20.0}, "timeout_s: an answer that takes 30 s opens nothing"),
    ],
)
def test_what_cannot_be_kept_is_a_warning(told: dict[str, Any], said: str) -> None:
    line = check_cadence(spec(), NEEDS, params(**told))
    assert "WARN" == line.status, line
    assert said in line.reason


def test_strategy_of_rules_is_judged_by_its_bars() -> None:
    """Of bars that are gone before it looks it never learns."""
    minutes = Needs(snapshots=("BTC",), intervals=("1",), bars=50)
    assert "PASS" == check_cadence(spec("30m", "sma_cross"), minutes, None).status
    line = check_cadence(spec("1h", "sma_cross"), minutes, None)
    assert "WARN" == line.status
    assert "only the last 50 bars of 1 min are shown" in line.reason
    assert "PASS" == check_cadence(spec("1d", "hodl"), Needs(), None).status

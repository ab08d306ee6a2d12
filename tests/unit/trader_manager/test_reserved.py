"""What of the manager's environment is an agent's, and what is nobody's but the suite's."""

from pathlib import Path

import pytest
from pydantic import SecretStr

import strategy_models.settings
from suite.service.settings import known_names
from trader_manager.adapters.local_processes.kept import environment_of, passed_on
from trader_manager.application.runtime import Launch
from trader_manager.domain.reserved import agent_settings

TOKENS = ("STRATEGY_AGENT_CONTROL_TOKEN", "strategy_agent_control_token")
PLACES = ("STRATEGY_AGENT_HOST", "STRATEGY_AGENT_PORT", "STRATEGY_AGENT_CONTROL_URL")


def test_agents_take_over_settings_but_no_token_and_no_address() -> None:
    env = dict.fromkeys((*TOKENS, *PLACES, "STRATEGY_AGENT_RETRY_WINDOW_S", "OTHER"), "x")
    assert {"STRATEGY_AGENT_RETRY_WINDOW_S": "x"} == agent_settings(env)


def test_every_setting_of_models_is_an_agent_s_too_and_no_key() -> None:
    names = [name.upper() for name in known_names(strategy_models.settings.Settings)]
    assert names == list(agent_settings(dict.fromkeys((*names, "LLM_API_KEY"), "x")))


def test_agents_share_one_ledger_and_cassette(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLM_CASSETTE", "run.jsonl")
    monkeypatch.setenv("LLM_PROVIDERS_FILE", "")
    seen = passed_on()
    assert str(tmp_path / "var" / "models" / "spent.sqlite") == seen["LLM_LEDGER"]
    assert str(tmp_path / "run.jsonl") == seen["LLM_CASSETTE"]
    assert str(tmp_path) == seen["STRATEGY_AGENT_PLUGIN_DIR"]
    assert "LLM_PROVIDERS_FILE" not in seen


def test_a_process_sees_its_own_secrets_and_no_token_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (*TOKENS, "DATABASE_URL", "MODEL_KEY_OF_ANOTHER"):
        monkeypatch.setenv(name, "secret of others")
    launch = Launch(
        trader_id="a", written={}, generation=1, venue_url="http://v", data_url="http://d"
    )
    seen = environment_of(launch, {"MODEL_KEY": SecretStr("mine")})
    assert "mine" == seen["MODEL_KEY"]
    assert "secret of others" not in seen.values()

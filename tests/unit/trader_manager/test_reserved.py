"""What of the manager's environment is an agent's, and what is nobody's but the suite's."""

import pytest
from pydantic import SecretStr

from trader_manager.adapters.local_processes.kept import environment_of
from trader_manager.application.runtime import Launch
from trader_manager.domain.reserved import agent_settings

TOKENS = ("STRATEGY_AGENT_CONTROL_TOKEN", "strategy_agent_control_token")
PLACES = ("STRATEGY_AGENT_HOST", "STRATEGY_AGENT_PORT", "STRATEGY_AGENT_CONTROL_URL")


def test_agents_take_over_settings_but_no_token_and_no_address() -> None:
    env = dict.fromkeys((*TOKENS, *PLACES, "STRATEGY_AGENT_RETRY_WINDOW_S", "OTHER"), "x")
    assert {"STRATEGY_AGENT_RETRY_WINDOW_S": "x"} == agent_settings(env)


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

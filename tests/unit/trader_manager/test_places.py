"""Which runtimes there are, by the settings."""

from typing import Any

import pytest

from suite.errors import ConfigError
from suite.service.clock import SystemClock
from trader_manager import places
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.local_processes import LocalProcesses
from trader_manager.application.runtime import Runtime
from trader_manager.places import Places, open_places
from trader_manager.settings import Settings


async def opened(**settings: Any) -> Places:
    agents = AgentHttp()
    claims: Runtime = LocalProcesses(Settings.load().state_dir, SystemClock())
    made = open_places(Settings.load(**settings), agents, SystemClock(), claims)
    await made.close()
    await agents.close()
    return made


async def test_containers_and_pods_are_there_where_an_image_is_named() -> None:
    """Nothing is asked of an engine or a cluster for it."""
    assert ["process", "fleet", "replicas"] == list((await opened()).runtimes)
    both = await opened(docker_image="agent:1", kubernetes_image="agent:1", runtime="docker")
    assert {"process", "fleet", "replicas", "docker", "kubernetes"} == set(both.runtimes)


async def test_a_usual_runtime_that_there_is_not_is_refused() -> None:
    """By the names of those that there are."""
    with pytest.raises(ConfigError, match=r"no runtime 'docker'; there are process, fleet"):
        await opened(runtime="docker")


async def test_a_client_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the way to it."""
    monkeypatch.setattr(places, "find_spec", lambda _: None)
    for name in ("docker", "kubernetes"):
        with pytest.raises(ConfigError, match=rf"pip install 'trader-manager\[{name}\]'"):
            await opened(**{f"{name}_image": "agent:1"})

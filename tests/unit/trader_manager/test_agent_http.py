"""What processes say of their traders, and what stands in their place."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from suite.errors import NotFound, UpstreamRefused
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.application.runtime import Sighting

THERE = Sighting(actual="running", control_url="http://agent")


@pytest.fixture
async def agents() -> AsyncIterator[AgentHttp]:
    made = AgentHttp()
    yield made
    await made.close()


async def answering(agents: AgentHttp, answer: Any) -> None:
    """Put a server that says one thing in the place of the process."""
    await agents.close()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    agents._client = httpx.AsyncClient(transport=transport)


async def test_the_row_of_a_trader_is_found(agents: AgentHttp) -> None:
    """Among those of its process."""
    rows = [{"trader_id": "b"}, {"trader_id": "a", "state": "failed"}]
    await answering(agents, {"traders": rows})
    assert "failed" == (await agents.status("a", THERE))["state"]
    with pytest.raises(NotFound, match="does not know it"):
        await agents.status("c", THERE)


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"traders": 3}, {"traders": {"a": {}}}])
async def test_what_is_no_agent_is_told(agents: AgentHttp, answer: Any) -> None:
    """Somebody else may have its port by now."""
    await answering(agents, answer)
    with pytest.raises(UpstreamRefused, match="a does not answer as a strategy-agent does"):
        await agents.status("a", THERE)

"""Running traders through the control APIs of their processes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import msgspec

from suite.errors import (
    BadRequest,
    Conflict,
    NotFound,
    SuiteError,
    Unauthorized,
    UpstreamRefused,
    UpstreamUnavailable,
    one_line,
)
from suite.service.http import bearer
from trader_manager.application.agents import Command
from trader_manager.application.runtime import Sighting

_TIMEOUT_S: Final = 15.0
_FAULTS: Final[Mapping[int, type[SuiteError]]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    422: BadRequest,
}


class AgentHttp:
    """An `AgentControl` over HTTP."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(_TIMEOUT_S, connect=2.0),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def status(self, trader_id: str, sighting: Sighting) -> Mapping[str, Any]:
        """Read the row of one trader in the status of its process."""
        answer = await self._ask("GET", "/status", trader_id, sighting)
        rows = answer.get("traders") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise _not_an_agent(trader_id)
        for row in rows:
            if isinstance(row, dict) and row.get("trader_id") == trader_id:
                return row
        raise NotFound(f"the process of {trader_id} does not know it")

    async def decisions(
        self, trader_id: str, sighting: Sighting, *, limit: int, before: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Read its decisions, newest first."""
        query = {"limit": str(limit), "instance": trader_id}
        if before is not None:
            query["before"] = str(before)
        answer = await self._ask("GET", "/decisions", trader_id, sighting, params=query)
        found: Sequence[Mapping[str, Any]] = answer["decisions"]
        return found

    async def tell(
        self, trader_id: str, sighting: Sighting, command: Command, *, reason: str
    ) -> Mapping[str, Any]:
        """Give a command; the answer is what became of it."""
        body = {"instance": trader_id, "reason": reason}
        answer: Mapping[str, Any] = await self._ask(
            "POST", f"/{command}", trader_id, sighting, json=body
        )
        return answer

    async def _ask(
        self, method: str, path: str, trader_id: str, sighting: Sighting, **more: Any
    ) -> Any:
        if not sighting.control_url:
            raise UpstreamUnavailable(f"{trader_id} does not run, or does not answer yet")
        headers = bearer(sighting.control_token.get_secret_value())
        try:
            reply = await self._client.request(
                method, sighting.control_url + path, headers=headers, **more
            )
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(
                f"{trader_id} does not answer: {type(error).__name__}"
            ) from None
        if reply.is_error:
            fault = _FAULTS.get(reply.status_code, UpstreamRefused)
            raise fault(f"{trader_id}: {one_line(reply.text)}")
        try:
            return msgspec.json.decode(reply.content)
        except msgspec.DecodeError:
            raise _not_an_agent(trader_id) from None


def _not_an_agent(trader_id: str) -> UpstreamRefused:
    return UpstreamRefused(f"{trader_id} does not answer as a strategy-agent does")

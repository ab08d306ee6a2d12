"""The trader-manager, as an agent that claims traders sees it."""

from collections.abc import Sequence
from typing import Any, Final

import httpx
import msgspec

from strategy_agent.application.claiming import Claimed, Renewed
from suite.errors import UpstreamRefused, UpstreamUnavailable, one_line
from suite.service.http import admin_client, shown
from suite.service.statuses import fault_of

_TIMEOUT_S: Final = 60.0
"""A claim may have to wait for an account to be opened."""


class _Claimed(msgspec.Struct, frozen=True, kw_only=True):
    trader_id: str
    entry: dict[str, Any]
    generation: int
    fence: int
    ttl_ms: int
    trading_url: str
    data_service_url: str
    token: str
    seed: int
    decided: int


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    claim: _Claimed | None


class _Renewed(msgspec.Struct, frozen=True, kw_only=True):
    desired: str
    generation: int
    ttl_ms: int


class ManagerHttp:
    """A `Manager` over HTTP.

    Args:
        url: of the trader-manager.
        token: of its scope `claim`.
        control_url: where this process takes commands, as the manager can reach it.
        control_token: for the writes there.
    """

    def __init__(self, url: str, *, token: str, control_url: str, control_token: str) -> None:
        self._url = url
        self._client = admin_client(url, token=token, timeout_s=_TIMEOUT_S)
        self._control = {"control_url": control_url, "control_token": control_token}

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def claim(self, place: str, *, passed_over: Sequence[str]) -> Claimed | None:
        """`POST /claims`."""
        body = {"holder": place, "passed_over": list(passed_over), **self._control}
        told = (await self._ask("POST", "/claims", _Answer, json=body)).claim
        if told is None:
            return None
        fields = msgspec.structs.asdict(told)
        return Claimed(ttl_s=fields.pop("ttl_ms") / 1000, **fields)

    async def renew(self, claimed: Claimed, place: str) -> Renewed:
        """`POST /claims/{trader}/renew`."""
        body = {
            "holder": place,
            "fence": claimed.fence,
            "generation": claimed.generation,
            **self._control,
        }
        path = f"/claims/{claimed.trader_id}/renew"
        told = await self._ask("POST", path, _Renewed, json=body)
        return Renewed(desired=told.desired, generation=told.generation, ttl_s=told.ttl_ms / 1000)

    async def release(self, claimed: Claimed, place: str, *, reason: str) -> None:
        """`DELETE /claims/{trader}`."""
        query = {"holder": place, "fence": str(claimed.fence), "reason": reason[:500]}
        await self._ask("DELETE", f"/claims/{claimed.trader_id}", dict[str, Any], params=query)

    async def _ask(self, method: str, path: str, kind: Any, **more: Any) -> Any:
        where = f"the trader-manager at {shown(self._url)}"
        try:
            reply = await self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(f"{where} does not answer: {type(error).__name__}") from None
        if reply.is_error:
            said = f"{where} answered {reply.status_code}: {one_line(reply.text)}"
            raise fault_of(reply.status_code)(said)
        try:
            return msgspec.json.decode(reply.content, type=kind)
        except msgspec.DecodeError as error:
            raise UpstreamRefused(f"{where} does not answer as one does: {error}") from None

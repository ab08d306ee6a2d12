"""The trader-manager, as an agent that claims traders sees it."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

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
        control_url: tells where this process takes commands, as the manager can reach it. Asked
            each time: a machine may come to another address.
        control_token: for the writes there.
    """

    def __init__(
        self, url: str, *, token: str, control_url: Callable[[], str], control_token: str
    ) -> None:
        self._url = url
        self._client = admin_client(url, token=token, timeout_s=_TIMEOUT_S)
        self._control_url, self._control_token = control_url, control_token

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def claim(self, place: str, *, passed_over: Sequence[str]) -> Claimed | None:
        """`POST /claims`."""
        body = {"holder": place, "passed_over": list(passed_over), **await self._control()}
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
            **await self._control(),
        }
        path = f"/claims/{claimed.trader_id}/renew"
        told = await self._ask("POST", path, _Renewed, json=body)
        return Renewed(desired=told.desired, generation=told.generation, ttl_s=told.ttl_ms / 1000)

    async def release(self, claimed: Claimed, place: str, *, reason: str) -> None:
        """`DELETE /claims/{trader}`."""
        query = {"holder": place, "fence": str(claimed.fence), "reason": reason[:500]}
        await self._ask("DELETE", f"/claims/{claimed.trader_id}", dict[str, Any], params=query)

    async def _control(self) -> dict[str, str]:
        try:
            url = await asyncio.to_thread(self._control_url)
        except OSError as error:
            where = f"the trader-manager at {shown(self._url)}"
            raise UpstreamUnavailable(f"no way to {where}: {error.strerror}") from None
        return {"control_url": url, "control_token": self._control_token}

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


def own_address(url: str) -> str:
    """Tell the address that this machine reaches another one by; nothing is sent.

    Args:
        url: of a service there.

    Returns:
        As the host of a URL.

    Raises:
        OSError: its name is not known, or no way leads there.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)
    family, kind, _, _, there = found[0]
    with socket.socket(family, kind) as probe:
        probe.connect(there)
        address: str = probe.getsockname()[0]
    return f"[{address}]" if family is socket.AF_INET6 else address

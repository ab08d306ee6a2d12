"""Running traders through the control APIs of their processes."""

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

import httpx
import msgspec

from suite.errors import (
    Conflict,
    NotFound,
    SuiteError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    one_line,
    trouble_of,
)
from suite.service.http import bearer
from suite.service.statuses import fault_of
from trader_manager.application.agents import Command, Decided
from trader_manager.application.runtime import Launch, Sighting
from trader_manager.domain.peers import is_forbidden

T = TypeVar("T")
_Object = dict[str, Any]
_TIMEOUT_S: Final = 15.0
_DECISION_S: Final = 150.0
"""How long a decision is waited for: those of language models take minutes."""
_NOT_SENT: Final = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol),
    *(httpx.InvalidURL, ValueError, ExceptionGroup),
)
"""What fails before anybody was told anything; by any other failure of a call he may have been."""
_GATHER_S: Final = 0.01
"""How long a command waits for others of its kind to the same process."""
_FATE: Final = "whether it was done is not known, look at its decisions"


class _Status(msgspec.Struct):
    traders: list[dict[str, Any]]


class _Decisions(msgspec.Struct):
    world: str
    decisions: list[dict[str, Any]]


class _Shown(msgspec.Struct):
    traders: dict[str, dict[str, Any]]


class _Outcome(msgspec.Struct):
    state: str
    reason: str


class _Told(msgspec.Struct):
    traders: dict[str, _Outcome]


class _Carried(msgspec.Struct):
    record: dict[str, Any]


class AgentHttp:
    """An `AgentControl` and `AgentHost` over HTTP; those who ask one process share its answer."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, Command, str], dict[str, asyncio.Future[_Object]]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._asked: dict[str, asyncio.Task[Mapping[str, Mapping[str, Any]]]] = {}
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
        url = sighting.control_url
        asked = self._asked.get(url) if url else None
        if asked is None:
            asked = asyncio.create_task(self._rows(trader_id, sighting))
            self._asked[url] = asked
            asked.add_done_callback(lambda done: self._answered(url, done))
        row = (await asyncio.shield(asked)).get(trader_id)
        if row is None:
            raise NotFound(f"the process of {trader_id} does not know it")
        return row

    async def host(self, launch: Launch, sighting: Sighting) -> None:
        """Put a trader into its process, with its secrets."""
        name = launch.trader_id
        body = launch.hosted()
        await self._ask(_Object, "PUT", f"/instances/{name}", name, sighting, json=body)

    async def leave(self, trader_id: str, sighting: Sighting) -> None:
        """Say that its next end is for good."""
        await self._ask(
            _Object, "POST", f"/instances/{trader_id}/leave", trader_id, sighting, json={}
        )

    async def _rows(self, trader_id: str, sighting: Sighting) -> Mapping[str, Mapping[str, Any]]:
        answer = await self._ask(_Status, "GET", "/status", trader_id, sighting)
        return {str(row.get("trader_id")): row for row in answer.traders}

    def _answered(self, url: str, asked: asyncio.Task[Mapping[str, Mapping[str, Any]]]) -> None:
        self._asked.pop(url, None)
        if not asked.cancelled():
            asked.exception()  # whoever asked may not wait for it any more

    async def decisions(
        self, trader_id: str, sighting: Sighting, *, limit: int, before: int | None = None
    ) -> Decided:
        """Read its decisions, newest first."""
        query = {"limit": str(limit), "instance": trader_id}
        if before is not None:
            query["before"] = str(before)
        answer = await self._ask(_Decisions, "GET", "/decisions", trader_id, sighting, params=query)
        return Decided(world=answer.world, rows=answer.decisions)

    async def tell(
        self, trader_id: str, sighting: Sighting, command: Command, *, reason: str
    ) -> Mapping[str, Any]:
        """Give a command; the answer is what became of it.

        Those who tell traders of one process the same at a time share a request.
        """
        token = sighting.control_token.get_secret_value()
        key = (sighting.control_url, token, command, reason)
        told = self._told.setdefault(key, {})
        if not told:
            telling = asyncio.create_task(self._tell_all(key, sighting))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)
        answer = told.setdefault(trader_id, asyncio.get_running_loop().create_future())
        return await asyncio.shield(answer)

    async def _tell_all(self, key: tuple[str, str, Command, str], sighting: Sighting) -> None:
        """Wait a moment for others, and tell all of them."""
        await asyncio.sleep(_GATHER_S)
        _, _, command, reason = key
        told = self._told.pop(key)
        name, *others = told
        answers: Mapping[str, _Object | SuiteError]
        try:
            if others:
                answers = await self._tell_several(list(told), sighting, command, reason=reason)
            else:
                body = {"instance": name, "reason": reason}
                path = f"/{command}"
                answers = {name: await self._ask(_Object, "POST", path, name, sighting, json=body)}
        except SuiteError as error:
            prefix = {each: f"{each}: " if others else "" for each in told}
            answers = {each: type(error)(f"{prefix[each]}{error}") for each in told}
        except Exception as error:  # noqa: BLE001 - somebody waits for an answer
            answers = {each: UpstreamRefused(f"{each}: {trouble_of(error)}") for each in told}
        for each, waiting in told.items():
            answer = answers.get(each, _not_an_agent(each))
            if isinstance(answer, SuiteError):
                waiting.set_exception(answer)
                waiting.exception()  # whoever asked may not wait for it any more
            else:
                waiting.set_result(answer)

    async def _tell_several(
        self, names: Sequence[str], sighting: Sighting, command: Command, *, reason: str
    ) -> Mapping[str, _Object | SuiteError]:
        body = {"command": command, "instances": names, "reason": reason}
        told = await self._ask(_Told, "POST", "/tell", "their process", sighting, json=body)
        return {
            name: Conflict(f"{name}: {row.reason}")
            if row.state == "refused"
            else {"accepted": [name], "state": row.state, "reason": row.reason}
            for name, row in told.traders.items()
        }

    async def preview(self, trader_id: str, sighting: Sighting) -> Mapping[str, Any]:
        """Ask what it would decide now; a strategy may take its time."""
        body = {"instance": trader_id, "dry": True}
        answer = await self._ask(
            _Shown, "POST", "/run-once", trader_id, sighting, json=body, timeout=_DECISION_S
        )
        shown = answer.traders.get(trader_id)
        if shown is None:
            raise _not_an_agent(trader_id)
        if "refused" in shown:
            raise Conflict(f"{trader_id}: {shown['refused']}")
        return shown

    async def allocate(
        self, trader_id: str, sighting: Sighting, usd: Decimal | None, *, reason: str
    ) -> Mapping[str, Any]:
        """Let it use so much of its account, or all of it; the answer is what became of it."""
        told = None if usd is None else f"{usd:f}"
        body = {"instance": trader_id, "usd": told, "reason": reason}
        return await self._ask(_Object, "POST", "/allocate", trader_id, sighting, json=body)

    async def execute(
        self,
        trader_id: str,
        sighting: Sighting,
        decision: Mapping[str, Any],
        *,
        reason: str,
    ) -> Mapping[str, Any]:
        """Have a decision carried out, after the trader's guards; the answer is its record."""
        body = {"instance": trader_id, "decision": dict(decision), "reason": reason}
        answer = await self._ask(_Carried, "POST", "/decisions", trader_id, sighting, json=body)
        return answer.record

    async def _ask(
        self, kind: type[T], method: str, path: str, trader_id: str, sighting: Sighting, **more: Any
    ) -> T:
        """Ask a process; its answer, in the shape that is expected of it.

        Raises:
            UpstreamUnavailable: it does not answer, or nobody could at such an address, or with
                such a token: both are what somebody told.
            UpstreamTimeout: it was told something, and did not answer: it may have done it.
            UpstreamRefused: it refuses in a way of its own, or is no agent.
            SuiteError: it refuses, in its words.
        """
        if not sighting.control_url:
            raise UpstreamUnavailable(f"{trader_id} does not run, or does not answer yet")
        headers = bearer(sighting.control_token.get_secret_value())
        try:
            reply = await self._client.request(
                method,
                sighting.control_url + path,
                headers=headers,
                extensions={"trace": _check_peer},
                **more,
            )
        except (httpx.HTTPError, *_NOT_SENT) as error:
            said = f"{trader_id} does not answer: {type(error).__name__}"
            if method == "GET" or isinstance(error, _NOT_SENT):
                raise UpstreamUnavailable(said) from None
            raise UpstreamTimeout(f"{said}; {_FATE}") from None
        if reply.is_error:
            fault, said = fault_of(reply.status_code), f"{trader_id}: {one_line(reply.text)}"
            raise fault(f"{said}; {_FATE}" if fault is UpstreamTimeout else said)
        try:
            return msgspec.json.decode(reply.content, type=kind)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise _not_an_agent(trader_id) from None


async def _check_peer(event: str, info: Mapping[str, Any]) -> None:
    """Look where a connection leads before anything is sent: a name may mean any address.

    Raises:
        httpx.ConnectError: to where nobody may have this process call.
    """
    if event != "connection.connect_tcp.complete":
        return
    stream = info["return_value"]
    host, *_ = stream.get_extra_info("server_addr")
    if is_forbidden(ipaddress.ip_address(host.partition("%")[0])):
        await stream.aclose()
        raise httpx.ConnectError(f"{host} is for this machine alone")


def _not_an_agent(trader_id: str) -> UpstreamRefused:
    return UpstreamRefused(f"{trader_id} does not answer as a strategy-agent does")

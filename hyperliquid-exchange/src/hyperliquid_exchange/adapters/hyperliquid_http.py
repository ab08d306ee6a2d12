"""The venue over HTTP: one pool of kept connections, nothing repeated, nothing followed.

An answer to an action counts only when it is the venue's own in a known shape; whatever else comes
back, from a 429 of a gateway to half a body, leaves unknown what became of the action.

Source: venue documentation "Exchange endpoint", captures of its clients, read 2026-11.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from suite import tracing
from suite.contracts.clock import ClockState
from suite.errors import UpstreamTimeout, UpstreamUnavailable, one_line
from suite.service.http import shown

if TYPE_CHECKING:
    import aiohttp

_JSON: Final = {"content-type": "application/json"}
_PIECE: Final = 1 << 16
_TOO_MANY, _FAILS = 429, 500
_TOKENS: Final = 64
"""Digits of the longest number in an answer."""
_KINDS: Final[dict[str, frozenset[str]]] = {
    "order": frozenset({"order"}),
    "batchModify": frozenset({"order"}),
    "modify": frozenset({"order", "default"}),
    "cancel": frozenset({"cancel"}),
    "cancelByCloid": frozenset({"cancel"}),
    "updateLeverage": frozenset({"default"}),
    "updateIsolatedMargin": frozenset({"default"}),
    "scheduleCancel": frozenset({"default"}),
    "noop": frozenset({"default"}),
}
"""What an answer to an action may be; of other actions it may be anything."""
_ITEMS: Final = ("orders", "cancels", "modifies")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamLimits:
    """How long the venue is waited for, and how much of it is read.

    Attributes:
        connect_s: for a connection.
        exchange_s: for the answer to an action; what comes later is unknown.
        info_s: for the answer to a read.
        keep_s: how long a connection that is not used is kept; shorter than the venue keeps it, or
            an action may be written to one that is just being closed.
        connections: at a time.
        exchange_bytes, info_bytes: of the longest answer.
    """

    connect_s: float = 5.0
    exchange_s: float = 10.0
    info_s: float = 15.0
    keep_s: float = 15.0
    connections: int = 64
    exchange_bytes: int = 1 << 20
    info_bytes: int = 1 << 25


class _Action(msgspec.Struct):
    type: str
    orders: tuple[msgspec.Raw, ...] = ()
    cancels: tuple[msgspec.Raw, ...] = ()
    modifies: tuple[msgspec.Raw, ...] = ()


class _Request(msgspec.Struct):
    action: _Action


_request: Final = msgspec.json.Decoder(_Request)
_clock: Final = msgspec.json.Decoder(ClockState)


class HyperliquidHttp:
    """The venue's `/exchange` and `/info`; an `Upstream`.

    Certificates are checked, redirects are no answers, and no proxy of the environment is used:
    what leaves is signed, and who sees it first could trade ahead of it.

    Args:
        url: of the venue, without a slash at the end.
        limits: see there.

    Attributes:
        requests: how many were sent, by path.
    """

    def __init__(self, url: str, *, limits: UpstreamLimits | None = None) -> None:
        self.requests = {"exchange": 0, "info": 0}
        self._url = url.rstrip("/")
        self._shown = shown(self._url)
        self._limits = limits or UpstreamLimits()
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, payload: bytes) -> Mapping[str, Any]:
        """`POST /exchange`, once.

        Raises:
            UpstreamTimeout: what became of the action is not known.
        """
        limits = self._limits
        try:
            with tracing.span("venue"):
                status, body = await self._post(
                    "exchange",
                    payload,
                    limit_s=limits.exchange_s,
                    limit_bytes=limits.exchange_bytes,
                )
        except UpstreamUnavailable as fault:
            # A connection that was refused, too: it is not certain that nobody has read the bytes.
            raise UpstreamTimeout(str(fault)) from None
        if status != 200:
            raise self._unknown(f"status {status}")
        return self._believed(payload, body)

    async def info(self, body: bytes) -> tuple[int, bytes]:
        """`POST /info`, once; status and body as they came.

        Raises:
            UpstreamTimeout: there is no answer in time.
            UpstreamUnavailable: there is no connection, or the answer is not whole.
        """
        limits = self._limits
        return await self._post("info", body, limit_s=limits.info_s, limit_bytes=limits.info_bytes)

    async def clock(self) -> ClockState | None:
        """`GET /clock` of a stand-in; None where it has none.

        Raises:
            UpstreamTimeout: there is no answer in time.
            UpstreamUnavailable: there is no connection, or the answer is not whole.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._limits.connect_s)
        try:
            async with self._opened().get(f"{self._url}/clock", timeout=timeout) as answer:
                body = await self._whole(answer, _PIECE)
                if answer.status == _TOO_MANY or answer.status >= _FAILS:
                    # it may have one, and cannot tell it just now
                    raise UpstreamUnavailable(
                        f"the time of the venue at {self._shown}: status {answer.status}"
                    )
                return _clock.decode(body) if answer.status == 200 else None
        except TimeoutError:
            raise UpstreamTimeout(f"the venue at {self._shown} does not tell its time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            text = f"the time of the venue at {self._shown}: {error}"
            raise UpstreamUnavailable(one_line(text)) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(
        self, path: str, content: bytes, *, limit_s: float, limit_bytes: int
    ) -> tuple[int, bytes]:
        import aiohttp

        self.requests[path] += 1
        timeout = aiohttp.ClientTimeout(total=limit_s, sock_connect=self._limits.connect_s)
        try:
            async with self._opened().post(
                f"{self._url}/{path}",
                data=content,
                headers=_JSON,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                return answer.status, await self._whole(answer, limit_bytes)
        except TimeoutError:
            raise UpstreamTimeout(
                f"the venue at {self._shown} did not answer within {limit_s:g} s"
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            said = str(error) or type(error).__name__
            raise UpstreamUnavailable(
                one_line(f"cannot reach the venue at {self._shown}: {said}")
            ) from None

    async def _whole(self, answer: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
        """Read a body to its end.

        Raises:
            UpstreamUnavailable: it is longer than the limit; the connection ends with it.
        """
        body = bytearray()
        async for piece in answer.content.iter_chunked(_PIECE):
            body += piece
            if len(body) > limit_bytes:
                answer.close()
                raise UpstreamUnavailable(
                    f"the venue at {self._shown} answered with more than {limit_bytes} bytes"
                )
        return bytes(body)

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            limits = self._limits
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=limits.connections, keepalive_timeout=limits.keep_s
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def _believed(self, payload: bytes, body: bytes) -> Mapping[str, Any]:
        """Read an answer that must be the venue's own, to this very action."""
        try:
            answer = json.loads(
                body.decode(),
                object_pairs_hook=_without_repeats,
                parse_constant=_no_number,
                parse_float=_finite,
                parse_int=_whole_number,
            )
        except (ValueError, RecursionError) as error:
            raise self._unknown(f"no JSON: {error}") from None
        if not isinstance(answer, dict):
            raise self._unknown("no object")
        said = answer.get("response")
        if answer.get("status") == "err" and isinstance(said, str):
            return answer
        if answer.get("status") != "ok" or not isinstance(said, dict):
            raise self._unknown("neither ok nor err")
        if problem := _misfit(payload, said):
            raise self._unknown(problem)
        return answer

    def _unknown(self, why: str) -> UpstreamTimeout:
        return UpstreamTimeout(
            one_line(f"what the venue at {self._shown} answered is not its own: {why}")
        )


def _misfit(payload: bytes, said: Mapping[str, Any]) -> str:
    """Tell what is wrong with an answer as that to a request; empty where it fits."""
    try:
        action = _request.decode(payload).action
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "the request itself cannot be read"
    kind, allowed = said.get("type"), _KINDS.get(action.type)
    if not isinstance(kind, str):
        return "a response without a type"
    if allowed is None or kind == "default":
        return "" if allowed is None or kind in allowed else f"`{kind}` to `{action.type}`"
    if kind not in allowed:
        return f"`{kind}` to `{action.type}`"
    data = said.get("data")
    statuses = data.get("statuses") if isinstance(data, dict) else None
    if not isinstance(statuses, list) or not statuses:
        return "no statuses"
    # One that is told of all: an error found before any of them was tried.
    asked = max(1, *(len(getattr(action, name)) for name in _ITEMS))
    if len(statuses) > asked:
        return f"{len(statuses)} statuses to {asked}"
    if not all(isinstance(status, str | dict) and status for status in statuses):
        return "a status that says nothing"
    return ""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number without end")
    return value


def _whole_number(text: str) -> int:
    if len(text) > _TOKENS:
        raise ValueError("a number of too many digits")
    return int(text)

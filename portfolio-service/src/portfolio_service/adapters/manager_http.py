"""The trader-manager over HTTP."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import msgspec
from pydantic import SecretStr

from portfolio_service.application.manager import Fleet, Reached, Records
from portfolio_service.application.ports import Command
from suite.errors import (
    Forbidden,
    SuiteError,
    Unauthorized,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    one_line,
)
from suite.service.http import shown, step_session
from suite.service.statuses import fault_of

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

_READ_S: Final = 20.0
"""One trader that hangs makes the manager wait for it that long, and not the money's reads."""
_RECORDS_S: Final = 10.0
_COMMAND_S: Final = 40.0
_FATE: Final = "whether it was done is not known: look at the trader before asking again"
_encode = msgspec.json.Encoder().encode
_JSON: Final = {"content-type": "application/json"}


class ManagerHttp:
    """A `FleetReads` and `FleetCommands`; connects when it is first asked.

    Args:
        url: of the manager.
        token: of its operator.

    Attributes:
        url: without anything secret in it.
    """

    def __init__(self, url: str, token: SecretStr) -> None:
        self.url = shown(url)
        self._address = url
        self._token = token
        self._session: aiohttp.ClientSession | None = None
        self._fleet = msgspec.json.Decoder(Fleet)
        self._records = msgspec.json.Decoder(Records)
        self._object = msgspec.json.Decoder(dict[str, Any])

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def fleet(self) -> Fleet:
        """`GET /traders`."""
        return _decoded(self._fleet, await self._ask("GET", "traders", _READ_S))

    async def records(self, world: str, after: Mapping[str, Reached]) -> Records:
        """`POST /records`."""
        body = _encode({"world": world, "after": after})
        return _decoded(
            self._records, await self._ask("POST", "records", _RECORDS_S, body, reads=True)
        )

    async def passed_on(self, path: str, query: Mapping[str, str]) -> bytes:
        """Any `GET`."""
        return await self._ask("GET", path, _COMMAND_S, query=query)

    async def tell(self, trader_id: str, command: Command, *, reason: str) -> Mapping[str, Any]:
        """`POST /traders/{id}/{command}`; a start and a stop have no reason there."""
        body = None if command in {"start", "stop"} else _encode({"reason": reason})
        path = f"traders/{quote(trader_id, safe='')}/{command}"
        return _decoded(self._object, await self._ask("POST", path, _COMMAND_S, body))

    async def allocate(self, trader_id: str, usd: Decimal, *, reason: str) -> Mapping[str, Any]:
        """`POST /traders/{id}/allocate`."""
        path = f"traders/{quote(trader_id, safe='')}/allocate"
        body = _encode({"usd": f"{usd:f}", "reason": reason})
        return _decoded(self._object, await self._ask("POST", path, _COMMAND_S, body))

    async def streamed(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Any `GET`, piece by piece."""
        import aiohttp

        try:
            async with self._open().request(
                "GET",
                path,
                params=query,
                timeout=aiohttp.ClientTimeout(total=None, sock_read=_COMMAND_S, sock_connect=5.0),
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    raise self._fault(answer.status, await answer.read())
                async for piece in answer.content.iter_any():
                    yield piece
        except (TimeoutError, aiohttp.ClientError) as error:
            raise UpstreamUnavailable(self._away(error)) from None

    def _open(self) -> "aiohttp.ClientSession":
        if self._session is None:
            token = self._token.get_secret_value()
            self._session = step_session(self._address, token=token, connections=64)
        return self._session

    async def _ask(
        self,
        method: str,
        path: str,
        timeout_s: float,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        reads: bool = False,
    ) -> bytes:
        """Ask once.

        Raises:
            UpstreamUnavailable: it is away.
            UpstreamTimeout: it was told something and did not answer: it may have done it.
            SuiteError: it refuses, in its words.
        """
        import aiohttp

        try:
            async with self._open().request(
                method,
                path,
                data=body,
                params=query,
                headers=_JSON if body is not None else None,
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=5.0),
                allow_redirects=False,
            ) as answer:
                raw = await answer.read()
                status = answer.status
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise UpstreamUnavailable(self._away(error)) from None
        except (TimeoutError, aiohttp.ClientError) as error:
            if method == "GET" or reads:
                raise UpstreamUnavailable(self._away(error)) from None
            raise UpstreamTimeout(f"{self._away(error)}; {_FATE}") from None
        if 200 <= status < 300:
            return raw
        raise self._fault(status, raw)

    def _fault(self, status: int, raw: bytes) -> SuiteError:
        fault, text = fault_of(status), one_line(raw.decode(errors="replace")) or f"{status}"
        if issubclass(fault, Unauthorized | Forbidden):
            # Whoever asks here has shown who they are; it is our own token that is no good.
            return UpstreamRefused(f"the manager at {self.url} refuses MANAGER_TOKEN: {text}")
        return fault(text)

    def _away(self, error: BaseException) -> str:
        why = one_line(str(error)) or "it does not answer in time"
        return f"the manager at {self.url} cannot be reached: {why}"


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = one_line(f"the manager answers in another shape than is known: {error}")
        raise UpstreamRefused(text) from None

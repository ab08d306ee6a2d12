"""The venue over HTTP: backtests, resting orders, and the kill switch of the live proxy."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
from pydantic import SecretStr

from suite.errors import (
    ConfigError,
    Forbidden,
    Unauthorized,
    UpstreamRefused,
    UpstreamUnavailable,
    one_line,
)
from suite.service.http import bearer, shown, step_session
from suite.service.statuses import fault_of

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_S: Final = 30.0
_REPORT_S: Final = 120.0
_object = msgspec.json.Decoder(dict[str, Any])
_list = msgspec.json.Decoder(list[dict[str, Any]])
_DATA: Final = b"data: "


class VenueHttp:
    """Connects when it is first asked.

    Args:
        url: of the venue; None where none is named.
        token: of its operator; None where none is given.
    """

    def __init__(self, url: str | None, token: SecretStr | None) -> None:
        self._url = url
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    @property
    def unset(self) -> str:
        """What has to be set before backtests can be run; empty where nothing is missing."""
        if self._url is None:
            return "no venue is named: TRADING_URL is not set"
        if self._token is None:
            return "the venue's operator token is not given: VENUE_TOKEN_FILE is not set"
        return ""

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def start(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """`POST /backtest/run`."""
        return _object.decode(await self._ask("POST", "backtest/run", request))

    async def watch(self, job_id: str) -> AsyncIterator[Mapping[str, Any]]:
        """`GET /backtest/jobs/{id}/events`, until it ends."""
        import aiohttp

        session = self._opened()
        path = f"backtest/jobs/{quote(job_id, safe='')}/events"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0)
        try:
            async with session.get(path, timeout=timeout, headers=self._headers()) as answer:
                if answer.status != 200:
                    raise self._refused(answer.status, await answer.read())
                async for line in answer.content:
                    if line.startswith(_DATA):
                        yield _object.decode(line.removeprefix(_DATA))
        except (TimeoutError, aiohttp.ClientError) as error:
            raise UpstreamUnavailable(self._away(error)) from None

    async def report(self, job_id: str) -> bytes:
        """`GET /backtest/jobs/{id}/report`."""
        path = f"backtest/jobs/{quote(job_id, safe='')}/report"
        return await self._ask("GET", path, timeout_s=_REPORT_S)

    async def cancel(self, job_id: str) -> Mapping[str, Any]:
        """`DELETE /backtest/jobs/{id}`."""
        path = f"backtest/jobs/{quote(job_id, safe='')}"
        return _object.decode(await self._ask("DELETE", path))

    async def open_orders(self, address: str) -> list[dict[str, Any]]:
        """`POST /info` of type `frontendOpenOrders`."""
        body = {"type": "frontendOpenOrders", "user": address}
        try:
            return _list.decode(await self._ask("POST", "info", body))
        except msgspec.DecodeError:
            raise UpstreamRefused("the venue tells orders in another shape than is known") from None

    async def safety(self, command: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """`POST /safety/{command}` of the live proxy."""
        return _object.decode(await self._ask("POST", f"safety/{command}", body))

    def _headers(self) -> dict[str, str]:
        return bearer(self._token.get_secret_value() if self._token else None)

    def _opened(self) -> "aiohttp.ClientSession":
        if self._url is None:
            raise UpstreamUnavailable(self.unset)
        if self._session is None:
            self._session = step_session(self._url, connections=16)
        return self._session

    def _away(self, error: BaseException) -> str:
        why = one_line(str(error)) or "it does not answer in time"
        return f"the venue at {shown(self._url or '')} cannot be reached: {why}"

    def _refused(self, status: int, raw: bytes) -> Exception:
        fault, text = fault_of(status), one_line(raw.decode(errors="replace")) or f"{status}"
        if issubclass(fault, Unauthorized | Forbidden):
            # Whoever asks here has shown who they are; it is our own token that is no good.
            return ConfigError(f"the venue refuses VENUE_TOKEN: {text}")
        return fault(text)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = _TIMEOUT_S,
    ) -> bytes:
        import aiohttp

        session = self._opened()
        try:
            async with session.request(
                method,
                path,
                json=body,
                headers=self._headers(),
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=5.0),
                allow_redirects=False,
            ) as answer:
                raw = await answer.read()
                status = answer.status
        except (TimeoutError, aiohttp.ClientError) as error:
            raise UpstreamUnavailable(self._away(error)) from None
        if not 200 <= status < 300:
            raise self._refused(status, raw)
        return raw

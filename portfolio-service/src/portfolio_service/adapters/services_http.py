"""The other services over HTTP: are they ready, what do they tell."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from pydantic import SecretStr

from suite.addresses import account_address
from suite.errors import NotFound, UpstreamRefused, UpstreamUnavailable, one_line
from suite.service.http import bearer, shown, step_session
from suite.service.statuses import fault_of

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_S: Final = 4.0
_DATA_S: Final = 20.0
_OF_STORES: Final = frozenset({"coverage", "collection"})
"""What a data-collector tells; a venue has prices alone."""
_object = msgspec.json.Decoder(dict[str, Any])


class _Coin(msgspec.Struct):
    name: str


class _Meta(msgspec.Struct):
    universe: list[_Coin]


class _Context(msgspec.Struct):
    funding: str | None = None
    markPx: str | None = None  # noqa: N815 - the wire's own name


class _Limit(msgspec.Struct):
    nRequestsUsed: int  # noqa: N815 - the wire's own names
    nRequestsCap: int  # noqa: N815


_limit = msgspec.json.Decoder(_Limit)
_market = msgspec.json.Decoder(tuple[_Meta, list[_Context]])


class ServicesHttp:
    """A `ServiceReads`.

    Args:
        urls: addresses by name; `venue` and `data` are asked for more than that.
        safety: whether the venue is the live proxy, which has a safety level.
        venue_token: where the venue lets nobody in without.
    """

    def __init__(
        self, urls: Mapping[str, str], *, safety: bool, venue_token: SecretStr | None
    ) -> None:
        self._urls = dict(urls)
        self._has_safety = safety
        self._venue_token = venue_token
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    @property
    def services(self) -> Mapping[str, str]:
        """Addresses by name, without anything secret in them."""
        return {name: shown(url) for name, url in self._urls.items()}

    async def close(self) -> None:
        """Let go of the connections."""
        for session in self._sessions.values():
            await session.close()

    async def probe(self, name: str) -> tuple[int, Mapping[str, Any]]:
        """`GET /ready`."""
        status, raw = await self._ask(name, "GET", "ready")
        try:
            return status, _object.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return status, {"reason": one_line(raw[:200].decode(errors="replace"))}

    async def market(self) -> Mapping[str, tuple[float, float | None]]:
        """`POST /info` of type `metaAndAssetCtxs`."""
        if "venue" not in self._urls:
            raise UpstreamUnavailable("no venue is named: TRADING_URL is not set")
        status, raw = await self._ask("venue", "POST", "info", {"type": "metaAndAssetCtxs"})
        if status != 200:
            raise fault_of(status)(one_line(raw.decode(errors="replace")))
        try:
            meta, contexts = _market.decode(raw)
            return {
                coin.name: (float(one.funding), float(one.markPx) if one.markPx else None)
                for coin, one in zip(meta.universe, contexts, strict=True)
                if one.funding is not None
            }
        except (msgspec.DecodeError, ValueError) as error:
            text = f"the venue tells funding in another shape than is known: {error}"
            raise UpstreamRefused(one_line(text)) from None

    async def data(self, path: str, query: Mapping[str, str]) -> bytes:
        """Any `GET` of the data service."""
        if "data" not in self._urls:
            raise UpstreamUnavailable("no data service is named: DATA_SERVICE_URL is not set")
        status, raw = await self._ask("data", "GET", path, query=query, timeout_s=_DATA_S)
        if status == 404 and path.partition("/")[0] in _OF_STORES:
            where = shown(self._urls["data"])
            raise NotFound(f"{where} tells prices, and not what is stored: a data-collector does")
        if status != 200:
            raise fault_of(status)(one_line(raw.decode(errors="replace")))
        return raw

    async def budget(self, account: str) -> Mapping[str, int] | None:
        """`POST /info` of type `userRateLimit`; not of the live venue, where each costs weight."""
        if self._has_safety or "venue" not in self._urls:
            return None
        body = {"type": "userRateLimit", "user": account_address(account)}
        status, raw = await self._ask("venue", "POST", "info", body)
        if status != 200:
            raise fault_of(status)(one_line(raw.decode(errors="replace")))
        try:
            told = _limit.decode(raw)
        except msgspec.DecodeError:
            raise UpstreamRefused("the venue tells a rate limit in another shape") from None
        return {"requests_used": told.nRequestsUsed, "requests_cap": told.nRequestsCap}

    async def safety(self) -> Mapping[str, Any] | None:
        """`GET /safety` of the live proxy."""
        if not self._has_safety:
            return None
        status, raw = await self._ask("venue", "GET", "safety")
        if status != 200:
            raise fault_of(status)(one_line(raw.decode(errors="replace")))
        try:
            return _object.decode(raw)
        except msgspec.DecodeError:
            raise UpstreamRefused("the proxy tells its safety in another shape") from None

    async def drift(self) -> bytes | None:
        """`GET /drift/summary` of the live proxy."""
        if not self._has_safety:
            return None
        status, raw = await self._ask("venue", "GET", "drift/summary")
        if status != 200:
            raise fault_of(status)(one_line(raw.decode(errors="replace")))
        return raw

    async def _ask(
        self,
        name: str,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> tuple[int, bytes]:
        import aiohttp

        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = step_session(self._urls[name])
        token = self._venue_token if name == "venue" else None
        headers = bearer(token.get_secret_value() if token else None)
        try:
            async with session.request(
                method,
                path,
                json=body,
                params=query,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=2.0),
                allow_redirects=False,
            ) as answer:
                return answer.status, await answer.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            why = one_line(str(error)) or f"no answer within {timeout_s:g} s"
            text = f"{name} at {shown(self._urls[name])} cannot be reached: {why}"
            raise UpstreamUnavailable(text) from None

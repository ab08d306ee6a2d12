"""The service as a stranger sees it: what it says of itself, and which doors are open."""

from typing import Any, Final

import aiohttp
import msgspec

OPEN: Final = frozenset({"/health", "/ready", "/metrics", "/docs", "/openapi.json"})
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)


class ServiceProbe:
    """Asks without a token, each time anew.

    Args:
        url: of the service.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def build(self) -> str | None:
        """Tell the hash of its code; None where it does not answer, or is no such service."""
        found = await self._read("/health")
        build = found.get("build") if isinstance(found, dict) else None
        return build if isinstance(build, str) else None

    async def doors(self) -> dict[str, int] | None:
        """Ask every route that it describes; statuses by route, None where it does not answer."""
        described = await self._read("/openapi.json")
        if not isinstance(described, dict):
            return None
        found: dict[str, int] = {}
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session:
                for path, operations in described.get("paths", {}).items():
                    if path in OPEN:
                        continue
                    for method in operations:
                        async with session.request(
                            method, self._url + path, json={}, allow_redirects=False
                        ) as reply:
                            found[f"{method.upper()} {path}"] = reply.status
        except (TimeoutError, OSError, aiohttp.ClientError):
            return None
        return found

    async def _read(self, path: str) -> Any:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session,
                session.get(self._url + path, allow_redirects=False) as reply,
            ):
                return msgspec.json.decode(await reply.read()) if reply.status == 200 else None
        except (TimeoutError, OSError, aiohttp.ClientError, msgspec.MsgspecError):
            return None

"""The beat of the proxy, asked for over its port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hyperliquid_exchange.domain.progress import Beat
from suite.errors import Forbidden
from suite.service.http import bearer

if TYPE_CHECKING:
    from collections.abc import Callable

_decode = msgspec.json.Decoder(Beat).decode


class ProgressHttp:
    """Asks `GET /progress`, on a connection of its own each time, as a stranger would.

    Args:
        url: of the proxy.
        token: tells the token, read anew each time: it may be written after this began.
        timeout_s: for the answer.
    """

    def __init__(self, url: str, token: Callable[[], str], *, timeout_s: float = 2.0) -> None:
        self._url = f"{url.rstrip('/')}/progress"
        self._token = token
        self._timeout_s = timeout_s

    async def beat(self) -> Beat | None:
        """Ask for its beat; None where it does not answer in time.

        Raises:
            Forbidden: it answers, and does not let itself be asked.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.get(
                    self._url, headers=bearer(self._token()), allow_redirects=False
                ) as reply,
            ):
                if reply.status in {401, 403}:
                    raise Forbidden(f"GET /progress answered {reply.status}: look at the token")
                return _decode(await reply.read()) if reply.status == 200 else None
        except (TimeoutError, OSError, aiohttp.ClientError, msgspec.MsgspecError):
            return None

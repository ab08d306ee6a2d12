"""HTTP clients: httpx for administration and tests, aiohttp for the step loop of a trader.

An aiohttp round trip costs about a third of an httpx one, and a backtest over HTTP is nothing but
round trips. Both libraries are imported when a client is made: they cost 0.1 s and 15 MB each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp
    import httpx

CONNECT_TIMEOUT_S = 5.0
_BASE_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")
_SECRETS = re.compile(r"(?<=://).*@|\?.*", re.DOTALL)
"""Parts of an address that are not for messages: keys, which may hold anything, and options."""


def is_base_url(text: str) -> bool:
    """Whether paths can be put behind a text: `http://host:port`, with or without a path."""
    return _BASE_URL.fullmatch(text) is not None


def shown(url: str) -> str:
    """Write an address for messages and logs, without what may be secret in it."""
    return _SECRETS.sub("", url)


def bearer(token: str | None) -> dict[str, str]:
    """Make the header that presents a token; none without one."""
    return {"authorization": f"Bearer {token}"} if token else {}


def admin_client(
    base_url: str, *, token: str | None = None, timeout_s: float = 10.0, trust_env: bool = False
) -> httpx.AsyncClient:
    """Make a client for single requests: administration, control, tests.

    Args:
        base_url: of the service; a path in it is kept (`http://host:8100/w/abc`).
        token: bearer token.
        timeout_s: limit of one request; 5 s of it at most for the connection.
        trust_env: use the proxy variables of the environment; off, since the suite's own services
            are on loopback or in one network.
    """
    import httpx

    return httpx.AsyncClient(
        base_url=base_url,
        headers=bearer(token),
        timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
        limits=httpx.Limits(max_connections=20, max_keepalive_connections=5),
        trust_env=trust_env,
    )


def step_session(
    base_url: str,
    *,
    token: str | None = None,
    timeout_s: float | None = None,
    connections: int = 4,
) -> aiohttp.ClientSession:
    """Make a session for a loop of many small requests; to be called inside a running loop.

    Args:
        base_url: of the venue. aiohttp joins paths to it only when both fit: end it with a slash
            and give paths without a leading one.
        token: bearer token.
        timeout_s: limit of one request; none by default, since `/clock/wait` answers when the
            slowest participant has decided.
        connections: at a time; a request that finds none waits for one.
    """
    import aiohttp

    return aiohttp.ClientSession(
        base_url=base_url if base_url.endswith("/") else f"{base_url}/",
        headers=bearer(token),
        timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S),
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=60.0),
        auto_decompress=False,
        trust_env=False,
    )

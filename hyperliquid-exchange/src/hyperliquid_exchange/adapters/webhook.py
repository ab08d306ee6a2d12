"""Alerts to an address that takes JSON: a chat's webhook, a pager, a script."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from suite.errors import UpstreamRefused, UpstreamTimeout, UpstreamUnavailable, one_line

if TYPE_CHECKING:
    from hyperliquid_exchange.application.alerting import Alert


class Webhook:
    """Posts alerts to an address, which is a secret: it stands in no message.

    Args:
        url: of it.
        service: whose alerts they are.
        timeout_s: for the answer.
    """

    def __init__(self, url: str, service: str, *, timeout_s: float = 10.0) -> None:
        self._url = url
        self._service = service
        self._timeout_s = timeout_s

    async def send(self, alert: Alert) -> None:
        """Tell one.

        Raises:
            UpstreamTimeout, UpstreamUnavailable, UpstreamRefused: it was not taken.
        """
        import aiohttp

        body = {"service": self._service, **asdict(alert), "content": f"{alert.kind}: {alert.text}"}
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url, json=body, allow_redirects=False) as reply,
            ):
                if reply.status >= 300:
                    raise UpstreamRefused(f"the webhook answered {reply.status}")
        except TimeoutError:
            raise UpstreamTimeout("the webhook did not answer") from None
        except (aiohttp.ClientError, ValueError) as error:
            kind = one_line(type(error).__name__)
            raise UpstreamUnavailable(f"the webhook cannot be reached: {kind}") from None

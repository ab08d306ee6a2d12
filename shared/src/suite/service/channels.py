"""Ways to people: an address that takes JSON, and every service that the library apprise knows.

    channels_of("https://host/hook, tgram://TOKEN/CHAT, discord://ID/TOKEN", "trader-manager")

An address is a secret: it stands in no message. `http://` and `https://` are asked with JSON by the
suite itself; any other is a channel of apprise, which is the extra `notify` of suite-shared.
"""

import asyncio
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import asdict

from suite.errors import (
    ConfigError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    one_line,
)
from suite.notices import Channel, Notice


class Webhook:
    """Posts notices to an address: a chat's webhook, a pager, a script.

    Args:
        url: of it.
        service: whose notices they are.
        timeout_s: for the answer.
    """

    def __init__(self, url: str, service: str, *, timeout_s: float = 10.0) -> None:
        self._url = url
        self._service = service
        self._timeout_s = timeout_s

    async def send(self, notice: Notice) -> None:
        """Tell one.

        Raises:
            UpstreamTimeout, UpstreamUnavailable, UpstreamRefused: it was not taken.
        """
        import aiohttp

        body = {
            "service": self._service,
            **asdict(notice),
            "content": f"{notice.kind}: {notice.text}",
            "allowed_mentions": {"parse": []},
        }
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


class Chat:
    """A channel of apprise: Discord, Telegram, Slack, e-mail and a hundred more.

    Args:
        url: in its notation.
        service: whose notices they are.
        timeout_s: after which it counts as not taken.

    Raises:
        ConfigError: the library is not there, or cannot read the address.
    """

    def __init__(self, url: str, service: str, *, timeout_s: float = 20.0) -> None:
        scheme = url.partition("://")[0]
        if importlib.util.find_spec("apprise") is None:
            raise ConfigError(
                f"a channel {scheme}:// needs the library apprise: "
                "pip install 'suite-shared[notify]'"
            )
        import apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it names what is secret
        self._name = scheme
        self._service = service
        self._timeout_s = timeout_s
        self._chat = apprise.Apprise()
        if not self._chat.add(url):
            raise ConfigError(
                f"a channel {scheme}:// cannot be read; look at docs/notifications.md"
            )

    async def send(self, notice: Notice) -> None:
        """Tell one.

        Raises:
            UpstreamTimeout, UpstreamRefused: it was not taken.
        """
        import apprise

        kind = apprise.NotifyType.FAILURE if notice.is_critical else apprise.NotifyType.INFO

        def tell() -> bool:
            return bool(
                self._chat.notify(
                    title=f"{self._service}: {notice.kind}",
                    body=notice.text,
                    notify_type=kind,
                    body_format=apprise.NotifyFormat.TEXT,
                )
            )

        try:
            async with asyncio.timeout(self._timeout_s):
                is_taken = await asyncio.to_thread(tell)
        except TimeoutError:
            raise UpstreamTimeout(f"the channel {self._name} did not answer") from None
        if not is_taken:
            raise UpstreamRefused(f"the channel {self._name} did not take it")


def channels_of(addresses: str | Sequence[str], service: str) -> list[Channel]:
    """Make the channels of a setting, in order.

    Args:
        addresses: several, or a text with commas between them.
        service: whose notices they are.

    Raises:
        ConfigError: one of them cannot be used; its address is not named.
    """
    if isinstance(addresses, str):
        addresses = [part.strip() for part in addresses.split(",") if part.strip()]
    return [_channel(address, service) for address in addresses]


def _channel(address: str, service: str) -> Channel:
    if "://" not in address:
        raise ConfigError("a channel of NOTIFY_URLS has no scheme: write discord://ID/TOKEN")
    if address.startswith(("http://", "https://")):
        return Webhook(address, service)
    return Chat(address, service)

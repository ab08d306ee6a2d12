"""A running manager, seen by its operator on the same machine."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from suite.errors import ConfigError, UpstreamRefused, UpstreamUnavailable, one_line
from suite.service.http import bearer, is_base_url
from suite.service.statuses import fault_of
from trader_manager.settings import Settings

_TIMEOUT_S: Final = 30.0


class FleetClient:
    """Asks a manager.

    Args:
        settings: where it is, and where the operator's token is.
        url: of another one; that of the settings when not given.

    Raises:
        ConfigError: that is no address.
    """

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        host = settings.host if settings.is_loopback else "127.0.0.1"
        self.url = (url or f"http://{host}:{settings.port}").rstrip("/")
        if not is_base_url(self.url):
            raise ConfigError(f"{self.url[:60]!r} is no address; write http://127.0.0.1:8400")
        self._token_file = settings.state_dir / "tokens" / "operator.token"
        self._client = httpx.Client(base_url=self.url, timeout=_TIMEOUT_S, trust_env=False)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def get(self, path: str, **query: str | int) -> Any:
        """Read a route.

        Raises:
            ConfigError: there is no token to show.
            UpstreamUnavailable: the manager does not answer, or has to wait for somebody.
            SuiteError: it says no.
        """
        reply = self.reply(path, query=query)
        if reply.is_error and reply.text.startswith("no such route"):
            raise UpstreamRefused(
                f"what answers at {self.url} is no trader-manager ({one_line(reply.text)}); --url"
                " names another address"
            )
        if reply.is_error:
            raise fault_of(reply.status_code)(one_line(reply.text))
        return reply.json()

    def reply(
        self, path: str, *, method: str = "GET", query: Mapping[str, str | int] | None = None
    ) -> httpx.Response:
        """Ask a route, whatever it answers.

        Raises:
            ConfigError: there is no token to show.
            UpstreamUnavailable: the manager does not answer.
        """
        try:
            return self._client.request(method, path, params=query, headers=bearer(self._token()))
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(
                f"no manager answers at {self.url}: {type(error).__name__}; --url names another"
            ) from None

    def _token(self) -> str:
        """Read the token, each time anew: a manager that begins anew may have made another."""
        try:
            return self._token_file.read_text().strip()
        except OSError as error:
            raise ConfigError(
                f"cannot read {self._token_file}: {error.strerror}; run this where the manager"
                " runs, or set TRADER_MANAGER_STATE_DIR"
            ) from None

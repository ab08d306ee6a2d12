"""The official client libraries, held to a deadline and a size; the only module that knows them.

They bring authentication, connections and proxies; retries are off, since money is reserved for
each attempt. Both take a second and more to import, so that is done when one is made.
"""

import time
from collections.abc import Iterator, Mapping
from threading import local
from typing import Any, Final, Protocol

from strategy_core.llm.port import FaultKind
from strategy_models.errors import AttemptFailed
from strategy_models.providers import Provider
from strategy_models.wire.answers import HttpReply
from suite.errors import ConfigError

CONNECT_S: Final = 5.0
BODY_MAX: Final = 4 << 20
"""Bytes of a reply: a server that never ends is left."""
_KEYLESS: Final = "none"
"""The libraries want some key; servers without keys do not look at it."""
_RETRY_AFTER_MAX_S: Final = 86_400.0


class Client(Protocol):
    """Sends one request, once."""

    def send(self, path: str, body: Mapping[str, Any], *, timeout_s: float) -> HttpReply:
        """Send it and wait for the whole reply, whatever its status.

        Raises:
            AttemptFailed: there is none.
        """
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class SdkClient:
    """A provider's client library.

    Args:
        provider: where.
        key: empty for none.
        name: for messages.

    Raises:
        ConfigError: the library is not installed.
    """

    def __init__(self, provider: Provider, key: str, *, name: str) -> None:
        try:
            import httpx2

            if provider.wire == "anthropic":
                import anthropic as sdk

                client_type: Any = sdk.Anthropic
            else:
                import openai as sdk

                client_type = sdk.OpenAI
        except ImportError as error:
            raise ConfigError(
                f"{name} needs the package {error.name}: pip install 'strategy-agent[llm]'"
            ) from None
        self._name = name
        self._sdk: Any = sdk
        self._httpx: Any = httpx2
        self._limit = _Limit()
        transport = _bounded(httpx2, self._limit, tls=provider.base_url.startswith("https"))
        self._http = httpx2.Client(transport=transport, follow_redirects=False, trust_env=False)
        self._client: Any = client_type(
            api_key=key or _KEYLESS,
            base_url=provider.base_url,
            max_retries=0,
            http_client=self._http,
        )

    def send(self, path: str, body: Mapping[str, Any], *, timeout_s: float) -> HttpReply:
        """Send it and wait for the whole reply, whatever its status.

        Raises:
            AttemptFailed: there is none.
        """
        self._limit.end_s = time.monotonic() + timeout_s
        limits = self._httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        try:
            response = self._client.with_options(timeout=limits).post(
                path, body=dict(body), cast_to=self._httpx.Response
            )
            return _reply(response)
        except self._sdk.APIStatusError as error:
            return _reply(error.response)
        except self._sdk.APITimeoutError:
            raise self._late(timeout_s) from None
        except self._sdk.APIConnectionError as error:
            cause = error.__cause__ or error
            if isinstance(cause, _Late):
                raise self._late(timeout_s) from None
            raise self._cut(cause) from None
        except _Late:
            raise self._late(timeout_s) from None
        except (self._httpx.HTTPError, _TooLong) as error:
            raise self._cut(error) from None

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _late(self, timeout_s: float) -> AttemptFailed:
        return AttemptFailed(
            FaultKind.TIMEOUT,
            f"{self._name} has not answered within {timeout_s:.3g} s",
            again=True,
            may_cost=True,
            is_down=True,
        )

    def _cut(self, cause: BaseException) -> AttemptFailed:
        connects = isinstance(cause, self._httpx.ConnectError | self._httpx.ConnectTimeout)
        what = "cannot be reached" if connects else "broke off its reply"
        return AttemptFailed(
            FaultKind.UNREACHABLE,
            f"{self._name} {what} ({type(cause).__name__.strip('_')})",
            again=True,
            may_cost=not connects,
            is_down=True,
        )


class _Late(Exception):
    """The time of a reply is over, though bytes still come."""


class _TooLong(Exception):
    """A reply is longer than any answer."""


class _Limit(local):
    """When the reply to what this thread has sent must be there, monotonic seconds."""

    end_s: float = 0.0


def _bounded(httpx2: Any, limit: _Limit, *, tls: bool) -> Any:
    """Make a transport whose replies end: by the clock, and by their size.

    Args:
        httpx2: the library.
        limit: of the reply's time.
        tls: certificates are looked at; reading those of the system takes a while.
    """

    class Stream(httpx2.SyncByteStream):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for part in self._inner:
                size += len(part)
                if size > BODY_MAX:
                    raise _TooLong
                if time.monotonic() > limit.end_s:
                    raise _Late
                yield part

        def close(self) -> None:
            self._inner.close()

    class Transport(httpx2.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            response = super().handle_request(request)
            response.stream = Stream(response.stream)
            return response

    return Transport(retries=0, verify=tls)


def _reply(response: Any) -> HttpReply:
    return HttpReply(
        status=response.status_code,
        body=response.content,
        retry_after_s=_retry_after_s(response.headers),
    )


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait: milliseconds, seconds, or a date, by the server's own clock."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        told = headers.get(name, "")
        seconds = _number(told, unit_s)
        if seconds is None and (until := _date_s(told)) is not None:
            now = _date_s(headers.get("date", ""))
            seconds = None if now is None else until - now
        if seconds is not None and 0 <= seconds <= _RETRY_AFTER_MAX_S:
            return seconds
    return None


def _number(text: str, unit_s: float) -> float | None:
    try:
        return float(text) * unit_s
    except ValueError:
        return None


def _date_s(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None

"""Requests to services of others: which failure is which, how often one is asked again, how much.

Only for reads: what fails in a way that may pass is asked again.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
import stamina

from suite.errors import (
    NotFound,
    RateLimited,
    StorageError,
    SuiteError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    one_line,
)
from suite.service.http import shown

ATTEMPTS: Final = 6
LONGEST_WAIT_MS: Final = 120_000
"""Who says to come back later than this is not waited for."""

_MINUTE_S = 60.0
_TOO_MANY = (418, 429)
"""418 is what Binance answers to who did not heed its 429."""
_REST_OF_IT, _NOTHING_LEFT = 206, 416
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

T = TypeVar("T")


class WeightLimit:
    """No more than so much weight in any minute, shared by all who ask.

    Args:
        per_minute: the venue's limit for one address.
        now_s: a clock that never goes back, seconds.
        sleep: waits, seconds.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_minute = per_minute
        self._now_s = now_s
        self._sleep = sleep
        self._spent: deque[tuple[float, int]] = deque()
        self._turn = asyncio.Lock()

    async def take(self, weight: int) -> None:
        """Wait until the weight is there, and spend it; first come, first served."""
        async with self._turn:
            while (wait_s := self._wait_s(weight)) > 0:
                await self._sleep(wait_s)
            self._spent.append((self._now_s(), weight))

    def _wait_s(self, weight: int) -> float:
        """How long until enough of what was spent is a minute old."""
        now_s = self._now_s()
        while self._spent and self._spent[0][0] + _MINUTE_S <= now_s:
            self._spent.popleft()
        over = sum(spent for _, spent in self._spent) + weight - self._per_minute
        for at_s, spent in self._spent:
            if over <= 0:
                break
            over -= spent
            if over <= 0:
                return at_s + _MINUTE_S - now_s
        return 0.0


async def retried(call: Callable[[], Awaitable[T]], attempts: int = ATTEMPTS) -> T:
    """Call, again while it fails in a way that may pass; a wait that is asked for is heeded.

    Raises:
        SuiteError: of the last attempt.
    """
    async for attempt in stamina.retry_context(
        on=_again, attempts=attempts, timeout=None, wait_initial=0.5, wait_max=20.0, wait_jitter=1.0
    ):
        with attempt:
            return await call()
    raise AssertionError  # the context either returns or raises


def _again(error: Exception) -> bool | float:
    """Whether to call again, or after how many seconds."""
    if not (isinstance(error, SuiteError) and error.retryable):
        return False
    if error.retry_after_ms is None:
        return True
    return error.retry_after_ms <= LONGEST_WAIT_MS and error.retry_after_ms / 1000


class Upstream:
    """One service of others.

    Args:
        name: as messages call it.
        url: what paths are put behind.
        limit: of weight; none where the service has none.
        timeout_s: how long an answer may pause.
        attempts: how often one thing is asked for at the most.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        limit: WeightLimit | None = None,
        timeout_s: float = 20.0,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.name = name
        self.requests = 0
        """How many were sent, repeated ones too."""
        self._limit = limit
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._shown = shown(url)
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0)),
            trust_env=urlsplit(url).hostname not in _LOOPBACK,
            follow_redirects=True,
        )

    async def read(
        self,
        decoder: msgspec.json.Decoder[T],
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        weight: int = 1,
    ) -> T:
        """Ask for JSON: with a body it is a POST, else a GET.

        Raises:
            RateLimited, UpstreamTimeout, UpstreamUnavailable: still, after the last attempt.
            NotFound: 404.
            UpstreamRefused: another status from 400, or an answer of another shape.
        """

        async def once() -> T:
            reply = await self._send(path, params, body, weight)
            try:
                return decoder.decode(reply.content)
            except msgspec.ValidationError as error:
                text = f"{self.name} answered in another shape than is known: {error}"
                raise UpstreamRefused(one_line(text)) from None
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise UpstreamUnavailable(f"{self.name} answered with broken JSON") from None

        return await retried(once, self._attempts)

    async def text(self, path: str) -> str:
        """Ask for a short document with a GET; raises as `read` does, and asks again as it does."""
        return (await retried(lambda: self._send(path, None, None, 1), self._attempts)).text

    async def download(self, path: str, draft: Path) -> None:
        """Bring a document into a file; what the file has of it already is not sent again.

        Whether file and document are the same afterwards is for the caller to check: the document
        may have changed between two attempts.

        Raises:
            StorageError: the file cannot be written.
            SuiteError: as `read`.
        """

        async def once() -> None:
            have = _size_of(draft)
            headers = {
                "accept-encoding": "identity",
                **({"range": f"bytes={have}-"} if have else {}),
            }
            self.requests += 1
            async with (
                self._faults_named(),
                self._client.stream("GET", path, headers=headers) as reply,
            ):
                if reply.status_code == _NOTHING_LEFT:
                    return
                if reply.status_code >= 400:
                    await reply.aread()
                    raise self._fault(reply)
                try:
                    with draft.open("ab" if reply.status_code == _REST_OF_IT else "wb") as file:
                        async for chunk in reply.aiter_raw():
                            file.write(chunk)
                except OSError as error:
                    raise StorageError(f"cannot write {draft}: {error.strerror}") from None

        await retried(once, self._attempts)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(
        self, path: str, params: Mapping[str, str | int] | None, body: Any, weight: int
    ) -> httpx.Response:
        if self._limit is not None:
            await self._limit.take(weight)
        self.requests += 1
        method = "GET" if body is None else "POST"
        async with self._faults_named():
            reply = await self._client.request(method, path, params=params, json=body)
        if reply.status_code >= 400:
            raise self._fault(reply)
        return reply

    @asynccontextmanager
    async def _faults_named(self) -> AsyncIterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            text = f"{self.name} did not answer within {self._timeout_s:g} s"
            raise UpstreamTimeout(text) from None
        except httpx.TransportError as error:
            text = f"{self.name} cannot be reached at {self._shown}: {error}"
            raise UpstreamUnavailable(one_line(text)) from None

    def _fault(self, reply: httpx.Response) -> SuiteError:
        status = reply.status_code
        text = one_line(f"{self.name} answered {status}: {reply.text[:200]}".strip(": "))
        wait_ms = _wait_ms(reply.headers.get("retry-after", ""))
        if status in _TOO_MANY:
            return RateLimited(text, retry_after_ms=wait_ms)
        if status >= 500:
            return UpstreamUnavailable(text, retry_after_ms=wait_ms)
        return NotFound(text) if status == 404 else UpstreamRefused(text)


def _wait_ms(header: str) -> int | None:
    """Read a `Retry-After` in seconds; the form with a date is not used by venues."""
    try:
        seconds = float(header)
    except ValueError:
        return None
    return max(0, math.ceil(seconds * 1000)) if math.isfinite(seconds) else None


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

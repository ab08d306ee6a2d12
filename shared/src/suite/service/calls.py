"""Calls of one service of the suite to another: one keep-alive session, each failure by its name.

A read may be repeated, so `read` tries again with growing, jittered pauses until a window has
passed; `once` is for what must not be repeated without thought.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from suite import tracing
from suite.errors import (
    Conflict,
    JoinFirst,
    NotFound,
    RateLimited,
    SuiteError,
    Unauthorized,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
_TEXT_LIMIT: Final = 200
_SECONDS: Final = re.compile(r"[0-9]{1,6}")
_JSON: Final = {"content-type": "application/json"}
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with status 200."""

    body: bytes
    headers: Mapping[str, str]


class ServiceCalls:
    """One service, seen with one token.

    Args:
        session: its base address ends with a slash (`suite.service.http.step_session`).
        url: of the service, for messages.
        name: what messages call it.
        hints: what a status may have to do with, as a question for messages.
        connect_window_s: how long a read is tried while the service has never answered.
        retry_window_s: how long it is tried once it has.
        jitter: source of the random part of pauses.

    Attributes:
        requests: how many were sent, by reason.
    """

    def __init__(
        self,
        session: "aiohttp.ClientSession",
        url: str,
        *,
        name: str,
        connect_window_s: float,
        retry_window_s: float,
        jitter: random.Random,
        hints: Mapping[int, str],
    ) -> None:
        import aiohttp

        self.url = url
        self.name = name
        self.requests: Counter[str] = Counter()
        self._session = session
        self._window_s = connect_window_s
        self._retry_window_s = retry_window_s
        self._jitter = jitter
        self._hints = hints
        self._lost = (aiohttp.ClientError, TimeoutError)
        self._bad_address = aiohttp.InvalidURL

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def read(
        self,
        method: str,
        path: str,
        body: object,
        decoder: msgspec.json.Decoder[T],
        *,
        reason: str,
        limit_s: float | None = None,
    ) -> T:
        """Call until it is answered, refused, or the window has passed.

        Args:
            method, path, body: of the call.
            decoder: of its answer.
            reason: under which it is counted.
            limit_s: of one try, where the session has none: an answer that is lost never comes.

        Raises:
            SuiteError: of the last try.
        """
        content = None if body is None else _encode(body)
        now = asyncio.get_running_loop().time
        deadline = now() + self._window_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                answered = await self._once_within(limit_s, method, path, content, reason)
                self._window_s = self._retry_window_s
                return self._decode(decoder, answered.body, path)
            except SuiteError as fault:
                asked_s = (fault.retry_after_ms or 0) / 1000
                wait_s = max(asked_s, pause_s * (0.5 + self._jitter.random() / 2))
                if not fault.retryable or now() + wait_s > deadline:
                    raise
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _once_within(
        self, limit_s: float | None, method: str, path: str, content: bytes | None, reason: str
    ) -> Answered:
        try:
            async with asyncio.timeout(limit_s):
                return await self.once(method, path, content, reason=reason)
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self.name} at {self.url} did not answer within {limit_s:g} s"
            ) from None

    async def once(
        self,
        method: str,
        path: str,
        content: bytes | None,
        *,
        reason: str,
        headers: Mapping[str, str] = {},
    ) -> Answered:
        """Call a single time.

        Raises:
            SuiteError: there was no answer, or it is not 200; a 429 and a 5xx are `retryable`.
        """
        headers = self.admitted(headers)
        if method == "POST":  # looks meanwhile are no part of what was decided
            headers = {**headers, **tracing.outgoing()}
        self.requests[reason] += 1
        sent = {**_JSON, **headers} if content is not None else dict(headers)
        try:
            async with self._session.request(
                method, path, data=content, headers=sent, allow_redirects=False
            ) as answer:
                raw = await answer.read()
                if answer.status != 200:
                    raise self.fault(answer, raw)
                return Answered(raw, answer.headers)
        except self._bad_address:
            raise UpstreamRefused(f"cannot use {self.name}'s address {self.url}") from None
        except self._lost as error:
            said = _first_line(str(error)) or type(error).__name__
            raise UpstreamUnavailable(f"cannot reach {self.name} at {self.url}: {said}") from None

    def admitted(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Let a call leave: with which headers.

        Raises:
            SuiteError: it may not; of calls that are made in somebody's name.
        """
        return headers

    def fault(self, answer: "aiohttp.ClientResponse", raw: bytes) -> SuiteError:
        """Make a fault of an answer that is not 200."""
        text = _first_line(raw.decode(errors="replace")) or answer.reason or "no reason given"
        hint = self._hints.get(answer.status)
        said = f"{self.name} at {self.url} answered {answer.status}: {text}"
        said += f" ({hint})" if hint else ""
        match answer.status:
            case 401 | 403:
                return Unauthorized(said)
            case 404:
                return NotFound(said)
            case 409:
                code = answer.headers.get("x-error-code")
                return JoinFirst(said) if code == JoinFirst.code else Conflict(said)
            case 429:
                wait_ms = _wait_ms(answer)
                return RateLimited(said, retry_after_ms=1000 if wait_ms is None else wait_ms)
            case status if status >= 500:
                return UpstreamUnavailable(said, retry_after_ms=_wait_ms(answer))
        return UpstreamRefused(said)

    def _decode(self, decoder: msgspec.json.Decoder[T], raw: bytes, path: str) -> T:
        try:
            return decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamRefused(
                f"the answer of {self.url}/{path} is not the venue contract's: {error}"
            ) from None


def _wait_ms(answer: "aiohttp.ClientResponse") -> int | None:
    """Read a `Retry-After` in seconds, ASCII digits only; None for none and for a date."""
    after = answer.headers.get("retry-after", "")
    return 1000 * int(after) if _SECONDS.fullmatch(after) else None


def _first_line(text: str) -> str:
    line = text.strip().split("\n")[0].strip()
    return line if len(line) <= _TEXT_LIMIT else f"{line[:_TEXT_LIMIT]}..."

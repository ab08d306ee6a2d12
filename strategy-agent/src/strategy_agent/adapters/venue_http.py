"""The venue contract over HTTP: one keep-alive session for one trader.

Every call here may be repeated without acting twice (a wait by its `step_seq`), so a lost
connection, a 5xx or a 429 is tried again with growing, jittered pauses until a window has passed.
"""

import asyncio
import random
import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from suite.contracts.clock import ClockState, JoinRequest, WaitReply, WaitRequest, Want
from suite.errors import (
    Conflict,
    NotFound,
    RateLimited,
    SuiteError,
    Unauthorized,
    UpstreamRefused,
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
_INTERRUPTED: Final = "joined again"
"""What the venue says to a wait that a join has ended, and whose orders it had carried out."""


class VenueHttp:
    """A venue seen with one account's token.

    Args:
        session: its base address ends with a slash (`suite.service.http.step_session`).
        url: of the venue, for messages.
        connect_window_s: how long to try while the venue has never answered.
        retry_window_s: how long to try a call once it has.
        jitter: source of the random part of pauses.
    """

    def __init__(
        self,
        session: "aiohttp.ClientSession",
        url: str,
        *,
        connect_window_s: float,
        retry_window_s: float,
        jitter: random.Random,
    ) -> None:
        import aiohttp

        self._session = session
        self._url = url
        self._window_s = connect_window_s
        self._retry_window_s = retry_window_s
        self._jitter = jitter
        self._lost = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)
        self._bad_address = aiohttp.InvalidURL
        self._encoder = msgspec.json.Encoder()
        self._clock = msgspec.json.Decoder(ClockState)
        self._reply = msgspec.json.Decoder(WaitReply)
        self._any = msgspec.json.Decoder()
        self._first = 0
        self._joining: asyncio.Task[WaitReply] | None = None
        self._want: Want | None = None

    async def clock(self) -> ClockState:
        """`GET /clock`."""
        return await self._call("GET", "clock", None, self._clock)

    async def meta(self) -> object:
        """`POST /info` of type `meta`."""
        return await self._call("POST", "info", {"type": "meta"}, self._any)

    async def join(self, request: JoinRequest) -> WaitReply:
        """`POST /clock/join`; the venue counts steps from 1 again."""
        reply = await self._call("POST", "clock/join", request, self._reply)
        self._first = 0
        return reply

    async def wait(self, request: WaitRequest) -> WaitReply:
        """`POST /clock/wait`; answered when the trader wakes."""
        self._want = request.want
        try:
            return await self._wait(request)
        finally:
            self._want = None

    def wake(self) -> None:
        """Join again, which ends the wait at the venue."""
        if self._want is not None and self._joining is None:
            self._joining = asyncio.create_task(self._join_again(self._want))

    async def _wait(self, request: WaitRequest) -> WaitReply:
        """Wait; where a wake-up came between, what it brought is the newer state."""
        reply: WaitReply | None = None
        while reply is None:
            self._first = self._first or request.step_seq
            number = request.step_seq - self._first + 1
            step = msgspec.structs.replace(request, step_seq=number)
            try:
                reply = await self._call("POST", "clock/wait", step, self._reply)
            except Conflict as fault:
                if (joining := self._taken()) is None:
                    raise
                joined = await joining
                if _INTERRUPTED in str(fault):
                    return joined
                # The wake-up was there before this step, none of whose orders has been looked at.
        if (joining := self._taken()) is not None:
            return msgspec.structs.replace(await joining, results=reply.results)
        return msgspec.structs.replace(reply, step_seq=request.step_seq)

    async def _join_again(self, want: Want) -> WaitReply:
        reply = await self.join(JoinRequest(want=want))
        return msgspec.structs.replace(reply, woke_by=("asked",))

    def _taken(self) -> "asyncio.Task[WaitReply] | None":
        joining, self._joining = self._joining, None
        return joining

    async def heartbeat(self) -> None:
        """`POST /clock/heartbeat`, once: the next one is not far."""
        await self._once("POST", "clock/heartbeat", b"{}")

    @property
    def trouble(self) -> tuple[str, ...]:
        """None: every reply of this venue is the whole account at the venue's own time."""
        return ()

    async def close(self) -> None:
        """Close the connections."""
        if (joining := self._taken()) is not None:
            joining.cancel()
        await self._session.close()

    async def _call(
        self, method: str, path: str, body: object, decoder: msgspec.json.Decoder[T]
    ) -> T:
        """Call until it is answered, refused, or the window has passed."""
        content = None if body is None else self._encoder.encode(body)
        now = asyncio.get_running_loop().time
        deadline = now() + self._window_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                raw = await self._once(method, path, content)
                self._window_s = self._retry_window_s
                return self._decode(decoder, raw, path)
            except SuiteError as fault:
                asked_s = (fault.retry_after_ms or 0) / 1000
                wait_s = max(asked_s, pause_s * (0.5 + self._jitter.random() / 2))
                if not fault.retryable or now() + wait_s > deadline:
                    raise
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _once(self, method: str, path: str, content: bytes | None) -> bytes:
        try:
            headers = _JSON if content is not None else None
            async with self._session.request(method, path, data=content, headers=headers) as answer:
                raw = await answer.read()
                if answer.status != 200:
                    raise self._fault(answer, raw)
                return raw
        except self._lost as error:
            reason = _first_line(str(error)) or type(error).__name__
            raise UpstreamUnavailable(f"cannot reach the venue at {self._url}: {reason}") from None
        except self._bad_address:
            raise UpstreamRefused(f"cannot use the venue's address {self._url}") from None

    def _fault(self, answer: "aiohttp.ClientResponse", raw: bytes) -> SuiteError:
        """Make a fault of an answer that is not 200."""
        text = _first_line(raw.decode(errors="replace")) or answer.reason or "no reason given"
        said = f"the venue at {self._url} answered {answer.status}: {text}"
        match answer.status:
            case 401 | 403:
                return Unauthorized(f"{said} (is TRADER_TOKEN the token of this trader?)")
            case 404:
                return NotFound(f"{said} (does TRADING_URL name the right world?)")
            case 409:
                return Conflict(said)
            case 429:
                after = answer.headers.get("retry-after", "1")
                seconds = int(after) if _SECONDS.fullmatch(after) else 1
                return RateLimited(said, retry_after_ms=1000 * seconds)
            case status if status >= 500:
                return UpstreamUnavailable(said)
        return UpstreamRefused(said)

    def _decode(self, decoder: msgspec.json.Decoder[T], raw: bytes, path: str) -> T:
        try:
            return decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamRefused(
                f"the answer of {self._url}/{path} is not the venue contract's: {error}"
            ) from None


def _first_line(text: str) -> str:
    line = text.strip().split("\n")[0].strip()
    return line if len(line) <= _TEXT_LIMIT else f"{line[:_TEXT_LIMIT]}..."

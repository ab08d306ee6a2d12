"""`POST /info` for a trader: asked of the venue each time, and passed on as it was answered.

Nothing about an account or a price is ever kept. Who asks the same at the same time shares a call
that begins after all of them have asked. Only the lists of what can be traded are kept for a
minute, and their age is told.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from hyperliquid_exchange.application.ports import Upstream
from hyperliquid_exchange.application.rounds import Rounds
from hyperliquid_exchange.domain.reading import OF_USER, Reader
from suite.account.view import view_of
from suite.addresses import is_address, normal_address
from suite.bodies import decode_first
from suite.contracts.clock import AccountView, Want
from suite.contracts.hyperliquid_info import ClearinghouseState, OpenOrder
from suite.errors import RateLimited, UpstreamUnavailable

KEPT_S: Final = 60.0
_LISTS: Final = frozenset({"meta", "spotMeta", "allPerpMetas"})
"""What can be traded: neither prices nor anybody's state."""
_LISTS_KEPT: Final = 32
_TOO_MANY: Final = 429
_NULL: Final = b"null"

_encode = msgspec.json.Encoder().encode
_object: Final = msgspec.json.Decoder(dict[str, Any])
_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])
_state: Final = msgspec.json.Decoder(ClearinghouseState)
_orders: Final = msgspec.json.Decoder(tuple[OpenOrder, ...])
_mids: Final = msgspec.json.Decoder(dict[str, str])


class Malformed(Exception):
    """A read that the venue would not understand.

    Attributes:
        is_json: it is JSON, of another shape.
    """

    def __init__(self, text: str, *, is_json: bool) -> None:
        super().__init__(text)
        self.is_json = is_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    """What the venue answers.

    Attributes:
        kind: what was asked.
        status: HTTP's.
        body: as it came.
        age_s: of what was kept for a while, whole seconds; None for what was just asked.
        retry_after_s: when to ask again, where the venue was not asked at all.
    """

    kind: str
    status: int
    body: bytes
    age_s: int | None = None
    retry_after_s: float | None = None


class ReadBudget(Protocol):
    """What reads may cost of the weight that this address has at the venue."""

    def read_refusal(self, kind: str) -> str:
        """Tell why a read does not fit; empty where it does."""
        ...

    def read_wait_s(self, kind: str) -> float:
        """Tell in how many seconds it will."""
        ...

    def read_left(self, kind: str) -> None:
        """Count a read that leaves."""
        ...

    def read_answered(self, kind: str, items: int) -> None:
        """Count what the rows of its answer cost beyond that."""
        ...


class Reads:
    """The venue's reads.

    Args:
        upstream: the venue.
        budget: of weight.
        now_s: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        upstream: Upstream,
        budget: ReadBudget,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._budget = budget
        self._now_s = now_s
        self._rounds: Rounds[bytes, ReadAnswer] = Rounds()
        self._kept: dict[bytes, tuple[float, ReadAnswer]] = {}

    async def info(self, reader: Reader, body: bytes) -> ReadAnswer:
        """Answer a read.

        Args:
            reader: who asks.
            body: as it was sent; what follows its first value does not count.

        Raises:
            Malformed: it is no read.
            Forbidden: it is about somebody else's account.
            UpstreamTimeout, UpstreamUnavailable: the venue does not answer.
        """
        kind, request = _read(reader, body)
        if kind in _LISTS:
            dex = request.get("dex")
            return await self._list(kind, _encode({"type": kind, "dex": dex or ""}))
        content = _encode(request)
        return await self._rounds.ask(content, lambda: self._ask(kind, content))

    async def account(self, reader: Reader, want: Want) -> tuple[AccountView, dict[str, str]]:
        """Read the reader's account, and prices where they are wanted, as of now.

        Raises:
            RateLimited: the venue cannot be asked now.
            UpstreamTimeout, UpstreamUnavailable: it does not answer, or not with an account.
        """
        state = _state.decode(await self._own(reader, "clearinghouseState"))
        orders = _orders.decode(await self._own(reader, "frontendOpenOrders"))
        mids = _mids.decode(await self._own(reader, "allMids")) if want.mids else {}
        return view_of(state, orders), mids

    async def _own(self, reader: Reader, kind: str) -> bytes:
        answer = await self.info(reader, _encode({"type": kind}))
        if answer.status == _TOO_MANY:
            wait_s = answer.retry_after_s or 1.0
            raise RateLimited("the venue takes no more reads", retry_after_ms=int(1000 * wait_s))
        if answer.status != 200:
            raise UpstreamUnavailable(f"the venue answered `{kind}` with {answer.status}")
        return answer.body

    async def _list(self, kind: str, content: bytes) -> ReadAnswer:
        """Tell what was kept if it is young, else ask."""
        answer = self._young(content)
        if answer is not None:
            return answer

        async def ask() -> ReadAnswer:
            # Somebody may have been told while this waited for its turn.
            return self._young(content) or self._keep(content, await self._ask(kind, content))

        return await self._rounds.ask(content, ask)

    def _young(self, content: bytes) -> ReadAnswer | None:
        kept = self._kept.get(content)
        if kept is None:
            return None
        at_s, answer = kept
        age_s = self._now_s() - at_s
        return _aged(answer, age_s) if age_s < KEPT_S else None

    def _keep(self, content: bytes, answer: ReadAnswer) -> ReadAnswer:
        if answer.status != 200:
            return answer
        self._kept.pop(content, None)
        while len(self._kept) >= _LISTS_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[content] = (self._now_s(), answer)
        return _aged(answer, 0.0)

    async def _ask(self, kind: str, content: bytes) -> ReadAnswer:
        budget = self._budget
        if budget.read_refusal(kind):
            wait_s = budget.read_wait_s(kind)
            return ReadAnswer(kind=kind, status=_TOO_MANY, body=_NULL, retry_after_s=wait_s)
        budget.read_left(kind)
        status, body = await self._upstream.info(content)
        if status == 200:
            budget.read_answered(kind, _count(body))
        return ReadAnswer(kind=kind, status=status, body=body)


def _aged(answer: ReadAnswer, age_s: float) -> ReadAnswer:
    return ReadAnswer(kind=answer.kind, status=answer.status, body=answer.body, age_s=int(age_s))


def _read(reader: Reader, body: bytes) -> tuple[str, dict[str, Any]]:
    """Read a request, and make it the reader's own.

    What is sent on is written anew from what was read here, so that nobody reads it otherwise.
    """
    try:
        request = decode_first(_object, body)
    except msgspec.ValidationError as error:
        raise Malformed(str(error), is_json=True) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error), is_json=False) from None
    kind = request.get("type")
    if not isinstance(kind, str):
        raise Malformed("missing field `type`", is_json=True)
    user = request.get("user")
    if user is None:
        request.pop("user", None)
        if kind in OF_USER and reader.address:
            request["user"] = reader.address
    elif isinstance(user, str) and is_address(user):
        request["user"] = normal_address(user)
    else:
        raise Malformed("`user` is no address", is_json=True)
    reader.check(kind, request)
    return kind, request


def _count(body: bytes) -> int:
    """Rows of an answer; 0 where it is no list."""
    if not body.startswith(b"["):
        return 0
    try:
        return len(_rows.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0

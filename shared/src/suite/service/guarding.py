"""What keeps a flood, a guesser and a body of a strange shape from what is behind the edge.

Wrong tokens are counted by peer: after twenty within a minute none of its tokens is looked at for a
minute, but for those that are right. So nobody who guesses can lock out who is allowed, and the way
out stays open.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope

from suite.service.tokens import OPEN, declared_scopes, shown_secrets

FAILURES_MAX: Final = 20
"""Wrong tokens of one peer within the window."""
WINDOW_S: Final = 60.0
HEADER_BYTES: Final = 16 << 10
DEPTH_MAX: Final = 20
_PEERS_MAX: Final = 10_000
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""For answers that bring no policy of their own: data is no page."""
_OTHERS: Final = bytes(value for value in range(256) if value not in b"[]{}")
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_STRINGS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


@dataclass(slots=True)
class _Peer:
    """What is known of one.

    Attributes:
        failures: wrong tokens in the present window.
        since_s: when that began.
        refused_until_s: until which it is not listened to.
    """

    failures: int = 0
    since_s: float = 0.0
    refused_until_s: float = 0.0


@dataclass(slots=True)
class _Bucket:
    """Requests that may be sent at once."""

    left: float
    at_s: float


class Guard:
    """Refuses by who asks and how often.

    Args:
        is_known: whether a secret is a token of this service.
        rate_per_s: requests of one token, or of a peer without one; 0 where another limit stands.
        reserved: beginnings of paths that no rate holds up: the ways out.
        now_s: a clock that never goes back.
    """

    def __init__(
        self,
        is_known: Callable[[str], bool],
        *,
        rate_per_s: int = 0,
        reserved: tuple[str, ...] = (),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_known = is_known
        self._rate = rate_per_s
        self._reserved = reserved
        self._now_s = now_s
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def refusal(self, scope: Scope) -> PlainTextResponse | None:
        """Find what forbids a request; None for nothing."""
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
            return PlainTextResponse(f"the headers are larger than {HEADER_BYTES} bytes", 431)
        if not self._rate and not self._peers:
            return None
        now_s, host = self._now_s(), _host(scope)
        peer = self._peers.get(host)
        is_refused = peer is not None and now_s < peer.refused_until_s
        if not is_refused and not self._rate:
            return None
        shown = list(shown_secrets(scope))
        known = next((one for one in shown if self._is_known(one)), None)
        # Whether the service lives may be asked by anybody at any time.
        if is_refused and known is None and (shown or scope["method"] not in _READS):
            return _wait(401, "too many wrong tokens", round(WINDOW_S))
        is_reserved = bool(self._reserved) and scope["path"].startswith(self._reserved)
        if self._rate and not self._has_room(known or host, now_s) and not is_reserved:
            return _wait(429, f"more than {self._rate} requests a second", 1)
        return None

    def answered(self, scope: Scope, status: int) -> None:
        """Take note of an answer: a wrong token counts, none at all does not."""
        if status != 401 or not _has_shown(scope):
            return
        now_s, host = self._now_s(), _host(scope)
        peer = self._peers.setdefault(host, _Peer(since_s=now_s))
        self._peers.move_to_end(host)
        if now_s - peer.since_s >= WINDOW_S:
            peer.failures, peer.since_s = 0, now_s
        peer.failures += 1
        if peer.failures >= FAILURES_MAX:
            peer.failures, peer.since_s = 0, now_s
            peer.refused_until_s = now_s + WINDOW_S
        while len(self._peers) > _PEERS_MAX:
            self._peers.popitem(last=False)

    def _has_room(self, key: str, now_s: float) -> bool:
        """Take one request of a bucket that holds two seconds of them."""
        bucket = self._buckets.get(key)
        most = 2.0 * self._rate
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(most, now_s)
            while len(self._buckets) > _PEERS_MAX:
                self._buckets.popitem(last=False)
        bucket.left = min(most, bucket.left + (now_s - bucket.at_s) * self._rate)
        bucket.at_s = now_s
        if bucket.left < 1.0:
            return False
        bucket.left -= 1.0
        return True


def shallow(receive: Receive) -> Receive:
    """Refuse a body that is nested too deep before anybody reads it."""
    chunks: list[bytes] = []

    async def looking() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            chunks.append(message.get("body", b""))
            if not message.get("more_body", False) and is_deep(b"".join(chunks)):
                raise HTTPException(400, f"the body is nested deeper than {DEPTH_MAX} levels")
        return message

    return looking


def is_deep(body: bytes) -> bool:
    """Whether arrays and objects are in each other more often than they may be."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return False
    # Without its strings and values a body is a few brackets, which pair by pair vanish quickly.
    left = _STRINGS.sub(b"", body).translate(_ALIKE, _OTHERS)
    for _ in range(DEPTH_MAX):
        left = left.replace(b"[]", b"")
    return b"[]" in left or left.count(b"[") > DEPTH_MAX


def secured(headers: list[tuple[bytes, bytes]]) -> None:
    """Add what tells browsers to take an answer for nothing but data."""
    there = dict(headers)
    if b"content-security-policy" in there:
        return
    is_page = there.get(b"content-type", b"").startswith(b"text/html")
    # A page brings its styles and scripts with it, and says in itself which.
    headers.extend(
        one
        for one in SECURITY_HEADERS
        if one[0] not in there and not (is_page and one[0] == b"content-security-policy")
    )


def _host(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _has_shown(scope: Scope) -> bool:
    """Whether a request came with a secret: in its headers, or in the body of a login."""
    if any(True for _ in shown_secrets(scope)):
        return True
    declared = declared_scopes(scope.get("endpoint"), ())
    return any(one.startswith(OPEN) for one in declared)


def _wait(status: int, why: str, seconds: int) -> PlainTextResponse:
    headers = {"retry-after": str(seconds), "x-error-code": "rate_limited"}
    return PlainTextResponse(why, status, headers)

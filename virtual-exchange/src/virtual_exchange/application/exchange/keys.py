"""Keys of requests: what carries a key is carried out at most once in its account.

A key is used by the first request that brings it, however it ends, or by a noop; from then on it
tells what became of that request. Keys are kept in memory, as the world is.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from suite.clock import Clock
from suite.contracts.venue import ActionReply
from suite.errors import Conflict, RateLimited
from virtual_exchange.application.latency_queue import Delivery, answered

KEYS_MAX: Final = 20_000
"""Keys of one account that are kept; however old they are, since who asks may have been away."""
KEYS_RESERVED: Final = 10_000
"""Room beyond that for what must not wait: what reduces risk, and noops."""
KEPT_MS: Final = 600_000
"""How long a key is kept however many newer ones there are, wall time."""

DONE: Final = ActionReply(status="ok", response={"type": "default"})


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that belongs to a key.

    Attributes:
        delivery: of the request that used it; it may still be under way.
        replayed: that request was an earlier one.
    """

    delivery: Delivery[ActionReply]
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Used:
    """A key that was used: by a request, or by a noop, which has no fingerprint."""

    fingerprint: bytes
    delivery: Delivery[ActionReply]
    used_ms: int


class RequestKeys:
    """The used keys of every account of one world.

    Args:
        clock: wall time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: dict[int, OrderedDict[str, _Used]] = {}

    def once(
        self,
        account: int,
        key: str,
        fingerprint: bytes,
        send: Callable[[], Delivery[ActionReply]],
        *,
        urgent: bool = False,
    ) -> Kept:
        """Send a request, unless its key was used: then tell what became of the one that used it.

        Args:
            account: whose key it is.
            key: as sent.
            fingerprint: equal for equal requests, not empty.
            send: carries the request out, or sends it on its way.
            urgent: it reduces risk, and has room where others have none.

        Raises:
            Conflict: another request, or a noop, has used the key.
            RateLimited: there is no room for a new key; nothing was done.
        """
        used = self._find(account, key)
        if used is None:
            delivery = self._use(account, key, fingerprint, send, urgent=urgent)
            return Kept(delivery, replayed=False)
        if not used.fingerprint:
            raise Conflict(f"Idempotency-Key {key!r} was ended by a noop: nothing was carried out")
        if used.fingerprint != fingerprint:
            raise Conflict(
                f"Idempotency-Key {key!r} belongs to another request: nothing was carried out"
            )
        return Kept(used.delivery, replayed=True)

    def noop(self, account: int, key: str) -> Kept:
        """Use a key up, so that no request that still comes is carried out.

        Returns:
            What became of the request that used the key before; if there is none there never will
            be, and `replayed` is false.

        Raises:
            RateLimited: there is no room for a new key.
        """
        used = self._find(account, key)
        if used is not None:
            return Kept(used.delivery, replayed=bool(used.fingerprint))
        delivery = self._use(account, key, b"", lambda: answered(DONE), urgent=True)
        return Kept(delivery, replayed=False)

    def _find(self, account: int, key: str) -> _Used | None:
        keys = self._used.get(account)
        return None if keys is None else keys.get(key)

    def _use(
        self,
        account: int,
        key: str,
        fingerprint: bytes,
        send: Callable[[], Delivery[ActionReply]],
        *,
        urgent: bool,
    ) -> Delivery[ActionReply]:
        keys = self._used.setdefault(account, OrderedDict())
        now_ms = self._clock.now_ms()
        while len(keys) >= KEYS_MAX and next(iter(keys.values())).used_ms + KEPT_MS <= now_ms:
            keys.popitem(last=False)
        most = KEYS_MAX + KEYS_RESERVED if urgent else KEYS_MAX
        if len(keys) >= most:
            # as many have to grow old as are too many, the newest of those last
            last = next(islice(keys.values(), len(keys) - most, None))
            raise RateLimited(
                f"this account has used {most} keys within {KEPT_MS // 60_000} minutes",
                retry_after_ms=last.used_ms + KEPT_MS - now_ms,
            )
        delivery = send()
        keys[key] = _Used(fingerprint, delivery, now_ms)
        return delivery

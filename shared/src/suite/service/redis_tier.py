"""What processes share of their answers through a Redis; everything goes on without it.

A call waits 50 ms at most. The first one that fails ends the tier for 5 s, for everybody in the
process; then it is tried again. Whoever comes (back) to a Redis opens a new namespace in it, so
what was kept before, by whomever, cannot return. Values last 5 s. What one process keeps, it tells
the others, who let go of what they have of an older version; a message that is lost costs memory,
as nobody answers with a value of another version than the present one.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import structlog
from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

from suite.bodies import Encoded
from suite.errors import ConfigError
from suite.hosts import is_loopback
from suite.service.caching import Version
from suite.service.metrics import Figure

if TYPE_CHECKING:
    from redis.asyncio import Redis

TTL_S: Final = 5.0
CALL_S: Final = 0.05
BREAK_S: Final = 5.0
_TURNS: Final = 10
_UNHURRIED_S: Final = 1.0
"""For what nobody waits for: connections, and values on their way there."""
_AT_ONCE: Final = 8
"""Calls; who waits for a place does not wait for the Redis yet."""
_OFFERS_MAX: Final = 64
"""Values on their way; more are not shared."""
_KEEP: Final = """
local namespace = redis.call('GET', KEYS[1]) or '0'
local held = redis.call('GETRANGE', KEYS[2], 0, 63)
local held_in, held_at = string.match(held, '^(%d+) (%d+) ')
if held_in == namespace and tonumber(held_at) > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[2], namespace .. ' ' .. ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
"""
"""Of two values of one namespace the newer stays, whichever comes last."""
_log = structlog.get_logger(__name__)


def _redis_url(url: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(url.get_secret_value())
        is_one = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if url.get_secret_value() and not is_one:
        raise PydanticCustomError("address", "not a Redis; write redis://127.0.0.1:6379/0")
    return url


RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
"""`redis://...`, or `rediss://...` with TLS, with a password or without; empty for none."""


def encrypted(url: str, *, trusted_network: bool) -> str:
    """Ask for TLS where the server is on another machine.

    Args:
        url: of a Redis.
        trusted_network: somebody vouches for the network between.
    """
    parts = urlsplit(url)
    if parts.scheme == "redis" and not trusted_network and not is_loopback(parts.hostname or ""):
        return parts._replace(scheme="rediss").geturl()
    return url


class RedisTier:
    """Values that several processes of a service share.

    Args:
        url: of the Redis.
        name: of the service; nobody else has its values.
        call_s: how long a call is waited for.
        break_s: how long the Redis is left alone after one that failed.

    Attributes:
        on_newer: told of the keys of which another process has a newer value, and since when.
        trouble: why nothing is shared at present; empty where it is.
        losses: how often it was lost.
        turns: how often it was tried.

    Raises:
        ConfigError: the client is not installed, or does not know something in the address.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        call_s: float = CALL_S,
        break_s: float = BREAK_S,
    ) -> None:
        self.on_newer: Callable[[str, int], None] = lambda _key, _at_ms: None
        self.trouble = "not connected yet"
        self.losses = 0
        self.turns = 0
        self._name = name
        self._call_s = call_s
        self._break_s = break_s
        self._open = _opener(url)
        self._redis: Redis | None = None
        self._lost: asyncio.Future[str] | None = None
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._offers: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow the Redis as often as it is there; never returns."""
        import redis

        while True:
            self.turns += 1
            why = "it cannot be reached"
            with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
                async with asyncio.timeout(_UNHURRIED_S) as connecting:
                    why = await self._follow(connecting)
            self._lose(why)
            await asyncio.sleep(self._break_s)

    async def find(self, key: str, version: Version) -> Encoded | None:
        """Look for a value of just this version."""
        async with self._places:
            if self._redis is None:
                return None
            held = await self._call(
                self._redis.mget(self._key("namespace"), self._key(f"of/{key}")), self._call_s
            )
        if held is None or held[1] is None:
            return None
        head, _, body = held[1].partition(b"\n")
        found = Encoded.of(body)
        wanted = b"%s %d %s %s" % (
            held[0] or b"0",
            version.at_ms,
            version.state.encode(),
            found.digest.encode(),
        )
        return found if head == wanted else None

    def offer(self, key: str, version: Version, value: Encoded) -> None:
        """Keep a value for others, unless they have a newer one; waits for nothing."""
        if self._redis is None or len(self._offers) >= _OFFERS_MAX:
            return
        task = asyncio.create_task(self._keep(self._redis, key, version, value))
        self._offers.add(task)
        task.add_done_callback(self._offers.discard)

    async def _keep(self, redis: "Redis", key: str, version: Version, value: Encoded) -> None:
        told = f"{version.state} {value.digest}\n".encode() + value.body
        async with self._places:
            if redis is not self._redis:
                return
            await self._call(
                redis.eval(
                    _KEEP,
                    2,
                    self._key("namespace"),
                    self._key(f"of/{key}"),
                    str(version.at_ms),
                    told,
                    str(round(TTL_S * 1000)),
                    self._key("newer"),
                    f"{version.at_ms} {key}",
                ),
                _UNHURRIED_S,
            )

    async def _call(self, command: Any, limit_s: float) -> Any:
        """Wait for an answer, not for long; None where none came, and none is asked for then."""
        import redis

        asked = asyncio.ensure_future(command)
        try:
            # In turns of the event loop: a process that is late itself does not blame the Redis.
            for _ in range(_TURNS):
                done, _waiting = await asyncio.wait({asked}, timeout=limit_s / _TURNS)
                if done:
                    return asked.result()
            self._lose(f"no answer within {limit_s * 1000:.0f} ms")
        except (redis.RedisError, OSError) as error:
            self._lose(_said(error))
        finally:
            asked.cancel()
        return None

    async def _follow(self, connecting: asyncio.Timeout) -> str:
        """Listen to what others keep, until the Redis is lost.

        Returns:
            Why it is lost.
        """
        import redis

        client = self._open()
        heard = client.pubsub(ignore_subscribe_messages=True)
        try:
            try:
                await heard.subscribe(self._key("newer"))
                await client.incr(self._key("namespace"))
            except redis.RedisError as error:
                return _said(error)
            connecting.reschedule(None)
            self._redis, self.trouble = client, ""
            self._lost = asyncio.get_running_loop().create_future()
            _log.info("redis", shares=self._name)
            listening = asyncio.create_task(self._listen(heard))
            try:
                ends: set[asyncio.Future[Any]] = {listening, self._lost}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                listening.cancel()
            return self._lost.result() if self._lost.done() else "it has gone away"
        finally:
            self._redis = None
            for offer in self._offers:
                offer.cancel()
            with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
                async with asyncio.timeout(_UNHURRIED_S):
                    await heard.aclose()  # type: ignore[no-untyped-call]
                    await client.aclose()

    async def _listen(self, heard: Any) -> None:
        import redis

        with contextlib.suppress(redis.RedisError, OSError):
            async for message in heard.listen():
                at_ms, _, key = message["data"].decode(errors="replace").partition(" ")
                if at_ms.isdecimal():
                    self.on_newer(key, int(at_ms))

    def _lose(self, why: str) -> None:
        """Share nothing from now on, until it is tried again."""
        self._redis = None
        if not self.trouble:
            self.losses += 1
        if self.trouble != why:
            _log.warning("no_redis", reason=why, shares=self._name)
        self.trouble = why
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(why)

    def _key(self, name: str) -> str:
        return f"{{autocryptotrader/{self._name}}}/{name}"


def redis_figures(prefix: str, tier: RedisTier) -> tuple[Figure, ...]:
    """Show whether answers are shared.

    Args:
        prefix: of the service's metrics.
        tier: of the service.
    """
    return (
        Figure(
            name=f"{prefix}_redis_up",
            text="1 where answers are shared through Redis, 0 while it is left alone.",
            read=lambda: float(not tier.trouble),
        ),
        Figure(
            name=f"{prefix}_redis_losses",
            text="How often Redis was lost.",
            kind="counter",
            read=lambda: tier.losses,
        ),
    )


def _opener(url: str) -> "Callable[[], Redis]":
    """Make clients of an address, after a look at whether one can be made."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise ConfigError(
            "REDIS_URL is set and the client of Redis is not installed: pip install redis"
        ) from None

    def opened() -> "Redis":
        # A command that failed is not sent again: whether it is lost is seen by the first one.
        return Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None)

    try:
        opened().connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError):
        raise ConfigError("REDIS_URL has something in it that no client of Redis knows") from None
    return opened


def _said(error: BaseException) -> str:
    """Tell what is wrong in words of our own: those of a server or a client may quote anything."""
    from redis import exceptions as faults

    kinds: dict[type[BaseException], str] = {
        faults.AuthenticationError: "it refuses the password",
        faults.NoPermissionError: "its user may not do what is needed",
        faults.BusyLoadingError: "it is loading yet",
        faults.ResponseError: "it refuses a command",
    }
    found = (told for kind, told in kinds.items() if isinstance(error, kind))
    return next(found, "it cannot be reached")

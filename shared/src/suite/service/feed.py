"""WebSocket feeds: one connection kept alive, whatever comes over it.

    feed = UnifiedWebSocketFeed("klines", make_stream, listener, budget=budget, chance=Random(1))
    await feed.run()                     until cancelled

A `Stream` speaks a venue's language and knows one connection. The feed makes streams, one after
the other: it reads each into a bounded queue (the producer), hands what it read to the listener in
order (the worker), pings, finds connections that are open and dead, and connects again with
growing, jittered pauses. What it loses it tells: the listener hears of every connection, of its
end, and of every frame that could not be used, in their place among the events.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from suite.errors import SuiteError, UpstreamTimeout, UpstreamUnavailable, one_line
from suite.feeds import FeedListener

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

FRAME_LIMIT: Final = 1 << 22
"""Bytes of the longest frame a stream takes; a venue's opening snapshot may have a megabyte."""
CLOSE_LIMIT_S: Final = 3.0


class MalformedFrame(Exception):
    """A frame could not be read; the connection may go on."""


class OversizeFrame(UpstreamUnavailable):
    """A frame was longer than the limit, which ends the connection."""


class Stream(Protocol[T_co]):
    """One connection to a venue. Made, opened, read, closed, thrown away."""

    async def open(self) -> None:
        """Connect and subscribe.

        Raises:
            UpstreamUnavailable: there is no connection to be had.
            UpstreamTimeout: not in time.
        """
        ...

    async def receive(self) -> Sequence[T_co]:
        """Wait for the next events; none for what carries no payload, such as a pong.

        Raises:
            UpstreamUnavailable: the connection has ended.
            MalformedFrame: a frame could not be read; there may be others.
        """
        ...

    async def ping(self) -> None:
        """Ask for a sign of life."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTimeouts:
    """How long a feed waits for what.

    Attributes:
        open_s: for a connection with its subscriptions.
        ping_s: between pings.
        silence_s: for payload; pongs are none.
        first_pause_s, longest_pause_s: before the next connection.
        steady_s: after which a connection counts as good, and the pauses are short again.
        tick_s: between looks at the clock.
        queue: how many receipts may wait for the listener.
    """

    open_s: float = 30.0
    ping_s: float = 20.0
    silence_s: float = 60.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 20.0
    steady_s: float = 60.0
    tick_s: float = 1.0
    queue: int = 10_000


TIMEOUTS: Final = FeedTimeouts()


class MinuteBudget:
    """How often something may be done in a minute: connections of a process, messages of one.

    Args:
        per_minute: as the venue allows.
        clock_s: seconds of a clock that never goes back.
    """

    def __init__(
        self, per_minute: int = 30, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute = per_minute
        self._clock_s = clock_s
        self._taken: deque[float] = deque(maxlen=per_minute)

    def wait_s(self) -> float:
        """Take a place; say how long to wait for it."""
        now = self._clock_s()
        full = len(self._taken) == self._per_minute
        due = max(now, self._taken[0] + 60.0) if full else now
        self._taken.append(due)
        return due - now


@dataclass(slots=True)
class FeedCounts:
    """What a feed has seen since it began."""

    connects: int = 0
    failures: int = 0
    messages: int = 0
    events: int = 0
    malformed: int = 0
    oversize: int = 0
    overflows: int = 0
    stalls: int = 0


class _Stalled(UpstreamTimeout):
    """Open, but nothing comes."""


class _Overflow(UpstreamUnavailable):
    """More came than the listener could take."""


@dataclass(slots=True)
class _Ending:
    """Why the feed wants its connection to end."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""


class UnifiedWebSocketFeed(Generic[T]):
    """Runs one stream for ever.

    Args:
        name: in logs and metrics.
        make_stream: makes the next connection, not yet opened.
        listener: is told of everything.
        budget: of connections, shared by all feeds to one venue.
        timeouts: the limits.
        chance: of the jitter.
        clock_s: seconds of a clock that never goes back.
        quiet: there may be nothing to tell for long, so that pongs are signs of life, too.

    Attributes:
        counts: what it has seen.
        stream: the connection that is open, if one is.
        wanted: set while there is something to connect for, as it is from the start.
    """

    def __init__(
        self,
        name: str,
        make_stream: Callable[[], Stream[T]],
        listener: FeedListener[T],
        *,
        budget: MinuteBudget,
        timeouts: FeedTimeouts = TIMEOUTS,
        chance: random.Random,
        clock_s: Callable[[], float] = time.monotonic,
        quiet: bool = False,
    ) -> None:
        self.name = name
        self.counts = FeedCounts()
        self.stream: Stream[T] | None = None
        self.wanted = asyncio.Event()
        self.wanted.set()
        self._quiet = quiet
        self._make_stream = make_stream
        self._listener = listener
        self._budget = budget
        self._timeouts = timeouts
        self._chance = chance
        self._clock_s = clock_s
        self._queue: asyncio.Queue[Callable[[], None]] = asyncio.Queue(timeouts.queue)
        self._state = "new"
        self._since_s = clock_s()
        self._payload_s = self._since_s
        self._attempt = 0
        self._last_reason = ""
        self._ending = _Ending()

    async def run(self) -> None:
        """Connect and read until cancelled; an error of the listener ends it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work())
                tasks.create_task(self._connect_again_and_again())
        finally:
            self._enter("closed")

    def reconnect(self, reason: str) -> None:
        """End the present connection, if there is one, and open another."""
        self._ending.reason = reason
        self._ending.asked.set()

    @property
    def depth(self) -> int:
        """How many receipts wait for the listener."""
        return self._queue.qsize()

    def status(self) -> dict[str, Any]:
        """Describe the feed: state, ages in seconds, counts."""
        now = self._clock_s()
        return {
            "name": self.name,
            "state": self._state,
            "state_s": round(now - self._since_s, 3),
            "payload_age_s": round(now - self._payload_s, 3) if self.counts.events else None,
            "queue": self.depth,
            "last_end": self._last_reason,
            **{name: getattr(self.counts, name) for name in FeedCounts.__slots__},
        }

    async def _work(self) -> None:
        while True:
            tell = await self._queue.get()
            tell()

    async def _connect_again_and_again(self) -> None:
        while True:
            self._enter("waiting")
            await self.wanted.wait()
            await asyncio.sleep(self._budget.wait_s() + self._pause_s())
            self._ending = _Ending()
            opened_s = self._clock_s()
            was_live = await self._live_once()
            if was_live:
                await self._queue.put(lambda reason=self._last_reason: self._listener.lost(reason))  # type: ignore[misc]
            if self._clock_s() - opened_s >= self._timeouts.steady_s:
                self._attempt = 0
            self._attempt += 1

    def _pause_s(self) -> float:
        """The pause before an attempt: none before the first, then doubling, half of it jitter."""
        if self._attempt == 0:
            return 0.0
        longest = self._timeouts.longest_pause_s
        pause = min(longest, self._timeouts.first_pause_s * 2.0 ** min(self._attempt - 1, 16))
        return pause * self._chance.uniform(0.5, 1.0)

    async def _live_once(self) -> bool:
        """Open a connection and read it to its end; say whether it was open at all."""
        self._enter("connecting")
        stream, live = self._make_stream(), False
        try:
            async with asyncio.timeout(self._timeouts.open_s):
                await stream.open()
            live = True
            self.counts.connects += 1
            await self._queue.put(self._listener.connected)
            self.stream = stream
            self._enter("live")
            await self._read_until_it_ends(stream)
        except* (SuiteError, TimeoutError) as ended:
            self._last_reason = self._account(ended)
        finally:
            self.stream = None
            with suppress(SuiteError, TimeoutError):
                async with asyncio.timeout(CLOSE_LIMIT_S):
                    await stream.close()
        if not live:
            self.counts.failures += 1
        return live

    async def _read_until_it_ends(self, stream: Stream[T]) -> None:
        self._payload_s = self._clock_s()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(stream))
            tasks.create_task(self._tend(stream))
            tasks.create_task(self._end_when_asked(self._ending))

    async def _end_when_asked(self, ending: _Ending) -> None:
        await ending.asked.wait()
        raise UpstreamUnavailable(ending.reason)

    async def _read(self, stream: Stream[T]) -> None:
        while True:
            try:
                events = await stream.receive()
            except MalformedFrame:
                self.counts.messages += 1
                self.counts.malformed += 1
                self._offer(lambda: self._listener.flawed("malformed"))
                continue
            self.counts.messages += 1
            if self._quiet:
                self._payload_s = self._clock_s()
            if events:
                self.counts.events += len(events)
                self._payload_s = self._clock_s()
                self._offer(lambda events=events: self._listener.received(events))  # type: ignore[misc]

    def _offer(self, tell: Callable[[], None]) -> None:
        """Queue what the listener is to be told.

        The other side does not wait for us, so a full queue means that something will be lost: the
        connection ends, which the listener hears of, and the next one begins with the present.
        """
        try:
            self._queue.put_nowait(tell)
        except asyncio.QueueFull:
            raise _Overflow(f"{self._queue.maxsize} receipts wait already") from None

    async def _tend(self, stream: Stream[T]) -> None:
        """Ping, and end a connection over which nothing comes but pongs."""
        pinged_s = self._clock_s()
        while True:
            await asyncio.sleep(self._timeouts.tick_s)
            now = self._clock_s()
            if now - self._payload_s > self._timeouts.silence_s:
                raise _Stalled(f"no payload for {self._timeouts.silence_s:g} s")
            if now - pinged_s >= self._timeouts.ping_s:
                pinged_s = now
                async with asyncio.timeout(self._timeouts.open_s):
                    await stream.ping()

    def _account(self, ended: BaseExceptionGroup[BaseException]) -> str:
        """Count why a connection ended, and put it in words."""
        reasons = list(_leaves(ended))
        counts = self.counts
        counts.stalls += any(isinstance(reason, _Stalled) for reason in reasons)
        for kind, name in ((OversizeFrame, "oversize"), (_Overflow, "overflow")):
            if any(isinstance(reason, kind) for reason in reasons):
                self._queue_flaw(name)
        return one_line("; ".join(str(reason) or "timeout" for reason in reasons))

    def _queue_flaw(self, name: str) -> None:
        if name == "oversize":
            self.counts.oversize += 1
        else:
            self.counts.overflows += 1
        # A full queue has no room for it, but then the end of the connection says as much.
        with suppress(asyncio.QueueFull):
            self._queue.put_nowait(lambda: self._listener.flawed(name))

    def _enter(self, state: str) -> None:
        self._state = state
        self._since_s = self._clock_s()


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


_HELP: Final = {
    "connects": "Connections opened.",
    "failures": "Connections that could not be opened.",
    "messages": "Frames received.",
    "events": "Events in them.",
    "malformed": "Frames that could not be read.",
    "oversize": "Frames longer than the limit.",
    "overflows": "Times the queue was full.",
    "stalls": "Connections that were open and silent.",
}


class FeedMetrics:
    """Shows the counts of feeds to Prometheus; costs nothing until it is asked.

    Args:
        registry: of the application.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._feeds: list[UnifiedWebSocketFeed[Any]] = []
        registry.register(self)

    def add(self, feed: UnifiedWebSocketFeed[Any]) -> None:
        """Show one more; their names differ."""
        self._feeds.append(feed)

    def collect(self) -> Iterable[Metric]:
        """Make the metrics of this moment."""
        for name, text in _HELP.items():
            counter = CounterMetricFamily(f"feed_{name}", text, labels=["feed"])
            for feed in self._feeds:
                counter.add_metric([feed.name], getattr(feed.counts, name))
            yield counter
        depth = GaugeMetricFamily("feed_queue_depth", "Receipts that wait.", labels=["feed"])
        for feed in self._feeds:
            depth.add_metric([feed.name], feed.depth)
        yield depth

"""The venue's WebSocket: connections that are kept alive while something is wanted of them."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from suite.contracts import hyperliquid_ws as ws
from suite.errors import UpstreamUnavailable
from suite.service.feed import FeedMetrics, FeedTimeouts, MinuteBudget, UnifiedWebSocketFeed
from suite.service.feed_socket import FeedSocket

_PONG: Final = b'{"channel":"pong"'
FRAME_LIMIT: Final = 1 << 24
"""Bytes of the longest message taken: the venue's page of an account has all its markets in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """How long a connection to the venue may be still, seconds.

    Attributes:
        silence_s: without payload, before it counts as dead, whatever pongs come.
        ping_s: between pings.
        open_s: for a connection.
        first_pause_s, longest_pause_s: before the next attempt, jittered.
        per_minute: new connections, as the venue allows.
    """

    silence_s: float = 20.0
    ping_s: float = 5.0
    open_s: float = 10.0
    first_pause_s: float = 0.25
    longest_pause_s: float = 20.0
    per_minute: int = 30


class Ears(Protocol):
    """Who is told what comes over a line, in order."""

    def wanted(self) -> Iterable[ws.Named]:
        """Tell what a new connection shall be subscribed to at once."""
        ...

    def connected(self) -> None:
        """A connection is open, and has been asked for all that is wanted."""
        ...

    def message(self, data: bytes) -> None:
        """Something came, pongs left out."""
        ...

    def flawed(self, reason: str) -> None:
        """Something came that could not be used."""
        ...

    def lost(self, reason: str) -> None:
        """The connection has ended."""
        ...


class _Stream:
    """One connection."""

    def __init__(self, url: str, ears: Ears) -> None:
        self._socket = FeedSocket(url, frame_limit=FRAME_LIMIT)
        self._ears = ears
        self._waiting: asyncio.Queue[ws.Said] | None = None
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._socket.open()
        self._waiting = asyncio.Queue()
        for subscription in self._ears.wanted():
            self.say(ws.Subscribe(subscription=subscription))  # type: ignore[arg-type]
        self._writer = asyncio.create_task(self._write(self._waiting))

    def say(self, frame: ws.Said) -> None:
        """Send soon; what nobody is there to be told is told by the next connection."""
        if self._waiting is not None:
            self._waiting.put_nowait(frame)

    async def _write(self, waiting: "asyncio.Queue[ws.Said]") -> None:
        try:
            while True:
                await self._socket.send(await waiting.get())
        except UpstreamUnavailable:
            return  # whoever reads is told

    async def receive(self) -> Sequence[bytes]:
        data = await self._socket.receive()
        return () if data.startswith(_PONG) else (data,)

    async def ping(self) -> None:
        self.say(ws.Ping())

    async def close(self) -> None:
        self._waiting = None
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._socket.close()


class VenueLine:
    """One line to the venue; connects again and again while it is wanted.

    Args:
        url: of the venue's WebSocket.
        name: in logs and metrics.
        ears: is told everything.
        budget: of new connections, shared by all lines.
        chance: of the jitter.
        limits: see there.
        quiet: nothing may come for long, so that pongs are signs of life.

    Attributes:
        feed: what keeps the connection; for metrics.
    """

    def __init__(
        self,
        url: str,
        name: str,
        ears: Ears,
        *,
        budget: MinuteBudget,
        chance: random.Random,
        limits: StreamLimits | None = None,
        quiet: bool = False,
    ) -> None:
        limits = limits or StreamLimits()
        self._url = url
        self._ears = ears
        self._stream: _Stream | None = None
        self.feed: UnifiedWebSocketFeed[bytes] = UnifiedWebSocketFeed(
            name,
            self._make,
            self,
            budget=budget,
            timeouts=FeedTimeouts(
                open_s=limits.open_s,
                ping_s=limits.ping_s,
                silence_s=limits.silence_s,
                first_pause_s=limits.first_pause_s,
                longest_pause_s=limits.longest_pause_s,
            ),
            chance=chance,
            quiet=quiet,
        )
        self.feed.wanted.clear()

    async def run(self) -> None:
        """Connect and read until cancelled."""
        await self.feed.run()

    def want(self, *, on: bool) -> None:
        """Have a connection, or none."""
        if on:
            self.feed.wanted.set()
        elif self.feed.wanted.is_set():
            self.feed.wanted.clear()
            self.feed.reconnect("nobody listens")

    def say(self, frame: ws.Said) -> None:
        """Send over the connection that is open; without one, nothing."""
        if self._stream is not None:
            self._stream.say(frame)

    def renew(self, reason: str) -> None:
        """End the present connection and open another."""
        self.feed.reconnect(reason)

    def _make(self) -> _Stream:
        self._stream = _Stream(self._url, self._ears)
        return self._stream

    # what the feed tells

    def connected(self) -> None:
        """Pass it on."""
        self._ears.connected()

    def received(self, events: Sequence[bytes]) -> None:
        """Pass each message on."""
        for data in events:
            self._ears.message(data)

    def flawed(self, reason: str) -> None:
        """Pass it on."""
        self._ears.flawed(reason)

    def lost(self, reason: str) -> None:
        """Pass it on."""
        self._ears.lost(reason)


class VenueLines:
    """Makes lines to one venue.

    Args:
        url: of the venue's WebSocket, `wss://...`.
        chance: of the jitter.
        limits: of each line, and of all together.
        metrics: show each line; None for who serves none.
    """

    def __init__(
        self,
        url: str,
        *,
        chance: random.Random,
        limits: StreamLimits | None = None,
        metrics: FeedMetrics | None = None,
    ) -> None:
        self.lines: list[VenueLine] = []
        self._url = url
        self._chance = chance
        self._limits = limits or StreamLimits()
        self._budget = MinuteBudget(self._limits.per_minute)
        self._metrics = metrics

    def make(self, name: str, ears: Ears, *, quiet: bool) -> VenueLine:
        """Make a line that is not wanted yet."""
        line = VenueLine(
            self._url,
            name,
            ears,
            budget=self._budget,
            chance=self._chance,
            limits=self._limits,
            quiet=quiet,
        )
        self.lines.append(line)
        if self._metrics is not None:
            self._metrics.add(line.feed)
        return line

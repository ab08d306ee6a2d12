"""Fresh snapshots for those who come to a channel late, over a connection of their own.

The venue begins a subscription with what is, or was before; who joins one that somebody has already
would miss that. So it is asked for once more on a side line, and taken back at once.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from hyperliquid_exchange.application import topics
from hyperliquid_exchange.application.lines import Line, Lines
from hyperliquid_exchange.application.rounds import Rounds
from hyperliquid_exchange.application.topics import Route
from suite.contracts import hyperliquid_ws as ws
from suite.errors import UpstreamRefused, UpstreamTimeout, UpstreamUnavailable

NAME: Final = "snapshots"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLimits:
    """How long what may take, seconds.

    Attributes:
        answer_s: until the venue has answered a subscription, connecting included.
        snapshot_s: from there to the snapshot; the venue has none where nothing is to be told.
        back_s: until it has taken a subscription back.
        linger_s: how long the connection is kept when nobody needs it.
    """

    answer_s: float = 10.0
    snapshot_s: float = 1.0
    back_s: float = 2.0
    linger_s: float = 90.0


class _Take:
    """One subscription on the side line, from its begin to its end."""

    def __init__(self, wanted: ws.Named) -> None:
        loop = asyncio.get_running_loop()
        self.key = topics.key_of(wanted)
        self.answered: asyncio.Future[None] = loop.create_future()
        self.told: asyncio.Future[bytes] = loop.create_future()
        self.taken_back: asyncio.Future[None] = loop.create_future()

    def fail(self, error: Exception) -> None:
        """Tell who waits that there will be nothing."""
        for waited in (self.answered, self.told, self.taken_back):
            if not waited.done():
                waited.set_exception(error)
            waited.exception()  # it is not always waited for


class Snapshots:
    """Takes snapshots; an `Ears`.

    Args:
        lines: makes the side line.
        limits: see there.
    """

    def __init__(self, lines: Lines, *, limits: SnapshotLimits | None = None) -> None:
        self._limits = limits or SnapshotLimits()
        self._line: Line = lines.make(NAME, self, quiet=True)
        self._open = asyncio.Event()
        self._rounds: Rounds[str, bytes | None] = Rounds()
        self._turns: dict[Route, asyncio.Lock] = {}
        self._takes: dict[Route, _Take] = {}
        self._users = 0
        self._leave: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Keep the line until cancelled."""
        await self._line.run()

    async def take(self, wanted: ws.Named) -> bytes | None:
        """Get what the venue begins a subscription with, as of now.

        Returns:
            The venue's message; None where it begins with nothing.

        Raises:
            UpstreamUnavailable, UpstreamTimeout: the venue does not answer.
            UpstreamRefused: it does not have such a subscription.
        """
        return await self._rounds.ask(topics.key_of(wanted), lambda: self._fetch(wanted))

    async def _fetch(self, wanted: ws.Named) -> bytes | None:
        route = topics.route_to(wanted)
        self._hold()
        try:
            async with self._turns.setdefault(route, asyncio.Lock()):
                return await self._ask(wanted, route)
        finally:
            self._release()

    async def _ask(self, wanted: ws.Named, route: Route) -> bytes | None:
        limits = self._limits
        try:
            async with asyncio.timeout(limits.answer_s):
                await self._open.wait()
                take = self._takes[route] = _Take(wanted)
                self._line.say(ws.Subscribe(subscription=wanted))  # type: ignore[arg-type]
                await take.answered
        except TimeoutError:
            self._takes.pop(route, None)
            self._line.renew("a subscription was not answered")
            raise UpstreamTimeout("the venue did not answer a subscription in time") from None
        except UpstreamRefused:
            self._takes.pop(route, None)
            raise
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(limits.snapshot_s):
                    return await asyncio.shield(take.told)
            return None
        finally:
            await self._take_back(wanted, take)
            self._takes.pop(route, None)

    async def _take_back(self, wanted: ws.Named, take: _Take) -> None:
        """Unsubscribe, and wait for it: what comes until then belongs to this subscription."""
        self._line.say(ws.Unsubscribe(subscription=wanted))  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(self._limits.back_s):
                await take.taken_back
        except UpstreamUnavailable:
            return  # it has ended with its connection
        except TimeoutError:
            self._line.renew("a subscription was not taken back")

    def _hold(self) -> None:
        self._users += 1
        if self._leave is not None:
            self._leave.cancel()
            self._leave = None
        self._line.want(on=True)

    def _release(self) -> None:
        self._users -= 1
        if not self._users:
            loop = asyncio.get_running_loop()
            self._leave = loop.call_later(self._limits.linger_s, self._go)

    def _go(self) -> None:
        self._leave = None
        if not self._users:
            self._turns.clear()
            self._line.want(on=False)

    # what the line tells

    def wanted(self) -> Iterable[ws.Named]:
        """Nothing: whoever had asked has been told that the connection is lost."""
        return ()

    def connected(self) -> None:
        """Begin."""
        self._open.set()

    def message(self, data: bytes) -> None:
        """Find out whose it is."""
        try:
            self._read(topics.read(data), data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.flawed("malformed")

    def _read(self, message: topics.Message, data: bytes) -> None:
        if message.channel == topics.ACK:
            method, about = topics.read_ack(message)
            take = None if about is None else self._takes.get(topics.route_to(about))
            if take is not None:
                _done(take.answered if method == "subscribe" else take.taken_back)
            return
        if message.channel == topics.ERROR:
            self._refused(msgspec.json.decode(message.data, type=str))
            return
        take = self._takes.get(topics.route_of(message))
        if take is not None and not take.told.done():
            take.told.set_result(data)

    def _refused(self, text: str) -> None:
        about = topics.read_subscription(text[text.find("{") :].encode()) if "{" in text else None
        for take in tuple(self._takes.values()):
            is_meant = about is None or topics.key_of(about) == take.key
            if is_meant and not take.answered.done():
                take.fail(UpstreamRefused(text))
                return

    def flawed(self, reason: str) -> None:
        """Begin anew: what could not be read may have been a snapshot."""
        self._line.renew(reason)

    def lost(self, reason: str) -> None:
        """Tell all who wait."""
        self._open.clear()
        for take in tuple(self._takes.values()):
            take.fail(UpstreamUnavailable(f"the venue: {reason}"))


def _done(waited: "asyncio.Future[None]") -> None:
    if not waited.done():
        waited.set_result(None)

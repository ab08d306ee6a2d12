"""One client of the WebSocket: what it has subscribed to, and what is to be sent to it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from hyperliquid_exchange.application import topics
from hyperliquid_exchange.application.streams import Refused, Seat, Streams
from hyperliquid_exchange.domain.reading import Reader
from suite.contracts import hyperliquid_ws as ws

_MINUTE_S: Final = 60.0
NOT_YOURS: Final = "Forbidden: this token hears of its own account, {address}, alone"
TOO_SLOW: Final = "too slow: {size} bytes wait"

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """What one client may ask for, and how much is kept for it.

    Attributes:
        messages: it may send in a minute.
        posts: that may wait for their answer.
        backlog_bytes: that wait for a peer which is not taking what it was sent; then it is closed.
        most_bytes: that wait for any peer, be it that all its snapshots come at once.
        batch_bytes: handed to the connection at a time, and what the last of them is more.
    """

    channels: int = 1000
    messages: int = 2000
    posts: int = 100
    backlog_bytes: int = 1 << 20
    most_bytes: int = 1 << 26
    batch_bytes: int = 1 << 16


class Peer(Protocol):
    """The connection to the client."""

    @property
    def stuck(self) -> bool:
        """It has not taken yet what it was sent last."""
        ...

    def wake(self) -> None:
        """There is something to be sent."""
        ...


class Listener:
    """The state of a client, without its connection; a `Member` of the streams.

    Args:
        streams: of the venue.
        reader: whose channels it may hear.
        peer: the connection.
        on_lost: called where the venue's connection is lost, with the reason; it closes the peer.
        on_slow: called where the client does not take what is sent, with the reason; likewise.
        limits: see there.
    """

    def __init__(
        self,
        streams: Streams,
        reader: Reader,
        peer: Peer,
        *,
        on_lost: Callable[[str], None],
        on_slow: Callable[[str], None],
        limits: ClientLimits | None = None,
    ) -> None:
        self._streams = streams
        self._reader = reader
        self._peer = peer
        self._on_lost = on_lost
        self._on_slow = on_slow
        self._limits = limits or ClientLimits()
        self._seats: dict[str, Seat | None] = {}
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._bytes = 0
        self._posts = 0
        self._closed = False
        self._minute = (float("-inf"), 0)

    # what the client asks for

    def heard(self, now_s: float) -> bool:
        """Count a message of the client; say whether it was one too many.

        Args:
            now_s: any clock that runs evenly.
        """
        since_s, count = self._minute
        if now_s - since_s >= _MINUTE_S:
            since_s, count = now_s, 0
        self._minute = (since_s, count + 1)
        if count < self._limits.messages:
            return False
        self.error(ws.TOO_MANY_MESSAGES.format(limit=self._limits.messages))
        return True

    def subscribe(self, wanted: ws.Named) -> None:
        """Begin to send a channel, or say why not."""
        key, text = topics.key_of(wanted), _encode(wanted).decode()
        if key in self._seats:
            self.error(ws.ALREADY_SUBSCRIBED.format(json=text))
        elif len(self._seats) >= self._limits.channels:
            self.error(ws.TOO_MANY_CHANNELS.format(limit=self._limits.channels))
        elif (user := topics.user_of(wanted)) and not self._reader.may_read(user):
            self.error(NOT_YOURS.format(address=self._reader.address))
        else:
            self._seats[key] = None
            try:
                self._seats[key] = self._streams.subscribe(self, wanted)
            except Refused as refusal:
                self._seats.pop(key, None)
                self.error(str(refusal))

    def unsubscribe(self, unwanted: ws.Named) -> None:
        """Send a channel no longer."""
        seat = self._seats.pop(topics.key_of(unwanted), None)
        if seat is None:
            text = _encode(unwanted).decode()
            self.error(ws.ALREADY_UNSUBSCRIBED.format(json=text))
            return
        self._streams.leave(seat)
        data = {"method": "unsubscribe", "subscription": unwanted}
        self.reply(written(topics.ACK, data))

    def close(self) -> None:
        """Forget everything; what is said to it from now on is not kept."""
        self._closed = True
        self._drop_seats()
        self._waiting.clear()

    # what it is told

    def error(self, text: str) -> None:
        """Tell it that something was wrong."""
        self.reply(written(topics.ERROR, text))

    def begin_post(self) -> bool:
        """Count a post until it is answered; say whether it was not one too many."""
        if self._posts >= self._limits.posts:
            return False
        self._posts += 1
        return True

    def reply(self, encoded: bytes, *, post: bool = False) -> None:
        """Send something; a post waits until its answer is handed to the connection."""
        if self._closed:
            return
        self._waiting.append((encoded, post))
        self._bytes += len(encoded)
        limits = self._limits
        if self._bytes >= (limits.backlog_bytes if self._peer.stuck else limits.most_bytes):
            size = self._bytes
            self.close()
            self._on_slow(TOO_SLOW.format(size=size))
            return
        self._peer.wake()

    @property
    def full(self) -> bool:
        """So much waits for it that it is listened to no further."""
        return not self._closed and self._bytes >= self._limits.backlog_bytes

    def batch(self) -> list[bytes]:
        """Take what is sent next, as much as fits."""
        taken, room = list[bytes](), self._limits.batch_bytes
        while room > 0 and self._waiting:
            encoded, post = self._waiting.popleft()
            self._bytes -= len(encoded)
            self._posts -= post
            taken.append(encoded)
            room -= len(encoded)
        return taken

    # what the streams tell

    def acknowledged(self, seat: Seat, message: bytes) -> None:
        """Pass the venue's answer on; in the client's own words where those are others."""
        if seat.wanted != topics.canonical(seat.wanted):
            data = {"method": "subscribe", "subscription": seat.wanted}
            message = written(topics.ACK, data)
        self.reply(message)

    def told(self, message: bytes) -> None:
        """Pass it on."""
        self.reply(message)

    def refused(self, seat: Seat, text: str) -> None:
        """Pass it on."""
        self._seats.pop(topics.key_of(seat.wanted), None)
        self.error(text)

    def lost(self, reason: str) -> None:
        """Close: what would have been said is lost, and no client could know what that was."""
        self._on_lost(reason)
        self._drop_seats()

    def _drop_seats(self) -> None:
        seats, self._seats = self._seats, {}
        for seat in seats.values():
            if seat is not None:
                self._streams.leave(seat)


def written(channel: str, data: Any) -> bytes:
    """Write a message as the venue does."""
    return _encode({"channel": channel, "data": data})

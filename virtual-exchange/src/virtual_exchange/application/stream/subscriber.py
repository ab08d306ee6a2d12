"""One connection of the WebSocket: what it has subscribed to, and what is to be sent to it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from suite.contracts import hyperliquid_ws as ws
from virtual_exchange.application.stream.channels import RANKS
from virtual_exchange.application.stream.feeds import Cursor, Pull, message
from virtual_exchange.application.stream.streams import Streams, Topic

_encode = msgspec.json.Encoder().encode
_MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one connection may ask for, and how much is kept for it.

    Attributes:
        messages: it may send in a minute.
        posts: that may wait for their answer.
        replies, reply_bytes: that wait for it, before it is listened to no further.
        batch_bytes: handed to the connection at a time, and what the last of them is more.
    """

    channels: int = 1000
    users: int = 10
    messages: int = 2000
    posts: int = 100
    replies: int = 1024
    reply_bytes: int = 1 << 20
    batch_bytes: int = 1 << 16


class _Subscription:
    """A topic of one connection.

    Attributes:
        waiting: it is in a queue of its connection, to be pulled from.
        ended: nothing of it may be sent any more.
    """

    __slots__ = ("_cursor", "_queue", "_wake", "ended", "topic", "waiting")

    def __init__(
        self, topic: Topic, queue: "deque[_Subscription]", wake: Callable[[], None]
    ) -> None:
        self.topic = topic
        self.waiting = False
        self.ended = False
        self._queue = queue
        self._wake = wake
        self._cursor: Cursor | None = topic.feed.begin()

    def mark(self) -> None:
        """Wait to be pulled from."""
        if not self.waiting:
            self.waiting = True
            self._queue.append(self)
            self._wake()

    def pull(self) -> Pull:
        """Take what comes next."""
        pull = self.topic.feed.pull(self._cursor)
        self._cursor = pull.cursor
        return pull


class Subscriber:
    """The state of a connection, without the connection.

    Args:
        streams: of the world.
        wake: called when there is something to send.
        limits: of the venue.
    """

    def __init__(
        self,
        streams: Streams,
        *,
        wake: Callable[[], None],
        limits: ConnectionLimits,
    ) -> None:
        self._streams = streams
        self._wake = wake
        self._limits = limits
        self._subscriptions: dict[str, _Subscription] = {}
        self._users: dict[str, int] = {}
        self._replies: deque[tuple[bytes, bool]] = deque()
        self._reply_bytes = 0
        self._posts = 0
        self._closed = False
        self._queues: tuple[deque[_Subscription], ...] = tuple(deque() for _ in range(RANKS))
        self._minute = (0.0, 0)

    # what the client asks for

    def heard(self, now_s: float) -> bool:
        """Count a message of the client; say whether it was one too many.

        Args:
            now_s: any clock that runs evenly.
        """
        since, count = self._minute
        if now_s - since >= _MINUTE_S:
            since, count = now_s, 0
        self._minute = (since, count + 1)
        if count < self._limits.messages:
            return False
        self.error(ws.TOO_MANY_MESSAGES.format(limit=self._limits.messages))
        return True

    def subscribe(self, wanted: ws.Named) -> None:
        """Begin to send a channel, or say why not.

        Raises:
            Conflict: an account would be opened for that, and there is no room.
        """
        topic = self._streams.topic(wanted)
        refusal = self._refusal(topic, wanted)
        if refusal or topic is None:
            self.error(refusal.format(json=_encode(wanted).decode()))
            return
        if topic.user:
            self._streams.register(topic.user)
            self._users[topic.user] = self._users.get(topic.user, 0) + 1
        self._acknowledge("subscribe", wanted)
        subscription = _Subscription(topic, self._queues[topic.rank], self._wake)
        self._subscriptions[topic.key] = subscription
        self._streams.add(topic, subscription)
        subscription.mark()

    def _refusal(self, topic: Topic | None, wanted: ws.Named) -> str:
        limits = self._limits
        if topic is None:
            return ws.INVALID
        if topic.key in self._subscriptions:
            return ws.ALREADY_SUBSCRIBED
        if len(self._subscriptions) >= limits.channels:
            return ws.TOO_MANY_CHANNELS.format(limit=limits.channels)
        if topic.user and topic.user not in self._users and len(self._users) >= limits.users:
            return ws.TOO_MANY_USERS.format(limit=limits.users)
        return ""

    def unsubscribe(self, unwanted: ws.Named) -> None:
        """Send a channel no longer; what was not sent of it yet never will be."""
        topic = self._streams.topic(unwanted)
        subscription = self._subscriptions.pop(topic.key, None) if topic else None
        if topic is None or subscription is None:
            self.error(ws.ALREADY_UNSUBSCRIBED.format(json=_encode(unwanted).decode()))
            return
        self._release(subscription)
        if topic.user:
            self._users[topic.user] -= 1
            if not self._users[topic.user]:
                del self._users[topic.user]
        self._acknowledge("unsubscribe", unwanted)

    def close(self) -> None:
        """Forget everything; what is said to it from now on is not kept."""
        self._closed = True
        for subscription in self._subscriptions.values():
            self._release(subscription)
        self._subscriptions.clear()
        self._replies.clear()
        for queue in self._queues:
            queue.clear()

    # what it is told

    def error(self, text: str) -> None:
        """Tell it that something was wrong."""
        self.reply(message("error", text))

    def begin_post(self) -> bool:
        """Count a post until it is answered; say whether it was not one too many."""
        if self._posts >= self._limits.posts:
            return False
        self._posts += 1
        return True

    def reply(self, encoded: bytes, *, post: bool = False) -> None:
        """Answer it; a post waits until its answer is handed to the connection."""
        if self._closed:
            return
        self._replies.append((encoded, post))
        self._reply_bytes += len(encoded)
        self._wake()

    @property
    def full(self) -> bool:
        """So much waits for it that it is listened to no further."""
        limits = self._limits
        return len(self._replies) >= limits.replies or self._reply_bytes >= limits.reply_bytes

    def batch(self) -> list[bytes]:
        """Take what is sent next: answers first, then what is new, as much as fits."""
        taken, room = list[bytes](), self._limits.batch_bytes
        while room > 0:
            messages = self._next()
            if messages is None:
                break
            taken.extend(messages)
            room -= sum(map(len, messages))
        return taken

    def _next(self) -> tuple[bytes, ...] | None:
        if self._replies:
            encoded, post = self._replies.popleft()
            self._reply_bytes -= len(encoded)
            self._posts -= post
            return (encoded,)
        for queue in self._queues:
            if queue:
                return self._pull(queue)
        return None

    def _pull(self, queue: "deque[_Subscription]") -> tuple[bytes, ...]:
        subscription = queue[0]
        pull = None if subscription.ended else subscription.pull()
        if pull is None or not pull.more:
            queue.popleft()
            subscription.waiting = False
        return pull.messages if pull is not None else ()

    def _acknowledge(self, method: str, subscription: ws.Named) -> None:
        data = {"method": method, "subscription": subscription}
        self.reply(message("subscriptionResponse", data))

    def _release(self, subscription: _Subscription) -> None:
        subscription.ended = True
        self._streams.remove(subscription.topic, subscription)

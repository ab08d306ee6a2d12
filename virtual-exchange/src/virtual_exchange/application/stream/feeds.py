"""What a channel of the WebSocket sends: one feed for all who subscribed to the same.

A feed keeps no queue. A subscriber holds a cursor and takes what lies behind it when its connection
can carry more, so a slow one costs no memory: of a state it gets the latest, of a log it gets every
row, straight from the world's own books. What is encoded for one is kept for the others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

_encode = msgspec.json.Encoder().encode
_KEPT: Final = 8
"""Encoded stretches of a log that are kept for subscribers who are nearly as far."""

Cursor = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What was taken from a feed.

    Attributes:
        messages: encoded, to be sent in this order.
        cursor: where the next pull begins.
        more: there is more at once.
    """

    messages: tuple[bytes, ...]
    cursor: Cursor
    more: bool = False


class Feed(Protocol):
    """One channel with its parameters."""

    def begin(self) -> Cursor | None:
        """Say where a new subscriber begins, None where the first pull tells it."""
        ...

    def pull(self, cursor: Cursor | None) -> Pull:
        """Take what a subscriber lacks; with None, what a new one is told."""
        ...

    def touch(self) -> bool:
        """Note that the world has changed; say whether there may be something to send."""
        ...


def message(channel: str, data: Any) -> bytes:
    """Encode a message."""
    return _encode({"channel": channel, "data": data})


class StateFeed:
    """A state: whole in each message, sent again when it is another.

    Args:
        channel: its name on the wire.
        read: the state now; None when there is none to tell.
        identity: what must differ for it to be another; the message itself when not given.
    """

    def __init__(
        self,
        channel: str,
        read: Callable[[], Any],
        identity: Callable[[Any], Any] | None = None,
    ) -> None:
        self._channel = channel
        self._read = read
        self._identity = identity
        self._shown: Any = None
        self._latest = Pull(messages=(), cursor=(0,))
        self._stale = True

    def begin(self) -> None:
        """A new subscriber is told the present state."""

    def touch(self) -> bool:
        """Read it again at the next pull."""
        self._stale = True
        return True

    def pull(self, cursor: Cursor | None) -> Pull:
        """Take the state where it is another than at the cursor."""
        if self._stale:
            self._refresh()
        latest = self._latest
        return Pull(messages=(), cursor=cursor) if cursor == latest.cursor else latest

    def _refresh(self) -> None:
        self._stale = False
        data = self._read()
        if data is None:
            return
        encoded = message(self._channel, data)
        shown = encoded if self._identity is None else self._identity(data)
        if shown != self._shown:
            self._shown = shown
            self._latest = Pull(messages=(encoded,), cursor=(self._latest.cursor[0] + 1,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Rows that are only ever added to.

    Attributes:
        length: how many there are.
        between: data of the messages that tell the rows from the first to before the end.
        step: how many rows are told at a time.
    """

    length: Callable[[], int]
    between: Callable[[int, int], list[Any]]
    step: int = 500


class LogFeed:
    """Logs of which every row is told once.

    Args:
        channel: its name on the wire.
        logs: told in this order.
        opening: data of the messages a new subscriber is told first; None for none at all.
    """

    def __init__(
        self, channel: str, *logs: Log, opening: Callable[[], list[Any]] | None = None
    ) -> None:
        self._channel = channel
        self._logs = logs
        self._opening = opening
        self._ends: Cursor = ()
        self._kept: dict[tuple[Cursor | None, Cursor], Pull] = {}

    def begin(self) -> Cursor | None:
        """Say where a new subscriber begins, None where it is told something first."""
        return None if self._opening is not None else self._lengths()

    def touch(self) -> bool:
        """Say whether a row was added."""
        ends, self._ends = self._ends, self._lengths()
        if ends == self._ends:
            return False
        self._kept.clear()
        return True

    def pull(self, cursor: Cursor | None) -> Pull:
        """Take the next rows."""
        ends = lengths = self._lengths()
        if cursor is not None:
            rows = zip(self._logs, cursor, lengths, strict=True)
            ends = tuple([min(length, first + log.step) for log, first, length in rows])
        key = (cursor, ends)
        pull = self._kept.get(key)
        if pull is None:
            told = self._told(cursor, ends)
            messages = tuple([message(self._channel, data) for data in told])
            pull = self._kept[key] = Pull(messages=messages, cursor=ends, more=ends != lengths)
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return pull

    def _told(self, cursor: Cursor | None, ends: Cursor) -> Iterator[Any]:
        if cursor is None:
            yield from self._opening() if self._opening is not None else ()
            return
        for log, first, end in zip(self._logs, cursor, ends, strict=True):
            if first < end:
                yield from log.between(first, end)

    def _lengths(self) -> Cursor:
        return tuple([log.length() for log in self._logs])

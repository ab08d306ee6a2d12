"""What the venue pushes, once for all who listen: few connections, many listeners.

    seat = streams.subscribe(member, ws.UserFills(user=...))
    streams.leave(seat)

The first who wants a channel has it subscribed, and is told what the venue begins it with. Who
comes later is told a fresh snapshot first (`snapshots.py`), and then what all are told. Nothing is
kept here: what a listener hears was said by the venue at that moment.

When a connection is lost, so is what would have come over it, and nobody can say what that was.
All who listened to it are told: clients are cut off, as the venue itself would have done.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Protocol

import msgspec

from hyperliquid_exchange.application import topics
from hyperliquid_exchange.application.lines import Line, Lines
from hyperliquid_exchange.application.snapshots import SnapshotLimits, Snapshots
from hyperliquid_exchange.application.topics import Message, Route
from hyperliquid_exchange.domain.accounts import TRADERS_MAX
from suite.contracts import hyperliquid_ws as ws
from suite.errors import SuiteError

_MINUTE_S: Final = 60.0
_TRIES: Final = 3
"""Snapshots of a state that is taken again since it changed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueLimits:
    """What the venue allows one address, with room for what else leaves from there.

    Attributes:
        users: whose channels one connection carries.
        connections: at a time, that for snapshots not counted.
        subscriptions: of all connections together.
        messages: sent within a minute.
    """

    users: int = 10
    connections: int = TRADERS_MAX
    subscriptions: int = 950
    messages: int = 1500


class Refused(Exception):
    """There is no room for a subscription; the text is the venue's own."""


class Member(Protocol):
    """Who listens; its methods return at once."""

    def acknowledged(self, seat: "Seat", message: bytes) -> None:
        """The venue has taken the subscription; the message says so."""
        ...

    def told(self, message: bytes) -> None:
        """The venue has said something."""
        ...

    def refused(self, seat: "Seat", text: str) -> None:
        """The venue does not have the subscription; the seat is gone."""
        ...

    def lost(self, reason: str) -> None:
        """Something may have been said that was not heard.

        Who leaves its seats now is told no more; who keeps them is acknowledged again later.
        """
        ...


class _Phase(Enum):
    ASKING = auto()
    JOINING = auto()
    LIVE = auto()


class Seat:
    """One member's place at a topic.

    Attributes:
        wanted: what it has asked for, in its own words.
        held: what was said while it may not hear it yet.
    """

    __slots__ = ("_floor_ms", "held", "member", "phase", "topic", "wanted")

    def __init__(self, member: Member, topic: "Topic", wanted: ws.Named) -> None:
        self.member = member
        self.topic = topic
        self.wanted = wanted
        self.phase = _Phase.ASKING
        self.held: list[tuple[Message, bytes]] = []
        self._floor_ms = 0

    def tell(self, message: Message, data: bytes) -> None:
        """Pass on what the venue has said, or keep it until it may be heard."""
        if self.phase is not _Phase.LIVE:
            if not self.topic.is_log:
                self.held.clear()
            self.held.append((message, data))
        elif not self._is_past(message):
            self.member.told(data)

    def begin(self, snapshot: bytes | None = None) -> None:
        """Hear from now on; first the snapshot, then what was said meanwhile."""
        self.phase = _Phase.LIVE
        if snapshot is not None:
            self.member.told(snapshot)
            if not self.topic.is_log:
                self._floor_ms = _time_in(snapshot)
        held, self.held = self.held, []
        for message, data in held:
            self.tell(message, data)

    def _is_past(self, message: Message) -> bool:
        """Whether a state is older than the snapshot that was taken over another connection."""
        if not self._floor_ms:
            return False
        if topics.time_of(message) < self._floor_ms:
            return True
        self._floor_ms = 0
        return False


class Topic:
    """A subscription at the venue, and who listens to it.

    Attributes:
        ack: the venue's answer; None until there is one.
        fresh: nothing was said yet since then.
    """

    def __init__(self, wanted: ws.Named, trunk: "_Trunk") -> None:
        self.wanted = wanted
        self.key = topics.key_of(wanted)
        self.route = topics.route_to(wanted)
        self.user = topics.user_of(wanted)
        self.is_log = topics.is_log(wanted)
        self.trunk = trunk
        self.ack: bytes | None = None
        self.fresh = False
        self.seats: dict[Seat, None] = {}

    def acknowledged(self, data: bytes) -> None:
        """Take the venue's answer; all who have waited for it hear from now on."""
        self.ack, self.fresh = data, True
        for seat in tuple(self.seats):
            if seat.phase is _Phase.ASKING:
                seat.member.acknowledged(seat, data)
                seat.begin()

    def tell(self, message: Message, data: bytes) -> None:
        """Pass on what the venue has said."""
        self.fresh = False
        for seat in tuple(self.seats):
            seat.tell(message, data)


class _Trunk:
    """One line, and the topics on it; an `Ears`."""

    def __init__(self, name: str, lines: Lines, streams: "Streams") -> None:
        self.topics: dict[Route, Topic] = {}
        self.line: Line = lines.make(name, self, quiet=False)
        self._streams = streams
        self._unanswered: deque[Topic] = deque()

    @property
    def users(self) -> set[str]:
        return {topic.user for topic in self.topics.values()} - {""}

    def add(self, topic: Topic) -> None:
        self.topics[topic.route] = topic
        self._unanswered.append(topic)
        self.line.want(on=True)
        self.line.say(ws.Subscribe(subscription=topic.wanted))  # type: ignore[arg-type]

    def remove(self, topic: Topic, *, is_known: bool = True) -> None:
        if self.topics.get(topic.route) is not topic:
            return
        del self.topics[topic.route]
        if topic in self._unanswered:
            self._unanswered.remove(topic)
        if is_known:
            self.line.say(ws.Unsubscribe(subscription=topic.wanted))  # type: ignore[arg-type]
        if not self.topics:
            self.line.want(on=False)

    # what the line tells

    def wanted(self) -> Iterable[ws.Named]:
        self._unanswered = deque(self.topics.values())
        return [topic.wanted for topic in self.topics.values()]

    def connected(self) -> None:
        pass

    def message(self, data: bytes) -> None:
        try:
            self._read(topics.read(data), data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.flawed("malformed")

    def _read(self, message: Message, data: bytes) -> None:
        if message.channel == topics.ACK:
            method, about = topics.read_ack(message)
            topic = None if about is None else self.topics.get(topics.route_to(about))
            if method == "subscribe" and topic is not None:
                self._answered(topic)
                topic.acknowledged(data)
        elif message.channel == topics.ERROR:
            self._refused(msgspec.json.decode(message.data, type=str))
        else:
            topic = self.topics.get(topics.route_of(message))
            if topic is not None:
                topic.tell(message, data)

    def _answered(self, topic: Topic) -> None:
        if topic in self._unanswered:
            self._unanswered.remove(topic)

    def _refused(self, text: str) -> None:
        """Find out what the venue does not want: the first that it has not answered, if not said.

        A message about none of them is the venue's complaint about this line as a whole.
        """
        about = topics.read_subscription(text[text.find("{") :].encode()) if "{" in text else None
        topic = None if about is None else self.topics.get(topics.route_to(about))
        if topic is None and about is None and self._unanswered:
            topic = self._unanswered[0]
        if topic is None or topic not in self._unanswered:
            return
        self.remove(topic, is_known=False)
        self._streams.forget(topic, text)

    def flawed(self, reason: str) -> None:
        """Begin anew: what could not be read may have been anything."""
        self.line.renew(f"a message could not be used: {reason}")

    def lost(self, reason: str) -> None:
        members = {}
        for topic in self.topics.values():
            topic.ack, topic.fresh = None, False
            for seat in topic.seats:
                seat.phase = _Phase.ASKING
                seat.held.clear()
                members[id(seat.member)] = seat.member
        for member in members.values():
            member.lost(reason)


class Streams:
    """All subscriptions of this process.

    Args:
        lines: makes lines to the venue.
        limits: of the venue.
        snapshot_limits: of snapshots for those who come late.
    """

    def __init__(
        self,
        lines: Lines,
        *,
        limits: VenueLimits | None = None,
        snapshot_limits: SnapshotLimits | None = None,
    ) -> None:
        self._lines = lines
        self._limits = limits or VenueLimits()
        self._snapshots = Snapshots(lines, limits=snapshot_limits)
        self._topics: dict[str, Topic] = {}
        self._trunks: list[_Trunk] = []
        self._tasks: asyncio.TaskGroup | None = None
        self._minute = (float("-inf"), 0)

    async def run(self) -> None:
        """Keep the lines until cancelled; subscribe only while it runs."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await self._snapshots.run()
            finally:
                self._tasks = None

    @property
    def trunks(self) -> int:
        """Connections that are wanted at present, that for snapshots not counted."""
        return sum(1 for trunk in self._trunks if trunk.topics)

    def subscribe(self, member: Member, wanted: ws.Named) -> Seat:
        """Begin to tell a member what a channel says.

        Args:
            member: is told.
            wanted: addresses in lower case.

        Raises:
            Refused: the venue would have no room for it.
        """
        key = topics.key_of(wanted)
        topic = self._topics.get(key)
        if topic is None:
            self._spend()
            topic = self._topics[key] = self._open(topics.canonical(wanted))
        seat = Seat(member, topic, wanted)
        topic.seats[seat] = None
        if topic.ack is None:
            return seat
        member.acknowledged(seat, topic.ack)
        if topic.fresh or not topics.has_snapshot(wanted):
            seat.begin()
        else:
            seat.phase = _Phase.JOINING
            self._start(self._join(seat))
        return seat

    def leave(self, seat: Seat) -> None:
        """Tell a member no more; the last one takes the subscription along."""
        topic = seat.topic
        if seat not in topic.seats:
            return
        del topic.seats[seat]
        if not topic.seats and self._topics.get(topic.key) is topic:
            del self._topics[topic.key]
            self._count()
            topic.trunk.remove(topic)

    async def refresh(self, seat: Seat) -> None:
        """Tell a seat a fresh snapshot once more, between what it hears anyway.

        Raises:
            SuiteError: the venue does not answer.
        """
        snapshot = await self._snapshots.take(seat.topic.wanted)
        if snapshot is not None and seat in seat.topic.seats and seat.phase is _Phase.LIVE:
            seat.member.told(snapshot)

    def forget(self, topic: Topic, text: str) -> None:
        """Tell all who wanted a topic that the venue does not have it."""
        if self._topics.get(topic.key) is topic:
            del self._topics[topic.key]
        seats, topic.seats = tuple(topic.seats), {}
        for seat in seats:
            seat.member.refused(seat, text)

    async def _join(self, seat: Seat) -> None:
        """Tell a newcomer a fresh snapshot, and then what the others are told.

        A state that was pushed while its snapshot was taken is taken again: nobody can say which of
        the two is newer where they carry no time.
        """
        topic = seat.topic
        try:
            snapshot = await self._snapshots.take(topic.wanted)
            for _ in range(_TRIES - 1):
                if topic.is_log or snapshot is None or not seat.held or _time_in(snapshot):
                    break
                seat.held.clear()
                snapshot = await self._snapshots.take(topic.wanted)
        except SuiteError as fault:
            if seat in topic.seats and seat.phase is _Phase.JOINING:
                seat.member.lost(str(fault))
            return
        if seat in topic.seats and seat.phase is _Phase.JOINING:
            if snapshot is not None and not topic.is_log and not _time_in(snapshot):
                seat.held.clear()
            seat.begin(snapshot)

    def _open(self, wanted: ws.Named) -> Topic:
        """Have a topic on the connection that fits best: that of its user, else the fullest."""
        limits = self._limits
        if len(self._topics) >= limits.subscriptions:
            raise Refused(ws.TOO_MANY_CHANNELS.format(limit=limits.subscriptions))
        route, user = topics.route_to(wanted), topics.user_of(wanted)
        room = [trunk for trunk in self._trunks if self._has_room(trunk, route, user)]
        room.sort(key=lambda trunk: user not in trunk.users if user else False)
        trunk = next(iter(room), None)
        if trunk is None:
            if len(self._trunks) >= limits.connections:
                raise Refused(
                    ws.TOO_MANY_USERS.format(limit=limits.connections)
                    if user
                    else ws.TOO_MANY_CHANNELS.format(limit=limits.subscriptions)
                )
            trunk = _Trunk(f"venue-{len(self._trunks)}", self._lines, self)
            self._trunks.append(trunk)
            self._start(trunk.line.run())
        topic = Topic(wanted, trunk)
        trunk.add(topic)
        return topic

    def _has_room(self, trunk: _Trunk, route: Route, user: str) -> bool:
        if route in trunk.topics:
            return False
        users: Sequence[str] | set[str] = trunk.users
        return not user or user in users or len(users) < self._limits.users

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            work.close()
            raise Refused("the streams are closed")
        self._tasks.create_task(work)

    def _spend(self) -> None:
        """Count a message to the venue.

        Raises:
            Refused: there have been too many within the minute.
        """
        if self._count() > self._limits.messages:
            raise Refused(ws.TOO_MANY_MESSAGES.format(limit=self._limits.messages))

    def _count(self) -> int:
        now_s = asyncio.get_running_loop().time()
        since_s, count = self._minute
        if now_s - since_s >= _MINUTE_S:
            since_s, count = now_s, 0
        self._minute = (since_s, count + 1)
        return count + 1


def _time_in(snapshot: bytes) -> int:
    """The venue's time of a state, epoch ms; 0 where it does not say."""
    return topics.time_of(topics.read(snapshot))

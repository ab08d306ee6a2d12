"""The hub of one world's WebSocket: what has changed, and who is to be told.

It listens to the world only while somebody is subscribed. A change costs a note of what it touched;
once a turn of the event loop the topics concerned are marked, and each connection pulls what it
lacks when it can carry it. So a burst of bars played in one turn is one message on channels that
show a state, and loses no row on channels that are a log.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Protocol

from perp_engine.events import Advanced, Event
from suite.contracts.hyperliquid_ws import Named
from virtual_exchange.application.info.queries import Queries
from virtual_exchange.application.stream.channels import Channel, Channels
from virtual_exchange.application.stream.feeds import Feed
from virtual_exchange.application.world import World

_DELETED: Final = "the world was deleted"


class Subscription(Protocol):
    """Somebody's place in a topic."""

    def mark(self) -> None:
        """Pull from the topic's feed as soon as that is possible."""
        ...


class Connection(Protocol):
    """Somebody who may have subscribed to topics."""

    def end(self, reason: str) -> None:
        """Close: the world is no more."""
        ...


@dataclass(slots=True, kw_only=True)
class Topic:
    """A channel with its parameters, and its subscriptions.

    Attributes:
        key: its name.
        rank: those of a lower rank are sent first.
        user: address of the account it concerns, empty where it is the market.
    """

    key: str
    rank: int
    user: str
    feed: Feed
    subscriptions: dict[Subscription, None] = field(default_factory=dict)

    def mark(self) -> None:
        """Have every subscription pull."""
        if self.feed.touch():
            for subscription in self.subscriptions:
                subscription.mark()


class Streams:
    """Topics and connections of one world.

    Args:
        world: moves.
        queries: reads of it.

    Attributes:
        register: told of every address that is named in a subscription.
    """

    def __init__(self, world: World, queries: Queries) -> None:
        self._connections: set[Connection] = set()
        self._closed = False
        self.register = queries.register
        self._world = world
        self._channels = Channels(world, queries)
        self._topics: dict[str, Topic] = {}
        self._by_user: dict[str, dict[str, Topic]] = {}
        self._touched: set[int] = set()
        self._moved = False
        self._due: asyncio.Handle | None = None

    def topic(self, wanted: Named) -> Topic | None:
        """Find what a subscription asks for, None where this world has nothing such."""
        channel: Channel | None = self._channels.of(wanted)
        if channel is None:
            return None
        topic = self._topics.get(channel.key)
        if topic is None:
            topic = Topic(
                key=channel.key, rank=channel.rank, user=channel.user, feed=channel.feed()
            )
        return topic

    def add(self, topic: Topic, subscription: Subscription) -> None:
        """Mark a subscription from now on."""
        if not self._topics:
            self._world.listeners.append(self._heard)
        self._topics[topic.key] = topic
        self._by_user.setdefault(topic.user, {})[topic.key] = topic
        topic.subscriptions[subscription] = None

    def remove(self, topic: Topic, subscription: Subscription) -> None:
        """Mark it no longer; the last one of a topic takes the topic along."""
        topic.subscriptions.pop(subscription, None)
        if topic.subscriptions or topic.key not in self._topics:
            return
        del self._topics[topic.key]
        of_user = self._by_user[topic.user]
        del of_user[topic.key]
        if not of_user:
            del self._by_user[topic.user]
        if not self._topics:
            self._world.listeners.remove(self._heard)

    def open(self, connection: Connection) -> None:
        """Take a connection in, until `leave`; it ends at once where the world is no more."""
        self._connections.add(connection)
        if self._closed:
            connection.end(_DELETED)

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def acted(self, account: int) -> None:
        """Note that an account has done something, whether or not the market changed by it."""
        if self._topics:
            self._touched.add(account)
            self._soon()

    def close(self) -> None:
        """End every connection; the world is no more."""
        self._closed = True
        for connection in tuple(self._connections):
            connection.end(_DELETED)

    def _heard(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, Advanced):
                self._moved = True
            else:
                self._touched.add(event.account)
        self._soon()

    def _soon(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Mark what has changed since the last time."""
        self._due = None
        moved, self._moved = self._moved, False
        touched, self._touched = self._touched, set()
        if moved:
            topics = list(self._topics.values())
        else:
            users = [self._world.accounts[account].address for account in sorted(touched)]
            topics = [t for user in users for t in self._by_user.get(user, {}).values()]
        for topic in topics:
            topic.mark()

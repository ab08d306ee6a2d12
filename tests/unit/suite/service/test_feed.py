"""A feed keeps a connection alive, and tells what it lost."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.support.waiting import until

from suite.errors import UpstreamUnavailable
from suite.service.feed import (
    FeedMetrics,
    FeedTimeouts,
    MalformedFrame,
    MinuteBudget,
    OversizeFrame,
    UnifiedWebSocketFeed,
)

QUICK = FeedTimeouts(tick_s=0.001, first_pause_s=0.001, longest_pause_s=0.004)
PONG: Sequence[int] = ()
Said = Sequence[int] | Exception


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Venue:
    """Makes streams that say what the test puts in."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Said] = asyncio.Queue()
        self.opened = 0
        self.closed = 0
        self.pings = 0
        self.refuses = False

    def stream(self) -> "Venue":
        return self

    async def open(self) -> None:
        if self.refuses:
            raise UpstreamUnavailable("refused")
        self.opened += 1

    async def receive(self) -> Sequence[int]:
        said = await self.said.get()
        if isinstance(said, Exception):
            raise said
        return said

    async def ping(self) -> None:
        self.pings += 1

    async def close(self) -> None:
        self.closed += 1


class Ear:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def connected(self) -> None:
        self.heard.append("connected")

    def received(self, events: Sequence[int]) -> None:
        self.heard.extend(events)

    def flawed(self, reason: str) -> None:
        self.heard.append(reason)

    def lost(self, reason: str) -> None:
        self.heard.append(f"lost: {reason}")


@asynccontextmanager
async def running(
    venue: Venue, ear: Ear, clock: Clock, timeouts: FeedTimeouts = QUICK, *, quiet: bool = False
) -> AsyncIterator[UnifiedWebSocketFeed[int]]:
    feed = UnifiedWebSocketFeed[int](
        "test",
        venue.stream,
        ear,
        budget=MinuteBudget(1000, clock_s=clock),
        timeouts=timeouts,
        chance=random.Random(1),
        clock_s=clock,
        quiet=quiet,
    )
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "closed" == feed.status()["state"]


async def test_events_and_troubles_are_told_in_their_order() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    for said in ([1, 2], PONG, MalformedFrame("{"), [3], UpstreamUnavailable("gone")):
        venue.said.put_nowait(said)
    async with running(venue, ear, clock) as feed:
        await until(lambda: 2 == venue.opened)
        venue.said.put_nowait([4])
        await until(lambda: 4 in ear.heard)
        assert ["connected", 1, 2, "malformed", 3, "lost: gone", "connected", 4] == ear.heard
        assert (2, 1, 4) == (feed.counts.connects, feed.counts.malformed, feed.counts.events)
    assert venue.closed == venue.opened


async def test_an_oversize_frame_ends_the_connection_and_is_told() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    venue.said.put_nowait(OversizeFrame("5 MB"))
    async with running(venue, ear, clock) as feed:
        await until(lambda: 2 == venue.opened)
        assert ["connected", "oversize", "lost: 5 MB"] == ear.heard[:3]
        assert 1 == feed.counts.oversize


async def test_silence_ends_a_connection_though_pongs_arrive() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    async with running(venue, ear, clock) as feed:
        for _ in range(7):
            await until(lambda: 1 == venue.opened)
            clock.now_s += 9.0
            venue.said.put_nowait(PONG)
            await until(venue.said.empty)
        await until(lambda: 2 == venue.opened)
        assert 1 == feed.counts.stalls
        assert "lost: no payload for 60 s" in ear.heard


async def test_pongs_keep_a_connection_that_may_have_nothing_to_tell() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    async with running(venue, ear, clock, quiet=True) as feed:
        for _ in range(7):
            await until(lambda: 1 == venue.opened)
            clock.now_s += 20.0
            venue.said.put_nowait(PONG)
            await until(venue.said.empty)
        assert (1, 0) == (feed.counts.connects, feed.counts.stalls)
        clock.now_s += 61.0
        await until(lambda: 1 == feed.counts.stalls)


async def test_nothing_is_connected_while_there_is_nothing_to_connect_for() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    async with running(venue, ear, clock) as feed:
        await until(lambda: 1 == venue.opened)
        feed.wanted.clear()
        feed.reconnect("nothing to follow")
        await until(lambda: "waiting" == feed.status()["state"])
        assert (1, 1) == (venue.opened, venue.closed)
        feed.wanted.set()
        await until(lambda: 2 == venue.opened)


async def test_payload_keeps_a_connection_and_pings_go_out_every_20_s() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    async with running(venue, ear, clock) as feed:
        await until(lambda: 1 == venue.opened)
        for number in range(10):
            clock.now_s += 20.0
            venue.said.put_nowait([number])
            await until(lambda wanted=number: venue.pings == wanted + 1)  # type: ignore[misc]
        assert (1, 0) == (feed.counts.connects, feed.counts.stalls)


async def test_a_full_queue_ends_the_connection_rather_than_lose_events_unseen() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    for number in range(6):  # read in one go, before the listener has its turn
        venue.said.put_nowait([number])
    timeouts = FeedTimeouts(tick_s=0.001, first_pause_s=0.001, longest_pause_s=0.004, queue=4)
    async with running(venue, ear, clock, timeouts) as feed:
        await until(lambda: 2 == ear.heard.count("connected"))
        assert 1 == feed.counts.overflows
        assert "lost: 4 receipts wait already" in ear.heard


async def test_pauses_grow_with_jitter_and_stay_below_the_longest() -> None:
    feed = UnifiedWebSocketFeed[int](
        "test", Venue().stream, Ear(), budget=MinuteBudget(), chance=random.Random(1)
    )
    pauses = []
    for attempt in range(12):
        feed._attempt = attempt
        pauses.append([feed._pause_s() for _ in range(50)])
    assert {0.0} == set(pauses[0])
    for attempt, drawn in enumerate(pauses[1:], 1):
        longest = min(20.0, 0.5 * 2 ** (attempt - 1))
        assert longest / 2 <= min(drawn) < max(drawn) <= longest


async def test_no_more_connections_than_the_venue_allows_in_a_minute() -> None:
    clock = Clock()
    budget = MinuteBudget(3, clock_s=clock)
    assert [0.0, 0.0, 0.0, 60.0, 60.0] == [budget.wait_s() for _ in range(5)]
    clock.now_s += 61.0
    assert [0.0, 59.0] == [budget.wait_s() for _ in range(2)]


async def test_a_connection_is_replaced_when_asked() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    async with running(venue, ear, clock) as feed:
        await until(lambda: "live" == feed.status()["state"])
        feed.reconnect("frozen")
        await until(lambda: 2 == venue.opened)
        assert "lost: frozen" in ear.heard


async def test_an_error_of_the_listener_is_not_swallowed() -> None:
    class Broken(Ear):
        def received(self, events: Sequence[int]) -> None:
            raise RuntimeError("bug")

    venue = Venue()
    venue.said.put_nowait([1])
    feed = UnifiedWebSocketFeed[int](
        "test", venue.stream, Broken(), budget=MinuteBudget(), chance=random.Random(1)
    )
    with pytest.raises(ExceptionGroup) as raised:
        await feed.run()
    assert raised.group_contains(RuntimeError, match="bug")


async def test_prometheus_sees_the_counts() -> None:
    venue, ear, clock = Venue(), Ear(), Clock()
    registry = CollectorRegistry()
    venue.said.put_nowait(MalformedFrame("{"))
    async with running(venue, ear, clock) as feed:
        FeedMetrics(registry).add(feed)
        await until(lambda: 1 == feed.counts.malformed)
        text = generate_latest(registry).decode()
    assert 'feed_connects_total{feed="test"} 1.0' in text
    assert 'feed_malformed_total{feed="test"} 1.0' in text
    assert 'feed_queue_depth{feed="test"} 0.0' in text

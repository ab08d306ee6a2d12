"""Sharing the venue's channels: which connection, which snapshot, who is told what is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.support.waiting import until

from hyperliquid_exchange.application.lines import Ears
from hyperliquid_exchange.application.snapshots import NAME, SnapshotLimits
from hyperliquid_exchange.application.streams import Refused, Seat, Streams, VenueLimits
from suite.contracts import hyperliquid_ws as ws

USERS = [f"0x{number:040x}" for number in range(1, 30)]
BOOK = ws.L2Book(coin="BTC")


class FakeLine:
    """A line whose other end is the test.

    Attributes:
        said: what was sent over it.
        renewed: reasons why another connection was wanted.
    """

    def __init__(self, name: str, ears: Ears) -> None:
        self.name = name
        self.ears = ears
        self.said: list[ws.Said] = []
        self.renewed: list[str] = []
        self.on = False

    async def run(self) -> None:
        await asyncio.Event().wait()

    def want(self, *, on: bool) -> None:
        if on and not self.on:
            self.ears.connected()
        self.on = on

    def say(self, frame: ws.Said) -> None:
        self.said.append(frame)

    def renew(self, reason: str) -> None:
        self.renewed.append(reason)

    def tell(self, channel: str, data: Any) -> None:
        self.ears.message(msgspec.json.encode({"channel": channel, "data": data}))

    def answer(self, wanted: ws.Named, method: str = "subscribe") -> None:
        self.tell("subscriptionResponse", {"method": method, "subscription": wanted})


class FakeLines:
    """The lines that were made."""

    def __init__(self) -> None:
        self.made: dict[str, FakeLine] = {}

    def make(self, name: str, ears: Ears, *, quiet: bool) -> FakeLine:
        assert quiet == (name == NAME)
        line = self.made[name] = FakeLine(name, ears)
        return line

    def __getitem__(self, place: int) -> FakeLine:
        return self.made[f"venue-{place}"]

    @property
    def side(self) -> FakeLine:
        return self.made[NAME]


class Hears:
    """A member that remembers; a client, unless it stays."""

    def __init__(self, streams: Streams, *, stays: bool = False) -> None:
        self.heard: list[Any] = []
        self.acks = 0
        self.refusals: list[str] = []
        self.losses: list[str] = []
        self.seats: list[Seat] = []
        self._streams = streams
        self._stays = stays

    def subscribe(self, wanted: ws.Named) -> "Hears":
        self.seats.append(self._streams.subscribe(self, wanted))
        return self

    def acknowledged(self, seat: Seat, message: bytes) -> None:
        self.acks += 1

    def told(self, message: bytes) -> None:
        self.heard.append(msgspec.json.decode(message)["data"])

    def refused(self, seat: Seat, text: str) -> None:
        self.refusals.append(text)

    def lost(self, reason: str) -> None:
        self.losses.append(reason)
        if not self._stays:
            for seat in self.seats:
                self._streams.leave(seat)


@asynccontextmanager
async def opened(limits: VenueLimits | None = None) -> AsyncIterator[tuple[Streams, FakeLines]]:
    lines = FakeLines()
    streams = Streams(
        lines,
        limits=limits,
        snapshot_limits=SnapshotLimits(answer_s=0.2, snapshot_s=0.02, back_s=0.02),
    )
    task = asyncio.create_task(streams.run())
    await asyncio.sleep(0)
    try:
        yield streams, lines
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def book(time_ms: int) -> dict[str, Any]:
    return {"coin": "BTC", "time": time_ms, "levels": [[], []]}


def fills(user: str, *tids: int, snapshot: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {"isSnapshot": True} if snapshot else {}
    return shown | {"user": user, "fills": [{"tid": tid} for tid in tids]}


def tids(heard: list[Any]) -> list[list[int]]:
    return [[fill["tid"] for fill in data["fills"]] for data in heard]


async def test_channels_that_say_whose_they_are_share_a_connection() -> None:
    """Ten users each; those that do not say it are one to a connection, beside their user's own."""
    async with opened(VenueLimits(connections=20)) as (streams, lines):
        for user in USERS[:11]:
            Hears(streams).subscribe(ws.UserFills(user=user))
        assert 2 == streams.trunks
        assert [10, 1] == [len(lines[place].said) for place in (0, 1)]
    async with opened(VenueLimits(connections=3)) as (streams, lines):
        for user in USERS[:3]:
            Hears(streams).subscribe(ws.OrderUpdates(user=user))
            Hears(streams).subscribe(ws.UserFills(user=user))
            Hears(streams).subscribe(ws.UserEvents(user=user))
        for place, user in enumerate(USERS[:3]):
            about = {said.subscription.user for said in lines[place].said}  # type: ignore[attr-defined]
            assert {user} == about
        with pytest.raises(Refused, match="Cannot track more than 3 total users"):
            Hears(streams).subscribe(ws.OrderUpdates(user=USERS[3]))


async def test_message_without_a_user_is_told_to_its_own_alone() -> None:
    """By the connection that it came over."""
    async with opened() as (streams, lines):
        first, second = (Hears(streams).subscribe(ws.OrderUpdates(user=user)) for user in USERS[:2])
        for place, user in enumerate(USERS[:2]):
            lines[place].answer(ws.OrderUpdates(user=user))
            lines[place].tell("orderUpdates", [{"order": {"oid": place}}])
        assert [[{"order": {"oid": 0}}]] == first.heard
        assert [[{"order": {"oid": 1}}]] == second.heard


async def test_books_of_different_roundings_do_not_meet() -> None:
    """Their messages look alike."""
    async with opened() as (streams, lines):
        fine = Hears(streams).subscribe(BOOK)
        coarse = Hears(streams).subscribe(ws.L2Book(coin="BTC", nSigFigs=3))
        lines[0].answer(BOOK)
        lines[1].answer(ws.L2Book(coin="BTC", nSigFigs=3))
        lines[0].tell("l2Book", book(1))
        lines[1].tell("l2Book", book(2))
        assert ([book(1)], [book(2)]) == (fine.heard, coarse.heard)


async def test_what_comes_before_the_answer_is_told_after_it() -> None:
    """Nothing of a snapshot is lost, however early it is."""
    async with opened() as (streams, lines):
        user, member = USERS[0], Hears(streams)
        member.subscribe(ws.UserFills(user=user))
        lines[0].tell("userFills", fills(user, 1, snapshot=True))
        assert ([], 0) == (member.heard, member.acks)
        lines[0].answer(ws.UserFills(user=user))
        assert ([[1]], 1) == (tids(member.heard), member.acks)


async def take_snapshot(side: FakeLine, wanted: Any, channel: str, data: Any) -> None:
    """Answer the side line's subscription."""
    asked = [ws.Subscribe(subscription=wanted)]
    await until(lambda: side.said[-1:] == asked)
    side.answer(wanted)
    if data is not None:
        side.tell(channel, data)
    await until(lambda: isinstance(side.said[-1], ws.Unsubscribe))
    side.answer(wanted, "unsubscribe")


async def test_newcomer_to_a_log_misses_nothing() -> None:
    """Snapshot first, then all that was told meanwhile; the first hears each once."""
    async with opened() as (streams, lines):
        user = USERS[0]
        wanted = ws.UserFills(user=user)
        first = Hears(streams).subscribe(wanted)
        lines[0].answer(wanted)
        lines[0].tell("userFills", fills(user, 1, snapshot=True))
        late = Hears(streams).subscribe(wanted)
        assert 1 == late.acks
        lines[0].tell("userFills", fills(user, 2))
        lines[0].tell("userFills", fills(user, 3))
        assert [] == late.heard
        await take_snapshot(lines.side, wanted, "userFills", fills(user, 1, 2, snapshot=True))
        await until(lambda: late.heard)
        assert [[1, 2], [2], [3]] == tids(late.heard)
        lines[0].tell("userFills", fills(user, 4))
        assert [[1], [2], [3], [4]] == tids(first.heard)
        assert [4] == tids(late.heard)[-1]


async def test_newcomer_to_a_state_never_goes_back() -> None:
    """What is older than the snapshot is left out, be it told later."""
    async with opened() as (streams, lines):
        Hears(streams).subscribe(BOOK)
        lines[0].answer(BOOK)
        lines[0].tell("l2Book", book(10))
        late = Hears(streams).subscribe(BOOK)
        lines[0].tell("l2Book", book(11))
        lines[0].tell("l2Book", book(13))
        await take_snapshot(lines.side, BOOK, "l2Book", book(12))
        await until(lambda: late.heard)
        assert [12, 13] == [data["time"] for data in late.heard]
        early = Hears(streams).subscribe(BOOK)
        await take_snapshot(lines.side, BOOK, "l2Book", book(15))
        await until(lambda: early.heard)
        for time_ms in (14, 15, 16):
            lines[0].tell("l2Book", book(time_ms))
        assert [15, 15, 16] == [data["time"] for data in early.heard]


async def test_channel_without_a_snapshot_begins_at_once() -> None:
    """The events of a user have none; others may have nothing to tell."""
    async with opened() as (streams, lines):
        wanted = ws.UserEvents(user=USERS[0])
        Hears(streams).subscribe(wanted)
        lines[0].answer(wanted)
        late = Hears(streams).subscribe(wanted)
        lines[0].tell("user", {"fills": []})
        assert [{"fills": []}] == late.heard
        assert [] == lines.side.said
        updates = ws.OrderUpdates(user=USERS[0])
        Hears(streams).subscribe(updates)
        lines[0].answer(updates)
        lines[0].tell("orderUpdates", [1])
        silent = Hears(streams).subscribe(updates)
        lines[0].tell("orderUpdates", [2])
        await take_snapshot(lines.side, updates, "orderUpdates", None)
        await until(lambda: silent.heard == [[2]])


async def test_snapshot_that_cannot_be_had_is_a_loss() -> None:
    """Nobody begins in the middle without knowing it."""
    async with opened() as (streams, lines):
        Hears(streams).subscribe(BOOK)
        lines[0].answer(BOOK)
        lines[0].tell("l2Book", book(1))
        late = Hears(streams).subscribe(BOOK)
        await until(lambda: late.losses)
        assert [] == late.heard
        assert lines.side.renewed


async def test_refusal_of_the_venue_is_passed_on() -> None:
    """By the subscription that it names; or the first that was not answered."""
    async with opened() as (streams, lines):
        wanted = ws.L2Book(coin="NONE")
        member, other = Hears(streams).subscribe(BOOK), Hears(streams).subscribe(wanted)
        text = ws.INVALID.format(json=msgspec.json.encode(wanted).decode())
        lines[0].tell("error", text)
        assert ([], [text]) == (member.refusals, other.refusals)
        lines[0].tell("error", "Cannot track more than 10 total users.")
        assert ["Cannot track more than 10 total users."] == member.refusals
        again = Hears(streams).subscribe(BOOK)
        lines[0].answer(BOOK)
        lines[0].tell("error", "something else")
        assert ([], 1) == (again.refusals, again.acks)


async def test_lost_connection_is_told_to_who_listened_to_it() -> None:
    """Clients leave; who stays is acknowledged anew and begins with the snapshot."""
    async with opened() as (streams, lines):
        user = USERS[0]
        wanted = ws.UserFills(user=user)
        client = Hears(streams).subscribe(wanted)
        follower = Hears(streams, stays=True).subscribe(wanted)
        elsewhere = Hears(streams).subscribe(ws.L2Book(coin="ETH", nSigFigs=2))
        lines[0].answer(wanted)
        lines[0].ears.lost("gone")
        assert (["gone"], ["gone"], ["gone"]) == (
            client.losses, follower.losses, elsewhere.losses
        )  # fmt: skip
        assert [wanted] == list(lines[0].ears.wanted())
        lines[0].answer(wanted)
        lines[0].tell("userFills", fills(user, 7, snapshot=True))
        assert (2, [[7]]) == (follower.acks, tids(follower.heard))
        assert [] == client.heard


async def test_frame_that_cannot_be_read_ends_the_connection() -> None:
    """It may have been anything; what is known to be lost is not hidden."""
    async with opened() as (streams, lines):
        Hears(streams).subscribe(BOOK)
        for data in (b"{", b'{"channel":"l2Book","data":7}', b"\xff", b"[" * 10_000):
            lines[0].ears.message(data)
        assert 4 == len(lines[0].renewed)


async def test_last_one_takes_the_subscription_along() -> None:
    """And the connection with the last subscription."""
    async with opened() as (streams, lines):
        first, second = Hears(streams).subscribe(BOOK), Hears(streams).subscribe(BOOK)
        lines[0].answer(BOOK)
        streams.leave(first.seats[0])
        assert 1 == len(lines[0].said)
        streams.leave(second.seats[0])
        streams.leave(second.seats[0])
        assert [ws.Subscribe, ws.Unsubscribe] == [type(said) for said in lines[0].said]
        assert not lines[0].on
        assert 0 == streams.trunks


async def test_venue_is_not_sent_more_than_it_takes() -> None:
    """Subscriptions in all, and messages within a minute."""
    async with opened(VenueLimits(subscriptions=2)) as (streams, _):
        for coin in ("BTC", "ETH"):
            Hears(streams).subscribe(ws.Bbo(coin=coin))
        with pytest.raises(Refused, match="more than 2 channels"):
            Hears(streams).subscribe(ws.Bbo(coin="SOL"))
        Hears(streams).subscribe(ws.Bbo(coin="BTC"))
    async with opened(VenueLimits(messages=4)) as (streams, _):
        for _ in range(2):
            streams.leave(Hears(streams).subscribe(BOOK).seats[0])
        with pytest.raises(Refused, match="more than 4 messages"):
            Hears(streams).subscribe(BOOK)

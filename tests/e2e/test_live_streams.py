"""The live venue's WebSocket: few connections to the venue, many clients, nobody else's account."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.fault_proxy import fault_proxy
from tests.support.live_app import Client, live_app
from tests.support.live_streams import QUICK
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.support.waiting import until

from hyperliquid_exchange.application.listener import ClientLimits
from hyperliquid_exchange.application.streams import VenueLimits
from suite.addresses import account_address

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

NAMES = ("alice", "bob", "carol")
OF_USER: tuple[tuple[str, dict[str, Any]], ...] = (
    ("orderUpdates", {}),
    ("userEvents", {}),
    ("user", {}),
    ("userFills", {}),
    ("userFundings", {}),
    ("userNonFundingLedgerUpdates", {}),
    ("userHistoricalOrders", {}),
    ("userTwapSliceFills", {}),
    ("userTwapHistory", {}),
    ("clearinghouseState", {}),
    ("allDexsClearinghouseState", {}),
    ("spotState", {}),
    ("openOrders", {}),
    ("twapStates", {}),
    ("activeAssetData", {"coin": "BTC"}),
    ("webData2", {}),
    ("webData3", {}),
    ("notification", {}),
)
SNAPSHOTS = {"userFills", "userFundings", "userNonFundingLedgerUpdates", "userHistoricalOrders"}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    with running_venue(
        tmp_path_factory.mktemp("streams"), "--accounts", ",".join(NAMES), speed=240.0
    ) as found:
        yield found


async def act(venue: VenueUnderTest, name: str, action: str = "order", **body: Any) -> Any:
    told = await asyncio.to_thread(
        venue.post, f"/exchange/{action}", {"coin": "BTC", **body}, token=name
    )
    assert told["status"] == "ok", told
    return told["response"]["data"]["statuses"][0]


def answers(client: Client, method: str = "subscribe") -> list[str]:
    acks = client.of("subscriptionResponse")
    return [ack["subscription"]["type"] for ack in acks if ack["method"] == method]


async def test_client_hears_its_own_account_alone(venue: VenueUnderTest) -> None:
    """N traders x channels: own is taken, another's is refused, and nothing of it ever comes."""
    async with (
        live_app(venue.url, venue.ws_url, *NAMES) as live,
        live.socket("alice") as alice,
        live.socket("bob") as bob,
    ):
        for kind, more in OF_USER:
            if kind == "user":
                continue  # another name of `userEvents`
            for client, own, other in ((alice, "alice", "bob"), (bob, "bob", "carol")):
                address = account_address(other)
                for spelling in (address, address.upper()[2:]):
                    await client.subscribe(kind, user=spelling, **more)
                await client.subscribe(kind, user=account_address(own).upper()[2:], **more)
        wanted = len(OF_USER) - 1
        for client in (alice, bob):
            await until(lambda: len(answers(client)) == wanted)  # noqa: B023
            assert 2 * wanted == len(client.of("error"))
            assert all("Forbidden" in text for text in client.of("error"))
        bought = await act(venue, "bob", is_buy=True, sz="0.01", limit_px=0)
        sold = await act(venue, "alice", is_buy=False, sz="0.01", limit_px=0)
        for client, own, other in ((alice, sold, bought), (bob, bought, sold)):
            oid = own["filled"]["oid"]
            for channel in ("user", "orderUpdates", "userFills", "userHistoricalOrders"):
                await until(lambda: str(oid) in str(client.of(channel)))  # noqa: B023
            heard = {row["oid"] for data in client.of("userFills") for row in data["fills"]}
            heard |= {row["order"]["oid"] for data in client.of("orderUpdates") for row in data}
            assert oid in heard
            assert other["filled"]["oid"] not in heard
        assert account_address("bob") not in str(alice.said)
        assert account_address("alice") not in str(bob.said)


async def test_other_name_of_a_channel_is_answered_in_its_own_words(venue: VenueUnderTest) -> None:
    """`user` is `userEvents`: hummingbot waits for the one, others for the other."""
    async with live_app(venue.url, venue.ws_url, *NAMES) as live, live.socket() as client:
        user = account_address("alice")
        await client.subscribe("user", user=user)
        await until(lambda: ["user"] == answers(client))
        await client.subscribe("userEvents", user=user)
        await until(lambda: "Already subscribed" in str(client.of("error")))
        await client.unsubscribe("user", user=user)
        await until(lambda: ["user"] == answers(client, "unsubscribe"))
        await client.unsubscribe("user", user=user)
        await until(lambda: "Already unsubscribed" in str(client.of("error")))


async def test_newcomer_gets_a_fresh_snapshot_and_nobody_else_notices(
    venue: VenueUnderTest,
) -> None:
    """What happened after the first had subscribed is in the second's snapshot."""
    async with live_app(venue.url, venue.ws_url, *NAMES) as live, live.socket("alice") as first:
        user = account_address("alice")
        for kind in sorted(SNAPSHOTS):
            await first.subscribe(kind, user=user)
        await until(lambda: all(first.of(kind) for kind in SNAPSHOTS))
        filled = await act(venue, "alice", is_buy=True, sz="0.01", limit_px=0)
        oid = str(filled["filled"]["oid"])
        await until(lambda: oid in str(first.of("userFills")))
        for _ in range(3):
            async with live.socket("alice") as late:
                for kind in sorted(SNAPSHOTS):
                    await late.subscribe(kind, user=user)
                await until(lambda: all(late.of(kind) for kind in SNAPSHOTS))
                assert all(late.of(kind)[0]["isSnapshot"] for kind in SNAPSHOTS)
                for kind in ("userFills", "userHistoricalOrders"):
                    assert oid in str(late.of(kind)[0])
                again = await act(venue, "alice", is_buy=True, sz="0.01", limit_px=0)
                for client in (first, late):
                    await until(lambda: str(again["filled"]["oid"]) in str(client.of("userFills")))  # noqa: B023
        for kind in SNAPSHOTS:
            assert 1 == sum(1 for data in first.of(kind) if data.get("isSnapshot"))
        assert len(first.of("userFills")[1:]) == len(
            {fill["tid"] for data in first.of("userFills")[1:] for fill in data["fills"]}
        )


async def test_many_listeners_share_a_subscription(venue: VenueUnderTest) -> None:
    """One connection a trader, for the updates of orders do not say whose they are; none more."""
    async with (
        fault_proxy(venue.ws_url) as proxy,
        live_app(venue.url, proxy.url, *NAMES) as live,
    ):
        await until(lambda: all(live.watched.well(name) for name in NAMES))
        clients = []
        for number in range(30):
            name = NAMES[number % 3]
            client = await live.session.ws_connect(live.ws_url, headers=live.headers(name))
            await client.send_json(
                {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC"}}
            )
            clients.append(client)
        for client in clients:
            for _ in range(3):
                assert (await client.receive_json())["channel"] in {
                    "subscriptionResponse",
                    "l2Book",
                }
            await client.close()
        assert len(NAMES) == live.watched.streams.trunks
        assert len(NAMES) + 1 == proxy.connections


async def test_books_never_go_back_in_time(venue: VenueUnderTest) -> None:
    """The snapshot comes over another connection than what follows."""
    async with live_app(venue.url, venue.ws_url, *NAMES) as live, live.socket() as first:
        await first.subscribe("l2Book", coin="BTC")
        await until(lambda: first.of("l2Book"))
        for _ in range(10):
            async with live.socket("bob") as late:
                await late.subscribe("l2Book", coin="BTC")
                await until(lambda: len(late.of("l2Book")) >= 3)
                times = [data["time"] for data in late.of("l2Book")]
                assert sorted(times) == times


async def test_unknown_and_malformed_frames_are_answered_as_the_venue_does(
    venue: VenueUnderTest,
) -> None:
    """The venue's own refusals are passed on."""
    async with live_app(venue.url, venue.ws_url, *NAMES) as live, live.socket() as client:
        await client.subscribe("l2Book", coin="NONE")
        await until(lambda: "Invalid subscription" in str(client.of("error")))
        await client.subscribe("nothing")
        await until(lambda: "Error parsing JSON" in str(client.of("error")))
        await client.send({"method": "ping"})
        await until(lambda: any(said["channel"] == "pong" for said in client.said))
        await client.subscribe("l2Book", coin="BTC")
        await until(lambda: client.of("l2Book"))


async def test_token_is_shown_in_the_header_or_first(venue: VenueUnderTest) -> None:
    """Within the limit of time; nothing is told before."""
    async with live_app(venue.url, venue.ws_url, *NAMES, auth_s=0.3) as live:
        token = live.tokens["alice"]
        async with live.socket(None) as client:
            await client.send({"method": "auth", "token": token})
            await until(lambda: [{"account": "alice"}] == client.of("auth"))
            await client.subscribe("userFills", user=account_address("alice"))
            await until(lambda: client.of("userFills"))
            assert token not in str(client.said)
        firsts: tuple[Any, ...] = (
            {"method": "auth", "token": "act_" + "x" * 43},
            {"method": "auth"},
            {"method": "subscribe", "subscription": {"type": "allMids"}},
            None,
        )
        for said in firsts:
            async with live.socket(None) as client:
                if said is not None:
                    await client.send(said)
                await until(lambda: client.code is not None)
                assert 1008 == client.code
                assert 1 == len(client.of("error"))
                assert [] == client.of("allMids")
        for headers in ({"authorization": "Bearer act_" + "x" * 43}, {"authorization": "Basic x"}):
            with pytest.raises(Exception, match="401"):
                await live.session.ws_connect(live.ws_url, headers=headers)
        with pytest.raises(Exception, match="400"):
            await live.session.ws_connect(f"{live.ws_url}?token={token}")


async def test_lost_venue_closes_those_who_listened_and_comes_back(venue: VenueUnderTest) -> None:
    """1012 to each, and to none who had subscribed to nothing; with fresh snapshots afterwards."""
    async with (
        fault_proxy(venue.ws_url) as proxy,
        live_app(venue.url, proxy.url, *NAMES) as live,
    ):
        user = account_address("alice")
        for _ in range(3):
            async with live.socket() as client, live.socket() as idle:
                await client.subscribe("userFills", user=user)
                await until(lambda: client.of("userFills"))
                proxy.cut()
                await until(lambda: client.code is not None)
                assert 1012 == client.code
                filled = await act(venue, "alice", is_buy=True, sz="0.01", limit_px=0)
                assert idle.code is None
                await idle.subscribe("userFills", user=user)
                await until(lambda: idle.of("userFills"))
                assert str(filled["filled"]["oid"]) in str(idle.of("userFills")[0])


async def test_venue_that_says_nothing_more_is_lost(venue: VenueUnderTest) -> None:
    """Pongs alone are no sign of life."""
    from dataclasses import replace

    async with (
        fault_proxy(venue.ws_url) as proxy,
        live_app(
            venue.url, proxy.url, "alice", limits_of_lines=replace(QUICK, silence_s=2.0)
        ) as live,
        live.socket() as client,
    ):
        await client.subscribe("allMids")
        await until(lambda: client.of("allMids"))
        proxy.pongs_only = True
        await until(lambda: client.code is not None, 20)
        assert 1012 == client.code


async def test_slow_client_is_closed_and_holds_up_nobody(venue: VenueUnderTest) -> None:
    """At its backlog, while it takes nothing."""
    limits = ClientLimits(backlog_bytes=1 << 15)
    async with live_app(venue.url, venue.ws_url, *NAMES, limits=limits) as live:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(live.url.rpartition(":")[2]), limit=1 << 12
        )
        token = live.tokens["alice"]
        writer.write(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nAuthorization: Bearer {token}\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for coin in ("BTC", "ETH", "SOL"):
            body = b'{"method":"subscribe","subscription":{"type":"l2Book","coin":"%s"}}'
            writer.write(_frame(body % coin.encode()))
        for name in ("webData2", "userHistoricalOrders"):
            body = b'{"method":"subscribe","subscription":{"type":"%s","user":"%s"}}'
            writer.write(_frame(body % (name.encode(), account_address("alice").encode())))
        async with live.socket("bob") as quick:
            await quick.subscribe("l2Book", coin="BTC")
            seen = 0
            for _ in range(5):
                await until(lambda: len(quick.of("l2Book")) > seen + 3)  # noqa: B023
                seen = len(quick.of("l2Book"))
            topics = live.watched.streams._topics
            book = '{"type":"l2Book","coin":"SOL","nSigFigs":null,"mantissa":null}'
            await until(lambda: book not in topics, 60)
            assert quick.code is None
        writer.transport.abort()


async def test_posts_are_answered_over_the_connection(venue: VenueUnderTest) -> None:
    """Reads as /info has them; actions as whoever carries them out has them."""

    async with live_app(venue.url, venue.ws_url, *NAMES) as live:
        async with live.socket() as client:

            async def post(number: int, kind: str, **payload: Any) -> Any:
                request = {"type": kind, "payload": payload}
                await client.send({"method": "post", "id": number, "request": request})
                await until(lambda: number in [data["id"] for data in client.of("post")])
                return next(d["response"] for d in client.of("post") if d["id"] == number)

            told = await post(1, "info", type="openOrders")
            assert {"type": "info", "payload": {"type": "openOrders", "data": []}} == told
            told = await post(2, "info", type="openOrders", user=account_address("bob"))
            assert "error" == told["type"]
            assert "alone" in told["payload"]
            told = await post(3, "action", action={"type": "noop"}, nonce=1)
            assert "alice" == told["payload"]["response"]["of"]
            told = await post(4, "info", nothing=1)
            assert "Failed to deserialize" in told["payload"]
        async with live.socket("operator") as client:
            request = {"type": "action", "payload": {}}
            await client.send({"method": "post", "id": 1, "request": request})
            await until(lambda: client.of("post"))
            assert "error" == client.of("post")[0]["response"]["type"]


async def test_more_than_the_venue_takes_is_refused_in_its_words(venue: VenueUnderTest) -> None:
    """Users of one address; subscriptions of one."""
    limits = VenueLimits(connections=2, subscriptions=12)
    async with live_app(venue.url, venue.ws_url, "alice", "bob", venue_limits=limits) as live:
        await until(lambda: all(live.watched.well(name) for name in ("alice", "bob")))
        async with live.socket() as client:
            await client.subscribe("bbo", coin="BTC")
            await until(lambda: client.of("bbo"))
            await client.subscribe("bbo", coin="ETH")
            await until(lambda: "Cannot subscribe to more than 12" in str(client.of("error")))


def _frame(payload: bytes) -> bytes:
    """Write a masked text frame; the mask is zero."""
    return bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload

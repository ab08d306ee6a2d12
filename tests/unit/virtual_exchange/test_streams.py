"""A connection of the WebSocket: requests, answers, limits, ends."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.sockets import connected
from tests.support.wallets import Wallet, item, order
from tests.support.worlds import open_memory_world, random_source

from suite.bars import MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.hyperliquid_ws import SUBSCRIPTIONS
from suite.service.conversation import SocketTimeouts
from virtual_exchange.application.session import Session
from virtual_exchange.application.stream.subscriber import ConnectionLimits
from virtual_exchange.domain.rate_limits import WeightLimits

NOW_MS = 1_790_000_000_000
MALFORMED = "Error parsing JSON into valid websocket request: "
DEEP = 100_000


@pytest.fixture
def session() -> Session:
    return open_memory_world(random_source("BTC", "ETH"), clock=ManualClock(NOW_MS))


def address(session: Session, account: int = 0) -> str:
    return session.world.accounts[account].address


def error(text: str) -> dict[str, Any]:
    return {"channel": "error", "data": text}


# frames


async def test_ping_is_answered_and_nobody_is_greeted(session: Session) -> None:
    async with connected(session) as client:
        assert [] == await client.take()
        assert [{"channel": "pong"}] == await client.ask({"method": "ping"})


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{",
        "null",
        "[]",
        '"ping"',
        '{"method":"dance"}',
        '{"method":"subscribe"}',
        '{"method":"subscribe","xsubscription":{"type":"bbo","coin":"BTC"}}',
        '{"method":"subscribe","subscription":{"type":"liquidations","coin":"BTC"}}',
        '{"method":"subscribe","subscription":{"type":"candle","coin":"BTC","interval":"6h"}}',
        '{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","nSigFigs":9}}',
        '{"method":"subscribe","subscription":{"type":"l2Book","coin":7}}',
        '{"method":"subscribe","subscription":{"type":"userFills","user":"0x12"}}',
        '{"method":"post","id":-1,"request":{"type":"info","payload":{}}}',
        '{"method":"post","id":99999999999999999999,"request":{"type":"info","payload":{}}}',
        '{"method":"post","id":1,"request":{"type":"explorer","payload":{}}}',
    ],
)
async def test_malformed_frame_is_echoed_on_the_error_channel(session: Session, said: str) -> None:
    """And the connection goes on."""
    async with connected(session) as client:
        answers = await client.ask(said, {"method": "ping"})
        assert [error(MALFORMED + said), {"channel": "pong"}] == answers


@pytest.mark.parametrize(
    "said",
    ["[" * DEEP, '{"method":"ping","x":' + "[" * DEEP, '{"a":' * DEEP, '"' + "x" * DEEP],
)
async def test_endless_nesting_and_long_texts_are_malformed_too(
    session: Session, said: str
) -> None:
    """Only the beginning of a long one is echoed."""
    async with connected(session) as client:
        answers = await client.ask(said, {"method": "ping"})
        assert [error(MALFORMED + said[:8192]), {"channel": "pong"}] == answers


async def test_binary_frames_are_malformed(session: Session) -> None:
    async with connected(session) as client:
        client.send_binary(b'{"method":"ping"}\xff')
        assert [error(MALFORMED + '{"method":"ping"}\ufffd')] == await client.take()
        assert [{"channel": "pong"}] == await client.ask({"method": "ping"})


# subscriptions


async def test_subscription_is_acknowledged_before_its_snapshot_and_once(session: Session) -> None:
    """The echo names what was chosen by the venue; the duplicate is refused with it."""
    echo = {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None}
    async with connected(session) as client:
        ack, book = await client.subscribe("l2Book", coin="BTC")
        data = {"method": "subscribe", "subscription": echo}
        assert {"channel": "subscriptionResponse", "data": data} == ack
        assert ("l2Book", "BTC") == (book["channel"], book["data"]["coin"])
        text = '{"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null}'
        assert [error(f"Already subscribed: {text}")] == await client.subscribe(
            "l2Book", coin="BTC"
        )


async def test_unsubscribed_channel_is_silent_and_can_be_taken_again(session: Session) -> None:
    """ccxt waits for the acknowledgement, and adds an id that means nothing."""
    async with connected(session) as client:
        await client.subscribe("allMids")
        subscription = {"type": "allMids"}
        (ack,) = await client.ask(
            {"id": "5", "method": "unsubscribe", "subscription": subscription}
        )
        assert {"method": "unsubscribe", "subscription": subscription} == ack["data"]
        session.world.play(5)
        assert [] == await client.take()
        text = '{"type":"allMids"}'
        assert [error(f"Already unsubscribed: {text}")] == await client.unsubscribe("allMids")
        assert 2 == len(await client.subscribe("allMids"))


async def test_nothing_comes_after_the_acknowledgement_of_the_end(session: Session) -> None:
    """Not even what was due already."""
    async with connected(session) as client:
        await client.subscribe("l2Book", coin="BTC")
        client.blocked = True
        for _ in range(2):
            session.world.play(session.world.engine.bar + 1)
            await client.take()
        await client.unsubscribe("l2Book", coin="BTC")
        client.read_again()
        kinds = [message["channel"] for message in await client.take()]
        assert ["l2Book", "subscriptionResponse"] == kinds


async def test_addresses_are_echoed_in_lower_case(session: Session) -> None:
    """With or without its prefix."""
    user = address(session)
    async with connected(session) as client:
        for form in ("0x" + user[2:].upper(), user[2:]):
            ack, *_ = await client.subscribe("userFills", user=form)
            echo = {"type": "userFills", "user": user, "aggregateByTime": False}
            assert echo == ack["data"]["subscription"]
            await client.unsubscribe("userFills", user=user)


@pytest.mark.parametrize(
    ("params", "json"),
    [
        (
            {"type": "candle", "coin": "NOPE", "interval": "1d"},
            '{"type":"candle","interval":"1d","coin":"NOPE"}',
        ),
        ({"type": "trades", "coin": "btc"}, '{"type":"trades","coin":"btc"}'),
        ({"type": "allMids", "dex": "xyz"}, '{"type":"allMids","dex":"xyz"}'),
        (
            {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
            '{"type":"l2Book","coin":"BTC","nSigFigs":4,"mantissa":2}',
        ),
    ],
)
async def test_subscription_to_nothing_is_invalid(
    session: Session, params: dict[str, Any], json: str
) -> None:
    """Well formed, but this world has no such coin, dex or aggregation."""
    async with connected(session) as client:
        said = {"method": "subscribe", "subscription": params}
        assert [error(f"Invalid subscription {json}")] == await client.ask(said)


async def test_user_is_another_name_of_user_events(session: Session) -> None:
    """hummingbot asks for `user`; both are one subscription."""
    user = address(session)
    async with connected(session) as client:
        (ack,) = await client.subscribe("user", user=user)
        assert {"type": "user", "user": user} == ack["data"]["subscription"]
        (refused,) = await client.subscribe("userEvents", user=user)
        assert refused["data"].startswith("Already subscribed")
        assert 1 == len(await client.unsubscribe("userEvents", user=user))


# limits


async def test_ten_accounts_may_be_followed_and_places_become_free(session: Session) -> None:
    """Several channels of one account count once."""
    users = [f"0x{number:040x}" for number in range(11)]
    async with connected(session) as client:
        for user in users[:10]:
            await client.subscribe("orderUpdates", user=user)
            await client.subscribe("userEvents", user=user)
        refused = error("Cannot track more than 10 total users.")
        assert [refused] == await client.subscribe("userEvents", user=users[10])
        await client.unsubscribe("orderUpdates", user=users[0])
        assert [refused] == await client.subscribe("userEvents", user=users[10])
        await client.unsubscribe("userEvents", user=users[0])
        (ack,) = await client.subscribe("userEvents", user=users[10])
        assert "subscriptionResponse" == ack["channel"]


async def test_subscriptions_messages_and_posts_are_limited_with_the_venues_texts(
    session: Session,
) -> None:
    """The channel limit before the limit of messages."""
    assert ConnectionLimits() == ConnectionLimits(channels=1000, users=10, messages=2000, posts=100)
    async with connected(session, limits=ConnectionLimits(channels=2, messages=5)) as client:
        await client.subscribe("allMids")
        await client.subscribe("bbo", coin="BTC")
        refused = error("Cannot subscribe to more than 2 channels.")
        assert [refused] == await client.subscribe("bbo", coin="ETH")
        pongs = await client.ask(*[{"method": "ping"}] * 3)
        too_many = error("Cannot send more than 5 messages per minute.")
        assert [{"channel": "pong"}, {"channel": "pong"}, too_many] == pongs


async def test_posts_that_wait_for_a_client_are_limited(session: Session) -> None:
    """A client that reads is never refused; one that does not gets the rest as errors."""
    meta = {"type": "info", "payload": {"type": "meta"}}
    posts = [{"method": "post", "id": number, "request": meta} for number in range(6)]
    async with connected(session, limits=ConnectionLimits(posts=3)) as client:
        answers = await client.ask(*posts)
        assert list(range(6)) == [answer["data"]["id"] for answer in answers]
        client.blocked = True
        await client.ask({"method": "ping"})  # the wire is busy with this one
        await client.ask(*posts)
        client.read_again()
        answers = await client.take()
        refused = [a["data"] for a in answers if a["channel"] == "error"]
        assert [f"too many pending post requests id={n}" for n in (3, 4, 5)] == refused
        assert 3 == len([a for a in answers if a["channel"] == "post"])


async def test_client_that_takes_nothing_is_dropped_and_forgotten(session: Session) -> None:
    """However much happens meanwhile, no more than one batch is made for it."""
    timeouts = SocketTimeouts(stall_s=0.05)
    async with connected(session, timeouts=timeouts) as slow, connected(session) as quick:
        slow.blocked = True
        for client in (slow, quick):
            await client.subscribe("allMids")
            await client.subscribe("candle", coin="BTC", interval="1m")
        for bar in range(1, 100):
            session.world.play(bar)
            assert [] != await quick.take()
        await slow.ended.wait()
        assert (1013, "too slow: nothing was taken for 0.05 s") == slow.closed
        assert [] == slow.said
        await quick.take()
        assert 1 == len(session.streams._connections)


async def test_who_asks_much_and_reads_nothing_is_listened_to_no_further(session: Session) -> None:
    """What waits for it is bounded by bytes and by count, and nothing of it is lost."""
    limits = ConnectionLimits(replies=20, reply_bytes=2000)
    async with connected(session, limits=limits) as client:
        client.blocked = True
        await client.ask(*[{"method": "ping"}] * 500)
        assert client._incoming.qsize() >= 400
        client.read_again()
        pongs: list[Any] = []
        while len(pongs) < 500:
            pongs += await client.take()
        assert [{"channel": "pong"}] * 500 == pongs


async def test_silent_connection_is_closed_only_where_that_is_asked_for(session: Session) -> None:
    """As the venue does after a minute without a message of its own."""
    timeouts = SocketTimeouts(silence_s=0.05)
    async with connected(session, timeouts=timeouts) as strict, connected(session) as lenient:
        await strict.subscribe("userFills", user=address(session))
        while strict.closed is None:
            session.streams.acted(0)  # looks for news, and finds none
            await strict.take()
        assert (1000, "Inactive") == strict.closed
        assert lenient.closed is None


async def test_deleted_world_closes_its_connections(session: Session) -> None:
    async with connected(session) as client:
        await client.subscribe("allMids")
        session.streams.close()
        await client.take()
        assert (1001, "the world was deleted") == client.closed
    async with connected(session) as late:
        await late.ended.wait()
        assert (1001, "the world was deleted") == late.closed


async def test_world_is_not_listened_to_while_nobody_is_subscribed(session: Session) -> None:
    """No cost without a subscriber: not even a call."""
    assert [] == session.world.listeners
    async with connected(session) as client:
        assert [] == session.world.listeners
        await client.subscribe("allMids")
        assert 1 == len(session.world.listeners)
        await client.unsubscribe("allMids")
        assert [] == session.world.listeners
        await client.subscribe("userFills", user=address(session))
    assert [] == session.world.listeners
    assert 0 == len(session.streams._connections)


async def test_all_who_subscribe_to_the_same_share_one_message(session: Session) -> None:
    """It is read and encoded once for all of them."""
    reads = 0
    mids = session.queries.market.mids

    def counted() -> dict[str, str]:
        nonlocal reads
        reads += 1
        return mids()

    session.queries.market.mids = counted  # type: ignore[method-assign]
    async with connected(session) as first, connected(session) as second:
        await first.subscribe("allMids")
        await second.subscribe("allMids")
        assert 1 == reads
        session.world.play(1)
        assert await first.take() == await second.take() != []
        assert 2 == reads


async def test_any_asgi_server_will_do(session: Session) -> None:
    """Without the extension of our own, messages go the common way."""
    async with connected(session, plain=True) as client:
        kinds = [message["channel"] for message in await client.subscribe("allMids")]
        assert ["subscriptionResponse", "allMids"] == kinds
        session.streams.close()
        await client.ended.wait()
        assert (1001, "the world was deleted") == client.closed


# posts


async def test_post_of_info_is_answered_as_http_would(session: Session) -> None:
    """The answer lies one level deeper than that of an action."""
    payload = {"type": "l2Book", "coin": "ETH"}
    async with connected(session) as client:
        (answer,) = await client.ask(
            {"method": "post", "id": 7, "request": {"type": "info", "payload": payload}}
        )
    book = session.queries.market.book("ETH")
    response = {"type": "info", "payload": {"type": "l2Book", "data": book}}
    assert {"channel": "post", "data": {"id": 7, "response": response}} == answer


@pytest.mark.parametrize(
    "payload", ['{"type":"nope"}', "[]", "7", '{"type":"l2Book"}', '{"coin":"BTC"}']
)
async def test_post_that_cannot_be_understood_is_answered_with_its_id(
    session: Session, payload: str
) -> None:
    """As an error with the words of the venue's 422."""
    async with connected(session) as client:
        for kind in ("info", "action"):
            text = f'{{"method":"post","id":3,"request":{{"type":"{kind}","payload":{payload}}}}}'
            (answer,) = await client.ask(text)
            assert 3 == answer["data"]["id"]
            response = answer["data"]["response"]
            assert "error" == response["type"]
            assert response["payload"].startswith("Failed to deserialize the JSON body")


async def test_signed_action_is_carried_out_over_post() -> None:
    """The bytes that were signed go to the native gateway untouched."""
    wallet = Wallet()
    session = open_memory_world(
        random_source("BTC"), accounts=("alice",), clock=ManualClock(NOW_MS)
    )
    session.world.by_address[wallet.address] = session.world.accounts[0]
    envelope = wallet.signed(order(item(cloid="0x" + "a" * 32)), nonce=NOW_MS)
    async with connected(session) as client:
        request = {"type": "action", "payload": envelope}
        (answer,) = await client.ask({"method": "post", "id": 9, "request": request})
        response = answer["data"]["response"]
        assert "action" == response["type"]
        (status,) = response["payload"]["response"]["data"]["statuses"]
        assert "resting" in status
        (again,) = await client.ask({"method": "post", "id": 10, "request": request})
        assert "err" == again["data"]["response"]["payload"]["status"]


async def test_faucet_funds_an_address_that_is_named_in_a_subscription() -> None:
    """As it does for one that is named in a read; a full world says so."""
    session = open_memory_world(random_source("BTC"), faucet=5000, capacity=2)
    users = [f"0x{number:040x}" for number in (1, 2)]
    async with connected(session) as client:
        _, state = await client.subscribe("clearinghouseState", user=users[0])
        value = state["data"]["clearinghouseState"]["marginSummary"]["accountValue"]
        assert "5000.0" == value
        (refused,) = await client.subscribe("clearinghouseState", user=users[1])
        assert "room for 2 accounts" in refused["data"]
        assert "error" == refused["channel"]


def test_every_subscription_has_a_name_of_its_own() -> None:
    names = [kind.__struct_config__.tag for kind in SUBSCRIPTIONS]
    assert len(set(names)) == len(names) == 27


@pytest.mark.parametrize("stays", [True, False])
async def test_post_of_an_action_on_its_way_is_answered_when_it_arrives(*, stays: bool) -> None:
    """It waits like any other; a client that has left is not missed."""
    wallet = Wallet()
    session = open_memory_world(
        random_source("BTC"),
        pace="paced",
        latency=MINUTE_MS,
        clock=ManualClock(NOW_MS),
    )
    session.world.by_address[wallet.address] = session.world.accounts[0]
    ping = {"method": "ping"}
    async with connected(session, limits=ConnectionLimits(posts=1)) as client:
        request = {"type": "action", "payload": wallet.signed(order(), nonce=NOW_MS)}
        post = {"method": "post", "id": 1, "request": request}
        answers = await client.ask(post, post | {"id": 2}, ping)
        assert [error("too many pending post requests id=2"), {"channel": "pong"}] == answers
        if stays:
            session.barrier.tick()
            (answer,) = await client.take()
            payload = answer["data"]["response"]["payload"]
            assert "resting" in payload["response"]["data"]["statuses"][0]
    session.barrier.tick()
    assert 1 == len(session.world.books[0].orders)


async def test_reads_over_post_cost_weight_where_there_are_limits(session: Session) -> None:
    """As those over HTTP do."""
    weights = WeightLimits(per_minute=41)
    meta = {"type": "info", "payload": {"type": "meta"}}
    posts = [{"method": "post", "id": number, "request": meta} for number in range(3)]
    async with connected(session, weights=weights) as client:
        kinds = [a["data"]["response"]["type"] for a in await client.ask(*posts)]
        assert ["info", "info", "error"] == kinds


# whatever is said

_TEXTS = st.sampled_from(
    ["", "BTC", "ETH", "@1", "0x" + "1" * 40, "1m", "subscribe", "unsubscribe", "post", "info"]
)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), _TEXTS)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3)
)
_PARAMS = ("coin", "user", "interval", "nSigFigs", "mantissa", "dex", "aggregateByTime")
_SUBSCRIPTIONS = st.fixed_dictionaries(
    {"type": st.sampled_from([str(k.__struct_config__.tag) for k in SUBSCRIPTIONS])},
    optional=dict.fromkeys(_PARAMS, _SCALARS),
)
_FRAMES = st.one_of(
    _JSON,
    st.fixed_dictionaries(
        {"method": st.sampled_from(["subscribe", "unsubscribe"]), "subscription": _SUBSCRIPTIONS}
    ),
    st.fixed_dictionaries(
        {
            "method": st.just("post"),
            "id": st.integers(min_value=0, max_value=2**40),
            "request": st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["info", "action"]),
                    "payload": _JSON | st.fixed_dictionaries({"type": _TEXTS, "user": _TEXTS}),
                }
            ),
        }
    ),
)


@given(said=st.lists(st.one_of(_FRAMES.map(json.dumps), st.text(), st.binary()), max_size=12))
@settings(max_examples=60, deadline=None)
def test_whatever_is_said_is_answered_and_the_connection_goes_on(said: list[str | bytes]) -> None:
    """One answer at least to each frame, and a pong in the end."""

    async def talk() -> None:
        session = open_memory_world(random_source("BTC", "ETH", count=20))
        async with connected(session) as client:
            for frame in said:
                if isinstance(frame, bytes):
                    client.send_binary(frame)
                else:
                    client.send(frame)
            session.world.play(3)
            answers = await client.ask({"method": "ping"})
            while {"channel": "pong"} not in answers:
                answers += await client.take()
            assert len(answers) > len(said)

    asyncio.run(talk())

"""Reads through the live venue: whose they are, how fresh, and how they come back."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.support.live_app import live_app
from tests.support.live_streams import live_account
from tests.support.venue_process import VenueUnderTest, running_venue

from hyperliquid_exchange.application.ports import Upstream
from suite.addresses import account_address
from suite.contracts.clock import ClockState, WaitReply
from suite.ids import TraderId

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

NAMES = ("alice", "bob")
OF_USER: tuple[tuple[str, dict[str, Any]], ...] = (
    ("clearinghouseState", {}),
    ("spotClearinghouseState", {}),
    ("openOrders", {}),
    ("frontendOpenOrders", {}),
    ("orderStatus", {"oid": 1}),
    ("historicalOrders", {}),
    ("userFills", {}),
    ("userFillsByTime", {"startTime": 0}),
    ("userFunding", {"startTime": 0}),
    ("userFees", {}),
    ("userRateLimit", {}),
    ("userNonFundingLedgerUpdates", {}),
    ("activeAssetData", {"coin": "BTC"}),
    ("extraAgents", {}),
    ("userRole", {}),
    ("subAccounts", {}),
    ("portfolio", {}),
    ("userAbstraction", {}),
    ("webData2", {}),
)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    with running_venue(
        tmp_path_factory.mktemp("reads"), "--accounts", ",".join(NAMES), speed=60.0
    ) as found:
        yield found


class Counting:
    """Counts what reaches the venue, and holds it back on demand."""

    def __init__(self, there: Upstream) -> None:
        self.there = there
        self.asked: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.answers: dict[str, tuple[int, bytes]] = {}

    async def info(self, body: bytes) -> tuple[int, bytes]:
        request = msgspec.json.decode(body)
        self.asked.append(request)
        await self.open.wait()
        told = self.answers.get(request["type"])
        return told if told is not None else await self.there.info(body)

    async def exchange(self, payload: bytes) -> Any:
        return await self.there.exchange(payload)

    def count(self, kind: str) -> int:
        return sum(1 for asked in self.asked if asked["type"] == kind)


async def act(venue: VenueUnderTest, name: str, action: str, **body: Any) -> Any:
    return await asyncio.to_thread(
        venue.post, f"/exchange/{action}", {"coin": "BTC", **body}, token=name
    )


@pytest.mark.parametrize(("kind", "more"), OF_USER)
async def test_read_is_of_the_tokens_account_alone(
    venue: VenueUnderTest, kind: str, more: dict[str, Any]
) -> None:
    """N traders x reads: own, left out and named; another's is 403, in every spelling."""
    async with live_app(venue.url, venue.ws_url, *NAMES) as live:
        for name, other in (("alice", "bob"), ("bob", "alice")):
            left_out = await live.info(kind, name, **more)
            named = await live.info(kind, name, user=account_address(name).upper()[2:], **more)
            assert type(left_out) is type(named)
            address = account_address(other)
            for spelling in (address, address.upper().replace("0X", "0x"), address[2:]):
                status, text, _ = await live.post(
                    "/info", {"type": kind, "user": spelling, **more}, name
                )
                assert 403 == status, text
            assert (
                200
                == (await live.post("/info", {"type": kind, "user": address, **more}, "operator"))[
                    0
                ]
            )


async def test_hidden_user_is_found(venue: VenueUnderTest) -> None:
    """Twice, nested, under another name, before a second value: never another trader's state."""
    bob = account_address("bob")
    bodies = [
        b'{"type":"userFills","user":"%s","user":"%s"}'
        % (account_address("alice").encode(), bob.encode()),
        b'{"type":"anything","req":{"user":"%s"}}' % bob.encode(),
        b'{"type":"vaultDetails","vaultAddress":"%s"}' % bob.encode(),
        b'{"type":"new","of":["%s"]}' % bob.encode(),
        b'{"type":"userFills","\\u0075ser":"%s"}' % bob.encode(),
        b'{"type":"userFills","user":"%s"}{}' % bob.encode(),
    ]
    async with live_app(venue.url, venue.ws_url, *NAMES) as live:
        for body in bodies:
            assert 403 == (await live.post("/info", body))[0], body
        for body, status in ((b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"type":1}', 422)):
            assert status == (await live.post("/info", body))[0], body
        user_of_another_kind = b'{"type":"userFills","user":["%s"]}' % bob.encode()
        assert 422 == (await live.post("/info", user_of_another_kind))[0]
        assert 401 == (await live.post("/info", {"type": "meta"}, None))[0]


async def test_state_is_never_served_from_memory(venue: VenueUnderTest) -> None:
    """Two reads around a change differ, each was asked of the venue; many times over."""
    counting: list[Counting] = []

    def counted(there: Upstream) -> Upstream:
        counting.append(Counting(there))
        return counting[0]

    async with live_app(venue.url, venue.ws_url, *NAMES, upstream=counted) as live:
        price = str(int(venue.price("BTC", 0.5)))
        for kind in ("openOrders", "frontendOpenOrders", "webData2", "historicalOrders"):
            before = await live.info(kind)
            told = await act(venue, "alice", "order", is_buy=True, sz="0.01", limit_px=price)
            oid = told["response"]["data"]["statuses"][0]["resting"]["oid"]
            after = await live.info(kind)
            assert before != after
            assert str(oid) not in str(before)
            assert str(oid) in str(after)
            assert 2 == counting[0].count(kind)
            await act(venue, "alice", "cancel", oid=oid)
        mids = [await live.info("allMids") for _ in range(3)]
        assert 3 == counting[0].count("allMids")
        assert len(mids) == 3


async def test_equal_reads_share_a_call_that_begins_after_them(venue: VenueUnderTest) -> None:
    """Who comes while one is under way gets the next: no answer is older than its question."""
    counting: list[Counting] = []

    def counted(there: Upstream) -> Upstream:
        counting.append(Counting(there))
        return counting[0]

    async with live_app(venue.url, venue.ws_url, *NAMES, upstream=counted) as live:
        count = counting[0]
        count.open.clear()
        first = asyncio.create_task(live.info("openOrders"))
        while not count.asked:  # noqa: ASYNC110 - the server is in this loop
            await asyncio.sleep(0.001)
        rest = [asyncio.create_task(live.info("openOrders")) for _ in range(20)]
        others = [asyncio.create_task(live.info("openOrders", "bob")) for _ in range(2)]
        await asyncio.sleep(0.2)  # all of them wait behind the first
        count.open.set()
        await asyncio.gather(first, *rest, *others)
        alice = [r for r in count.asked if r.get("user") == account_address("alice")]
        assert 2 == len(alice)
        assert len(count.asked) - len(alice) in {1, 2}


async def test_lists_are_kept_for_a_minute_and_say_how_old_they_are(
    venue: VenueUnderTest,
) -> None:
    """`meta`, `spotMeta` and all of them; nothing with a price in it."""
    counting: list[Counting] = []

    def counted(there: Upstream) -> Upstream:
        counting.append(Counting(there))
        return counting[0]

    async with live_app(venue.url, venue.ws_url, *NAMES, upstream=counted) as live:
        now_s = [1000.0]
        live.services.reads._now_s = lambda: now_s[0]
        for kind in ("meta", "spotMeta", "allPerpMetas"):
            ages: list[str] = []
            for step_s in (0.0, 0.0, 59.5, 0.5, 0.0):
                now_s[0] += step_s
                _, _, headers = await live.post("/info", {"type": kind, "extra": ages})
                ages.append(headers["age"])
            assert ["0", "0", "59", "0", "0"] == ages
            assert 2 == counting[0].count(kind)
        for kind in ("metaAndAssetCtxs", "spotMetaAndAssetCtxs", "allMids"):
            for _ in range(2):
                _, _, headers = await live.post("/info", {"type": kind})
                assert "age" not in headers
            assert 2 == counting[0].count(kind)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, b"Failed to deserialize the JSON body into the target type"),
        (429, b"null"),
        (500, b"null"),
        (502, b"<html>bad gateway</html>"),
        (200, b'{"whatever":  1}'),
    ],
)
async def test_status_and_body_are_the_venues(
    venue: VenueUnderTest, status: int, body: bytes
) -> None:
    """Unchanged to the byte, of types that nobody here knows too."""

    def canned(there: Upstream) -> Upstream:
        counting = Counting(there)
        counting.answers = dict.fromkeys(("allMids", "meta", "newKind"), (status, body))
        return counting

    async with live_app(venue.url, venue.ws_url, *NAMES, upstream=canned) as live:
        for kind in ("allMids", "meta", "newKind"):
            async with live.session.post(
                live.url + "/info", json={"type": kind}, headers=live.headers("alice")
            ) as reply:
                assert (status, body) == (reply.status, await reply.read())


async def test_spent_weight_is_the_venues_429(venue: VenueUnderTest) -> None:
    """`null`, and when to come again; the venue is not asked."""
    counting: list[Counting] = []

    def counted(there: Upstream) -> Upstream:
        counting.append(Counting(there))
        return counting[0]

    async with live_app(venue.url, venue.ws_url, *NAMES, upstream=counted) as live:
        live.services.reads._budget.weight.limit = 262  # type: ignore[attr-defined]
        assert 200 == (await live.post("/info", {"type": "userFills"}))[0]
        status, body, headers = await live.post("/info", {"type": "userFills"})
        assert (429, None) == (status, body)
        assert 0 < int(headers["retry-after"]) <= 60
        assert 1 == counting[0].count("userFills")


async def test_master_of_its_own_may_be_read_unless_it_is_another_traders(
    venue: VenueUnderTest,
) -> None:
    """A sub-account's trader reads its master, but not what the master tells of all the others."""
    master, shared = "0x" + "aa" * 20, account_address("bob")
    for name in NAMES:
        assert live_account(name).vault is None
    accounts = {
        TraderId("alice"): live_account("alice", master=master),
        TraderId("bob"): live_account("bob"),
        TraderId("carol"): live_account("carol", master=shared),
    }
    async with live_app(venue.url, venue.ws_url, *NAMES, accounts=accounts) as live:
        assert [] == await live.info("openOrders", user=master)
        assert 200 == (await live.post("/info", {"type": "subAccounts", "user": master}))[0]
        for asked in ("openOrders", "subAccounts"):
            status = (await live.post("/info", {"type": asked, "user": shared}, "carol"))[0]
            assert 403 == status


async def test_clock_is_wall_and_names_the_account(venue: VenueUnderTest) -> None:
    """No world, no wake-ups; whose token it is and by which address the venue knows it."""
    async with live_app(venue.url, venue.ws_url, *NAMES) as live:
        status, told = await live.get("/clock")
        state = msgspec.convert(told, ClockState)
        assert (200, "wall", "", False) == (status, state.mode, state.world, state.wakes)
        assert ("alice", account_address("alice")) == (state.account, state.address)
        assert abs(state.now_ms - live.services.clock.now_ms()) < 60_000
        assert 401 == (await live.get("/clock", None))[0]
        assert "" == (await live.get("/clock", "operator"))[1]["account"]
        for path in ("heartbeat", "leave", "wake"):
            assert 200 == (await live.post(f"/clock/{path}", {}))[0]
        assert 409 == (await live.post("/clock/wait", {"step_seq": 1}))[0]


async def test_join_brings_the_account_as_the_venue_has_it(venue: VenueUnderTest) -> None:
    """Step 0; what was placed a moment ago is in it."""
    async with live_app(venue.url, venue.ws_url, *NAMES) as live:
        price = str(int(venue.price("BTC", 0.5)))
        told = await act(venue, "alice", "order", is_buy=True, sz="0.01", limit_px=price)
        oid = told["response"]["data"]["statuses"][0]["resting"]["oid"]
        _, body, _ = await live.post("/clock/join", {"want": {"mids": True}})
        joined = msgspec.convert(body, WaitReply, strict=False)
        assert joined.step_seq == 0
        assert joined.account is not None
        assert [oid] == [order.oid for order in joined.account.open_orders]
        assert joined.mids is not None
        assert "BTC" in joined.mids
        await act(venue, "alice", "cancel", oid=oid)
        _, body, _ = await live.post("/clock/join", b"")
        joined = msgspec.convert(body, WaitReply, strict=False)
        assert joined.account is not None
        assert () == joined.account.open_orders

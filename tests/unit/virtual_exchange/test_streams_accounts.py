"""Channels of an account: what is told, how often, and in which order."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.support.sockets import Socket, connected
from tests.support.wallets import Wallet, post
from tests.support.worlds import (
    START_MS,
    MemorySource,
    open_memory_world,
    path_bars,
    random_source,
)

from suite.bars import HOUR_MS, MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.venue import ActionReply, CancelOrder, Leg, PlaceOrder, SetLeverage
from suite.contracts.world import AccountRequest, WorldRequest
from virtual_exchange.application.session import Session, open_session
from virtual_exchange.application.stream.reads import asker
from virtual_exchange.application.stream.subscriber import ConnectionLimits

CLOID = "0x" + "c" * 32
NOW_MS = 1_790_000_000_000


@pytest.fixture
def session() -> Session:
    """Falls from 100 to 90 within its second bar, and comes back."""
    rows = [
        (100.0, 101.0, 99.0, 100.0),
        (100.0, 100.0, 90.0, 95.0),
        *[(95.0, 96.0, 94.0, 95.0)] * 70,
    ]
    return open_memory_world(MemorySource({"SOL": path_bars(rows)}), accounts=("alice", "bob"))


def address(session: Session, account: int = 0) -> str:
    return session.world.accounts[account].address


def place(session: Session, px: str, sz: str = "2", **more: Any) -> ActionReply:
    fields: dict[str, Any] = {"coin": "SOL", "is_buy": True, **more}
    order = PlaceOrder(sz=Decimal(sz), limit_px=Decimal(px), **fields)
    return session.venue.submit(0, order)


def rows(messages: list[Any]) -> list[Any]:
    return [row for data in messages for row in data]


def told(update: Any) -> tuple[str, str]:
    return update["status"], update["order"]["sz"]


async def follow(client: Socket, session: Session, *kinds: str) -> None:
    for kind in kinds:
        await client.subscribe(kind, user=address(session))
    await client.take()


# orders


async def test_order_is_told_when_it_opens_and_when_it_ends(session: Session) -> None:
    """With what the venue says of an open order, and what its owner called it."""
    async with connected(session) as client:
        await follow(client, session, "orderUpdates")
        place(session, "80", cloid=CLOID)
        ((opened,),) = await client.take("orderUpdates")
        (oid,) = session.world.books[0].orders
        assert {
            "order": {
                "coin": "SOL",
                "side": "B",
                "limitPx": "80.0",
                "sz": "2.0",
                "oid": oid,
                "timestamp": START_MS,
                "origSz": "2.0",
                "cloid": CLOID,
            },
            "status": "open",
            "statusTimestamp": START_MS,
        } == opened
        session.venue.submit(0, CancelOrder(coin="SOL", oid=oid))
        ((canceled,),) = await client.take("orderUpdates")
        assert ("canceled", "2.0") == told(canceled)


async def test_new_subscriber_is_told_the_open_orders(session: Session) -> None:
    """And nothing when there are none, not even an empty list."""
    place(session, "80")
    async with connected(session) as client:
        answers = await client.subscribe("orderUpdates", user=address(session))
        assert ["open"] == [row["status"] for row in answers[1]["data"]]
        assert 1 == len(await client.subscribe("orderUpdates", user=address(session, 1)))


async def test_fills_are_told_before_the_end_of_their_order(session: Session) -> None:
    """Whatever was subscribed to first; the ids agree."""
    async with connected(session) as client:
        await follow(client, session, "orderUpdates", "userEvents", "userFills")
        place(session, "95")
        session.world.play(2)
        messages = await client.take()
        assert ["user", "userFills", "orderUpdates"] == [m["channel"] for m in messages]
        (event,), (fill,) = messages[0]["data"]["fills"], messages[1]["data"]["fills"]
        assert event == fill
        assert [("open", "2.0"), ("filled", "0.0")] == [told(u) for u in messages[2]["data"]]
        assert {fill["oid"]} == {update["order"]["oid"] for update in messages[2]["data"]}


async def test_trigger_is_told_to_have_fired(session: Session) -> None:
    """Open while it waits; then triggered, and what became of it; its sibling is canceled."""
    async with connected(session) as client:
        place(session, "0", stop_loss=Leg(price=Decimal(97)), take_profit=Leg(price=Decimal(120)))
        await follow(client, session, "orderUpdates", "userEvents")
        session.world.play(2)
        messages = await client.take()
        updates = rows([m["data"] for m in messages if m["channel"] == "orderUpdates"])
        assert ["triggered", "filled", "siblingFilledCanceled"] == [
            u["status"] for u in updates if u["status"] != "open"
        ]
        assert not [m for m in messages if "nonUserCancel" in m["data"]]


# logs


async def test_every_row_is_told_once_whenever_it_is_read(session: Session) -> None:
    """A burst of trades in one turn, in pieces no larger than a batch, is all told."""
    limits = ConnectionLimits(batch_bytes=1)
    async with connected(session, limits=limits) as client, connected(session) as other:
        for who in (client, other):
            await follow(who, session, "userFills", "orderUpdates")
        for number in range(1200):
            place(session, "0", "0.5", is_buy=number % 2 == 0)
        for who in (client, other):
            messages = await who.take()
            fills = [m["data"] for m in messages if m["channel"] == "userFills"]
            assert [500, 500, 200] == [len(data["fills"]) for data in fills]
            tids = [fill["tid"] for data in fills for fill in data["fills"]]
            assert [fill.tid for fill in session.world.books[0].fills] == tids
            assert not any("isSnapshot" in data for data in fills)
            updates = rows([m["data"] for m in messages if m["channel"] == "orderUpdates"])
            assert 1200 == len({u["order"]["oid"] for u in updates})


async def test_snapshot_of_fills_is_that_of_info_and_what_follows_is_new(session: Session) -> None:
    """Newest first; a fill is in the snapshot or told later, never both."""
    user = address(session)
    for _ in range(3):
        place(session, "0")
    async with connected(session) as client:
        _, snapshot = await client.subscribe("userFills", user=user)
        assert snapshot["data"]["isSnapshot"] is True
        tids = [fill["tid"] for fill in snapshot["data"]["fills"]]
        assert [fill.tid for fill in session.world.books[0].fills][::-1] == tids
        place(session, "0")
        (update,) = await client.take("userFills")
        assert {"user", "fills"} == set(update)
        assert session.world.books[0].fills[3].tid == update["fills"][0]["tid"]


async def test_account_without_a_past_has_empty_snapshots_and_no_events(session: Session) -> None:
    """One that does not exist too; the venue knows every address."""
    for user in (address(session, 1), "0x" + "9" * 40):
        async with connected(session) as client:
            _, fills = await client.subscribe("userFills", user=user)
            assert {"isSnapshot": True, "user": user, "fills": []} == fills["data"]
            _, fundings = await client.subscribe("userFundings", user=user)
            assert {"isSnapshot": True, "user": user, "fundings": []} == fundings["data"]
            assert 1 == len(await client.subscribe("userEvents", user=user))
            session.world.play(session.world.engine.bar + 2)
            assert [] == await client.take()


async def test_account_is_followed_from_when_it_is_opened() -> None:
    """A subscription may come first."""
    session = open_memory_world(random_source("BTC"))
    user = "0x" + "7" * 40
    async with connected(session) as client:
        await client.subscribe("userFills", user=user)
        _, state = await client.subscribe("clearinghouseState", user=user)
        assert "0.0" == state["data"]["clearinghouseState"]["withdrawable"]
        session.identity._faucet_usd = 10**9  # type: ignore[assignment]
        session.identity.register(user)
        (state,) = await client.take("clearinghouseState")
        assert "1000.0" == state["clearinghouseState"]["withdrawable"]


async def test_funding_is_told_in_its_two_forms(session: Session) -> None:
    """`usdc` is negative when the account pays; the sums are those of `/info`."""
    user = address(session)
    place(session, "0")
    async with connected(session) as client:
        await follow(client, session, "userFundings", "userEvents")
        session.world.play(61)
        messages = await client.take()
        (event,) = (m["data"]["funding"] for m in messages if m["channel"] == "user")
        (update,) = (m["data"] for m in messages if m["channel"] == "userFundings")
    assert {"user": user, "fundings": [event]} == update
    assert {
        "time": START_MS + HOUR_MS,
        "coin": "SOL",
        "usdc": event["usdc"],
        "szi": "2.0",
        "fundingRate": "0.0000125",
        "nSamples": None,
    } == event
    assert event["usdc"].startswith("-0.00")
    async with connected(session) as client:
        _, snapshot = await client.subscribe("userFundings", user=user)
        assert {"isSnapshot": True, "user": user, "fundings": [event]} == snapshot["data"]


@pytest.mark.parametrize(("size", "times"), [("900", 1), ("1900", 2)])
async def test_liquidation_is_told_with_its_fills_and_its_canceled_orders(
    session: Session, size: str, times: int
) -> None:
    """First that it happened, then the fills that did it, then what was canceled for it.

    Of a large position a fifth is sold first, so a deep fall liquidates it twice.
    """
    user = address(session)
    session.venue.submit(0, SetLeverage(coin="SOL", leverage=20, is_cross=True))
    place(session, "0", size)
    place(session, "21", "1")
    async with connected(session) as client:
        await follow(client, session, "userEvents", "orderUpdates", "clearinghouseState")
        session.world.play(2)
        messages = await client.take()
    events = [m["data"] for m in messages if m["channel"] == "user"]
    kinds = [*["liquidation"] * times, "fills", "nonUserCancel"]
    assert kinds == [next(iter(event)) for event in events]
    fills = events[times]["fills"]
    assert {"market"} == {fill["liquidation"]["method"] for fill in fills}
    for number, (event, fill) in enumerate(zip(events, fills, strict=False)):
        liquidation = event["liquidation"]
        notional = float(fill["px"]) * float(fill["sz"])
        assert notional == pytest.approx(float(liquidation["liquidated_ntl_pos"]))
        assert {"lid": number + 1, "liquidator": "0x" + "0" * 40, "liquidated_user": user} == {
            name: liquidation[name] for name in ("lid", "liquidator", "liquidated_user")
        }
        assert float(liquidation["liquidated_account_value"]) > 0
    (resting,) = events[-1]["nonUserCancel"]
    updates = rows([m["data"] for m in messages if m["channel"] == "orderUpdates"])
    assert [(resting["oid"], "liquidatedCanceled")] == [
        (u["order"]["oid"], u["status"]) for u in updates
    ]


# states


async def test_money_is_told_when_it_changes_and_as_the_market_moves(session: Session) -> None:
    """Not to those whom it does not concern."""
    async with connected(session) as client, connected(session) as other:
        await client.subscribe("clearinghouseState", user=address(session))
        await other.subscribe("clearinghouseState", user=address(session, 1))
        place(session, "0")
        (state,) = await client.take("clearinghouseState")
        assert ("", address(session)) == (state["dex"], state["user"])
        read = session.queries.accounts.clearinghouse(0)
        assert read.withdrawable == state["clearinghouseState"]["withdrawable"]
        assert [] == await other.take()
        session.world.play(1)
        assert (
            START_MS + MINUTE_MS == (await client.take())[0]["data"]["clearinghouseState"]["time"]
        )
        assert 1 == len(await other.take())


async def test_open_orders_are_told_only_when_they_are_others(session: Session) -> None:
    """All of them each time, as the front end shows them."""
    async with connected(session) as client:
        _, first = await client.subscribe("openOrders", user=address(session))
        assert [] == first["data"]["orders"]
        place(session, "80")
        place(session, "81")
        (two,) = await client.take("openOrders")
        assert ["80.0", "81.0"] == [order["limitPx"] for order in two["orders"]]
        session.world.play(1)
        assert [] == await client.take()


async def test_every_state_of_an_account_is_that_of_info(session: Session) -> None:
    """Read by the same code; each with what its clients route by."""
    user = address(session)
    place(session, "0")
    ask = asker(session.queries)
    money = ask("clearinghouseState", user=user)
    page = ask("webData2", user=user)
    shown = ("agentAddress", "agentValidUntil", "cumLedger", "serverTime", "isVault", "user")
    expected = {
        "clearinghouseState": {"dex": "", "user": user, "clearinghouseState": money},
        "allDexsClearinghouseState": {"user": user, "clearinghouseStates": [["", money]]},
        "spotState": {"user": user, "spotState": ask("spotClearinghouseState", user=user)},
        "openOrders": {"dex": "", "user": user, "orders": []},
        "twapStates": {"dex": "", "user": user, "states": []},
        "webData2": page,
        "webData3": {
            "userState": {name: page[name] for name in shown},
            "perpDexStates": [
                {"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}
            ],
        },
        "activeAssetData": ask("activeAssetData", user=user, coin="SOL"),
    }
    async with connected(session) as client:
        for kind, data in expected.items():
            more = {"coin": "SOL"} if kind == "activeAssetData" else {}
            _, state = await client.subscribe(kind, user=user, **more)
            read = msgspec.json.decode(msgspec.json.encode(data))
            assert (kind, read) == (state["channel"], state["data"])
        (invalid,) = await client.subscribe("activeAssetData", user=user, coin="PURR/USDC")
        assert invalid["data"].startswith("Invalid subscription")
        session.world.play(2)
        told = [m["channel"] for m in await client.take()]
        assert set(expected) - {"spotState", "openOrders", "twapStates"} == set(told)


async def test_transfers_and_liquidations_are_told_as_ledger_updates(session: Session) -> None:
    """First all of them, then each when it happens."""
    user = address(session)
    async with connected(session) as client:
        _, snapshot = await client.subscribe("userNonFundingLedgerUpdates", user=user)
        rows = snapshot["data"].pop("nonFundingLedgerUpdates")
        assert {"isSnapshot": True, "user": user} == snapshot["data"]
        assert asker(session.queries)("userNonFundingLedgerUpdates", user=user) == rows
        assert ["deposit"] == [row["delta"]["type"] for row in rows]
        session.world.move_money(0, -(10**6), "withdraw")
        (update,) = await client.take("userNonFundingLedgerUpdates")
        assert {"user", "nonFundingLedgerUpdates"} == set(update)
        assert ["withdraw"] == [r["delta"]["type"] for r in update["nonFundingLedgerUpdates"]]
        session.venue.submit(0, SetLeverage(coin="SOL", leverage=20, is_cross=True))
        place(session, "0", "900")
        session.world.play(2)
        (update,) = await client.take("userNonFundingLedgerUpdates")
        assert ["liquidation"] == [r["delta"]["type"] for r in update["nonFundingLedgerUpdates"]]


async def test_history_of_orders_is_told_change_by_change(session: Session) -> None:
    """The snapshot is that of `/info`, the newest first; later ones the oldest first."""
    user = address(session)
    place(session, "80")
    async with connected(session) as client:
        _, snapshot = await client.subscribe("userHistoricalOrders", user=user)
        rows = asker(session.queries)("historicalOrders", user=user)
        assert {"isSnapshot": True, "user": user, "orderHistory": rows} == snapshot["data"]
        place(session, "0")
        (update,) = await client.take("userHistoricalOrders")
        newest = asker(session.queries)("historicalOrders", user=user)
        fresh = newest[: len(newest) - len(rows)]
        assert {"user": user, "orderHistory": fresh[::-1]} == update


async def test_fills_of_one_order_at_one_time_are_told_as_one_where_that_is_wanted() -> None:
    """A large order filled in parts, with a cap on its share of the volume."""
    bars = path_bars([(100.0, 101.0, 99.0, 100.0)] * 5, volume=10.0)
    session = open_memory_world(MemorySource({"SOL": bars}), participation=Decimal("0.5"))
    user = address(session)
    async with connected(session) as client:
        for wanted in (True, False):
            ack, _ = await client.subscribe("userFills", user=user, aggregateByTime=wanted)
            assert wanted is ack["data"]["subscription"]["aggregateByTime"]
        place(session, "0")
        place(session, "99.5", "9")
        session.world.play(3)
        one, other = await client.take("userFills")
        sizes = [sum(float(f["sz"]) for f in data["fills"]) for data in (one, other)]
        assert sizes[0] == pytest.approx(sizes[1])
        assert len({(f["oid"], f["time"]) for f in one["fills"]}) == len(one["fills"])


async def test_orders_in_slices_are_told_by_state_by_history_and_by_fill() -> None:
    """Begun and ended over the native gateway; the end is told though nothing traded."""
    wallet = Wallet()
    user = wallet.address
    owner = AccountRequest(id="alice", address=user)
    request = WorldRequest(symbols=("BTC",), accounts=(owner,))
    clock = ManualClock(NOW_MS)
    session = open_session(request, source=random_source("BTC"), clock=clock)
    twap = {"a": 0, "b": True, "s": "0.05", "r": False, "m": 10, "t": False}
    async with connected(session) as client:
        for kind in ("twapStates", "userTwapHistory", "userTwapSliceFills"):
            await client.subscribe(kind, user=user)
        wallet.nonces = iter((NOW_MS, NOW_MS + 1, NOW_MS + 2))
        post(session, wallet.signed({"type": "twapOrder", "twap": twap}))
        told = {m["channel"]: m["data"] for m in await client.take()}
        ((number, state),) = told["twapStates"]["states"]
        assert "0.05" == state["sz"]
        assert {"status": "activated", "description": ""} == told["userTwapHistory"]["history"][0][
            "status"
        ]
        (fill,) = told["userTwapSliceFills"]["twapSliceFills"]
        assert number == fill["twapId"] == fill["fill"]["twapId"]
        post(session, wallet.signed({"type": "twapCancel", "a": 0, "t": number}))
        told = {m["channel"]: m["data"] for m in await client.take()}
        assert [] == told["twapStates"]["states"]
        (ended,) = told["userTwapHistory"]["history"]
        assert {"status": "terminated", "description": ""} == ended["status"]
        assert "isSnapshot" not in told["userTwapHistory"]
    session.world.play(3)
    post(session, wallet.signed({"type": "twapOrder", "twap": twap}))
    async with connected(session) as client:
        _, snapshot = await client.subscribe("userTwapHistory", user=user)
        assert snapshot["data"]["isSnapshot"]
        history = [(r["twapId"], r["status"]["status"]) for r in snapshot["data"]["history"]]
        assert (number + 1, "activated") == history[0]
        assert 3 == len(history)


async def test_notifications_may_be_subscribed_to_and_never_come(session: Session) -> None:
    async with connected(session) as client:
        assert 1 == len(await client.subscribe("notification", user=address(session)))
        place(session, "0")
        assert [] == await client.take()

"""Accounts as `/info` tells them: orders, fills, money, and who they are."""

from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.support.busy import AGENT, BUILDER, CLOID, OTHER, OWNER, WALL_MS, act, busy_session
from tests.support.wallets import item, order, trigger
from tests.support.worlds import START_MS, open_memory_world, path_bars, random_source

from perp_engine.commands import CancelOrder
from perp_engine.events import Liquidated
from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from suite.contracts.venue import PlaceOrder, SetLeverage
from suite.contracts.world import Fees, FeeTier
from suite.enums import MarginMode
from suite.fixed import Price, Usd
from suite.ids import Oid
from virtual_exchange.application.info.fills import _merged
from virtual_exchange.application.info.request import InfoBody, UnknownRequest, Unsupported
from virtual_exchange.application.session import Session

STATUSES = {
    *("open", "filled", "canceled", "triggered", "rejected", "marginCanceled"),
    *("reduceOnlyCanceled", "siblingFilledCanceled", "delistedCanceled", "liquidatedCanceled"),
    *("scheduledCancel", "minTradeNtlRejected", "perpMarginRejected", "perpMaxPositionRejected"),
    *("reduceOnlyRejected", "badAloPxRejected", "iocCancelRejected", "badTriggerPxRejected"),
    "tooManyOpenOrdersRejected",
}


@pytest.fixture(scope="module")
def session() -> Session:
    return busy_session()


def ask(session: Session, kind: str, user: str | None = OWNER.address, **fields: Any) -> Any:
    told = session.queries.info(InfoBody(type=kind, user=user, **fields), None)
    return msgspec.json.decode(msgspec.json.encode(told))


# what is asked


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("nope", {}, "unknown type 'nope'"),
        ("l2Book", {}, "missing field `coin`"),
        ("orderStatus", {"user": OWNER.address}, "missing field `oid`"),
        ("orderStatus", {"user": OWNER.address, "oid": "0x12"}, "wrong field `oid`"),
        ("userFillsByTime", {"user": OWNER.address}, "missing field `startTime`"),
        ("fundingHistory", {"coin": "BTC"}, "missing field `startTime`"),
        ("maxBuilderFee", {"user": OWNER.address}, "missing field `builder`"),
        ("marginTable", {}, "missing field `id`"),
        ("clearinghouseState", {}, "missing field `user`"),
        ("userRole", {}, "missing field `user`"),
        ("activeAssetData", {"user": OWNER.address}, "missing field `coin`"),
    ],
)
def test_request_that_lacks_something_is_refused(
    session: Session, kind: str, fields: dict[str, Any], text: str
) -> None:
    """The venue's 422, with a reason."""
    with pytest.raises(UnknownRequest, match=text):
        session.queries.info(InfoBody(type=kind, **fields), None)


def test_builder_deployed_dexs_do_not_exist(session: Session) -> None:
    """The empty name is the main one."""
    assert ask(session, "meta", None) == ask(session, "meta", None, dex="")
    with pytest.raises(Unsupported):
        ask(session, "meta", None, dex="xyz")


@pytest.mark.parametrize(
    "user", [OWNER.key.address, OWNER.address, OWNER.address[2:], OWNER.key.address[2:], "alice"]
)
def test_account_is_found_however_its_address_is_written(session: Session, user: str) -> None:
    """And echoed in lower case."""
    told = ask(session, "activeAssetData", user, coin="BTC")
    assert OWNER.address == told["user"]
    assert ask(session, "userFills", user) == ask(session, "userFills")
    stranger = ask(session, "activeAssetData", "9" * 40, coin="BTC")
    assert "0x" + "9" * 40 == stranger["user"]


# orders


def test_what_waits_for_an_entry_is_listed_twice(session: Session) -> None:
    """By itself, and as a child of the entry; neither is anywhere else."""
    rows = ask(session, "frontendOpenOrders")
    (entry,) = [row for row in rows if row["children"]]
    children = entry["children"]
    assert ["Take Profit Market", "Stop Market"] == [child["orderType"] for child in children]
    for child in children:
        assert child in rows
        assert child["isTrigger"]
        assert child["tif"] is None
    assert ["Price above 99000", "Price below 56000"] == [c["triggerCondition"] for c in children]
    assert {row["oid"] for row in rows} == {row["oid"] for row in ask(session, "openOrders")}


def test_trigger_is_told_with_its_own_limit_and_condition(session: Session) -> None:
    """As it was sent, with half a dollar in it."""
    rows = {row["triggerPx"]: row for row in ask(session, "frontendOpenOrders")}
    limit, whole = rows["1400.5"], rows["51000.0"]
    assert ("Stop Limit", "1399.0", "Price below 1400.5") == (
        limit["orderType"],
        limit["limitPx"],
        limit["triggerCondition"],
    )
    assert (True, True) == (whole["isPositionTpsl"], whole["reduceOnly"])
    assert not limit["isPositionTpsl"]


def test_order_is_found_by_either_id(session: Session) -> None:
    """Also one that was refused; a cloid in upper case is the same."""
    found = ask(session, "orderStatus", oid=CLOID.upper().replace("0X", "0x"))
    assert CLOID == found["order"]["order"]["cloid"]
    oid = found["order"]["order"]["oid"]
    assert found == ask(session, "orderStatus", oid=oid)
    refused = ask(session, "orderStatus", oid=CLOID[:-2] + "cd")["order"]
    assert ("iocCancelRejected", "Ioc") == (refused["status"], refused["order"]["tif"])
    unknown = {"status": "unknownOid"}
    assert unknown == ask(session, "orderStatus", oid="0x" + "f" * 32)
    assert unknown == ask(session, "orderStatus", oid=oid + 10**6)
    assert unknown == ask(session, "orderStatus", OTHER.address, oid=oid)


def test_history_of_orders_is_newest_first_in_the_wires_words(session: Session) -> None:
    """A row a change, each with the size that was left by then."""
    rows = ask(session, "historicalOrders")
    times = [row["statusTimestamp"] for row in rows]
    assert sorted(times, reverse=True) == times
    assert {row["status"] for row in rows} <= STATUSES
    assert len(session.world.books[0].updates) == len(rows)
    market = [row for row in rows if row["order"]["orderType"] == "Market"]
    assert [("filled", "0.0"), ("open", "0.01")] == [
        (row["status"], row["order"]["sz"]) for row in market
    ]
    assert {"FrontendMarket"} == {row["order"]["tif"] for row in market}
    assert "Twap Slice" in {row["order"]["orderType"] for row in rows}


def test_history_of_orders_ends_after_two_thousand() -> None:
    """The latest are kept."""
    session = open_memory_world(random_source("BTC"))
    for _ in range(1100):
        session.venue.submit(
            0, PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.001"), limit_px=Decimal(60000))
        )
    for record in tuple(session.world.books[0].orders.values()):
        session.world.apply(_cancel(record.oid))
    rows = ask(session, "historicalOrders", "alice")
    assert 2000 == len(rows)
    assert ("canceled", "open") == (rows[0]["status"], rows[-1]["status"])


def test_orders_are_read_page_by_page_from_the_newest() -> None:
    """Each page goes on before the last order of the one before."""
    session = open_memory_world(random_source("BTC", count=60))
    place = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.001"), limit_px=Decimal(60000))
    orders = session.world.books[0].orders
    while len(orders) < 2500:
        session.venue.submit(0, place)
        session.world.apply(_cancel(next(reversed(orders))))
    rows = session.queries.accounts.orders.order_rows
    first = rows(0)
    second = rows(0, before_oid=first[-1]["oid"])
    assert (2000, 500) == (len(first), len(second))
    assert [*reversed(orders)] == [row["oid"] for row in first + second]
    assert [] == rows(0, before_oid=second[-1]["oid"])


def _cancel(oid: int) -> Any:
    return CancelOrder(account=0, symbol=0, oid=Oid(oid))


# fills


def test_fills_are_newest_first_and_by_time_oldest_first(session: Session) -> None:
    """The same rows."""
    rows = ask(session, "userFills")
    assert rows[::-1] == ask(session, "userFillsByTime", startTime=0)
    times = [row["time"] for row in rows]
    assert sorted(times, reverse=True) == times
    part = ask(session, "userFillsByTime", startTime=times[5], endTime=times[2])
    assert rows[2:6][::-1] == part
    assert "cloid" not in rows[0]


def test_fills_of_one_order_at_one_time_are_put_together() -> None:
    """Sizes, fees and profits add up; the average price is rounded down."""
    session = open_memory_world(random_source("BTC"))
    book = session.world.books[0]
    session.venue.submit(0, PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01")))
    (fill,) = book.fills
    book.fills.append(
        replace(
            fill,
            tid=fill.tid + 1,
            size=type(fill.size)(2 * fill.size),
            price=type(fill.price)(fill.price + 1),
            start_position=fill.size,
        )
    )
    apart, together = (ask(session, "userFills", "alice", aggregateByTime=a) for a in (False, True))
    (row,) = together
    assert 2 == len(apart)
    assert "0.03" == row["sz"]
    assert Decimal(row["fee"]) == sum(Decimal(one["fee"]) for one in apart)
    mean = (fill.price * fill.size + (fill.price + 1) * 2 * fill.size) // (3 * fill.size)
    assert session.world.market.instruments[0].format_price(mean) == row["px"]
    assert ("0.0", "Open Long") == (row["startPosition"], row["dir"])


@pytest.mark.parametrize(("moments", "orders"), [(9000, 2), (4000, 3), (300, 40)])
def test_put_together_are_the_same_fills_wherever_one_stops_to_look(
    moments: int, orders: int
) -> None:
    """The newest 2000, or the oldest of a range, of all fills put together."""
    session = open_memory_world(random_source("BTC"))
    session.venue.submit(0, PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01")))
    book = session.world.books[0]
    (fill,) = book.fills
    generator = np.random.default_rng(moments)
    times = np.sort(generator.integers(0, moments, 9000)).tolist()
    oids = generator.integers(1, orders + 1, 9000).tolist()
    book.fills[:] = [
        replace(fill, time_ms=START_MS + time, oid=Oid(oid), tid=tid)
        for tid, (time, oid) in enumerate(zip(times, oids, strict=True))
    ]
    every = [(one.time_ms, one.oid) for one in _merged(book.fills)]

    def told(kind: str, **fields: Any) -> list[tuple[int, int]]:
        rows = ask(session, kind, "alice", aggregateByTime=True, **fields)
        return [(row["time"], row["oid"]) for row in rows]

    assert every[-2000:][::-1] == told("userFills")
    middle_ms = START_MS + times[4500]
    late = [row for row in every if row[0] >= middle_ms]
    assert every[:2000] == told("userFillsByTime", startTime=0)
    assert late[:2000] == told("userFillsByTime", startTime=middle_ms)


def test_range_of_many_rows_is_read_page_by_page() -> None:
    """Each page goes on from the last time of the one before."""
    session = open_memory_world(random_source("BTC", count=5000))
    session.venue.submit(0, PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01")))
    payments = session.world.books[0].funding
    session.barrier.advance(START_MS + 2 * HOUR_MS)
    payments.extend(replace(payments[-1], time_ms=payments[-1].time_ms + n) for n in range(1, 1200))
    seen: list[int] = []
    start_ms = 0
    while page := ask(session, "userFunding", "alice", startTime=start_ms):
        assert len(page) <= 500
        seen += [row["time"] for row in page]
        start_ms = page[-1]["time"] + 1
    assert [payment.time_ms for payment in payments] == seen


def test_slices_of_a_twap_have_no_hash_and_name_it(session: Session) -> None:
    """They are fills like others too."""
    slices = ask(session, "userTwapSliceFills")
    assert slices[::-1] == ask(session, "userTwapSliceFillsByTime", startTime=0)
    assert {1} == {row["twapId"] for row in slices} == {row["fill"]["twapId"] for row in slices}
    assert {"0x" + "0" * 64} == {row["fill"]["hash"] for row in slices}
    assert all(row["fill"] in ask(session, "userFills") for row in slices)
    history = ask(session, "twapHistory")
    assert ["finished", "activated"] == [row["status"]["status"] for row in history]
    assert history[0]["time"] * 1000 == slices[0]["fill"]["time"]
    assert [] == ask(session, "webData2")["twapStates"]


# money


def test_value_of_an_account_adds_up(session: Session) -> None:
    """The identities that were found on the venue."""
    state = ask(session, "clearinghouseState")
    whole, cross = state["marginSummary"], state["crossMarginSummary"]
    held = [row["position"] for row in state["assetPositions"]]
    signed = [Decimal(p["positionValue"]) * (1 if Decimal(p["szi"]) > 0 else -1) for p in held]
    assert Decimal(whole["accountValue"]) == Decimal(whole["totalRawUsd"]) + sum(signed)
    assert Decimal(whole["totalNtlPos"]) == sum(map(abs, signed))
    assert Decimal(whole["totalMarginUsed"]) == sum(Decimal(p["marginUsed"]) for p in held)
    isolated = next(p for p in held if p["leverage"]["type"] == "isolated")
    raw = Decimal(isolated["leverage"]["rawUsd"])
    assert Decimal(isolated["marginUsed"]) == raw + Decimal(isolated["positionValue"])
    assert Decimal(cross["accountValue"]) == Decimal(whole["accountValue"]) - Decimal(
        isolated["marginUsed"]
    )


@pytest.mark.parametrize(("is_buy", "closing"), [(True, 1), (False, 0)])
def test_what_may_be_traded_is_more_on_the_closing_side(*, is_buy: bool, closing: int) -> None:
    """By twice the margin of the position; without one both sides are the same."""
    session = open_memory_world(random_source("BTC"))
    session.venue.submit(0, SetLeverage(coin="BTC", leverage=10, is_cross=True))
    told = ask(session, "activeAssetData", "alice", coin="BTC")
    assert told["availableToTrade"] == ["10000.0", "10000.0"]
    mark = Decimal(session.queries.market.mids()["BTC"])
    assert abs(Decimal(told["maxTradeSzs"][0]) - 100_000 / mark) < Decimal("0.0001")
    session.venue.submit(0, PlaceOrder(coin="BTC", is_buy=is_buy, sz=Decimal("0.1")))
    state = ask(session, "clearinghouseState", "alice")
    used = Decimal(state["assetPositions"][0]["position"]["marginUsed"])
    told = ask(session, "activeAssetData", "alice", coin="BTC")
    free = [Decimal(side) for side in told["availableToTrade"]]
    assert free[closing] == free[1 - closing] + 2 * used
    assert {"type": "cross", "value": 10} == told["leverage"]
    assert ask(session, "activeAssetData", "alice", coin="NOPE") is None


def test_ledger_tells_what_moved_and_where(session: Session) -> None:
    """Oldest first, in the shapes of the venue."""
    rows = ask(session, "userNonFundingLedgerUpdates", startTime=0)
    assert ["deposit", "internalTransfer", "accountClassTransfer", "withdraw"] == [
        row["delta"]["type"] for row in rows
    ]
    sent = rows[1]["delta"]
    assert ("12.5", OWNER.address, OTHER.address) == (
        sent["usdc"],
        sent["user"],
        sent["destination"],
    )
    assert {"type": "accountClassTransfer", "usdc": "100.0", "toPerp": False} == rows[2]["delta"]
    assert ("19.0", "1.0") == (rows[3]["delta"]["usdc"], rows[3]["delta"]["fee"])
    assert rows[:1] == ask(session, "userNonFundingLedgerUpdates", endTime=START_MS)
    (balance,) = ask(session, "spotClearinghouseState")["balances"]
    assert ("USDC", "100.0") == (balance["coin"], balance["total"])


def test_long_ledger_is_read_page_by_page_and_told_from_its_end() -> None:
    """Only the rows that are told are written, transfers before what happened at the same time."""
    session = open_memory_world(random_source("BTC", count=10))
    book, ledger = session.world.books[0], session.queries.accounts.ledger
    (deposit,) = book.ledger
    book.ledger.extend(replace(deposit, time_ms=START_MS + n) for n in range(1, 1200))
    event = Liquidated(
        time_ms=0,
        account=0,
        symbol=0,
        mode=MarginMode.CROSS,
        mark=Price(1),
        equity_usd=Usd(1),
        maintenance_usd=Usd(2),
    )
    times = [START_MS + n for n in range(0, 1200, 3)]
    book.liquidations.extend(replace(event, time_ms=time_ms) for time_ms in times)
    seen: list[tuple[int, str]] = []
    start_ms = 0
    while page := ask(session, "userNonFundingLedgerUpdates", "alice", startTime=start_ms):
        assert len(page) <= 500
        last_ms = page[-1]["time"]
        whole = [row for row in page if row["time"] < last_ms or len(page) < 500]
        seen += [(row["time"], row["delta"]["type"]) for row in whole]
        start_ms = whole[-1]["time"] + 1
    deposits = [(entry.time_ms, "deposit") for entry in book.ledger]
    forced = [(time_ms, "liquidation") for time_ms in times]
    assert sorted(deposits + forced) == seen
    latest = [(row["time"], row["delta"]["type"]) for row in ledger.latest(book)]
    assert seen[-500:] == latest


def test_liquidation_is_in_the_ledger_and_in_its_fills() -> None:
    """With what was sold, and by which way."""
    source = random_source()
    rows = [(100.0, 100.0, 100.0, 100.0)] * 2 + [(90.0, 90.0, 90.0, 90.0)] * 2
    source.bars["SOL"] = path_bars(rows)
    session = open_memory_world(source)
    session.venue.submit(0, SetLeverage(coin="SOL", leverage=20, is_cross=True))
    session.venue.submit(0, PlaceOrder(coin="SOL", is_buy=True, sz=Decimal(1900)))
    session.barrier.advance(START_MS + 3 * MINUTE_MS)
    (row,) = [
        row
        for row in ask(session, "userNonFundingLedgerUpdates", "alice", startTime=0)
        if row["delta"]["type"] == "liquidation"
    ]
    assert "Cross" == row["delta"]["leverageType"]
    assert [{"coin": "SOL", "szi": "1900.0"}] == row["delta"]["liquidatedPositions"]
    fill = ask(session, "userFills", "alice")[0]
    assert fill["liquidation"]["method"] in {"market", "backstop"}
    assert session.world.accounts[0].address == fill["liquidation"]["liquidatedUser"]
    notional = Decimal(fill["px"]) * Decimal(fill["sz"])
    assert notional == Decimal(row["delta"]["liquidatedNtlPos"])


def test_portfolio_ends_at_what_the_account_is_worth(session: Session) -> None:
    """Transfers are no profit; the perp account alone is without the spot wallet."""
    spans = dict(ask(session, "portfolio"))
    assert 8 == len(spans)
    state = Decimal(ask(session, "clearinghouseState")["marginSummary"]["accountValue"])
    for name, span in spans.items():
        value = Decimal(span["accountValueHistory"][-1][1])
        assert value == (state if name.startswith("perp") else state + 100)
        gain = Decimal(span["pnlHistory"][-1][1])
        # sent, spot, withdrawn
        assert gain == state - 10_000 + Decimal("12.5") + 100 + 20
        times = [point[0] for point in span["accountValueHistory"]]
        assert sorted(set(times)) == times
        assert session.world.now_ms == times[-1]
        assert "0.0" == span["pnlHistory"][0][1]


def test_portfolio_of_a_long_time_has_a_hundred_points() -> None:
    """The first, the last, and some between."""
    session = open_memory_world(random_source("BTC", count=40_000), participants=())
    session.barrier.advance(START_MS + 25 * DAY_MS)
    spans = dict(ask(session, "portfolio", "alice"))
    assert [25, 85, 87, 87] == [
        len(spans[name]["accountValueHistory"]) for name in ("day", "week", "month", "allTime")
    ]
    assert START_MS == spans["allTime"]["accountValueHistory"][0][0]
    assert [] == dict(ask(session, "portfolio", "0x" + "9" * 40))["day"]["pnlHistory"]


# fees and limits


def test_fees_are_those_that_are_paid() -> None:
    """By the tier of the days before today, as fills are charged."""
    session = open_memory_world(
        random_source("BTC", count=3000),
        participants=(),
        fees=_tiers(),
    )
    trade = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.1"))
    assert "0.001" == ask(session, "userFees", "alice")["userCrossRate"]
    session.venue.submit(0, trade)
    session.barrier.advance(START_MS + DAY_MS + MINUTE_MS)
    told = ask(session, "userFees", "alice")
    assert ("0.0005", "0.0001") == (told["userCrossRate"], told["userAddRate"])
    session.venue.submit(0, trade)
    fill = session.world.books[0].fills[-1]
    assert fill.fee_usd == -(-fill.price * fill.size * 5 // 10_000)
    days = {day["date"]: day for day in told["dailyUserVlm"]}
    assert 15 == len(days)
    first = session.world.books[0].fills[0]
    assert Decimal(days["2025-05-05"]["userCross"]) == Decimal(first.price * first.size) / 10**6
    assert Decimal(days["2025-05-05"]["exchange"]) > 10**6
    (tier,) = told["feeSchedule"]["tiers"]["vip"]
    assert ("5000.0", "0.0005") == (tier["ntlCutoff"], tier["cross"])


def _tiers() -> Any:
    rows = ((0, "0.001", "0.0002"), (5000, "0.0005", "0.0001"))
    return Fees(
        tiers=tuple(
            FeeTier(volume=Decimal(volume), taker=Decimal(taker), maker=Decimal(maker))
            for volume, taker, maker in rows
        )
    )


def test_volume_buys_actions(session: Session) -> None:
    """One for every dollar traded."""
    told = ask(session, "userRateLimit")
    fills = session.world.books[0].fills
    volume = sum(fill.price * fill.size for fill in fills)
    assert Decimal(volume) / 10**6 == Decimal(told["cumVlm"])
    assert 10_000 + volume // 10**6 == told["nRequestsCap"]
    assert 10_000 == ask(session, "userRateLimit", "0x" + "9" * 40)["nRequestsCap"]


# who they are


def test_roles_agents_and_sub_accounts_are_told(session: Session) -> None:
    """Each by its address; an agent has no state of its own."""
    (sub,) = ask(session, "subAccounts")
    assert ("second", OWNER.address) == (sub["name"], sub["master"])
    assert {"role": "user"} == ask(session, "userRole")
    assert {"role": "agent", "data": {"user": OWNER.address}} == ask(
        session, "userRole", AGENT.address
    )
    assert {"role": "subAccount", "data": {"master": OWNER.address}} == ask(
        session, "userRole", sub["subAccountUser"]
    )
    assert {"role": "missing"} == ask(session, "userRole", "0x" + "9" * 40)
    assert [("bot", AGENT.address)] == [
        (row["name"], row["address"]) for row in ask(session, "extraAgents")
    ]
    assert [] == ask(session, "userFills", AGENT.address)
    assert ask(session, "subAccounts", OTHER.address) is None


def test_approvals_are_told(session: Session) -> None:
    """Builders, referrers, and whether somebody is there."""
    assert 10 == ask(session, "maxBuilderFee", builder=BUILDER.upper().replace("0X", "0x"))
    assert 0 == ask(session, "maxBuilderFee", builder="0x" + "c" * 40)
    assert "CODE" == ask(session, "referral")["referredBy"]["code"]
    assert ask(session, "referral", OTHER.address)["referredBy"] is None
    assert ask(session, "preTransferCheck")["userExists"]
    assert not ask(session, "preTransferCheck", "0x" + "9" * 40)["userExists"]


def test_page_shows_what_the_other_reads_do(session: Session) -> None:
    """Nothing is reckoned twice."""
    page = ask(session, "webData2")
    assert ask(session, "clearinghouseState") == page["clearinghouseState"]
    assert ask(session, "frontendOpenOrders") == page["openOrders"]
    assert ask(session, "metaAndAssetCtxs", None) == [page["meta"], page["assetCtxs"]]
    assert ask(session, "spotMetaAndAssetCtxs", None)[1] == page["spotAssetCtxs"]
    assert (OWNER.address, False) == (page["user"], page["isVault"])


def test_unnamed_agent_is_on_the_page() -> None:
    """It is not among the named ones."""
    session = busy_session(minutes=0)
    OWNER.nonces = count(WALL_MS + 500)
    chain = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
    address = "0x" + "7" * 40
    act(session, OWNER.user_signed("approveAgent", agentAddress=address, agentName="", **chain))
    assert address == ask(session, "webData2")["agentAddress"]
    assert 1 == len(ask(session, "extraAgents"))


def test_trigger_that_fired_is_told_step_by_step() -> None:
    """Open, triggered, and where it ended."""
    session = busy_session(minutes=0)
    OWNER.nonces = count(WALL_MS + 500)
    mid = Decimal(session.queries.market.mids()["BTC"])
    stop = str(round(mid * Decimal("0.9995")))
    kind = trigger(stop, "sl")
    act(
        session,
        OWNER.signed(order(item(px="50000", is_buy=False, kind=kind, cloid=CLOID[:-1] + "f"))),
    )
    session.barrier.advance(session.world.now_ms + 600 * MINUTE_MS)
    rows = [
        row for row in ask(session, "historicalOrders") if row["order"]["triggerPx"] == f"{stop}.0"
    ]
    told = [row["status"] for row in rows][::-1]
    assert (["open", "triggered"], "filled") == (told[:2], told[-1])
    status = ask(session, "orderStatus", oid=CLOID[:-1] + "f")["order"]
    assert rows[0]["statusTimestamp"] == status["statusTimestamp"]

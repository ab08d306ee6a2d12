"""Accounts as `/info` tells them: money, fees, limits, and who they are."""

from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from tests.support.busy import AGENT, BUILDER, OTHER, OWNER, WALL_MS, act, ask, busy_session
from tests.support.worlds import START_MS, open_memory_world, path_bars, random_source

from perp_engine.events import Liquidated
from suite.bars import DAY_MS, MINUTE_MS
from suite.contracts.venue import PlaceOrder, SetLeverage
from suite.contracts.world import Fees, FeeTier
from suite.enums import MarginMode
from suite.fixed import Price, Usd
from virtual_exchange.application.info.request import InfoBody, UnknownRequest, Unsupported
from virtual_exchange.application.session import Session


@pytest.fixture(scope="module")
def session() -> Session:
    return busy_session()


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

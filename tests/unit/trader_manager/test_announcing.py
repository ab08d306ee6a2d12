"""What people are told of traders: what happens now, in words."""

from decimal import Decimal
from typing import Any

import pytest

from suite.clock import ManualClock
from suite.enums import Side
from suite.fixed import Usd
from suite.ids import AccountId, Oid, TraderId, WorldId
from suite.notices import Notices
from trader_manager.application.announcing import NEWS_MS, Announcer
from trader_manager.application.runtime import Sighting
from trader_manager.application.supervisor import Condition
from trader_manager.domain.records import EquitySample, Trade
from trader_manager.domain.traders import DesiredState, StoredTrader

DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS + 1
ALICE, BOB = TraderId("alice"), TraderId("bob")


class Heard(Notices):
    """Keeps what it is told."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__([], clock)
        self.heard: list[tuple[str, str, bool]] = []

    def tell(self, kind: str, text: str, *, is_critical: bool = False) -> None:
        self.heard.append((kind, text, is_critical))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def heard(clock: ManualClock) -> Heard:
    return Heard(clock)


@pytest.fixture
def announcer(heard: Heard, clock: ManualClock) -> Announcer:
    return Announcer(heard, clock)


def trade(before: str, side: Side, size: str, pnl: str = "0", **more: Any) -> Trade:
    fields: dict[str, Any] = {"time_ms": NOW_MS, "price": Decimal("60000.50"), **more}
    return Trade(
        world=WorldId(""),
        trader_id=ALICE,
        tid=1,
        oid=Oid(1),
        coin="BTC",
        side=side,
        size=Decimal(size),
        start_position=Decimal(before),
        closed_pnl_usd=Decimal(pnl),
        fee_usd=Decimal("0.5"),
        is_taker=True,
        direction="",
        **fields,
    )


def sample(usd: int, time_ms: int) -> EquitySample:
    return EquitySample(
        world=WorldId(""),
        trader_id=ALICE,
        time_ms=time_ms,
        equity_usd=Usd(usd * 1_000_000),
        net_deposits_usd=Usd(0),
        fees_usd=Usd(0),
        funding_usd=Usd(0),
    )


def condition(actual: str, problem: str = "", *, ending: bool = False) -> Condition:
    trader = StoredTrader(
        trader_id=ALICE,
        account_id=AccountId("alice"),
        spec={},
        desired=DesiredState.RUNNING,
        runtime="process",
        generation=1,
        created_ms=0,
        updated_ms=0,
        removed_ms=None,
    )
    return Condition(
        trader=trader,
        sighting=Sighting(actual=actual),  # type: ignore[arg-type]
        problem=problem,
        ending=ending,
    )


def test_a_trade_is_told_when_it_opens_and_with_its_result_when_it_closes(
    announcer: Announcer, heard: Heard
) -> None:
    fills = [
        trade("0", Side.BUY, "0.5"),
        trade("0.5", Side.BUY, "0.5"),
        trade("1.0", Side.SELL, "0.4", "10"),
        trade("0.6", Side.SELL, "0.6", "5.25"),
    ]
    announcer.trades(ALICE, fills)
    assert [
        ("trade_opened", "alice opened BTC long 0.5 at 60,000.5", False),
        ("trade_closed", "alice closed BTC long at 60,000.5: +13.25 USDC", False),
    ] == heard.heard


def test_a_short_is_a_short(announcer: Announcer, heard: Heard) -> None:
    fills = [trade("0", Side.SELL, "2"), trade("-2", Side.BUY, "2", "-1")]
    announcer.trades(ALICE, fills)
    assert [
        "alice opened BTC short 2 at 60,000.5",
        "alice closed BTC short at 60,000.5: -2.00 USDC",
    ] == [text for _, text, _ in heard.heard]


@pytest.mark.parametrize("away_ms", [-NEWS_MS, NEWS_MS])
def test_what_is_not_of_now_is_no_news(announcer: Announcer, heard: Heard, away_ms: int) -> None:
    """Histories that are read anew, and simulated worlds, tell nobody anything."""
    announcer.trades(ALICE, [trade("0", Side.BUY, "1", time_ms=NOW_MS + away_ms)])
    assert [] == heard.heard


def test_trouble_is_told_once_and_that_it_is_over(announcer: Announcer, heard: Heard) -> None:
    for one in (
        condition("running"),
        condition("crashed", "exit code 1"),
        condition("crashed", "exit code 1"),
        condition("running"),
        condition("running"),
        condition("ended", "left the file", ending=True),
    ):
        announcer.condition(one)
    assert [
        ("trader_failed", "trader alice is crashed: exit code 1", False),
        ("trader_back", "trader alice runs again", False),
    ] == heard.heard


def test_nobody_looking_after_traders_is_critical(announcer: Announcer, heard: Heard) -> None:
    announcer.supervision("the database is away")
    announcer.supervision("")
    assert [True, False] == [is_critical for *_, is_critical in heard.heard]


def test_a_day_is_summed_up_when_it_is_over(
    announcer: Announcer, heard: Heard, clock: ManualClock
) -> None:
    announcer.sample(ALICE, sample(1000, NOW_MS))
    announcer.sample(ALICE, sample(1500, NOW_MS))
    announcer.sample(BOB, sample(1000, NOW_MS))
    announcer.sample(BOB, sample(990, NOW_MS))
    announcer.look()
    assert [] == heard.heard
    clock.advance_to(NOW_MS + DAY_MS)
    announcer.look()
    announcer.look()
    expected = (
        "2024-10-04 UTC: 2 traders, 2,490.00 USDC (+490.00), 0 trades closed; "
        "best alice +500.00, worst bob -10.00"
    )
    assert [("daily_summary", expected, False)] == heard.heard


def test_where_a_trader_is_goes_to_the_records_alone(announcer: Announcer, heard: Heard) -> None:
    kept: list[str] = []
    heard.records.append(lambda kind, text: kept.append(f"{kind}: {text}"))
    for actual in ("starting", "running", "running", "absent"):
        announcer.condition(condition(actual))
    assert [
        f"trader_is: trader alice is {name}" for name in ("starting", "running", "absent")
    ] == kept
    assert [] == heard.heard

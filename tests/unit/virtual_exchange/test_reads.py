"""Reads of the market and of accounts at awkward moments."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tests.support.worlds import START_MS, open_memory_world, random_source

from suite.bars import HOUR_MS, MINUTE_MS, Bars
from suite.contracts.venue import Leg, ModifyOrder, PlaceOrder
from suite.klines import take_bars
from virtual_exchange.application.info.request import InfoBody
from virtual_exchange.application.session import Session

NOW_MS = START_MS + 200 * MINUTE_MS


@pytest.fixture
def session() -> Session:
    """A world 200 minutes after its start: three hours are over, the fourth is open."""
    opened = open_memory_world(random_source("BTC", "ETH"))
    opened.barrier.advance(NOW_MS)
    return opened


def hours(session: Session, start_ms: int, end_ms: int | None) -> list[dict[str, Any]]:
    req = {"coin": "BTC", "interval": "1h", "startTime": start_ms, "endTime": end_ms}
    rows: list[dict[str, Any]] = session.queries.info(InfoBody(type="candleSnapshot", req=req), 0)
    return rows


@pytest.mark.parametrize("end_ms", [NOW_MS + 1, NOW_MS + 365 * 24 * HOUR_MS, 10**30])
def test_candles_that_end_after_now_are_those_up_to_now(session: Session, end_ms: int) -> None:
    """A client with a wall clock asks up to its own present, months or years ahead."""
    assert 4 == len(hours(session, 0, None))
    assert hours(session, 0, None) == hours(session, 0, end_ms)


def test_candle_is_whole_or_absent_wherever_the_range_ends(session: Session) -> None:
    """Never made of the part of its minutes that the range happens to hold."""
    whole = {row["t"]: row for row in hours(session, 0, None)}
    bars, complete = session.data.klines("BTC", "1h", None, None)
    assert complete.all()
    for minutes in range(0, 201, 7):
        end_ms = START_MS + minutes * MINUTE_MS
        for row in hours(session, 0, end_ms):
            assert whole[row["t"]] == row
        part, _ = session.data.klines("BTC", "1h", None, end_ms)
        assert [t for t in bars.open_time_ms.tolist() if t < end_ms] == part.open_time_ms.tolist()
        assert bars.high[: len(part)].tolist() == part.high.tolist()
        assert bars.volume[: len(part)].tolist() == part.volume.tolist()


def test_candle_that_lacks_a_minute_says_so() -> None:
    """Its volume is of less than its time."""
    source = random_source("BTC", count=180)
    bars = source.bars["BTC"]
    source.bars["BTC"] = take_bars(bars, np.arange(180) != 70)
    session = open_memory_world(source, allow_partial=True)
    session.world.play(180)
    made, complete = session.data.klines("BTC", "1h", None, None)
    assert [True, False, True] == complete.tolist()
    assert 3 == len(made)


@pytest.mark.parametrize("fill_at", ["open", "close"])
def test_snapshot_of_the_past_has_the_book_that_was_there_then(fill_at: str) -> None:
    """Around the engine's own print, after gaps too; none where nothing traded."""
    source = random_source("BTC", count=60)
    bars = source.bars["BTC"]
    there = np.setdiff1d(np.arange(60), [3, 7, 8, 9, 20, 21])
    columns = (bars.open_time_ms, bars.open, bars.high, bars.low, bars.close, bars.volume)
    source.bars["BTC"] = Bars(MINUTE_MS, *(column[there] for column in columns))
    opened = open_memory_world(source, fill_at=fill_at, allow_partial=True)
    world, told = opened.world, {}
    price = world.market.instruments[0].format_price
    while not world.finished:
        book = world.engine.book(0)
        told[world.now_ms] = [price(book.bid), price(book.ask)] if book.print else None
        world.play(world.engine.bar + 1)
    assert 54 == sum(touch is not None for touch in told.values())
    for at_ms, touch in told.items():
        ticker = opened.data.snapshot("BTC", at_ms)["common_info"]["ticker"]
        assert touch == _touch(ticker)


def _touch(ticker: dict[str, Any]) -> list[str] | None:
    prices = (ticker["best_bid_price"], ticker["best_ask_price"])
    return None if None in prices else [str(each) for each in prices]


def test_unknown_user_has_nothing(session: Session) -> None:
    """The venue's empty answers, not the caller's own account."""
    session.venue.submit(0, PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01")))
    for kind, nothing in (
        ("openOrders", ()),
        ("frontendOpenOrders", []),
        ("userFills", []),
        ("userFunding", []),
        ("orderStatus", {"status": "unknownOid"}),
    ):
        assert nothing == session.queries.info(
            InfoBody(type=kind, user="nobody", oid=1, startTime=0), 0
        )
    state = session.queries.info(InfoBody(type="clearinghouseState", user="nobody"), 0)
    assert () == state.assetPositions


def test_protection_follows_its_entry_when_that_is_modified(session: Session) -> None:
    """The new order of a modified entry is the parent of what waits for its fill."""
    entry = PlaceOrder(
        coin="BTC",
        is_buy=True,
        sz=Decimal("0.01"),
        limit_px=Decimal(90000),
        stop_loss=Leg(price=Decimal(80000)),
    )
    session.venue.submit(0, entry)
    first, stop = session.world.books[0].orders
    change = ModifyOrder(
        coin="BTC", is_buy=True, sz=Decimal("0.01"), limit_px=Decimal(89000), oid=first
    )
    session.venue.submit(0, change)
    rows = {row["oid"]: row for row in session.queries.accounts.orders.order_rows(0)}
    newest = max(rows)
    assert newest == rows[stop]["parent_oid"]
    shown = session.queries.info(InfoBody(type="orderStatus", oid=newest), 0)
    assert [stop] == [child["oid"] for child in shown["order"]["order"]["children"]]

"""Orders and fills as `/info` tells them."""

from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import numpy as np
import pytest
from tests.support.busy import CLOID, OTHER, OWNER, WALL_MS, act, ask, busy_session
from tests.support.wallets import item, order, trigger
from tests.support.worlds import START_MS, open_memory_world, random_source

from perp_engine.commands import CancelOrder
from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.venue import PlaceOrder
from suite.ids import Oid
from virtual_exchange.application.info.fills import _merged
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

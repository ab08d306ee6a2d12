"""Live fills beside the model's: how much worse, how much dearer, how late."""

from dataclasses import replace
from typing import Any

import pytest

from hyperliquid_exchange.domain.actions import OrderLeg
from hyperliquid_exchange.domain.drift import DriftRow, compared, summaries
from hyperliquid_exchange.domain.live_orders import (
    LiveOrder,
    ModelFill,
    SentOrder,
    VenueFill,
    VenueOrder,
    join,
    nameless_triggers,
)
from suite.fixed import Price, Size, Usd
from suite.instrument import default_instrument

BTC, ETH = default_instrument("BTC", 1), default_instrument("ETH", 2)
T0 = 1_790_000_040_000
CLOID = "0x" + "ab" * 16


def leg(**more: Any) -> OrderLeg:
    known: dict[str, Any] = {
        "place": 0,
        "asset": 1,
        "is_buy": True,
        "price": "2000",
        "size": "1",
        "reduce_only": False,
        "tif": "Ioc",
        "cloid": CLOID,
    }
    return OrderLeg(**(known | more))


def sent(oid: int | None = None, at: int = T0, **more: Any) -> SentOrder:
    return SentOrder(trader_id="alice", leg=leg(**more), decided_ms=at, oid=oid)


def row(oid: int = 7, status: str = "filled", **more: Any) -> VenueOrder:
    known: dict[str, Any] = {"coin": "ETH", "cloid": CLOID, "status_ms": T0 + 9, "placed_ms": T0}
    return VenueOrder(oid=oid, status=status, **(known | more))


def venue_fill(tid: int = 1, price: str = "2001.5", size: str = "0.4", **more: Any) -> VenueFill:
    known: dict[str, Any] = {
        "coin": "ETH",
        "oid": 7,
        "time_ms": T0 + 250,
        "fee": "0.36",
        "is_taker": True,
        "start_position": "-2.0",
    }
    return VenueFill(tid=tid, price=price, size=size, **(known | more))


def fill(price: int, size: int = 10_000, fee: int = 900_000, at: int = T0) -> ModelFill:
    return ModelFill(
        time_ms=at, price=Price(price), size=Size(size), fee_usd=Usd(fee), is_taker=True
    )


def order(*fills: ModelFill, is_buy: bool = True) -> LiveOrder:
    (found,) = join([sent(is_buy=is_buy)], [row()], [], (BTC, ETH)).orders
    return replace(found, told_ms=T0 + 40, fills=fills)


@pytest.mark.parametrize("venue_ms", [T0, T0 - 47_000, T0 + 20_000, T0 - 10**9])
def test_latency_is_to_the_answer_by_one_clock(venue_ms: int) -> None:
    """Whatever the venue's clock shows: a stand-in's may be a minute behind, or a year."""
    told = replace(sent(), told_ms=T0 + 31)
    placed, fills = row(placed_ms=venue_ms), [venue_fill(time_ms=venue_ms + 250)]
    (found,) = join([told], [placed], fills, (BTC, ETH)).orders
    assert 31 == found.latency_ms


def test_latency_is_unknown_where_nothing_tells_it() -> None:
    """Without an answer; of what rested; of a stop, which takes when its time has come."""
    told = replace(sent(), told_ms=T0 + 31)
    stop = replace(told, leg=leg(tif=None, trigger="sl", trigger_price="1900"))
    set_back = replace(sent(), told_ms=T0 - 5)
    taken, rested = [venue_fill()], [venue_fill(is_taker=False)]
    for asked, fills in ((sent(), taken), (told, rested), (stop, taken), (set_back, taken)):
        (found,) = join([asked], [row()], fills, (BTC, ETH)).orders
        assert found.latency_ms is None


@pytest.mark.parametrize(
    ("told_ms", "placed_ms", "is_the_walls"),
    [
        (T0 + 31, T0 - 1_000, True),
        (T0 + 31, T0 + 1_031, True),
        (T0 + 31, T0 - 1_001, False),
        (T0 + 31, T0 + 1_032, False),
        (T0 + 90_000, T0 + 89_000, True),
        (None, T0 + 3_600_000, True),
        (None, T0 - 47_000, False),
    ],
)
def test_venue_has_the_walls_clock_where_it_had_the_order_before_its_answer(
    told_ms: int | None, placed_ms: int, *, is_the_walls: bool
) -> None:
    """Give or take a second; else the order met the market by the venue's time."""
    asked = replace(sent(), told_ms=told_ms)
    (found,) = join([asked], [row(placed_ms=placed_ms)], [], (BTC, ETH)).orders
    assert (T0 if is_the_walls else placed_ms) == found.begins_ms


def test_triggers_without_a_name_are_known_by_what_they_are() -> None:
    """Of the trader alone; one that has a name is known by that."""
    stop: dict[str, Any] = {
        "tif": None,
        "trigger": "sl",
        "trigger_price": "1900",
        "is_buy": False,
        "cloid": None,
    }
    others = [sent(**stop | {"cloid": CLOID}), sent(7, **stop), sent(cloid=None)]
    found = nameless_triggers("alice", [sent(**stop), *others], (BTC, ETH))
    assert {(1, False, "sl", ETH.parse_price("1900"))} == found
    assert not nameless_triggers("bob", [sent(**stop)], (BTC, ETH))


# what became of what was sent


def test_order_is_found_by_its_client_id_and_has_its_fills() -> None:
    """Each once, by trade id, however often it was told."""
    told = [venue_fill(2, "2002", "0.6"), venue_fill(), venue_fill(2, "2002", "0.6")]
    joined = join([sent()], [row(cloid=CLOID.upper().replace("X", "x"))], told, (BTC, ETH))
    (found,) = joined.orders
    assert [(200_150, 4_000), (200_200, 6_000)] == [(f.price, f.size) for f in found.fills]
    assert (-20_000, 10_000, None) == (found.held, found.size, found.ended_ms)
    assert ((), ()) == (joined.absent, joined.foreign)


def test_order_without_a_client_id_is_found_by_the_answer() -> None:
    joined = join([sent(7, cloid=None)], [row(cloid=None)], [], (BTC, ETH))
    assert [7] == [found.oid for found in joined.orders]


def test_what_one_side_alone_knows_is_told() -> None:
    """An order that never arrived; one that somebody else has placed."""
    joined = join([sent(cloid="0x" + "1" * 32)], [row()], [], (BTC, ETH))
    assert () == joined.orders
    assert ["0x" + "1" * 32] == [found.leg.cloid for found in joined.absent]
    assert [7] == [found.oid for found in joined.foreign]


@pytest.mark.parametrize(
    ("status", "ended"),
    [("open", None), ("filled", None), ("canceled", T0 + 9), ("iocCancelRejected", T0 + 9)],
)
def test_order_ends_when_it_is_over_without_being_filled(status: str, ended: int | None) -> None:
    (found,) = join([sent()], [row(status=status)], [], (BTC, ETH)).orders
    assert ended == found.ended_ms


def test_latest_row_of_an_order_counts() -> None:
    rows = [row(status="canceled", status_ms=T0 + 20), row(status="open")]
    (found,) = join([sent()], rows, [], (BTC, ETH)).orders
    assert T0 + 20 == found.ended_ms


# rows


@pytest.mark.parametrize(("is_buy", "worse"), [(True, 5.0), (False, -5.0)])
def test_price_drift_is_signed_by_what_it_costs(*, is_buy: bool, worse: float) -> None:
    """Paid 2001 instead of 2000: 5 bp worse for a buyer, better for a seller."""
    told = compared(order(fill(200_100), is_buy=is_buy), [fill(200_000)], ETH)
    assert ("both", worse, "2001.0", "2000.0") == (
        told.outcome,
        told.price_bps,
        told.live_price,
        told.model_price,
    )


def test_averages_are_over_all_fills() -> None:
    live = order(fill(200_000, 2_500, 225_000), fill(200_400, 7_500, 675_000))
    told = compared(live, [fill(200_000)], ETH)
    assert ("2003.0", "1.0", 15.0) == (told.live_price, told.live_size, told.price_bps)


def test_cost_is_price_and_fee_on_the_size_that_both_filled() -> None:
    """Half of the order filled in the model: half of the drift is what it cost."""
    live = order(fill(200_100, 10_000, 1_000_450))  # 5 bp of fees
    told = compared(live, [fill(200_000, 5_000, 450_000)], ETH)  # 4.5 bp
    assert "0.550225" == told.cost_usd
    assert told.fee_bps is not None
    assert abs(told.fee_bps - 0.4998) < 1e-3


@pytest.mark.parametrize(
    ("live", "model", "outcome"),
    [
        ((), (), "neither"),
        ((fill(1),), (), "live_only"),
        ((), (fill(1),), "model_only"),
        ((fill(1),), None, "unknown"),
    ],
)
def test_outcome_says_who_filled_it(live: Any, model: Any, outcome: str) -> None:
    """And a drift is told only where both did."""
    told = compared(order(*live), model, ETH)
    assert outcome == told.outcome
    assert (None, None, None) == (told.price_bps, told.fee_bps, told.cost_usd)


def rows_of(*prices: int) -> list[DriftRow]:
    return [compared(order(fill(price)), [fill(200_000)], ETH) for price in prices]


def test_summary_is_by_trader_and_over_all() -> None:
    rows = rows_of(200_100, 199_900, 200_300)
    rows.append(replace(compared(order(), None, ETH), trader_id="bob"))
    everybody, alice, bob = summaries(rows)
    assert ("*", 4, {"both": 3, "unknown": 1}) == (
        everybody.trader_id,
        everybody.orders,
        everybody.outcomes,
    )
    assert (5.0, 5.0, 15.0, 40) == (
        alice.price_bps_mean,
        alice.price_bps_median,
        alice.price_bps_worst,
        alice.latency_ms_p50,
    )
    assert "3.0" == alice.cost_usd
    assert (None, None, "0.0") == (bob.price_bps_mean, bob.latency_ms_p99, bob.cost_usd)
    assert ["alice"] == [told.trader_id for told in summaries(rows[:3])]
    assert () == summaries([])

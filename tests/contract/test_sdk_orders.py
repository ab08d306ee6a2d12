"""hyperliquid-python-sdk 0.24.0, unmodified: the flows of its examples that trade."""

from typing import Any

import pytest
from hyperliquid.utils.types import Cloid  # noqa: TID253 - the client under test
from tests.support.sdk import ALO, GTC, IOC, Sdk, guarded, many, one, set_up, trigger
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process, pytest.mark.client("SDK")]


@pytest.fixture
def sdk(target: VenueUnderTest) -> Sdk:
    return set_up(target)


def request_of(sdk: Sdk, factor: float, **more: Any) -> dict[str, Any]:
    """An order as `bulk_orders` takes it."""
    return {
        "coin": "ETH",
        "is_buy": True,
        "sz": 0.02,
        "limit_px": sdk.price("ETH", factor),
        "order_type": GTC,
        "reduce_only": False,
        **more,
    }


@pytest.mark.step("order, query, cancel", elsewhere=True)
def test_basic_order(sdk: Sdk) -> None:
    """Rest, query by oid, cancel."""
    price = sdk.price("ETH", 0.8)
    resting = one(sdk.exchange.order("ETH", True, 0.02, price, GTC))["resting"]
    found = sdk.info.query_order_by_oid(sdk.address, resting["oid"])
    order = found["order"]["order"]
    assert ("order", "open") == (found["status"], found["order"]["status"])
    assert ("ETH", "B", "0.02", "Limit", "Gtc") == (
        order["coin"],
        order["side"],
        order["origSz"],
        order["orderType"],
        order["tif"],
    )
    assert price == float(order["limitPx"])
    assert "success" == one(sdk.exchange.cancel("ETH", resting["oid"]))
    assert "canceled" == sdk.status(resting["oid"])
    again = one(sdk.exchange.cancel("ETH", resting["oid"]))
    assert "never placed, already canceled, or filled" in again["error"]


@pytest.mark.step("by client id", elsewhere=True)
def test_basic_order_with_cloid(sdk: Sdk) -> None:
    """An id of the client's own names an order, again after the first is gone."""
    cloid, other = Cloid.from_int(1), Cloid.from_int(2)
    for _ in range(2):
        sdk.rest(cloid=cloid)
        assert "open" == sdk.status(cloid.to_raw())
        assert "unknownOid" == sdk.status(other.to_raw())
        assert "success" == one(sdk.exchange.cancel_by_cloid("ETH", cloid))
    assert "canceled" == sdk.status(cloid.to_raw())


@pytest.mark.step("modify", elsewhere=True)
def test_basic_order_modify(sdk: Sdk) -> None:
    """By oid, then by client id; the id stays, the oid does not."""
    cloid = Cloid.from_int(1)
    first = sdk.rest(cloid=cloid)
    price = sdk.price("ETH", 0.81)
    second = one(sdk.exchange.modify_order(first, "ETH", True, 0.03, price, GTC, cloid=cloid))
    oid = second["resting"]["oid"]
    assert first != oid
    assert "canceled" == sdk.status(first)
    price = sdk.price("ETH", 0.82)
    third = one(sdk.exchange.modify_order(cloid, "ETH", True, 0.03, price, GTC, cloid=cloid))
    (row,) = sdk.info.open_orders(sdk.address)
    assert (third["resting"]["oid"], cloid.to_raw(), "0.03") == (
        row["oid"],
        row["cloid"],
        row["sz"],
    )
    assert price == float(row["limitPx"])
    gone = one(sdk.exchange.modify_order(first, "ETH", True, 0.03, price, GTC))
    assert "Cannot modify canceled or filled order" in gone["error"]
    sdk.exchange.cancel_by_cloid("ETH", cloid)


@pytest.mark.step("many in one action", elsewhere=True)
def test_orders_are_placed_modified_and_canceled_in_bulk(sdk: Sdk) -> None:
    """One status an order, in order; what fails leaves the rest alone."""
    cloids = [Cloid.from_int(number) for number in (11, 12, 13)]
    factors = (0.8, 0.79, 0.78)
    requests = [
        request_of(sdk, factor, cloid=cloid) for factor, cloid in zip(factors, cloids, strict=True)
    ]
    oids = [status["resting"]["oid"] for status in many(sdk.exchange.bulk_orders(requests))]
    assert len(set(oids)) == 3
    changes = [
        {"oid": oids[0], "order": request_of(sdk, 0.81, cloid=cloids[0])},
        {"oid": cloids[1], "order": request_of(sdk, 0.805, cloid=cloids[1])},
    ]
    changed = many(sdk.exchange.bulk_modify_orders_new(changes))
    assert ["resting", "resting"] == [next(iter(status)) for status in changed]
    wanted = [{"coin": "ETH", "oid": oid} for oid in (changed[0]["resting"]["oid"], oids[0])]
    done, gone = many(sdk.exchange.bulk_cancel(wanted))
    assert ("success", True) == (done, "error" in gone)
    by_cloid = [{"coin": "ETH", "cloid": cloid} for cloid in cloids[1:]]
    assert ["success", "success"] == many(sdk.exchange.bulk_cancel_by_cloid(by_cloid))
    assert [] == sdk.info.open_orders(sdk.address)


@pytest.mark.step("cancel all open orders", elsewhere=True)
def test_cancel_open_orders(sdk: Sdk) -> None:
    """List and cancel, coin by coin."""
    placed = {sdk.rest("ETH"), sdk.rest("BTC", sz=0.001)}
    rows = sdk.info.open_orders(sdk.address)
    assert placed == {row["oid"] for row in rows}
    for row in rows:
        assert "success" == one(sdk.exchange.cancel(row["coin"], row["oid"]))
    assert [] == sdk.info.open_orders(sdk.address)


@pytest.mark.step("market open and close", elsewhere=True)
@pytest.mark.parametrize("is_buy", [False, True])
def test_basic_market_order(sdk: Sdk, *, is_buy: bool) -> None:
    """An IOC order within the slippage of the mid; closing needs no size."""
    opened = one(sdk.exchange.market_open("ETH", is_buy, 0.05, None, 0.01))["filled"]
    assert "0.05" == opened["totalSz"]
    position = sdk.position()
    assert position is not None
    assert (0.05 if is_buy else -0.05) == float(position["szi"])
    assert "0.05" == one(sdk.exchange.market_close("ETH"))["filled"]["totalSz"]
    assert sdk.position() is None
    assert sdk.exchange.market_close("ETH") is None


@pytest.mark.step("refusals in the venue's words", elsewhere=True)
def test_orders_are_refused_with_a_text_each(sdk: Sdk) -> None:
    """Post-only that would take, IOC without a match, dust, off the lattice."""
    above, below = sdk.price("ETH", 1.02), sdk.price("ETH", 0.8)
    cases = [
        ((0.02, above, ALO), "Post only order would have immediately matched, bbo was "),
        ((0.02, below, IOC), "Order could not immediately match against any resting orders."),
        ((0.0001, below, GTC), "Order must have minimum value of $10."),
        ((0.02, below + 0.001, GTC), "Order has invalid price."),
        ((0.00001, below, GTC), "Order has invalid size."),
    ]
    for (size, price, kind), text in cases:
        status = one(sdk.exchange.order("ETH", True, size, price, kind))
        assert text in status["error"]
    reduce = one(sdk.exchange.order("ETH", True, 0.02, above, IOC, reduce_only=True))
    assert "Reduce only order would increase position." in reduce["error"]
    assert [] == sdk.info.open_orders(sdk.address)


@pytest.mark.step("stop and take-profit", elsewhere=True)
@pytest.mark.parametrize("is_buy", [False, True])
def test_basic_tpsl_single(sdk: Sdk, *, is_buy: bool) -> None:
    """Open, then protect with a stop and a target, each canceled by its oid."""
    away = 0.05 if is_buy else -0.05
    worse, better = sdk.price("ETH", 1 - away), sdk.price("ETH", 1 + away)
    one(sdk.exchange.order("ETH", is_buy, 0.02, better, GTC))["filled"]
    limit = sdk.price("ETH", 1 - 2 * away)
    stop = one(
        sdk.exchange.order("ETH", not is_buy, 0.02, limit, trigger(worse, "sl"), reduce_only=True)
    )
    target = one(
        sdk.exchange.order("ETH", not is_buy, 0.02, better, trigger(better, "tp"), reduce_only=True)
    )
    rows = {row["oid"]: row for row in sdk.info.frontend_open_orders(sdk.address)}
    first, second = rows[stop["resting"]["oid"]], rows[target["resting"]["oid"]]
    assert ("Stop Market", "Take Profit Market") == (first["orderType"], second["orderType"])
    words = ("below", "above") if is_buy else ("above", "below")
    assert [f"Price {word}" for word in words] == [
        row["triggerCondition"].rsplit(" ", 1)[0] for row in (first, second)
    ]
    assert worse == float(first["triggerPx"])
    for status in (stop, target):
        assert "success" == one(sdk.exchange.cancel("ETH", status["resting"]["oid"]))
    sdk.exchange.market_close("ETH")


def bracket(sdk: Sdk, *, entry: float, kind: dict[str, Any]) -> list[dict[str, Any]]:
    """A long entry with its target and its stop."""
    target, stop = sdk.price("ETH", 1.2), sdk.price("ETH", 0.7)
    leg = {"is_buy": False, "reduce_only": True}
    return [
        request_of(sdk, entry, order_type=kind),
        request_of(sdk, 1, **leg, limit_px=target, order_type=trigger(target, "tp")),
        request_of(sdk, 1, **leg, limit_px=stop, order_type=trigger(stop, "sl")),
    ]


@pytest.mark.step("bracket (normalTpsl)", elsewhere=True)
def test_basic_tpsl_group_of_a_resting_entry(sdk: Sdk) -> None:
    """The legs wait for the entry, and go with it."""
    orders = bracket(sdk, entry=0.8, kind=GTC)
    entry, *legs = many(sdk.exchange.bulk_orders(orders, grouping="normalTpsl"))
    assert ["waitingForFill", "waitingForFill"] == legs
    rows = sdk.info.frontend_open_orders(sdk.address)
    (parent,) = (row for row in rows if row["oid"] == entry["resting"]["oid"])
    assert {"Take Profit Market", "Stop Market"} == {
        child["orderType"] for child in parent["children"]
    }
    assert "success" == one(sdk.exchange.cancel("ETH", parent["oid"]))
    assert [] == sdk.info.open_orders(sdk.address)


@pytest.mark.step("bracket (normalTpsl)", elsewhere=True)
def test_basic_tpsl_group_of_a_filled_entry(sdk: Sdk) -> None:
    """The legs wait for their trigger, and go with the position."""
    orders = bracket(sdk, entry=1.02, kind=IOC)
    entry, *legs = many(sdk.exchange.bulk_orders(orders, grouping="normalTpsl"))
    assert "0.02" == entry["filled"]["totalSz"]
    assert ["waitingForTrigger", "waitingForTrigger"] == legs
    assert 2 == len(sdk.info.open_orders(sdk.address))
    sdk.exchange.market_close("ETH")
    eventually(lambda: sdk.info.open_orders(sdk.address), lambda rows: rows == [])


@pytest.mark.step("position stop and target (positionTpsl)", elsewhere=True)
def test_position_tpsl_follows_its_position(sdk: Sdk) -> None:
    """Size 0 is the whole position; both go when it closes."""
    one(sdk.exchange.market_open("ETH", True, 0.02))["filled"]
    _, *legs = bracket(sdk, entry=1, kind=GTC)
    whole = [{**leg, "sz": 0} for leg in legs]
    statuses = many(sdk.exchange.bulk_orders(whole, grouping="positionTpsl"))
    assert ["waitingForTrigger", "waitingForTrigger"] == statuses
    rows = sdk.info.frontend_open_orders(sdk.address)
    assert {(True, True)} == {(row["isPositionTpsl"], row["reduceOnly"]) for row in rows}
    sdk.exchange.market_close("ETH")
    eventually(lambda: sdk.info.open_orders(sdk.address), lambda rows: rows == [])


@pytest.mark.step("stop and take-profit")
def test_stop_or_target_fires_when_the_mark_is_there(sdk: Sdk) -> None:
    """One of the two fills and takes the position along; the other goes."""
    oids = guarded(sdk)
    eventually(sdk.position, lambda position: position is None, 60.0)
    ends = {sdk.status(oid): kind for oid, kind in oids.items()}
    assert {"filled", "siblingFilledCanceled"} == set(ends)
    fill, _opening = sdk.info.user_fills(sdk.address)
    assert ("filled", "Close Long") == (sdk.status(fill["oid"]), fill["dir"])
    profit = float(fill["closedPnl"])
    assert profit < 0 if ends["filled"] == "sl" else profit > 0
    assert [] == sdk.info.open_orders(sdk.address)


@pytest.mark.step("leverage and isolated margin", elsewhere=True)
def test_basic_leverage_adjustment(sdk: Sdk) -> None:
    """Cross, then isolated; margin is added to what is isolated."""
    assert "ok" == sdk.exchange.update_leverage(21, "ETH")["status"]
    assert "ok" == sdk.exchange.update_leverage(21, "ETH", False)["status"]
    refused = sdk.exchange.update_isolated_margin(1, "ETH")
    assert "err" == refused["status"]
    one(sdk.exchange.market_open("ETH", True, 0.02))["filled"]
    before = sdk.position()
    assert before is not None
    assert ("isolated", 21) == (before["leverage"]["type"], before["leverage"]["value"])
    assert "ok" == sdk.exchange.update_isolated_margin(1, "ETH")["status"]
    after = sdk.position()
    assert after is not None
    gained = float(after["leverage"]["rawUsd"]) - float(before["leverage"]["rawUsd"])
    assert abs(gained - 1) < 0.01
    switched = sdk.exchange.update_leverage(21, "ETH", True)
    assert "Cannot switch leverage type with open position." == switched["response"]
    refused = sdk.exchange.update_leverage(1000, "ETH")["response"]
    assert refused in {"Invalid leverage value", "leverage: 1000 is more than 40"}
    sdk.exchange.market_close("ETH")
    sdk.exchange.update_leverage(20, "ETH")


@pytest.mark.step("dead man's switch")
def test_basic_schedule_cancel(sdk: Sdk) -> None:
    """Every open order goes at the time, by the client's own clock."""
    from hyperliquid.utils.signing import get_timestamp_ms

    oid = sdk.rest()
    too_soon = sdk.exchange.schedule_cancel(get_timestamp_ms() + 1000)
    assert "err" == too_soon["status"]
    for when in (get_timestamp_ms() + 3_600_000, None, get_timestamp_ms() + 10_000):
        assert "ok" == sdk.exchange.schedule_cancel(when)["status"]
    eventually(lambda: sdk.info.open_orders(sdk.address), lambda rows: rows == [])
    assert "scheduledCancel" == sdk.status(oid)


@pytest.mark.step("expiry of an action", elsewhere=True)
def test_action_that_came_too_late_is_refused(sdk: Sdk) -> None:
    """`expires_after` is the client's wall clock."""
    from hyperliquid.utils.signing import get_timestamp_ms

    sdk.exchange.set_expires_after(get_timestamp_ms() + 20_000)
    oid = sdk.rest()
    sdk.exchange.set_expires_after(get_timestamp_ms() - 1)
    late = sdk.exchange.cancel("ETH", oid)
    assert {"status": "err", "response": "Action already expired"} == late
    sdk.exchange.set_expires_after(None)
    assert "success" == one(sdk.exchange.cancel("ETH", oid))


@pytest.mark.step("rounding of prices and sizes", elsewhere=True)
def test_rounding(sdk: Sdk) -> None:
    """By the decimals of meta and five significant figures."""
    decimals = {row["name"]: row["szDecimals"] for row in sdk.info.meta()["universe"]}
    for coin, size in (("ETH", 0.0234567), ("BTC", 0.00123456)):
        price = sdk.target.mid(coin) * 0.812345678
        price = round(price) if price > 100_000 else round(float(f"{price:.5g}"), 6)
        price = round(price, 6 - decimals[coin])
        reply = sdk.exchange.order(coin, True, round(size, decimals[coin]), price, GTC)
        oid = one(reply)["resting"]["oid"]
        assert "success" == one(sdk.exchange.cancel(coin, oid))

"""ccxt 4.5.90, sync and async, unmodified: orders, positions, money."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.ccxt_client import BTC, ETH, Ccxt, Form, ccxt_client
from tests.support.venue_process import VenueUnderTest

pytestmark = [pytest.mark.process]

FORMS = [
    pytest.param("sync", marks=pytest.mark.client("ccxt sync")),
    pytest.param("async", marks=pytest.mark.client("ccxt async")),
]
NO_BUILDER = {"hyperliquid-exchange"}
"""Venues at which nobody earns by what a trader sends, see `live_refusals.py`."""
both_forms = pytest.mark.parametrize("form", FORMS)


@pytest.fixture
async def user(form: Form, target: VenueUnderTest) -> AsyncIterator[Ccxt]:
    async with ccxt_client(form, target, target.wallet()) as opened:
        yield opened


async def position(user: Ccxt) -> Any:
    """The position in ETH, None where there is none."""
    held = await user.call("fetch_positions", [ETH])
    return held[0] if held else None


@both_forms
@pytest.mark.step("start up", elsewhere=True)
async def test_start_with_keys_approves_the_builder_and_names_a_referrer(user: Ccxt) -> None:
    """Both at the first action with keys, before anything else; neither may fail or hang.

    The live proxy refuses what a wallet signs: ccxt goes on without a builder.
    """
    takes_fees = user.target.name not in NO_BUILDER
    await user.call("load_markets")
    await user.rest()
    assert takes_fees is user.api.options.get("approvedBuilderFee", False)
    assert takes_fees is user.api.options["builderFee"]
    assert user.api.options["refSet"]
    assert user.api.options["enableUnifiedMargin"] is False
    assert {"BTC/USDC:USDC", "ETH/USDC:USDC"} <= set(user.api.markets)
    market = user.api.market(ETH)
    assert (True, True, 0.0001) == (market["swap"], market["linear"], market["precision"]["amount"])
    for row in await user.call("fetch_open_orders", ETH):
        await user.call("cancel_order", row["id"], ETH)


@both_forms
@pytest.mark.step("order, query, cancel", elsewhere=True)
async def test_order_is_placed_found_and_canceled(user: Ccxt) -> None:
    """By its id."""
    import ccxt

    placed = await user.rest()
    found = await user.call("fetch_order", placed["id"], ETH)
    assert ("open", "limit", "buy", 0.02) == (
        found["status"],
        found["type"],
        found["side"],
        found["amount"],
    )
    assert [placed["id"]] == [row["id"] for row in await user.call("fetch_open_orders", ETH)]
    await user.call("cancel_order", placed["id"], ETH)
    assert "canceled" == (await user.call("fetch_order", placed["id"], ETH))["status"]
    with pytest.raises(ccxt.OrderNotFound):
        await user.call("cancel_order", placed["id"], ETH)


@both_forms
@pytest.mark.step("by client id", elsewhere=True)
async def test_order_is_known_by_its_client_id(user: Ccxt) -> None:
    """Placed, found and canceled by it."""
    cloid = "0x" + "5" * 32
    await user.rest(clientOrderId=cloid)
    found = await user.call("fetch_order", cloid, ETH)
    assert cloid == found["clientOrderId"]
    await user.call("cancel_order", "", ETH, {"clientOrderId": cloid})
    assert [] == await user.call("fetch_open_orders", ETH)


@both_forms
@pytest.mark.step("modify", elsewhere=True)
async def test_order_is_edited(user: Ccxt) -> None:
    """A new one in place of the old."""
    placed = await user.rest()
    price = user.price(0.81)
    edited = await user.call("edit_order", placed["id"], ETH, "limit", "buy", 0.03, price)
    (row,) = await user.call("fetch_open_orders", ETH)
    assert (edited["id"], price, 0.03) == (row["id"], row["price"], row["amount"])
    await user.call("cancel_order", row["id"], ETH)


@both_forms
@pytest.mark.step("many in one action", elsewhere=True)
async def test_orders_are_placed_and_canceled_together(user: Ccxt) -> None:
    """create_orders, edit_orders, cancel_orders, cancel_orders_for_symbols."""
    wanted = [
        {"symbol": symbol, "type": "limit", "side": "buy", "amount": amount, "price": price}
        for symbol, amount, price in (
            (ETH, 0.02, user.price(0.8)),
            (ETH, 0.02, user.price(0.79)),
            (BTC, 0.001, user.price(0.8, BTC)),
        )
    ]
    first, second, third = await user.call("create_orders", wanted)
    await user.call("cancel_orders", [first["id"], second["id"]], ETH)
    await user.call("cancel_orders_for_symbols", [{"id": third["id"], "symbol": BTC}])
    assert [] == await user.call("fetch_open_orders")


@both_forms
@pytest.mark.step("market open and close", elsewhere=True)
async def test_market_orders_open_and_close_a_position(user: Ccxt) -> None:
    """IOC within 5 % of the price given."""
    opened = await user.market("buy", 0.05)
    assert 0.05 == opened["filled"]
    assert "closed" == (await user.call("fetch_order", opened["id"], ETH))["status"]
    held = await position(user)
    assert ("long", 0.05, ETH) == (held["side"], held["contracts"], held["symbol"])
    assert held["entryPrice"] > 0
    await user.market("sell", 0.05, reduceOnly=True)
    assert await position(user) is None


@both_forms
@pytest.mark.step("refusals in the venue's words", elsewhere=True)
async def test_refusals_become_the_right_exceptions(user: Ccxt) -> None:
    """ccxt knows them by their texts."""
    import ccxt

    above, below = user.price(1.02), user.price(0.8)
    cases: list[tuple[tuple[Any, ...], type[Exception]]] = [
        ((ETH, "limit", "buy", 0.02, above, {"postOnly": True}), ccxt.InvalidOrder),
        ((ETH, "limit", "buy", 0.02, below, {"timeInForce": "IOC"}), ccxt.InvalidOrder),
        ((ETH, "limit", "buy", 0.0001, below), ccxt.InvalidOrder),
        ((ETH, "limit", "buy", 0.02, above, {"reduceOnly": True}), ccxt.InvalidOrder),
        ((ETH, "limit", "buy", 2_000.0, below), ccxt.InsufficientFunds),
    ]
    for args, error in cases:
        with pytest.raises(error):
            await user.call("create_order", *args)
    with pytest.raises(ccxt.OrderNotFound):
        await user.call("fetch_order", "1", ETH)


@both_forms
@pytest.mark.step("stop and take-profit", elsewhere=True)
async def test_stop_and_target_stand_alone(user: Ccxt) -> None:
    """`stopLossPrice`, `takeProfitPrice` and `triggerPrice` of an order."""
    await user.market("buy")
    low, high, params = user.price(0.9), user.price(1.2), {"reduceOnly": True}
    stop = await user.call(
        "create_order", ETH, "market", "sell", 0.02, low, {**params, "stopLossPrice": low}
    )
    target = await user.call(
        "create_order", ETH, "limit", "sell", 0.02, high, {**params, "takeProfitPrice": high}
    )
    entry = await user.call(
        "create_order", ETH, "market", "buy", 0.02, high, {"triggerPrice": high}
    )
    rows = {row["id"]: row for row in await user.call("fetch_open_orders", ETH)}
    assert {stop["id"], target["id"], entry["id"]} == set(rows)
    kinds = [rows[order["id"]]["info"]["orderType"] for order in (stop, target, entry)]
    assert ["Stop Market", "Take Profit Limit", "Stop Market"] == kinds
    assert [low, high, high] == [
        rows[order["id"]]["triggerPrice"] for order in (stop, target, entry)
    ]
    for order_id in rows:
        await user.call("cancel_order", order_id, ETH)
    await user.market("sell", reduceOnly=True)


@both_forms
@pytest.mark.step("bracket (normalTpsl)", elsewhere=True)
async def test_entry_carries_its_stop_and_target(user: Ccxt) -> None:
    """`stopLoss` and `takeProfit` of an order make one group."""
    mid = user.target.mid("ETH")
    params = {
        "takeProfit": {"triggerPrice": mid * 1.2, "type": "market", "price": mid * 1.2},
        "stopLoss": {"triggerPrice": mid * 0.7, "type": "market", "price": mid * 0.7},
    }
    price = user.price(0.8)
    entry = await user.call("create_order", ETH, "limit", "buy", 0.02, price, params)
    rows = await user.call("fetch_open_orders", ETH)
    assert {"Limit", "Take Profit Market", "Stop Market"} == {
        row["info"]["orderType"] for row in rows
    }
    await user.call("cancel_order", entry["id"], ETH)
    assert [] == await user.call("fetch_open_orders", ETH)


@both_forms
@pytest.mark.step("leverage and isolated margin", elsewhere=True)
async def test_leverage_margin_mode_and_margin(user: Ccxt) -> None:
    """Set, then margin added and taken out."""
    await user.call("set_leverage", 7, ETH)
    await user.call("set_margin_mode", "isolated", ETH, {"leverage": 7})
    await user.market("buy", 0.05)
    held = await position(user)
    assert ("isolated", 7) == (held["marginMode"], held["leverage"])
    await user.call("add_margin", ETH, 5)
    more = await position(user)
    assert more["collateral"] - held["collateral"] == pytest.approx(5, abs=2)
    await user.call("reduce_margin", ETH, 3)
    await user.market("sell", 0.05, reduceOnly=True)
    await user.call("set_margin_mode", "cross", ETH, {"leverage": 20})


@both_forms
@pytest.mark.step("dead man's switch")
async def test_all_orders_go_at_a_time(user: Ccxt) -> None:
    """Ten seconds of the world from now."""
    placed = await user.rest()
    await user.call("cancel_all_orders_after", 10_000)
    for _ in range(500):
        found = await user.call("fetch_order", placed["id"], ETH)
        if found["status"] != "open":
            break
    assert "scheduledCancel" == found["info"]["status"]


@both_forms
@pytest.mark.step("sub-account")
async def test_sub_account_is_opened_paid_and_traded_for(user: Ccxt) -> None:
    """`vaultAddress` names it; ccxt leaves out its 0x."""
    created = await user.call("create_sub_account", "bot")
    address = created["response"]["data"]
    await user.call("transfer", "USDC", 1000, "main", address, {"type": "swap"})
    params = {"vaultAddress": address}
    price = user.price(0.8)
    placed = await user.call("create_order", ETH, "limit", "buy", 0.02, price, params)
    (row,) = await user.call("fetch_open_orders", ETH, None, None, {"user": address})
    assert placed["id"] == row["id"]
    assert [] == await user.call("fetch_open_orders", ETH)
    await user.call("cancel_order", placed["id"], ETH, params)
    balance = await user.call("fetch_balance", {"user": address})
    assert 1000.0 == balance["USDC"]["total"]


@both_forms
@pytest.mark.step("money between wallets and users")
async def test_money_moves_between_wallets_and_users(user: Ccxt) -> None:
    """Perp to spot and back, to a friend, out of the venue, and all of it in the ledger."""
    friend = user.target.wallet()
    await user.call("transfer", "USDC", 25.5, "swap", "spot")
    await user.call("transfer", "USDC", 5.5, "spot", "swap")
    spot = await user.call("fetch_balance", {"type": "spot"})
    perp = await user.call("fetch_balance")
    assert (20.0, 99_980.0) == (spot["USDC"]["total"], perp["USDC"]["total"])
    await user.call("withdraw", "USDC", 80.0, friend.address)
    rows = await user.call("fetch_ledger", "USDC")
    assert {"accountClassTransfer", "withdraw"} <= {row["info"]["delta"]["type"] for row in rows}
    assert [80.0] == [
        row["amount"] + row["fee"]["cost"] for row in await user.call("fetch_withdrawals", "USDC")
    ]


@both_forms
@pytest.mark.step("orders in slices")
async def test_twap_order_is_begun_and_ended(user: Ccxt) -> None:
    """By the id that its begin answers."""
    begun = await user.call("create_twap_order", ETH, "buy", 1.0, 10 * 60_000)
    await user.call("cancel_twap_order", begun["id"], ETH)

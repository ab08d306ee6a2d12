"""What the native gateway does: orders, leverage and money, with the venue's answers."""

from typing import Any

import pytest
from tests.support.wallets import Wallet, item, order, statuses, trigger
from tests.unit.virtual_exchange.native_gateway import NOW_MS, OWNER, act, cash, open_door, user

from virtual_exchange.application.session import Session


@pytest.fixture
def session() -> Session:
    return open_door()


# what is done


def test_statuses_come_one_an_order_and_once_for_a_form_that_is_wrong(session: Session) -> None:
    """A wrong form keeps the whole batch from being carried out."""
    mixed = statuses(act(session, order(item(), item(asset=1, px="1700", sz="200"))))
    assert "resting" in mixed[0]
    assert mixed[1]["error"] == "Insufficient margin to place order. asset=1"
    wrong = statuses(act(session, order(item(), item(px="80000.123"))))
    assert wrong == [{"error": "Order has invalid price."}]
    assert statuses(act(session, {**order(), "orders": []})) == [{"error": "Orders are empty."}]
    unknown = statuses(act(session, order(item(asset=9))))
    assert unknown[0]["error"].startswith("Invalid asset 9")


def test_bracket_is_answered_with_bare_words_and_a_lone_trigger_with_its_id(
    session: Session,
) -> None:
    """As clients expect each."""
    legs = (
        item(px="99000", is_buy=False, reduce_only=True, kind=trigger("99000", "tp")),
        item(px="70000", is_buy=False, reduce_only=True, kind=trigger("75000", "sl")),
    )
    group = statuses(act(session, order(item(), *legs, grouping="normalTpsl")))
    assert ["resting", "waitingForFill", "waitingForFill"] == [
        status if isinstance(status, str) else next(iter(status)) for status in group
    ]
    (lone,) = statuses(act(session, order(item(px="99000", kind=trigger("98000", "sl")))))
    record = session.world.books[0].orders[lone["resting"]["oid"]]
    assert ("Stop Market", True) == (record.order_type, record.trigger_is_market)


def test_position_legs_of_no_size_protect_the_whole_position(session: Session) -> None:
    """They follow it."""
    act(session, order(item(px="95000", kind={"limit": {"tif": "Ioc"}})))
    legs = (
        item(px="99000", sz="0", is_buy=False, reduce_only=True, kind=trigger("99000", "tp")),
        item(px="70000", sz="0", is_buy=False, reduce_only=True, kind=trigger("75000", "sl")),
    )
    words = statuses(act(session, order(*legs, grouping="positionTpsl")))
    assert ["waitingForTrigger", "waitingForTrigger"] == words
    assert all(order.follows_position for order in session.world.engine.open_orders(0))


def test_market_order_of_a_user_interface_is_recorded_as_one(session: Session) -> None:
    """`FrontendMarket` fills now."""
    act(session, order(item(px="95000", kind={"limit": {"tif": "FrontendMarket"}})))
    (record,) = session.world.books[0].orders.values()
    assert ("Market", "filled") == (record.order_type, str(record.status))


def test_refused_order_can_be_found_by_its_client_id(session: Session) -> None:
    """One that came to the book and was refused there leaves a record; a wrong form does not."""
    late = item(px="70000", kind={"limit": {"tif": "Ioc"}}, cloid="0x" + "1" * 32)
    statuses(act(session, order(late)))
    statuses(act(session, order(item(px="1.23456", cloid="0x" + "2" * 32))))
    (record,) = session.world.books[0].orders.values()
    assert ("iocCancelRejected", "0x" + "1" * 32) == (str(record.status), record.cloid)
    assert 0 < record.oid < 1 << 53


def test_refused_post_only_order_is_told_the_prices_of_the_shown_book(session: Session) -> None:
    """Not the finer ones that fills are computed from."""
    late = item(px="99000", kind={"limit": {"tif": "Alo"}})
    (status,) = statuses(act(session, order(late)))
    book: Any = session.queries.market.book("BTC")
    bids, asks = book["levels"]
    assert f"bbo was {bids[0]['px']}@{asks[0]['px']}. asset=0" in status["error"]


def test_modify_answers_as_a_whole_and_its_batch_one_by_one(session: Session) -> None:
    """A new id, the client's id only when the new order carries it."""
    cloid = "0x" + "1" * 32
    oid = statuses(act(session, order(item(cloid=cloid))))[0]["resting"]["oid"]
    change = {"oid": oid, "order": item(px="79000", cloid=cloid)}
    assert act(session, {"type": "modify", **change})["response"] == {"type": "default"}
    again = act(session, {"type": "modify", **change})
    assert again["response"] == "Cannot modify canceled or filled order"
    by_cloid = {"oid": cloid, "order": item(px="78000")}
    gone = {"oid": 1, "order": item(px="78000")}
    first, second = statuses(act(session, {"type": "batchModify", "modifies": [by_cloid, gone]}))
    assert "cloid" not in first["resting"]
    assert second == {"error": "Cannot modify canceled or filled order"}
    anyway = {"type": "batchModify", "modifies": [gone], "a": True}
    assert "resting" in statuses(act(session, anyway))[0]


def test_cancels_are_answered_one_by_one(session: Session) -> None:
    """Unknown, filled and canceled ones alike."""
    cloid = "0x" + "1" * 32
    oid = statuses(act(session, order(item(cloid=cloid))))[0]["resting"]["oid"]
    cancels = [{"a": 1, "o": oid}, {"a": 0, "o": oid}, {"a": 0, "o": oid}, {"a": 99, "o": 1}]
    wrong, done, *gone = statuses(act(session, {"type": "cancel", "cancels": cancels}))
    assert done == "success"
    for status in (wrong, *gone):
        assert status["error"].startswith("Order was never placed, already canceled, or filled.")
    act(session, order(item(cloid=cloid)))
    by_cloid = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": cloid}]}
    assert statuses(act(session, by_cloid)) == ["success"]
    heavy = {"type": "cancel", "cancels": [{"a": 0, "o": 1}] * 201}
    assert act(session, heavy)["response"] == "Signed action over weight limit of 200."


def test_leverage_and_isolated_margin_are_set_or_refused_as_a_whole(session: Session) -> None:
    """Micro-USD, signed."""
    isolated = {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 10}
    assert act(session, isolated)["status"] == "ok"
    too_high = act(session, {**isolated, "leverage": 1000})
    assert too_high == {"status": "err", "response": "Invalid leverage value"}
    margin = {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": 5_000_000}
    assert act(session, margin)["response"] == "Position does not use isolated margin."
    act(session, order(item(px="95000", kind={"limit": {"tif": "Ioc"}})))
    before = session.world.engine.position(0, 0).bucket_usd
    assert act(session, margin)["status"] == "ok"
    assert before + 5_000_000 == session.world.engine.position(0, 0).bucket_usd
    refused = act(session, {**margin, "ntli": 10**15})
    assert refused["status"] == "err"


def test_scheduled_cancel_counts_from_the_wall_clock(session: Session) -> None:
    """Ten seconds ahead there are ten seconds ahead here."""
    act(session, order())
    soon = act(session, {"type": "scheduleCancel", "time": NOW_MS + 1000})
    assert "at least 5 seconds" in soon["response"]
    assert act(session, {"type": "scheduleCancel", "time": NOW_MS + 10_000})["status"] == "ok"
    session.world.play(1)
    (record,) = session.world.books[0].orders.values()
    assert str(record.status) == "scheduledCancel"


def test_builder_is_paid_only_by_those_who_approved(session: Session) -> None:
    """Tenths of a basis point against a percentage."""
    builder: dict[str, Any] = {"builder": {"b": "0x" + "9" * 40, "f": 10}}
    refused = statuses(act(session, order(**builder)))
    assert refused == [{"error": "Builder fee has not been approved."}]
    for rate, expected in (("0.005%", "error"), ("0.01%", "resting")):
        approval: dict[str, Any] = {"maxFeeRate": rate, "builder": "0x" + "9" * 40}
        assert user(session, "approveBuilderFee", **approval)["status"] == "ok"
        assert expected in statuses(act(session, order(**builder)))[0]
    assert user(session, "approveBuilderFee", maxFeeRate="2%", builder="0x" + "9" * 40) == {
        "status": "err",
        "response": "Invalid max fee rate.",
    }


# money


def test_money_moves_between_accounts_and_none_is_made(session: Session) -> None:
    """Perp to perp, perp to spot and back, spot to spot."""
    bob = session.world.accounts[1].address
    total = cash(session, 0) + cash(session, 1)
    assert user(session, "usdSend", destination=bob, amount="5.5")["status"] == "ok"
    assert cash(session, 1) - cash(session, 0) == 11_000_000
    assert user(session, "usdClassTransfer", amount="10", toPerp=False)["status"] == "ok"
    alice, books = session.world.accounts[0].address, session.world.books
    sent = user(session, "spotSend", destination=bob, token="USDC:0x1", amount="4")
    assert sent["status"] == "ok"
    assert (6_000_000, 4_000_000) == (books[0].spot_usd, books[1].spot_usd)
    way: dict[str, Any] = {
        "sourceDex": "spot",
        "destinationDex": "",
        "token": "USDC",
        "fromSubAccount": "",
    }
    back = user(session, "sendAsset", destination=alice, amount="6", **way)
    assert back["status"] == "ok"
    assert total == cash(session, 0) + cash(session, 1) + books[1].spot_usd
    session.world.engine.prove()
    kinds = [update.kind for update in books[0].ledger]
    assert ["deposit", "internalTransfer", "accountClassTransfer", "send"] == kinds[:4]


def test_withdrawal_leaves_with_its_fee(session: Session) -> None:
    """One dollar of what is asked for."""
    before = cash(session, 0)
    assert user(session, "withdraw3", destination=OWNER.address, amount="50")["status"] == "ok"
    assert before - 50_000_000 == cash(session, 0)
    update = session.world.books[0].ledger[-1]
    assert (49_000_000, 1_000_000, -50_000_000) == (update.usd, update.fee_usd, update.perp_usd)


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("usdSend", {"destination": "0x" + "9" * 40, "amount": "5"}, "Unknown destination"),
        ("usdSend", {"destination": OWNER.address, "amount": "5"}, "self-transfer"),
        ("usdSend", {"destination": Wallet(68).address, "amount": "-5"}, "Invalid amount."),
        ("usdSend", {"destination": Wallet(68).address, "amount": "1e400"}, "Invalid amount."),
        ("usdSend", {"destination": Wallet(68).address, "amount": "10001"}, "Insufficient"),
        ("usdClassTransfer", {"amount": "1", "toPerp": True}, "Insufficient"),
        ("usdClassTransfer", {"amount": "10001", "toPerp": False}, "Insufficient"),
        ("withdraw3", {"destination": OWNER.address, "amount": "1"}, "Invalid amount."),
        (
            "spotSend",
            {"destination": Wallet(68).address, "token": "PURR:0x1", "amount": "1"},
            "Only USDC",
        ),
        (
            "userSetAbstraction",
            {"user": OWNER.address, "abstraction": "unifiedAccount"},
            "Only classic accounts",
        ),
    ],
)
def test_money_that_cannot_move_stays(
    session: Session, kind: str, fields: dict[str, Any], text: str
) -> None:
    """One clear line, nothing changed."""
    before = session.world.engine.digest()
    assert text in user(session, kind, **fields)["response"]
    assert before == session.world.engine.digest()


def test_sub_account_is_its_own_and_counts_nothing_as_profit(session: Session) -> None:
    """What the master sends is no gain in a report."""
    created = act(session, {"type": "createSubAccount", "name": "sub"})
    transfer = {
        "type": "subAccountTransfer",
        "subAccountUser": created["response"]["data"],
        "isDeposit": True,
        "usd": 10**9,
    }
    assert act(session, transfer)["status"] == "ok"
    session.world.play(120)
    record = session.world.record(run_id="r", strategies={})
    master, _, sub = record.accounts
    assert {10**10} == set(master.equity_usd.tolist())
    assert {0} == set(sub.equity_usd.tolist())
    assert 10**9 == cash(session, 2)
    for name, text in (("", "1 to 16"), ("x" * 17, "1 to 16")):
        assert text in act(session, {"type": "createSubAccount", "name": name})["response"]


def test_room_for_accounts_ends(session: Session) -> None:
    """Said in one line; the world goes on."""
    replies = [
        act(session, {"type": "createSubAccount", "name": f"s{number}"}) for number in range(11)
    ]
    assert "Current limit is 10" in replies[-1]["response"]

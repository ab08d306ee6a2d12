"""The native door: who is let in, and in which order a request is refused."""

import json
from typing import Any

import msgspec
import pytest
from tests.support.wallets import Wallet, item, order, post, statuses, trigger
from tests.support.worlds import open_memory_world, random_source

from suite.bars import DAY_MS
from suite.clock import ManualClock
from suite.contracts.world import AccountRequest, WorldRequest
from virtual_exchange.application.exchange.door import Malformed
from virtual_exchange.application.session import Session, open_session

NOW_MS = 1_790_000_000_000
OWNER, AGENT, STRANGER = Wallet(17), Wallet(34), Wallet(51)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def warned() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def session(clock: ManualClock, warned: list[dict[str, Any]]) -> Session:
    request = WorldRequest(
        symbols=("BTC", "ETH"),
        accounts=(
            AccountRequest(id="alice", address=OWNER.address),
            AccountRequest(id="bob", address=Wallet(68).address),
        ),
    )
    return open_session(
        request,
        source=random_source("BTC", "ETH"),
        clock=clock,
        warn=lambda event, **values: warned.append({"event": event, **values}),
    )


def nonce(step: int = 0) -> int:
    return NOW_MS + step


def act(session: Session, action: dict[str, Any], wallet: Wallet = OWNER, **more: Any) -> Any:
    number = 1 + sum(len(book.orders) for book in session.world.books) + _count(session)
    return post(session, wallet.signed(action, nonce=nonce(number), **more))


def _count(session: Session) -> int:
    """A number that is another at every call."""
    session.strategies.setdefault("calls", {"count": 0})["count"] += 1
    return int(session.strategies["calls"]["count"]) * 1000


def user(session: Session, kind: str, wallet: Wallet = OWNER, **fields: Any) -> Any:
    wallet.nonces = iter((nonce(_count(session)),))
    return post(session, wallet.user_signed(kind, **fields))


def cash(session: Session, account: int) -> int:
    return int(session.world.engine.account(account).cash_usd)


# who is let in


@pytest.mark.parametrize("mainnet", [True, False])
def test_either_network_is_accepted_for_a_known_account(session: Session, *, mainnet: bool) -> None:
    """Clients choose the source by rules of their own; a local address is neither network."""
    (status,) = statuses(act(session, order(), Wallet(17, mainnet)))
    assert "resting" in status


def test_stranger_is_refused_with_an_address_and_opens_nothing(
    session: Session, warned: list[dict[str, Any]]
) -> None:
    """No account comes into being by a signature, and no money."""
    before = len(session.world.accounts)
    reply = act(session, order(), STRANGER)
    assert reply["status"] == "err"
    assert "does not exist." in reply["response"]
    assert before == len(session.world.accounts)
    assert STRANGER.address in warned[0]["recovered"]


def test_action_hashed_in_another_form_is_let_in_with_a_warning(
    session: Session, warned: list[dict[str, Any]]
) -> None:
    """The live venue would take it for a stranger's, so the operator is told."""
    odd = {"type": "order", "grouping": "na", "orders": [item()]}
    assert "resting" in statuses(act(session, odd))[0]
    assert [("would_fail_live", OWNER.address)] == [(w["event"], w["user"]) for w in warned]


def test_padding_and_order_of_keys_after_signing_do_not_matter(
    session: Session, warned: list[dict[str, Any]]
) -> None:
    """The venue hashes what it writes itself."""
    envelope = OWNER.signed(order(), nonce=nonce())
    envelope["action"] = {
        "grouping": "na",
        "orders": [{**item(px="80000.00"), "extra": 1}],
        "type": "order",
    }
    assert "resting" in statuses(post(session, envelope))[0]
    assert [] == warned


def test_agent_trades_for_its_master_and_cannot_move_money(session: Session) -> None:
    """A key that may lose money, never take it."""
    assert user(session, "approveAgent", agentAddress=AGENT.address, agentName="")["status"] == "ok"
    oid = statuses(act(session, order(), AGENT))[0]["resting"]["oid"]
    assert oid in session.world.books[0].orders
    stolen = user(
        session, "usdSend", AGENT, destination=session.world.accounts[1].address, amount="5"
    )
    text = f"Must deposit before performing actions. User: {AGENT.address}"
    assert {"status": "err", "response": text} == stolen


def test_agent_that_was_replaced_is_a_stranger(session: Session) -> None:
    """Its name belongs to another key at once."""
    for wallet in (AGENT, STRANGER):
        user(session, "approveAgent", agentAddress=wallet.address, agentName="bot")
    assert "does not exist." in act(session, order(), AGENT)["response"]
    assert "resting" in statuses(act(session, order(), STRANGER))[0]
    named = session.identity.agents_of(0)
    assert [("bot", STRANGER.address)] == [(name, address) for name, address, _ in named]


def test_agent_expires_by_the_wall_clock(session: Session, clock: ManualClock) -> None:
    """Ninety days, or what its name says."""
    until = NOW_MS + DAY_MS
    user(session, "approveAgent", agentAddress=AGENT.address, agentName=f"bot valid_until {until}")
    assert "resting" in statuses(act(session, order(), AGENT))[0]
    clock.advance_to(until)
    body = AGENT.signed(order(), nonce=until)
    assert "does not exist." in post(session, body)["response"]


@pytest.mark.parametrize(
    ("address", "name", "text"),
    [
        (OWNER.address, "x", "Extra agent already used."),
        (AGENT.address, "x" * 17, "longer than 16"),
        (AGENT.address, f"x valid_until {NOW_MS - 1}", "Agent valid_until already expired."),
        (AGENT.address, f"x valid_until {NOW_MS + 181 * DAY_MS}", "already expired."),
    ],
)
def test_agent_is_refused_with_the_venues_words(
    session: Session, address: str, name: str, text: str
) -> None:
    """Account addresses, long names and times that cannot be."""
    assert text in user(session, "approveAgent", agentAddress=address, agentName=name)["response"]


def test_fourth_named_agent_is_one_too_many(session: Session) -> None:
    """Three, and two more a sub-account."""
    for number in range(3):
        wallet = Wallet(80 + number)
        approved = user(
            session, "approveAgent", agentAddress=wallet.address, agentName=f"bot{number}"
        )
        assert approved["status"] == "ok"
    more: dict[str, Any] = {"agentAddress": Wallet(90).address, "agentName": "bot3"}
    assert "Current limit is 3" in user(session, "approveAgent", **more)["response"]
    act(session, {"type": "createSubAccount", "name": "sub"})
    assert user(session, "approveAgent", **more)["status"] == "ok"


def test_zero_address_revokes_a_name(session: Session) -> None:
    """And the address stays used."""
    user(session, "approveAgent", agentAddress=AGENT.address, agentName="bot")
    user(session, "approveAgent", agentAddress="0x" + "0" * 40, agentName="bot")
    assert [] == session.identity.agents_of(0)
    again = user(session, "approveAgent", agentAddress=AGENT.address, agentName="bot")
    assert again["response"] == "Extra agent already used."


def test_master_and_its_agent_act_for_a_sub_account_and_nobody_else_does(session: Session) -> None:
    """`vaultAddress` names it, with or without 0x."""
    address = act(session, {"type": "createSubAccount", "name": "sub"})["response"]["data"]
    act(
        session,
        {"type": "subAccountTransfer", "subAccountUser": address, "isDeposit": True, "usd": 10**9},
    )
    user(session, "approveAgent", agentAddress=AGENT.address, agentName="")
    for wallet in (OWNER, AGENT):
        assert "resting" in statuses(act(session, order(), wallet, vault=address))[0]
    bare = OWNER.signed(order(), nonce=nonce(1), vault=address) | {"vaultAddress": address[2:]}
    assert "resting" in statuses(post(session, bare))[0]
    refused = act(session, order(), Wallet(68), vault=address)
    assert refused["response"] == f"Vault not registered: {address}"
    assert 3 == len(session.world.books[2].orders)


# the order of refusals


def test_nonce_is_used_up_even_by_an_action_that_is_refused(session: Session) -> None:
    """A rejected order sent again says so."""
    body = OWNER.signed(order(item(sz="0")), nonce=nonce())
    assert statuses(post(session, body)) == [{"error": "Order has zero size."}]
    again = post(session, body)
    assert again == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce()}"}


def test_expired_action_has_used_its_nonce(session: Session) -> None:
    """First the nonce, then the expiry."""
    body = OWNER.signed(order(), nonce=nonce(), expires=NOW_MS - 1)
    assert post(session, body)["response"] == "Action already expired"
    assert post(session, body)["response"].startswith("Invalid nonce: duplicate")


@pytest.mark.parametrize(
    ("step", "text"), [(-3 * DAY_MS, "nonce too low"), (2 * DAY_MS, "nonce too high")]
)
def test_nonce_far_from_the_wall_clock_is_refused(session: Session, step: int, text: str) -> None:
    """World time has no part in it."""
    reply = post(session, OWNER.signed(order(), nonce=NOW_MS + step))
    assert text in reply["response"]


def test_nonces_belong_to_the_signer_not_the_account(session: Session) -> None:
    """An agent and its master may use the same."""
    user(session, "approveAgent", agentAddress=AGENT.address, agentName="")
    for wallet in (OWNER, AGENT):
        assert post(session, wallet.signed(order(), nonce=nonce(7)))["status"] == "ok"


def test_nonce_of_a_refused_vault_is_not_used(session: Session) -> None:
    """The account comes before the nonce."""
    body = OWNER.signed(order(), nonce=nonce(), vault="0x" + "9" * 40)
    assert post(session, body)["response"] == post(session, body)["response"]


def test_wallet_action_needs_the_nonce_it_shows(session: Session) -> None:
    """What was shown to the user is what counts."""
    OWNER.nonces = iter((nonce(),))
    body = OWNER.user_signed("usdClassTransfer", amount="5", toPerp=False)
    assert post(session, body | {"nonce": nonce(1)})["response"] == "Nonce mismatch."


def test_signature_of_nobody_is_told(session: Session) -> None:
    """Halves of zero recover nothing."""
    body = OWNER.signed(order(), nonce=nonce()) | {"signature": {"r": "0x0", "s": "0x0", "v": 27}}
    assert post(session, body)["response"] == "Unable to recover signer."


# the body


def encoded(**changes: Any) -> bytes:
    return msgspec.json.encode(OWNER.signed(order(), nonce=nonce()) | changes)


DEEP = b'{"action":' + b"[" * 5000 + b"]" * 5000 + b"}"


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b'{"action":', b"\xff\xfe", DEEP])
def test_what_is_no_json_is_told_apart(session: Session, body: bytes) -> None:
    """400 on the wire."""
    with pytest.raises(Malformed) as caught:
        session.door.post(body)
    assert not caught.value.is_json


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'"text"',
        encoded(action=[]),
        encoded(action={}),
        encoded(action={"type": "nonsense"}),
        encoded(action={"type": "order"}),
        encoded(nonce=-1),
        encoded(nonce=1 << 64),
        encoded(action=order(item(asset=1 << 64))),
        encoded(nonce="1"),
        encoded(signature={}),
        encoded(signature={"r": "zz", "s": "0x1", "v": 27}),
        encoded(vaultAddress="0x12"),
        encoded(expiresAfter=1 << 70),
        encoded(action={"type": "usdSend", "hyperliquidChain": "Moon", "signatureChainId": "0x1"}),
        encoded(action={"type": "usdSend", "hyperliquidChain": "Mainnet", "signatureChainId": "x"}),
        encoded()[:-1] + b',"nonce":5}',
    ],
)
def test_json_of_another_shape_is_told_apart(session: Session, body: bytes) -> None:
    """422 on the wire, and nothing has changed."""
    before = session.world.engine.digest()
    with pytest.raises(Malformed) as caught:
        session.door.post(body)
    assert caught.value.is_json
    assert before == session.world.engine.digest()


def test_what_follows_the_first_value_is_ignored(session: Session) -> None:
    """As the venue's reader does."""
    reply = session.door.post(encoded() + b" trailing nonsense").answer
    assert reply["status"] == "ok"


def test_unknown_keys_of_the_envelope_are_ignored(session: Session) -> None:
    """Frontends add their own."""
    assert session.door.post(encoded(isFrontend=True)).answer["status"] == "ok"


def test_actions_beyond_perpetuals_are_refused_by_name(session: Session) -> None:
    """Quickly, with an answer a client can show."""
    reply = act(session, {"type": "evmUserModify", "usingBigBlocks": True})
    assert reply == {"status": "err", "response": "evmUserModify is not simulated."}


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


# the end


def test_finished_world_halts_trading_and_still_answers(session: Session) -> None:
    """With the venue's words."""
    session.world.play(session.world.end_bar)
    assert act(session, order())["response"] == "Trading is halted."
    assert act(session, {"type": "noop"})["status"] == "ok"


def test_faucet_opens_an_account_by_name_only_where_there_is_one() -> None:
    """A read that names an address funds it; in a world without a faucet nothing happens."""
    poor = open_memory_world(random_source("BTC"))
    poor.identity.welcome(STRANGER.address)
    assert 1 == len(poor.world.accounts)
    rich = open_memory_world(random_source("BTC"), faucet=500)
    for _ in range(2):
        rich.identity.welcome(STRANGER.address)
    assert 2 == len(rich.world.accounts)
    assert 500_000_000 == cash(rich, 1)
    assert {"role": "user"} == rich.identity.role(STRANGER.address)


def test_mutated_bodies_change_nothing(session: Session) -> None:
    """A body with one byte changed is refused or is somebody else's."""
    body = json.dumps(OWNER.signed(order(), nonce=nonce())).encode()
    before = session.world.engine.digest()
    for place in range(0, len(body), 7):
        changed = body[:place] + bytes((body[place] ^ 1,)) + body[place + 1 :]
        try:
            reply = session.door.post(changed).answer
        except Malformed:
            continue
        if reply["status"] == "ok":
            # a space or a key that does not count
            assert json.loads(changed) != json.loads(body)
            break
        assert before == session.world.engine.digest()


# budgets


def test_actions_are_counted_and_limited_only_where_that_is_asked_for(clock: ManualClock) -> None:
    """A batch counts for as many as are in it; beyond the cap one action in ten seconds."""
    request = WorldRequest(
        symbols=("BTC",), accounts=(AccountRequest(id="alice", address=OWNER.address),)
    )
    for limited in (False, True):
        session = open_session(
            request, source=random_source("BTC"), clock=clock, rate_limited=limited
        )
        act(session, order(item(px="50000"), item(px="50001")))
        assert 2 == session.queries.limits.used(0)
        session.queries.limits.count(0, 10_000)
        assert act(session, order())["status"] == "ok"
        again = act(session, order())
        assert limited == ("Too many cumulative requests sent" in str(again))
        cancels = act(session, {"type": "cancel", "cancels": [{"a": 0, "o": 1}]})
        assert cancels["status"] == "ok"  # their cap is higher

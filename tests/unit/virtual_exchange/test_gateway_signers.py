"""Who the native gateway lets in: accounts, agents and sub-accounts."""

from typing import Any

import pytest
from tests.support.wallets import Wallet, item, order, post, statuses
from tests.support.worlds import open_memory_world, random_source
from tests.unit.virtual_exchange.native_gateway import (
    AGENT,
    NOW_MS,
    OWNER,
    STRANGER,
    act,
    cash,
    nonce,
    open_door,
    user,
)

from suite.bars import DAY_MS
from suite.clock import ManualClock
from virtual_exchange.application.exchange.gateway import Signatures
from virtual_exchange.application.session import Session


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def warned() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def session(clock: ManualClock, warned: list[dict[str, Any]]) -> Session:
    return open_door(clock, warned)


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


# a venue of one network, as the live ones are

NETWORKS: list[tuple[Signatures, bool]] = [("mainnet", True), ("testnet", False)]


@pytest.mark.parametrize(("network", "mainnet"), NETWORKS)
def test_venue_of_one_network_takes_its_own_signatures_alone(
    network: Signatures, *, mainnet: bool
) -> None:
    """The other network's signature is a stranger's, of a known key too, before and after."""
    session = open_door(signatures=network)
    own, foreign = Wallet(17, mainnet), Wallet(17, not mainnet)
    for _ in range(2):
        refused = act(session, order(), foreign)
        assert "err" == refused["status"]
        assert refused["response"].startswith("User or API Wallet 0x")
        assert refused["response"].endswith(" does not exist.")
        assert OWNER.address not in refused["response"]
        assert "resting" in statuses(act(session, order(), own))[0]
    assert 2 == len(session.world.books[0].orders)


@pytest.mark.parametrize(("network", "mainnet"), NETWORKS)
def test_venue_of_one_network_says_so_to_wallets(network: Signatures, *, mainnet: bool) -> None:
    """What a wallet shows names its network in words, and the refusal is in the venue's."""
    session = open_door(signatures=network)
    fields = {"agentAddress": AGENT.address, "agentName": ""}
    refused = user(session, "approveAgent", Wallet(17, not mainnet), **fields)
    text = "Mainnet and testnet require different signature."
    assert {"status": "err", "response": text} == refused
    assert "does not exist." in act(session, order(), Wallet(34, mainnet))["response"]
    assert "ok" == user(session, "approveAgent", Wallet(17, mainnet), **fields)["status"]
    assert "resting" in statuses(act(session, order(), Wallet(34, mainnet)))[0]


def test_chain_named_after_signing_makes_a_stranger() -> None:
    """The word is a part of what was signed."""
    session = open_door(signatures="mainnet")
    envelope = Wallet(17, mainnet=False, nonces=iter((nonce(),))).user_signed(
        "approveAgent", agentAddress=AGENT.address, agentName=""
    )
    envelope["action"]["hyperliquidChain"] = "Mainnet"
    reply = post(session, envelope)
    assert "Must deposit before performing actions." in reply["response"]
    assert OWNER.address not in reply["response"]


def test_venue_of_one_network_hashes_its_own_notation_alone() -> None:
    """Keys in another order, padded decimals: signed over those, nobody's; sent so, the owner's."""
    session, wallet = open_door(signatures="mainnet"), Wallet(17, mainnet=True)
    odd = {"type": "order", "grouping": "na", "orders": [item()]}
    padded = order(item(px="80000.0"))
    for action in (odd, padded):
        assert "does not exist." in act(session, action, wallet)["response"]
        envelope = wallet.signed(order(), nonce=nonce(len(action["orders"]) + len(str(action))))
        envelope["action"] = action
        assert "resting" in statuses(post(session, envelope))[0]


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


def test_faucet_opens_an_account_by_name_only_where_there_is_one() -> None:
    """A read that names an address funds it; in a world without a faucet nothing happens."""
    poor = open_memory_world(random_source("BTC"))
    poor.identity.register(STRANGER.address)
    assert 1 == len(poor.world.accounts)
    rich = open_memory_world(random_source("BTC"), faucet=500)
    for _ in range(2):
        rich.identity.register(STRANGER.address)
    assert 2 == len(rich.world.accounts)
    assert 500_000_000 == cash(rich, 1)
    assert {"role": "user"} == rich.identity.role(STRANGER.address)

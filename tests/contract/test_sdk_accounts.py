"""hyperliquid-python-sdk 0.24.0, unmodified: the flows of its examples with keys and money."""

from typing import Any

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange  # noqa: TID253 - the client under test
from tests.support.sdk import GTC, Sdk, one, set_up
from tests.support.venue_process import VenueUnderTest

pytestmark = [pytest.mark.process, pytest.mark.client("SDK")]

DONE = {"status": "ok", "response": {"type": "default"}}


@pytest.fixture
def sdk(target: VenueUnderTest) -> Sdk:
    return set_up(target)


def value(sdk: Sdk, address: str) -> float:
    """Money in the perp wallet of an account."""
    return float(sdk.info.user_state(address)["marginSummary"]["accountValue"])


def spot(sdk: Sdk, address: str) -> float:
    """Money in its spot wallet."""
    balances = sdk.info.spot_user_state(address)["balances"]
    return sum(float(row["total"]) for row in balances if row["coin"] == "USDC")


def rested(exchange: Any, sdk: Sdk) -> int:
    """Place a bid far below the market with another client of the same user."""
    price = sdk.price("ETH", 0.8)
    return int(one(exchange.order("ETH", True, 0.02, price, GTC))["resting"]["oid"])


@pytest.mark.step("agent")
@pytest.mark.parametrize("name", [None, "persist"])
def test_basic_agent(sdk: Sdk, name: str | None) -> None:
    """A key that may trade for the account: unnamed or named, until it is replaced."""
    reply, key = sdk.exchange.approve_agent(name)
    assert DONE == reply
    agent = Account.from_key(key)
    other = Exchange(agent, sdk.target.url, account_address=sdk.address)
    oid = rested(other, sdk)
    assert "open" == sdk.status(oid)
    assert "success" == one(other.cancel("ETH", oid))
    agents = sdk.info.extra_agents(sdk.address)
    assert [name] * bool(name) == [row["name"] for row in agents]
    role = sdk.info.user_role(agent.address)
    assert {"role": "agent", "data": {"user": sdk.address.lower()}} == role
    assert 0 == value(sdk, agent.address)
    stolen = other.usd_transfer(1, "0x" + "1" * 40)
    text = f"Must deposit before performing actions. User: {agent.address.lower()}"
    assert {"status": "err", "response": text} == stolen
    sdk.exchange.approve_agent(name)
    assert "does not exist." in other.order("ETH", True, 0.02, 1000.0, GTC)["response"]


@pytest.mark.step("sub-account")
def test_basic_sub_account_and_vault(sdk: Sdk) -> None:
    """Opened, paid into, traded for with `vault_address`, and paid out of."""
    reply = sdk.exchange.create_sub_account("example")
    address = reply["response"]["data"]
    assert "createSubAccount" == reply["response"]["type"]
    assert DONE == sdk.exchange.sub_account_transfer(address, True, 1_000_000_000)
    assert (1000.0, 99_000.0) == (value(sdk, address), value(sdk, sdk.address))
    (row,) = sdk.info.query_sub_accounts(sdk.address)
    assert ("example", address, sdk.address.lower()) == (
        row["name"],
        row["subAccountUser"],
        row["master"],
    )
    assert "1000.0" == row["clearinghouseState"]["marginSummary"]["accountValue"]
    vault = Exchange(sdk.wallet, sdk.target.url, vault_address=address)
    oid = rested(vault, sdk)
    assert [oid] == [order["oid"] for order in sdk.info.open_orders(address)]
    assert [] == sdk.info.open_orders(sdk.address)
    assert "success" == one(vault.cancel("ETH", oid))
    one(vault.market_open("ETH", True, 0.05))["filled"]
    one(vault.market_close("ETH"))["filled"]
    assert DONE == sdk.exchange.sub_account_transfer(address, False, 500_000_000)
    assert 99_500.0 == value(sdk, sdk.address)
    stranger = set_up(sdk.target)
    foreign = Exchange(stranger.wallet, sdk.target.url, vault_address=address)
    refused = foreign.order("ETH", True, 0.02, 1000.0, GTC)
    assert {"status": "err", "response": f"Vault not registered: {address}"} == refused
    deltas = sdk.info.user_non_funding_ledger_updates(sdk.address, 0)
    kinds = [row["delta"]["type"] for row in deltas]
    assert ["subAccountTransfer"] * 2 == [kind for kind in kinds if kind != "deposit"]


@pytest.mark.step("money between wallets and users")
def test_basic_spot_to_perp_and_transfer(sdk: Sdk) -> None:
    """From perp to spot and back; to another user; out of the venue."""
    assert DONE == sdk.exchange.usd_class_transfer(25.5, False)
    assert (25.5, 99_974.5) == (spot(sdk, sdk.address), value(sdk, sdk.address))
    assert DONE == sdk.exchange.usd_class_transfer(5.5, True)
    assert (20.0, 99_980.0) == (spot(sdk, sdk.address), value(sdk, sdk.address))
    other = set_up(sdk.target)
    assert DONE == sdk.exchange.usd_transfer(80, other.address)
    assert (99_900.0, 100_080.0) == (value(sdk, sdk.address), value(sdk, other.address))
    token = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"
    assert DONE == sdk.exchange.spot_transfer(7, other.address, token)
    assert (13.0, 7.0) == (spot(sdk, sdk.address), spot(sdk, other.address))
    assert DONE == sdk.exchange.send_asset(other.address, "", "", "USDC", 1)
    assert DONE == sdk.exchange.send_asset(sdk.address, "spot", "", "USDC", 3)
    assert (10.0, 99_902.0) == (spot(sdk, sdk.address), value(sdk, sdk.address))
    assert DONE == sdk.exchange.withdraw_from_bridge(2, sdk.address)
    assert 99_900.0 == value(sdk, sdk.address)
    too_much = sdk.exchange.usd_transfer(10**7, other.address)
    assert {"status": "err", "response": "Insufficient balance for withdrawal."} == too_much
    kinds = [
        row["delta"]["type"] for row in sdk.info.user_non_funding_ledger_updates(sdk.address, 0)
    ]
    wanted = {"accountClassTransfer", "internalTransfer", "withdraw"}
    assert wanted <= set(kinds)


@pytest.mark.step("builder fee")
def test_basic_builder_fee(sdk: Sdk) -> None:
    """Approved, then charged with an order; refused without."""
    builder = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D"
    wanted = {"b": builder, "f": 1}
    refused = one(sdk.exchange.market_open("ETH", True, 0.05, builder=dict(wanted)))
    assert {"error": "Builder fee has not been approved."} == refused
    assert DONE == sdk.exchange.approve_builder_fee(builder, "0.001%")
    one(sdk.exchange.market_open("ETH", True, 0.05, builder=dict(wanted)))["filled"]
    allowed = sdk.target.info("maxBuilderFee", user=sdk.address, builder=builder)
    assert 1 == allowed
    sdk.exchange.market_close("ETH")


@pytest.mark.step("what is not simulated is refused in words")
def test_actions_beyond_perpetuals_end_with_a_text(sdk: Sdk) -> None:
    """Vaults, staking, multi-signature users, EVM: an error, never a hang."""
    assert DONE == sdk.exchange.set_referrer("ASDFASDF")
    vault = "0xa15099a30bbf2e68942d6f4c43d70d04faeab0a0"
    refused = [
        sdk.exchange.vault_usd_transfer(vault, True, 5_000_000),
        sdk.exchange.token_delegate(vault, 1, False),
        sdk.exchange.use_big_blocks(True),
        sdk.exchange.spot_transfer(1, set_up(sdk.target).address, "PURR:0x1"),
        sdk.exchange.convert_to_multi_sig_user([vault], 1),
    ]
    assert ["err"] * 5 == [reply["status"] for reply in refused]
    assert DONE == sdk.exchange.noop(_now_ms())


def _now_ms() -> int:
    from hyperliquid.utils.signing import get_timestamp_ms

    return int(get_timestamp_ms())

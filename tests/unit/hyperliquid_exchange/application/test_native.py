"""Actions that a client has signed: what the venue would refuse is refused, with the reason."""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import msgspec
import pytest
from tests.support.live_parts import AGENT, MASTER, NOW_MS, Hop, live_account
from tests.support.virtual_time import VirtualClock, VirtualLoop, run_virtually
from tests.support.wallets import Wallet

from hyperliquid_exchange.adapters.intent_journal.index import KEPT_MS
from hyperliquid_exchange.application.native import AHEAD_MS, OLD_MS, Malformed, Native
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.safety import Cause, Level
from suite.errors import UpstreamTimeout

CLIENT = Wallet(mainnet=True)
LOCAL = Wallet(mainnet=False)
"""The same key, as the SDK signs at any address but mainnet's."""
STRANGER = Wallet(number=18, mainnet=True)
VAULT = "0x" + "d4" * 20

RESIGN = live_account(client_signers=(CLIENT.address,))
FORWARD = live_account(native="forward", client_signers=(CLIENT.address,))


class Door:
    """The door for signed actions, to a venue in memory."""

    def __init__(self, hop: Hop) -> None:
        self.hop = hop
        self.last = hop.open()
        self.native = Native(self.last, network="mainnet", clock=hop.clock)

    async def post(self, account: LiveAccount, body: Any) -> Any:
        return await self.native.post(account, msgspec.json.encode(body))

    async def refusal(self, account: LiveAccount, body: Any) -> str:
        told = await self.post(account, body)
        assert "err" == told["status"]
        assert [] == self.hop.venue.arrived
        return str(told["response"])


def virtually(test: Callable[[Door], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        loop = VirtualLoop(random.Random(1))

        async def main() -> None:
            await test(Door(Hop(clock=VirtualClock(loop, NOW_MS))))

        run_virtually(main(), loop)

    del run.__wrapped__
    return run


def order(**changes: Any) -> dict[str, Any]:
    item = {
        "a": 0,
        "b": True,
        "p": "94000",
        "s": "0.01",
        "r": False,
        "t": {"limit": {"tif": "Gtc"}},
    }
    item |= {"c": "0x" + "1" * 32} | changes
    return {"type": "order", "orders": [item], "grouping": "na"}


def signed(wallet: Wallet = CLIENT, action: Any = None, nonce: int = NOW_MS, **more: Any) -> Any:
    return wallet.signed(action or order(), nonce=nonce, **more)


@virtually
async def test_forwarded_action_leaves_byte_for_byte(door: Door) -> None:
    body = msgspec.json.format(msgspec.json.encode(signed()), indent=2)
    told = await door.native.post(FORWARD, body)
    assert [body] == door.hop.venue.arrived
    assert told == door.hop.venue.done[NOW_MS]
    (intent,) = door.hop.log.begun.values()
    assert (CLIENT.address, body, None) == (intent.signer, intent.payload, intent.expires_ms)


@virtually
async def test_forward_refuses_the_signature_of_another_network(door: Door) -> None:
    """The SDK signs for testnet at a local address: mainnet would not know the signer."""
    text = await door.refusal(FORWARD, signed(LOCAL))
    assert text.startswith("User or API Wallet 0x")
    assert "does not exist. The signature is for testnet (source b)" in text
    assert "localhost" in text


@virtually
async def test_resign_takes_either_network_and_signs_anew(door: Door) -> None:
    for number, wallet in enumerate((CLIENT, LOCAL)):
        await door.post(RESIGN, signed(wallet, nonce=NOW_MS - 5 - number))
    sent = [msgspec.json.decode(payload) for payload in door.hop.venue.arrived]
    assert [AGENT, AGENT] == [one["signature"]["r"] for one in sent]
    assert NOW_MS <= sent[0]["nonce"] < sent[1]["nonce"]
    assert NOW_MS < sent[0]["expiresAfter"]


@pytest.mark.parametrize("account", [FORWARD, RESIGN], ids=["forward", "resign"])
def test_stranger_is_refused(account: LiveAccount) -> None:
    @virtually
    async def run(door: Door) -> None:
        text = await door.refusal(account, signed(STRANGER))
        assert f"User or API Wallet {STRANGER.address} does not exist." in text
        changed = signed()
        changed["action"]["orders"][0]["s"] = "0.02"
        assert "does not exist" in await door.refusal(account, changed)

    run()


@pytest.mark.parametrize("account", [FORWARD, RESIGN], ids=["forward", "resign"])
def test_other_form_than_the_venues_is_refused(account: LiveAccount) -> None:
    """A simulator may be kind to it; mainnet hashes its own form."""

    @virtually
    async def run(door: Door) -> None:
        text = await door.refusal(account, signed(action=order(p="94000.0")))
        assert "over another form of the action than the venue's own" in text

    run()


@virtually
async def test_only_the_agent_the_master_and_named_clients_may_forward(door: Door) -> None:
    nobody = live_account(native="forward", client_signers=())
    assert "does not exist" in await door.refusal(nobody, signed())
    master = live_account(
        native="forward", client_signers=(), master=CLIENT.address, address=CLIENT.address
    )
    assert "ok" == (await door.post(master, signed()))["status"]


@virtually
async def test_nobody_acts_for_another_account(door: Door) -> None:
    """Neither for a vault that is none of the token's, nor for the master behind a sub-account."""
    sub = live_account(native="forward", client_signers=(CLIENT.address,), address=VAULT)
    assert f"Vault not registered: {VAULT}" == await door.refusal(FORWARD, signed(vault=VAULT))
    assert f"this token acts for {VAULT}" in await door.refusal(sub, signed())
    assert "ok" == (await door.post(sub, signed(vault=VAULT)))["status"]
    other = live_account(client_signers=(CLIENT.address,), address=VAULT)
    assert MASTER == other.master
    assert "ok" == (await door.post(other, signed(nonce=NOW_MS + 1)))["status"]


@pytest.mark.parametrize("account", [FORWARD, RESIGN], ids=["forward", "resign"])
@pytest.mark.parametrize(
    "action",
    [
        {"type": "vaultTransfer", "vaultAddress": VAULT, "isDeposit": True, "usd": 5},
        {"type": "subAccountTransfer", "subAccountUser": VAULT, "isDeposit": True, "usd": 5},
        {"type": "twapCancel", "a": 0, "t": 1},
        {"type": "agentSendAsset", "destination": VAULT},
        {"type": "setReferrer", "code": "X"},
    ],
    ids=lambda action: action["type"],
)
def test_what_is_not_on_the_list_never_leaves(account: LiveAccount, action: Any) -> None:
    @virtually
    async def run(door: Door) -> None:
        text = await door.refusal(account, signed(action=action))
        assert f"action: {action['type']} never leaves from here" in text

    run()


@pytest.mark.parametrize("account", [FORWARD, RESIGN], ids=["forward", "resign"])
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("usdSend", {"destination": VAULT, "amount": "5"}),
        ("withdraw3", {"destination": VAULT, "amount": "5"}),
        ("approveAgent", {"agentAddress": VAULT, "agentName": "x"}),
        ("usdClassTransfer", {"amount": "5", "toPerp": True}),
    ],
)
def test_what_a_wallet_signs_never_leaves(
    account: LiveAccount, kind: str, fields: dict[str, Any]
) -> None:
    @virtually
    async def run(door: Door) -> None:
        body = CLIENT.user_signed(kind, **fields)
        assert f"action: {kind} never leaves" in await door.refusal(account, body)

    run()


@pytest.mark.parametrize("account", [FORWARD, RESIGN], ids=["forward", "resign"])
def test_nonce_is_used_once(account: LiveAccount) -> None:
    @virtually
    async def run(door: Door) -> None:
        assert "ok" == (await door.post(account, signed()))["status"]
        for body in (signed(), signed(action=order(s="0.02"))):
            told = await door.post(account, body)
            assert f"Invalid nonce: duplicate nonce {NOW_MS}" == told["response"]
        assert 1 == len(door.hop.venue.arrived)

    run()


@virtually
async def test_nonce_outside_the_window_is_refused(door: Door) -> None:
    """It is not sent on, so the venue cannot refuse it."""
    low, high = NOW_MS - OLD_MS - 1, NOW_MS + AHEAD_MS + 1
    assert "nonce too low" in await door.refusal(RESIGN, signed(nonce=low))
    assert "nonce too high" in await door.refusal(RESIGN, signed(nonce=high))
    for number in (low + 1, high - 1):
        assert "ok" == (await door.post(RESIGN, signed(nonce=number)))["status"]


@virtually
async def test_caught_request_is_not_signed_anew_once_its_key_is_forgotten(door: Door) -> None:
    """A key is kept for ten minutes at the least, and not for the two days of the venue."""
    assert OLD_MS + AHEAD_MS < KEPT_MS
    caught = signed(nonce=NOW_MS + AHEAD_MS)
    assert "ok" == (await door.post(RESIGN, caught))["status"]
    await asyncio.sleep(KEPT_MS / 1000)
    door.hop.log.settled.clear()
    told = await door.post(RESIGN, caught)
    assert "err" == told["status"]
    assert 1 == len(door.hop.venue.arrived)


@virtually
async def test_expired_action_does_not_leave(door: Door) -> None:
    for number, account in enumerate((FORWARD, RESIGN)):
        text = await door.refusal(account, signed(nonce=NOW_MS + number, expires=NOW_MS - 1))
        assert "Action already expired" == text


@virtually
async def test_kill_and_gate_hold_for_signed_actions_too(door: Door) -> None:
    door.hop.gate.refusal = "order_size: too large"
    assert "order_size: too large" == await door.refusal(FORWARD, signed())
    door.hop.gate.refusal = None
    killed = Cause(scope="", level=Level.KILLED, by="operator", reason="x", since_ms=NOW_MS)
    door.hop.safety.engage(killed)
    assert "safety: KILLED" in await door.refusal(FORWARD, signed(nonce=NOW_MS + 1))


@virtually
async def test_same_bytes_after_a_lost_answer_are_told_the_fate(door: Door) -> None:
    """By the order's client id and what it looks like; a client's key gets no noop from here."""
    body = signed(expires=NOW_MS + 5_000)
    door.hop.upstream.answers_lost = 1
    with pytest.raises(UpstreamTimeout):
        await door.post(FORWARD, body)
    with pytest.raises(UpstreamTimeout):
        await door.post(FORWARD, body)
    (row,) = door.hop.venue.orders.values()
    for _ in range(5):
        try:
            told = await door.post(FORWARD, body)
            break
        except UpstreamTimeout:
            continue
    assert row["order"]["oid"] in [
        next(iter(status.values()))["oid"] for status in told["response"]["data"]["statuses"]
    ]
    assert 1 == len(door.hop.venue.arrived)


@virtually
async def test_noop_of_a_client_ends_its_own_nonce(door: Door) -> None:
    noop = {"type": "noop"}
    done = {"status": "ok", "response": {"type": "default"}}
    assert done == await door.post(RESIGN, signed(action=noop))
    assert "duplicate nonce" in (await door.post(RESIGN, signed()))["response"]
    assert [] == door.hop.venue.arrived
    assert done == await door.post(FORWARD, signed(action=noop, nonce=NOW_MS + 1))
    assert 1 == len(door.hop.venue.arrived)


@pytest.mark.parametrize(
    ("body", "is_json"),
    [
        (b"{", False),
        (b"[]", True),
        (b"{}", True),
        (b'{"action":{},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}', True),
        (b'{"nonce":1,"nonce":2,"action":{},"signature":{"r":"0x1","s":"0x1","v":27}}', True),
        (b'{"action":{"type":"noop"},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}} x', False),
    ],
)
def test_what_is_no_request_is_told_apart(body: bytes, is_json: bool) -> None:
    @virtually
    async def run(door: Door) -> None:
        with pytest.raises(Malformed) as caught:
            await door.native.post(FORWARD, body)
        assert is_json is caught.value.is_json

    run()


@virtually
async def test_number_that_no_action_can_carry_is_refused(door: Door) -> None:
    """Found by ten thousand spoilt bodies: it is signed over as 64 bits, and has more."""
    cancels = [{"asset": 10**42, "cloid": "0x" + "ab" * 16}]
    written = {"type": "cancelByCloid", "cancels": cancels}
    body = msgspec.json.decode(msgspec.json.encode(signed())) | {"action": written}
    with pytest.raises(Malformed) as caught:
        await door.native.post(FORWARD, json.dumps(body).encode())
    assert caught.value.is_json


@virtually
async def test_key_named_twice_within_an_action_is_refused(door: Door) -> None:
    """Two readers of the same bytes would see two actions."""
    body = msgspec.json.encode(signed()).replace(b'"s":"0.01"', b'"s":"9","s":"0.01"')
    with pytest.raises(Malformed):
        await door.native.post(FORWARD, body)

"""`POST /exchange` under ten thousand spoilt bodies: never an error of ours, never a trace."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from coincurve import PrivateKey
from tests.support.mutations import mutated, odd
from tests.support.venue_process import VenueUnderTest
from tests.support.wallets import Wallet, item, order, trigger
from tests.support.worlds import random_source

from suite.clock import ManualClock
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.hyperliquid_signing import l1_digest, user_digest
from suite.contracts.world import AccountRequest, WorldRequest
from virtual_exchange.application.exchange.gateway import Malformed
from virtual_exchange.application.session import Session, open_session

NOW_MS = 1_790_000_000_000
OWNER, FRIEND, AGENT = Wallet(17), Wallet(68), Wallet(34)
SPOILT, SIGNED = 10_000, 3_000
KEY = PrivateKey(bytes([OWNER.number]) * 32)


def actions(oid: int) -> list[dict[str, Any]]:
    """One of each kind that a trader signs; an order may be named by its oid."""
    cloid = "0x" + "ab" * 16
    resting = item(px="80000", cloid=cloid)
    child = item(px="120000", is_buy=False, reduce_only=True, kind=trigger("120000", "tp"))
    return [
        order(resting),
        order(item(), child, grouping="normalTpsl"),
        order(item(px="100000", kind={"limit": {"tif": "Ioc"}})),
        order(item(), builder={"b": FRIEND.address, "f": 1}),
        order(item(sz="0", is_buy=False, reduce_only=True, kind=trigger("9", "sl"))),
        {"type": "cancel", "cancels": [{"a": 0, "o": oid}]},
        {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": cloid}]},
        {"type": "modify", "oid": oid, "order": item(px="79000")},
        {"type": "batchModify", "modifies": [{"oid": cloid, "order": item(px="79000")}]},
        {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 5},
        {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": 5_000_000},
        {"type": "scheduleCancel", "time": NOW_MS + 60_000},
        {"type": "createSubAccount", "name": "sub"},
        {
            "type": "subAccountTransfer",
            "subAccountUser": FRIEND.address,
            "isDeposit": True,
            "usd": 5,
        },
        {
            "type": "twapOrder",
            "twap": {"a": 0, "b": True, "s": "0.1", "r": False, "m": 5, "t": True},
        },
        {"type": "twapCancel", "a": 0, "t": 1},
        {"type": "setReferrer", "code": "CODE"},
        {"type": "vaultTransfer", "vaultAddress": FRIEND.address, "isDeposit": True, "usd": 5},
        {"type": "reserveRequestWeight", "weight": 5},
        {"type": "noop"},
    ]


def user_bodies() -> list[dict[str, Any]]:
    """Envelopes of what a wallet shows before it signs."""
    wallet = Wallet(OWNER.number, nonces=iter(range(NOW_MS, NOW_MS + 100)))
    common: dict[str, Any] = {"destination": FRIEND.address}
    return [
        wallet.user_signed("usdSend", **common, amount="5"),
        wallet.user_signed("withdraw3", **common, amount="5"),
        wallet.user_signed("usdClassTransfer", amount="5", toPerp=False),
        wallet.user_signed("approveAgent", agentAddress=AGENT.address, agentName="bot"),
        wallet.user_signed("approveBuilderFee", builder=FRIEND.address, maxFeeRate="0.01%"),
        wallet.user_signed(
            "sendAsset",
            **common,
            sourceDex="",
            destinationDex="",
            token="USDC",
            amount="5",
            fromSubAccount="",
        ),
    ]


@pytest.fixture
def session() -> Session:
    request = WorldRequest(
        symbols=("BTC", "ETH"),
        accounts=tuple(
            AccountRequest(id=name, address=wallet.address)
            for name, wallet in (("alice", OWNER), ("bob", FRIEND))
        ),
    )
    return open_session(request, source=random_source("BTC", "ETH"), clock=ManualClock(NOW_MS))


def state(session: Session) -> Any:
    """Everything an action may change, but for the nonces it has used."""
    world, identity = session.world, session.identity
    return (
        world.engine.digest(),
        [(b.spot_usd, len(b.orders), len(b.ledger), len(b.twaps)) for b in world.books],
        [identity.agents_of(account.index) for account in world.accounts],
        [identity.max_builder_fee(a.index, FRIEND.address) for a in world.accounts],
    )


def submit(session: Session, body: bytes) -> str:
    """Bring a body to the gateway; say how it was answered."""
    try:
        reply = session.gateway.post(body).answer
    except Malformed as error:
        return "422" if error.is_json else "400"
    msgspec.json.encode(reply)
    return str(reply["status"])


def test_spoilt_bodies_are_answered_and_leave_no_trace(session: Session) -> None:
    """Bits flipped, tokens swapped, keys dropped, doubled and reordered, nested without end."""
    wallet = Wallet(OWNER.number)
    oid = session.world.engine.bar * (1 << 20) + 1
    bodies = [
        json.dumps(envelope).encode()
        for envelope in (
            *(
                wallet.signed(action, nonce=NOW_MS + 200 + n)
                for n, action in enumerate(actions(oid))
            ),
            *user_bodies(),
        )
    ]
    chance = random.Random(20261121)
    answers: Counter[str] = Counter()
    before = state(session)
    for _ in range(SPOILT):
        body = mutated(chance.choice(bodies), chance)
        answer = submit(session, body)
        answers[answer] += 1
        after = state(session)
        assert answer == "ok" or before == after, body[:1000]
        before = after
    assert {"400", "422", "err"} <= answers.keys()
    assert answers["ok"] < SPOILT / 10


def sealed(value: dict[str, Any], nonce: int) -> Any:
    """Sign whatever it is, as its owner would; None where it cannot be written."""
    raw = msgspec.Raw(json.dumps(value).encode())
    try:
        if wire.is_user_signed(str(value.get("type"))):
            value = {**value, "time" if "time" in value else "nonce": nonce}
            digest = user_digest(value)
        else:
            digest = l1_digest(wire.packed_as_sent(raw), nonce, "b")
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, KeyError):
        return None
    signature = KEY.sign_recoverable(digest, hasher=None)
    halves = {"r": "0x" + signature[:32].hex(), "s": "0x" + signature[32:64].hex()}
    return {"action": value, "nonce": nonce, "signature": {**halves, "v": 27 + signature[64]}}


def test_odd_actions_with_good_signatures_are_answered(session: Session) -> None:
    """What a wrong client of a real user may send: it reaches the rules themselves."""
    oid = 0
    chance = random.Random(20261122)
    answers: Counter[str] = Counter()
    users = [envelope["action"] for envelope in user_bodies()]
    before = state(session)
    for number in range(SIGNED):
        if number % 50 == 0:
            session.world.play(1)
            live = session.world.engine.open_orders(0)
            oid, before = (live[-1].oid if live else 1), state(session)
        envelope = sealed(odd(chance.choice(actions(oid) + users), chance), NOW_MS + number)
        if envelope is None:
            answers["unsigned"] += 1
            continue
        body = json.dumps(envelope).encode()
        answer = submit(session, body)
        answers[answer] += 1
        after = state(session)
        assert answer == "ok" or before == after, body[:1000]
        before = after
    assert answers["ok"] > SIGNED / 20
    assert answers["422"] > SIGNED / 20


@pytest.fixture(scope="module")
def client(target: VenueUnderTest) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=target.url, timeout=20) as opened:
        yield opened


@pytest.mark.process
def test_spoilt_bodies_over_http_are_refused_with_a_text(
    target: VenueUnderTest, client: httpx.Client
) -> None:
    """400, 413, 422 as plain text or 200 with an error: no 5xx, and the account is as it was."""
    owner = target.wallet()
    from hyperliquid.utils.signing import get_timestamp_ms, sign_l1_action

    nonce = get_timestamp_ms()
    bodies = []
    for action in actions(1):
        signature = sign_l1_action(owner, action, None, nonce, None, is_mainnet=False)
        bodies.append(
            json.dumps({"action": action, "nonce": nonce, "signature": signature}).encode()
        )
    reads = ("clearinghouseState", "openOrders", "userFills")
    chance = random.Random(20261123)
    statuses: Counter[int] = Counter()
    accepted = 0
    for _ in range(800):
        body = mutated(chance.choice(bodies), chance)
        reply = client.post("/exchange", content=body, headers={"content-type": "application/json"})
        statuses[reply.status_code] += 1
        assert reply.status_code < 500, body[:1000]
        if reply.status_code == 200:
            accepted += reply.json()["status"] == "ok"
        else:
            assert reply.headers["content-type"].startswith("text/plain")
    assert {200, 400, 422} <= set(statuses)
    if not accepted:
        fresh = target.wallet()
        for kind in reads:
            wanted, found = (target.info(kind, user=w.address) for w in (fresh, owner))
            assert [wanted] == [found] or wanted["marginSummary"] == found["marginSummary"]
    assert client.get("/health").status_code == 200

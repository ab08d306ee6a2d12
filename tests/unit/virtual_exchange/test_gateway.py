"""The native gateway: in which order a request is refused, what a body is, and how it ends."""

import json
from typing import Any

import msgspec
import pytest
from tests.support.wallets import item, order, post, statuses
from tests.support.worlds import random_source
from tests.unit.virtual_exchange.native_gateway import (
    AGENT,
    NOW_MS,
    OWNER,
    act,
    nonce,
    open_door,
    user,
)

from suite.bars import DAY_MS
from suite.clock import ManualClock
from suite.contracts.world import AccountRequest, WorldRequest
from virtual_exchange.application.exchange.gateway import Malformed, Strictness
from virtual_exchange.application.session import Session, open_session


@pytest.fixture
def session() -> Session:
    return open_door()


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
        session.gateway.post(body)
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
        session.gateway.post(body)
    assert caught.value.is_json
    assert before == session.world.engine.digest()


def test_what_follows_the_first_value_is_ignored(session: Session) -> None:
    """As the venue's reader does."""
    reply = session.gateway.post(encoded() + b" trailing nonsense").answer
    assert reply["status"] == "ok"


def test_unknown_keys_of_the_envelope_are_ignored(session: Session) -> None:
    """Frontends add their own."""
    assert session.gateway.post(encoded(isFrontend=True)).answer["status"] == "ok"


def test_actions_beyond_perpetuals_are_refused_by_name(session: Session) -> None:
    """Quickly, with an answer a client can show."""
    reply = act(session, {"type": "evmUserModify", "usingBigBlocks": True})
    assert reply == {"status": "err", "response": "evmUserModify is not simulated."}


# the end


def test_finished_world_halts_trading_and_still_answers(session: Session) -> None:
    """With the venue's words."""
    session.world.play(session.world.end_bar)
    assert act(session, order())["response"] == "Trading is halted."
    assert act(session, {"type": "noop"})["status"] == "ok"


def test_mutated_bodies_change_nothing(session: Session) -> None:
    """A body with one byte changed is refused or is somebody else's."""
    body = json.dumps(OWNER.signed(order(), nonce=nonce())).encode()
    before = session.world.engine.digest()
    for place in range(0, len(body), 7):
        changed = body[:place] + bytes((body[place] ^ 1,)) + body[place + 1 :]
        try:
            reply = session.gateway.post(changed).answer
        except Malformed:
            continue
        if reply["status"] == "ok":
            # a space or a key that does not count
            assert json.loads(changed) != json.loads(body)
            break
        assert before == session.world.engine.digest()


# budgets


def test_actions_are_counted_and_limited_only_where_that_is_asked_for() -> None:
    """A batch counts for as many as are in it; beyond the cap one action in ten seconds."""
    request = WorldRequest(
        symbols=("BTC",), accounts=(AccountRequest(id="alice", address=OWNER.address),)
    )
    for limited in (False, True):
        session = open_session(
            request,
            source=random_source("BTC"),
            clock=ManualClock(NOW_MS),
            strictness=Strictness(limits=limited),
        )
        act(session, order(item(px="50000"), item(px="50001")))
        assert 2 == session.queries.limits.used(0)
        session.queries.limits.count(0, 10_000)
        assert act(session, order())["status"] == "ok"
        again = act(session, order())
        assert limited == ("Too many cumulative requests sent" in str(again))
        cancels = act(session, {"type": "cancel", "cancels": [{"a": 0, "o": 1}]})
        assert cancels["status"] == "ok"  # their cap is higher

"""What a client may try: floods, endless numbers, texts and names, nonces kept for later."""

from decimal import Decimal
from typing import Any

import pytest
from tests.support.wallets import Wallet, item, order, post, statuses
from tests.support.worlds import open_memory_world, random_source

from suite.bars import DAY_MS
from suite.clock import ManualClock
from suite.contracts.venue import PlaceOrder
from suite.contracts.world import AccountRequest, Transfer, WorldRequest
from suite.enums import OrderStatus
from suite.errors import BadRequest, Conflict
from suite.fixed import parse_fixed
from virtual_exchange.application.exchange.gateway import Malformed
from virtual_exchange.application.exchange.trading import REFUSED_KEPT
from virtual_exchange.application.session import Session, open_session
from virtual_exchange.domain.nonces import NonceWindow

NOW_MS = 1_790_000_000_000
OWNER, OTHER = Wallet(17), Wallet(68)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def session(clock: ManualClock) -> Session:
    return _opened(clock, AccountRequest(id="alice", address=OWNER.address))


def _opened(clock: ManualClock, *accounts: AccountRequest) -> Session:
    others = (AccountRequest(id="bob", address=OTHER.address),)
    request = WorldRequest(symbols=("BTC",), accounts=(*accounts, *others))
    return open_session(request, source=random_source("BTC"), clock=clock)


def _act(session: Session, action: dict[str, Any], nonce: int) -> Any:
    return post(session, OWNER.signed(action, nonce=NOW_MS + nonce))


def test_flood_of_refused_orders_takes_no_id_of_one_that_lives(session: Session) -> None:
    """The venue remembers so many of a bar; orders placed before and after are untouched."""
    (resting,) = statuses(_act(session, order(), 1))
    oid = resting["resting"]["oid"]
    refused = [item(px="150000", kind={"limit": {"tif": "Alo"}})] * 200
    for number in range(2, 90):
        told = statuses(_act(session, order(*refused), number))
        assert all("Post only" in status["error"] for status in told)
    book = session.world.books[0]
    assert OrderStatus.OPEN is book.orders[oid].status
    kept = [record for record in book.orders.values() if record.status.terminal]
    assert REFUSED_KEPT == len(kept)
    assert "resting" in statuses(_act(session, order(), 100))[0]


def test_number_of_many_digits_is_refused_at_once() -> None:
    """Reading it whole would take the process seconds, and everyone would wait."""
    endless = "0." + "1" * 500_000
    for value in (endless, Decimal(endless)):
        with pytest.raises(ValueError, match="too long"):
            parse_fixed(value, 6)
    assert 1_500_000 == parse_fixed("1.5" + "0" * 40, 6)


def test_long_text_in_a_signed_action_is_no_action(session: Session) -> None:
    """What is sent may be kept for as long as the world, so it is short."""
    fields = {"amount": "5", "destination": "0x" + "a" * 500_000}
    with pytest.raises(Malformed, match="128"):
        post(session, OWNER.user_signed("withdraw3", **fields))
    with pytest.raises(Malformed, match="128"):
        _act(session, {"type": "setReferrer", "code": "x" * 129}, 1)


def test_withdrawal_goes_to_an_address(session: Session) -> None:
    """Anything else is no place for money."""
    wallet = Wallet(17, nonces=iter((NOW_MS,)))
    told = post(session, wallet.user_signed("withdraw3", amount="5", destination="my bank"))
    assert told == {"status": "err", "response": "Invalid destination 'my bank'."}
    assert [] == [entry for entry in session.world.books[0].ledger if entry.kind == "withdraw"]


def test_nonce_ahead_of_all_others_is_used_once() -> None:
    """It stays among the highest for longer than the rest are remembered."""
    window = NonceWindow()
    assert window.use(NOW_MS + DAY_MS // 2, NOW_MS) is None
    for number in range(20_000):
        assert window.use(NOW_MS + number, NOW_MS) is None
    assert "duplicate nonce" in str(window.use(NOW_MS + DAY_MS // 2, NOW_MS))


def test_transfer_that_the_payee_cannot_hold_leaves_the_money_where_it_was(
    clock: ManualClock,
) -> None:
    """Whole or not at all, by either way."""
    rich = AccountRequest(id="rich", address=OWNER.address, initial_balance=Decimal(10) ** 11)
    session = _opened(clock, rich)
    engine = session.world.engine
    before = [engine.account(index).cash_usd for index in (0, 1)]
    assert 10**17 == before[0]
    transfer = Transfer(from_="bob", to="rich", usd_micro=5_000_000, idempotency_key="a")
    with pytest.raises(Conflict, match="rich cannot hold"):
        session.transfers.move(transfer)
    wallet = Wallet(68, nonces=iter((NOW_MS,)))
    sent = post(session, wallet.user_signed("usdSend", destination=OWNER.address, amount="5"))
    assert "Insufficient balance for withdrawal." == sent["response"]
    assert before == [engine.account(index).cash_usd for index in (0, 1)]
    assert [1, 1] == [len(book.ledger) for book in session.world.books]


@pytest.mark.parametrize("balance", ["200000000000", "1e12"])
def test_balance_beyond_what_an_account_holds_is_refused(clock: ManualClock, balance: str) -> None:
    """It would begin with nothing."""
    with pytest.raises(BadRequest, match="at most 1e11"):
        _opened(clock, AccountRequest(id="rich", initial_balance=Decimal(balance)))


@pytest.mark.parametrize("address", [Wallet(90).address, OTHER.address])
def test_address_stands_for_one_account_or_agent(clock: ManualClock, address: str) -> None:
    """An agent of two accounts, or one that is an account, would act for whichever came last."""
    twice = [AccountRequest(id=name, agents=(address,)) for name in ("alice", "carol")]
    with pytest.raises(BadRequest, match="same address"):
        _opened(clock, *twice)


def test_expired_agent_leaves_its_place(session: Session, clock: ManualClock) -> None:
    """Three may live at a time."""

    def approve(key: int, name: str) -> str:
        fields = {"agentAddress": Wallet(key).address, "agentName": name}
        wallet = Wallet(17, nonces=iter((clock.now_ms() + key,)))
        return str(post(session, wallet.user_signed("approveAgent", **fields))["status"])

    assert ["ok"] * 3 == [approve(80 + number, f"bot{number}") for number in range(3)]
    assert "err" == approve(90, "bot3")
    clock.advance_to(NOW_MS + 91 * DAY_MS)
    assert "ok" == approve(91, "bot4")


def test_orders_are_logged_when_they_are_decided_on() -> None:
    """Not when they arrive: with a latency, that is later, and never for one that is lost."""
    session = open_memory_world(random_source("BTC"), latency=60_000)
    before = session.world.books[0].decisions_sha256
    session.barrier.send(0, PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01")))
    assert before != session.world.books[0].decisions_sha256


def test_batch_beyond_the_limit_costs_nothing(session: Session) -> None:
    """It is refused as an envelope."""
    told = _act(session, order(*[item()] * 201), 1)
    assert {"status": "err", "response": "Signed action over weight limit of 200."} == told
    assert 0 == session.queries.limits.used(0)


@pytest.mark.parametrize("sz", ["0.10", "1E-1", "0.1000", "1.0e-1"])
def test_decision_log_knows_a_number_in_any_notation(sz: str) -> None:
    """The same decision is the same line of the log."""
    logs = []
    for text in ("0.1", sz):
        session = open_memory_world(random_source("BTC"))
        session.barrier.send(0, PlaceOrder(coin="BTC", is_buy=True, sz=Decimal(text)))
        logs.append(session.world.books[0].decisions_sha256)
    assert logs[0] == logs[1]

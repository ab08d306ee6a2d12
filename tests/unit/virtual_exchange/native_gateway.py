"""A session for two who sign, and the ways they talk to its native gateway."""

from typing import Any

from tests.support.wallets import Wallet, post
from tests.support.worlds import random_source

from suite.clock import ManualClock
from suite.contracts.world import AccountRequest, WorldRequest
from virtual_exchange.application.exchange.gateway import Signatures, Strictness
from virtual_exchange.application.session import Session, open_session

NOW_MS = 1_790_000_000_000
OWNER, AGENT, STRANGER = Wallet(17), Wallet(34), Wallet(51)


def open_door(
    clock: ManualClock | None = None,
    warned: list[dict[str, Any]] | None = None,
    *,
    signatures: Signatures = "any",
) -> Session:
    """Open a world of BTC and ETH with the accounts of the owner and of bob."""
    request = WorldRequest(
        symbols=("BTC", "ETH"),
        accounts=(
            AccountRequest(id="alice", address=OWNER.address),
            AccountRequest(id="bob", address=Wallet(68).address),
        ),
    )
    told = [] if warned is None else warned
    return open_session(
        request,
        source=random_source("BTC", "ETH"),
        clock=clock or ManualClock(NOW_MS),
        warn=lambda event, **values: told.append({"event": event, **values}),
        strictness=Strictness(signatures=signatures),
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
